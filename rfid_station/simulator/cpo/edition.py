"""The versions of OCPI that the virtual CPO speaks, and in what they differ: one row of facts for each.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tokens, credentials, version_information_endpoint,
transport_and_format (authorization header, unique message IDs, message routing) and status_codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rfid_station.simulator.cpo.rules import (
    AUTHORIZATION_INFO,
    AUTHORIZATION_INFO_2_1_1,
    AUTHORIZATION_INFO_2_3_0,
    CREDENTIALS,
    CREDENTIALS_2_1_1,
    CREDENTIALS_2_3_0,
    ROLE,
    ROLE_2_3_0,
    TOKEN,
    TOKEN_2_1_1,
    TOKEN_2_3_0,
    Field,
    JsonObject,
    credentials_complaint,
)
from rfid_station.simulator.cpo.state import Key


class Encoding(StrEnum):
    """How a credentials token stands in the Authorization header."""

    BY_VERSION = "by-version"
    """In clear in 2.1.1, in Base64 since 2.2."""
    BASE64 = "base64"
    CLEAR = "clear"
    EITHER = "either"
    """Taken both ways, and written as the version says."""
    NONE = "none"
    """Nobody is asked for a token, and none is sent."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of OCPI."""

    version: str
    token: Mapping[str, Field]
    authorization_info: Mapping[str, Field]
    credentials: Mapping[str, Field]
    role: Mapping[str, Field] | None
    """What one role in credentials is; None where a platform is one party (2.1.1)."""
    encoding: Encoding = Encoding.BASE64
    has_message_ids: bool = True
    has_routing: bool = True
    has_interface_roles: bool = True
    """Whether an endpoint in the version details says SENDER or RECEIVER."""
    has_type_in_url: bool = True
    has_party_in_token: bool = True
    is_case_sensitive: bool = False
    wants_stamp_in_patch: bool = True
    """Whether a PATCH without `last_updated` is refused."""
    unknown_token_code: int = 2004

    def credentials_complaint(self, value: object) -> str | None:
        """The first thing that is wrong with a Credentials object."""
        return credentials_complaint(value, self.credentials, self.role)

    def parties_of(self, credentials: JsonObject) -> tuple[tuple[str, str], ...]:
        """Country code and party id of everybody that a platform speaks for."""
        spoken = [credentials] if self.role is None else credentials["roles"]
        return tuple((str(one["country_code"]), str(one["party_id"])) for one in spoken)  # type: ignore[attr-defined]

    def fold(self, text: str) -> str:
        """An id in the form in which ids are compared."""
        return text if self.is_case_sensitive else text.lower()

    def key_of(self, country_code: str, party_id: str, token: JsonObject) -> Key:
        """What makes a token one. Before 2.2 its party stands in the URL alone."""
        parts = (country_code, party_id, str(token["uid"]), str(token["type"]))
        if self.has_party_in_token:
            parts = (str(token["country_code"]), str(token["party_id"]), *parts[2:])
        country, party, uid, kind = map(self.fold, parts)
        return country, party, uid, kind


EDITIONS = {
    edition.version: edition
    for edition in (
        Edition(
            "2.1.1",
            TOKEN_2_1_1,
            AUTHORIZATION_INFO_2_1_1,
            CREDENTIALS_2_1_1,
            None,
            encoding=Encoding.CLEAR,
            has_message_ids=False,
            has_routing=False,
            has_interface_roles=False,
            has_type_in_url=False,
            has_party_in_token=False,
            is_case_sensitive=True,
            wants_stamp_in_patch=False,
            unknown_token_code=2001,
        ),
        Edition("2.2.1", TOKEN, AUTHORIZATION_INFO, CREDENTIALS, ROLE),
        Edition("2.3.0", TOKEN_2_3_0, AUTHORIZATION_INFO_2_3_0, CREDENTIALS_2_3_0, ROLE_2_3_0),
    )
}
"""By version number, the oldest first."""
