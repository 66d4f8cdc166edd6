"""Real-time authorization: what a partner asks and what we answer, in every version.

The versions differ in few fields: 2.1.1 has longer location ids and names connectors, and its answer has
neither the token nor a reference.

Sources: OCPI 2.1.1 mod_tokens (2.2 eMSP interface, 3.1, 3.2); 2.2.1 and 2.3.0 mod_tokens (Sender Interface,
AuthorizationInfo, LocationReferences).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import StringConstraints

from rfid_station.domain.partner_profile import PartnerProfile, UidOrder
from rfid_station.domain.uid import SIZES
from rfid_station.ocpi.port import Decision
from rfid_station.ocpi.wire.fields import ASCII, CiString36
from rfid_station.ocpi.wire.transport import WireModel
from rfid_station.ocpi.words import language_for

UNKNOWN_TOKEN = 2004
"""OCPI 2.2.1 status_codes. 2.1.1 has no such code."""

LONGEST_REFERENCE = 36

_String39 = Annotated[str, StringConstraints(min_length=1, max_length=39, pattern=ASCII)]
_HEX = re.compile(r"[0-9A-F]+")
_DIGITS = tuple(2 * size for size in SIZES)


class LocationReferences(WireModel):
    """LocationReferences class (2.2.1 mod_tokens, 4.5)."""

    location_id: CiString36
    evse_uids: list[CiString36] | None = None


class LocationReferences211(WireModel):
    """LocationReferences class (2.1.1 mod_tokens, 4.3)."""

    location_id: _String39
    evse_uids: list[_String39] | None = None
    connector_ids: list[CiString36] | None = None


def read_location(version: str, data: object) -> Mapping[str, Any] | None:
    """Read where a driver stands; None where the partner does not say.

    :raises ValidationError: these are no LocationReferences
    """
    if data is None or data == {}:
        return None
    model = LocationReferences211 if version == "2.1.1" else LocationReferences
    return model.model_validate(data).model_dump(exclude_none=True)


def authorization_to_wire(
    version: str, decision: Decision, location: Mapping[str, Any] | None
) -> dict[str, object]:
    """Write an AuthorizationInfo object, but for its `token`.

    We refuse no place: every EVSE that was asked about is allowed if the card is.
    """
    told: dict[str, object] = {"allowed": decision.allowed.value}
    if location is not None:
        told["location"] = dict(location)
    if version != "2.1.1" and decision.reference:
        told["authorization_reference"] = decision.reference[:LONGEST_REFERENCE]
    if decision.words:
        told["info"] = {"language": language_for(decision.token), "text": decision.words}
    return told


def uid_readings(written: str, profile: PartnerProfile) -> Iterator[str]:
    """The UIDs that a partner may mean, as we write them, the most literal first.

    Undoes what the profile does to a UID: byte order, padding, case.
    """
    digits = written.upper()
    if not _HEX.fullmatch(digits):
        return
    is_reversed = profile.uid_order is UidOrder.REVERSED
    if len(digits) in _DIGITS:
        yield bytes.fromhex(digits)[::-1].hex().upper() if is_reversed else digits
    for size in reversed(SIZES):
        surplus = len(digits) - 2 * size
        if profile.uid_digits > 0 and surplus > 0 and not digits[:surplus].strip("0"):
            raw = bytes.fromhex(digits[surplus:])
            yield (raw[::-1] if is_reversed else raw).hex().upper()
