"""What a CPO checks in a token, and what its charging station decides by one.

Written from OCPI 2.2.1 alone: mod_tokens (3.2 Token object, 5.2 TokenType, 5.3 WhitelistType),
types (CiString, string, DateTime) and credentials. Every check returns a complaint in words,
or None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

Check = Callable[[object], str | None]
JsonObject = dict[str, object]

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", re.ASCII)


def ci_string(most: int, least: int = 1) -> Check:
    """Printable ASCII of limited length (types, CiString type)."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no string"
        if not (value.isascii() and value.isprintable()):
            return "has characters outside printable ASCII"
        return _length(value, least, most)

    return check


def string(most: int) -> Check:
    """Printable UTF-8 of limited length (types, string type)."""

    def check(value: object) -> str | None:
        if not isinstance(value, str):
            return "is no string"
        if any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in value):
            return "has control characters"
        return _length(value, 0, most)

    return check


def one_of(*members: str) -> Check:
    """A closed enumeration."""
    return lambda value: None if value in members else f"is none of {', '.join(members)}"


def boolean(value: object) -> str | None:
    """JSON true or false."""
    return None if isinstance(value, bool) else "is neither true nor false"


def date_time(value: object) -> str | None:
    """DateTime: string(25), RFC 3339 in UTC, never with an offset."""
    return None if instant(value) else "is not a DateTime in UTC of at most 25 characters"


def instant(value: object) -> datetime | None:
    """The instant of a DateTime, or None if it is not one."""
    if not isinstance(value, str) or len(value) > 25 or not _DATE_TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None


def an_object(value: object) -> str | None:
    """A JSON object whose members are not looked at."""
    return None if isinstance(value, dict) else "is no object"


@dataclass(frozen=True, slots=True)
class Field:
    """One member of an object: what is allowed in it, and whether it may be missing or null."""

    check: Check
    is_required: bool = True


TOKEN = {
    "country_code": Field(ci_string(2, 2)),
    "party_id": Field(ci_string(3, 3)),
    "uid": Field(ci_string(36)),
    "type": Field(one_of("AD_HOC_USER", "APP_USER", "OTHER", "RFID")),
    "contract_id": Field(ci_string(36)),
    "visual_number": Field(string(64), is_required=False),
    "issuer": Field(string(64)),
    "group_id": Field(ci_string(36), is_required=False),
    "valid": Field(boolean),
    "whitelist": Field(one_of("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")),
    "language": Field(ci_string(2, 2), is_required=False),
    "default_profile_type": Field(one_of("CHEAP", "FAST", "GREEN", "REGULAR"), is_required=False),
    "energy_contract": Field(an_object, is_required=False),
    "last_updated": Field(date_time),
}
"""Token object (mod_tokens, 3.2)."""

CI_STRINGS = ("country_code", "party_id", "uid", "contract_id", "group_id")
"""The members of a token whose case carries no meaning."""

ROLE = {
    "role": Field(one_of("CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP")),
    "party_id": Field(ci_string(3, 3)),
    "country_code": Field(ci_string(2, 2)),
    "business_details": Field(an_object),
}
"""CredentialsRole (credentials, Data types)."""


def credentials_token(value: object) -> str | None:
    """Token of credentials: 1 to 64 printable characters without blanks."""
    if isinstance(value, str) and re.fullmatch(r"[!-~]{1,64}", value):
        return None
    return "is not 1 to 64 printable characters"


CREDENTIALS = {"token": Field(credentials_token), "url": Field(ci_string(255))}
"""Credentials object (credentials), its roles apart."""


def complaint(value: object, fields: Mapping[str, Field]) -> str | None:
    """The first thing that is wrong with an object. Members that are not listed are not looked at."""
    if not isinstance(value, dict):
        return "the body is no JSON object"
    for name, field in fields.items():
        if value.get(name) is None:
            if field.is_required:
                return f"{name} is missing"
            continue
        trouble = field.check(value[name])
        if trouble:
            return f"{name} {trouble}"
    return None


def credentials_complaint(value: object) -> str | None:
    """The first thing that is wrong with a Credentials object."""
    trouble = complaint(value, CREDENTIALS)
    if trouble or not isinstance(value, dict):
        return trouble
    roles = value.get("roles")
    if not isinstance(roles, list) or not roles:
        return "roles is no list of at least one role"
    return next((f"roles: {found}" for role in roles if (found := complaint(role, ROLE))), None)


def _length(value: str, least: int, most: int) -> str | None:
    if least <= len(value) <= most:
        return None
    return f"has {len(value)} characters, not {most if least == most else f'{least} to {most}'}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a charging station says to a driver: Accepted, Blocked or Unknown, and why."""

    status: str
    reason: str


def decide(token: Mapping[str, object] | None) -> Decision:
    """Decide from the cached token alone (mod_tokens, 5.3): the issuer offers no real-time authorization.

    | whitelist | valid | not valid |
    |---|---|---|
    | ALWAYS, ALLOWED | allowed from the cache | denied from the cache |
    | ALLOWED_OFFLINE | allowed, as the issuer does not answer | denied |
    | NEVER | denied, as the issuer must be asked and does not answer | denied |
    """
    if token is None:
        return Decision("Unknown", "no issuer has told us this card")
    whitelist = str(token["whitelist"])
    if token["valid"] is not True:
        return Decision("Blocked", "the issuer says that this card is not valid")
    if whitelist == "NEVER":
        return Decision("Blocked", "whitelist NEVER: the issuer must be asked, and offers no way to ask")
    if whitelist == "ALLOWED_OFFLINE":
        return Decision(
            "Accepted", "whitelist ALLOWED_OFFLINE: the issuer does not answer, the cache says valid"
        )
    return Decision("Accepted", f"whitelist {whitelist}: the cache says valid")
