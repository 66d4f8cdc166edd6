"""What a hub is told about a card: the message eRoamingPushAuthenticationData with one record.

Source: OICP 2.3 for EMPs, Services and Operations (eRoamingPushAuthenticationData V2.1) and Data Types
(IdentificationType, RFIDIdentificationType, UIDType, EvcoIDType, ProviderIDType).
"""

from __future__ import annotations

import re
from enum import StrEnum
from urllib.parse import quote

from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.errors import WrongCall

VERSION = "OICP 2.3"

RFID_TYPE = "mifareFamily"
"""As chargers name a card: they ask with its UID as of the MIFARE family, whatever chip it has."""

LONG_AGO = "2000-01-01T00:00:00+00:00"
"""The ExpiryDate of a record that admits nobody."""

LONGEST_PRINTED_NUMBER = 150

_EVCO_ID = re.compile(r"[A-Z]{2}-[A-Z0-9]{3}-(C[A-Z0-9]{8}-[A-Z0-9]|[A-Z0-9]{6}-[0-9X])")

Message = dict[str, object]


class Action(StrEnum):
    """What the hub is to do with the record. The fourth one, fullLoad, is never sent (decision 0008)."""

    INSERT = "insert"
    """Refused where the record is there already."""
    UPDATE = "update"
    """Refused where it is not."""
    DELETE = "delete"


def provider_id(party: Party) -> str:
    """Our ProviderID, as `NL-EXM`. The hub compares it with our certificate."""
    return str(party)


def push_url(base_url: str, party: Party) -> str:
    """Where cards are uploaded, below the address where the hub's OICP begins."""
    return f"{base_url.rstrip('/')}/authdata/v21/providers/{quote(provider_id(party), safe='')}/push-request"


def is_to_be_held(token: Token) -> bool:
    """Whether the hub is to have a record of this token.

    OICP has no blocked record. And a hub admits by its records without asking us, so it gets none
    of a token that has to be asked for each time (OCPI 2.2.1 mod_tokens, WhitelistType NEVER).
    """
    return token.valid and token.whitelist is not Whitelist.NEVER


def upload(action: Action, token: Token, profile: PartnerProfile = STANDARD) -> Message:
    """The message that inserts or updates a token's record.

    :raises WrongCall: a value of the token does not fit into OICP, or its UID not the hub's chargers
    """
    if len(token.uid.raw) not in profile.uid_sizes:
        sizes = ", ".join(map(str, profile.uid_sizes))
        raise WrongCall(
            f"token {token.uid.masked} has a UID of {len(token.uid.raw)} bytes; "
            f"partners of profile {profile.name} read {sizes}",
            hint="give the driver a card of another kind for this partner",
        )
    told = {**_identity(token), "EvcoID": _evco_id(token)}
    if token.visual_number:
        told["PrintedNumber"] = _printed_number(token)
    return _message(action, token.party, told)


def removal(token: Token) -> Message:
    """The message that deletes a token's record. It can be written of every token."""
    return _message(Action.DELETE, token.party, _identity(token))


def expired(token: Token) -> Message:
    """The message that inserts a record which admits nobody."""
    return _message(Action.INSERT, token.party, {**_identity(token), "ExpiryDate": LONG_AGO})


def _identity(token: Token) -> dict[str, str]:
    """What an RFIDIdentification has to have. The UID is read from left to right as through the air."""
    return {"UID": token.uid.hex, "RFID": RFID_TYPE}


def _evco_id(token: Token) -> str:
    written = str(token.contract_id)
    if not _EVCO_ID.fullmatch(written):
        raise WrongCall(
            f"token {token.uid.masked} cannot be told in OICP 2.3: an EvcoID has C before its last eight"
            f" characters, and {written} has not",
            hint="give the driver a card with a contract of our own",
        )
    return written


def _printed_number(token: Token) -> str:
    if len(token.visual_number) > LONGEST_PRINTED_NUMBER:
        raise WrongCall(
            f"token {token.uid.masked} cannot be told in OICP 2.3: its printed number has "
            f"{len(token.visual_number)} characters, and {LONGEST_PRINTED_NUMBER} are the most",
            hint="give the driver a card with a shorter number",
        )
    return token.visual_number


def _message(action: Action, party: Party, identification: dict[str, str]) -> Message:
    return {
        "ActionType": action.value,
        "ProviderAuthenticationData": {
            "ProviderID": provider_id(party),
            "AuthenticationDataRecord": [{"Identification": {"RFIDIdentification": identification}}],
        },
    }
