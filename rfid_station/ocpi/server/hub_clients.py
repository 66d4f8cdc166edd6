"""What hubs tell us about the parties behind them: the HubClientInfo receiver.

Source: OCPI 2.2.1 mod_hub_client_info (Receiver Interface, ClientInfo); unchanged in 2.3.0.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request
from pydantic import StringConstraints, ValidationError, field_validator

from rfid_station.domain.hub_client import ConnectionStatus, HubClient
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict
from rfid_station.ocpi.port import HubClientBook
from rfid_station.ocpi.server.request import (
    CLIENT_ERROR,
    INVALID_PARAMETERS,
    Asked,
    Reply,
    as_json,
    done,
    refusal,
    success,
)
from rfid_station.ocpi.wire.fields import ASCII, CountryCode, PartyId
from rfid_station.ocpi.wire.transport import WireModel, complaints, exact_instant

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


class HubClientInfoReceiver:
    """The HubClientInfo receiver. It waits for the book in a thread, and nobody else for it."""

    def __init__(self, book: HubClientBook) -> None:
        self._book = book

    async def serve(self, asked: Asked, request: Request) -> Reply:
        """Take what a hub tells about a party, or tell it back."""
        if asked.who.is_guest:
            reply = refusal(401, CLIENT_ERROR, "register first")
            return reply.having((b"www-authenticate", b"Token"))
        party = Party(request.path_params["country_code"].upper(), request.path_params["party_id"].upper())
        if asked.method == "PUT":
            return await self._put(asked, party)
        found = await asyncio.to_thread(self._book.get, asked.who.partner, party)
        return success(as_json(client_to_wire(found))) if found else refusal(404, CLIENT_ERROR, "never told")

    async def _put(self, asked: Asked, party: Party) -> Reply:
        try:
            data: Any = json.loads(asked.body)
        except (ValueError, RecursionError):
            return refusal(400, INVALID_PARAMETERS, "the body is not JSON")
        try:
            told = client_from_wire(data)
        except ValidationError as invalid:
            return refusal(200, INVALID_PARAMETERS, f"ClientInfo: {complaints(invalid)}")
        if told.party != party:
            return refusal(200, INVALID_PARAMETERS, "the URL is one of another party")
        try:
            await asyncio.to_thread(self._book.put, asked.who.partner, told)
        except Conflict:
            return refusal(200, CLIENT_ERROR, "you have told us of too many parties")
        return done()


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
