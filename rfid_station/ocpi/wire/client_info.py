"""What a hub tells of a party behind it: ClientInfo (OCPI 2.2.1 mod_hub_client_info; unchanged in 2.3.0)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints, field_validator

from rfid_station.domain.hub_client import ConnectionStatus, HubClient
from rfid_station.domain.token import Party
from rfid_station.ocpi.wire.fields import ASCII, CountryCode, PartyId
from rfid_station.ocpi.wire.transport import WireModel, exact_instant

MOST_CHARACTERS = 64
"""In a role, and in a time: both are open, and neither needs more."""

_Role = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS, pattern=ASCII)]


class ClientInfo(WireModel):
    """ClientInfo class. The role is open: a hub may tell of parties that are not our business."""

    party_id: PartyId
    country_code: CountryCode
    role: _Role
    status: str
    last_updated: Annotated[str, StringConstraints(max_length=MOST_CHARACTERS)]

    @field_validator("status")
    @classmethod
    def _known_status(cls, status: str) -> str:
        return ConnectionStatus(status.upper()).value

    @field_validator("last_updated")
    @classmethod
    def _date_time(cls, last_updated: str) -> str:
        return _stamp_text(exact_instant(last_updated))


def client_from_wire(data: object) -> HubClient:
    """Read a ClientInfo object.

    :raises ValidationError: it is none
    """
    info = ClientInfo.model_validate(data)
    party = Party(info.country_code.upper(), info.party_id.upper())
    return HubClient(
        party, info.role.upper(), ConnectionStatus(info.status), exact_instant(info.last_updated)
    )


def client_to_wire(client: HubClient) -> dict[str, object]:
    """Write a ClientInfo object."""
    return ClientInfo(
        party_id=client.party.party_id,
        country_code=client.party.country_code,
        role=client.role,
        status=client.status,
        last_updated=_stamp_text(client.last_updated),
    ).model_dump()


def _stamp_text(at: datetime) -> str:
    fraction = "milliseconds" if at.microsecond else "seconds"
    return at.replace(tzinfo=None).isoformat(timespec=fraction) + "Z"
