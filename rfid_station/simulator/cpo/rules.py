"""What a CPO checks in a token, and what its charging station decides by one.

Written from the specification alone: mod_tokens (Token, TokenType, WhitelistType, AuthorizationInfo),
types (CiString, string, DateTime) and credentials of OCPI 2.1.1, 2.2.1 and 2.3.0. Every check returns
a complaint in words, or None. `cpo_edition` says which version takes which of these.
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


def ascii_string(most: int, least: int = 0) -> Check:
    """String of 2.1.1: printable ASCII of limited length, in which case carries meaning."""
    return ci_string(most, least)


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


def object_of(fields: Mapping[str, Field]) -> Check:
    """A JSON object with these members."""

    def check(value: object) -> str | None:
        if not isinstance(value, dict):
            return "is no object"
        trouble = complaint(value, fields)
        return trouble and f"is not as it should be: {trouble}"

    return check


def list_of(check: Check) -> Check:
    """A JSON list, each entry of which passes a check."""

    def check_all(value: object) -> str | None:
        if not isinstance(value, list):
            return "is no list"
        return next((f"has an entry that {found}" for entry in value if (found := check(entry))), None)

    return check_all


WHITELISTS = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER")

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
    "whitelist": Field(one_of(*WHITELISTS)),
    "language": Field(ci_string(2, 2), is_required=False),
    "default_profile_type": Field(one_of("CHEAP", "FAST", "GREEN", "REGULAR"), is_required=False),
    "energy_contract": Field(
        object_of({"supplier_name": Field(string(64)), "contract_id": Field(string(64), is_required=False)}),
        is_required=False,
    ),
    "last_updated": Field(date_time),
}
"""Token object of 2.2.1 (mod_tokens, 3.2)."""

TOKEN_2_1_1 = {
    "uid": Field(ascii_string(36, 1)),
    "type": Field(one_of("OTHER", "RFID")),
    "auth_id": Field(ascii_string(36, 1)),
    "visual_number": Field(ascii_string(64), is_required=False),
    "issuer": Field(ascii_string(64)),
    "valid": Field(boolean),
    "whitelist": Field(one_of(*WHITELISTS)),
    "language": Field(ascii_string(2, 2), is_required=False),
    "last_updated": Field(date_time),
}
"""Token object of 2.1.1 (mod_tokens, 3.2)."""

TOKEN_2_3_0 = {**TOKEN, "type": Field(ci_string(255))}
"""Token object of 2.3.0: TokenType is an OpenEnum, whose unknown values have to be taken."""

CI_STRINGS = ("country_code", "party_id", "uid", "contract_id", "group_id")
"""The members of a token whose case carries no meaning."""

BUSINESS_DETAILS = {"name": Field(string(100))}
"""BusinessDetails class, what is required of it."""

ROLE = {
    "role": Field(one_of("CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP")),
    "party_id": Field(ci_string(3, 3)),
    "country_code": Field(ci_string(2, 2)),
    "business_details": Field(object_of(BUSINESS_DETAILS)),
}
"""CredentialsRole of 2.2.1 (credentials, Data types)."""

ROLE_2_3_0 = {**ROLE, "role": Field(one_of("CPO", "EMSP", "NAP", "NSP", "OTHER", "SCSP"))}
"""CredentialsRole of 2.3.0: hubs are no role of their own any more."""

ALLOWED_TYPES = ("ALLOWED", "BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED")

_DISPLAY_TEXT = {"language": Field(string(2)), "text": Field(string(512))}

_LOCATION = {
    "location_id": Field(ci_string(36)),
    "evse_uids": Field(list_of(ci_string(36)), is_required=False),
}
_LOCATION_2_1_1 = {
    "location_id": Field(ascii_string(39, 1)),
    "evse_uids": Field(list_of(ascii_string(39, 1)), is_required=False),
    "connector_ids": Field(list_of(ascii_string(36, 1)), is_required=False),
}

AUTHORIZATION_INFO = {
    "allowed": Field(one_of(*ALLOWED_TYPES)),
    "token": Field(object_of(TOKEN)),
    "location": Field(object_of(_LOCATION), is_required=False),
    "authorization_reference": Field(ci_string(36), is_required=False),
    "info": Field(object_of(_DISPLAY_TEXT), is_required=False),
}
"""AuthorizationInfo of 2.2.1 (mod_tokens, 3.1)."""

AUTHORIZATION_INFO_2_1_1 = {
    "allowed": Field(one_of(*ALLOWED_TYPES)),
    "location": Field(object_of(_LOCATION_2_1_1), is_required=False),
    "info": Field(object_of(_DISPLAY_TEXT), is_required=False),
}
"""AuthorizationInfo of 2.1.1 (mod_tokens, 3.1)."""

AUTHORIZATION_INFO_2_3_0 = {**AUTHORIZATION_INFO, "token": Field(object_of(TOKEN_2_3_0))}
"""AuthorizationInfo of 2.3.0."""


def credentials_token(value: object) -> str | None:
    """Token of credentials: 1 to 64 printable characters without blanks."""
    if isinstance(value, str) and re.fullmatch(r"[!-~]{1,64}", value):
        return None
    return "is not 1 to 64 printable characters"


CREDENTIALS = {"token": Field(credentials_token), "url": Field(ci_string(255))}
"""Credentials object of 2.2.1 (credentials), its roles apart."""

CREDENTIALS_2_3_0 = {**CREDENTIALS, "hub_party_id": Field(ci_string(5, 5), is_required=False)}
"""Credentials object of 2.3.0, its roles apart."""

CREDENTIALS_2_1_1 = {
    **CREDENTIALS,
    "business_details": Field(object_of({"name": Field(ascii_string(100))})),
    "party_id": Field(ascii_string(3, 3)),
    "country_code": Field(ascii_string(2, 2)),
}
"""Credentials object of 2.1.1: one party, without roles."""


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


def credentials_complaint(
    value: object,
    fields: Mapping[str, Field] = CREDENTIALS,
    role: Mapping[str, Field] | None = ROLE,
) -> str | None:
    """The first thing that is wrong with a Credentials object, of 2.2.1 unless told otherwise.

    :param role: what each of its roles has to be; None for a version without roles
    """
    trouble = complaint(value, fields)
    if trouble or role is None or not isinstance(value, dict):
        return trouble
    roles = value.get("roles")
    if not isinstance(roles, list) or not roles:
        return "roles is no list of at least one role"
    return next((f"roles: {found}" for entry in roles if (found := complaint(entry, role))), None)


def _length(value: str, least: int, most: int) -> str | None:
    if least <= len(value) <= most:
        return None
    return f"has {len(value)} characters, not {most if least == most else f'{least} to {most}'}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a charging station says to a driver: Accepted, Blocked or Unknown, and why.

    Where the issuer was asked, it may also be Expired, NoCredit or NotAtThisLocation, the words of
    OCPP 2.0.1, and `reference` is the issuer's authorization reference.
    """

    status: str
    reason: str
    reference: str = ""


def decide(token: Mapping[str, object] | None) -> Decision:
    """Decide from the cached token alone (mod_tokens, 5.3): the issuer does not answer, or offers no way to.

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
