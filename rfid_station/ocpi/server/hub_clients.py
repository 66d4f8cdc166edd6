"""What hubs tell us about the parties behind them: the HubClientInfo receiver.

Source: OCPI 2.2.1 mod_hub_client_info (Receiver Interface, ClientInfo); unchanged in 2.3.0.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import Request
from pydantic import ValidationError

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
from rfid_station.ocpi.wire.client_info import client_from_wire, client_to_wire
from rfid_station.ocpi.wire.transport import complaints


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
