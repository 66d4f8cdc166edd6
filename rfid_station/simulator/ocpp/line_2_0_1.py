"""A charging station's side of OCPP 2.0.1.

Source: OCPP 2.0.1 Part 2, C (Authorization), D (Local list), E (Transactions), messages and data types.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from websockets.asyncio.client import ClientConnection

from rfid_station.simulator.ocpp.memory import Memory
from rfid_station.simulator.ocpp.values import ANSWERED_WITHIN_S, Entry, IdInfo, Started, moment, now, stamp


class Line201(ChargePoint):
    """One connection."""

    def __init__(
        self, name: str, connection: ClientConnection, memory: Memory, on_list: Callable[[], None]
    ) -> None:
        super().__init__(name, connection, response_timeout=ANSWERED_WITHIN_S)
        self._memory = memory
        self._on_list = on_list

    async def boot(self) -> None:
        """Say who we are."""
        station = {"model": "Virtual station", "vendor_name": "RFID Station"}
        await self.call(call.BootNotification(charging_station=station, reason="PowerUp"), suppress=False)

    async def authorize(self, id_tag: str) -> IdInfo:
        """Ask about a card."""
        answer = await self.call(call.Authorize(id_token=_token(id_tag)), suppress=False)
        return info_of(answer.id_token_info)

    async def begin(self, id_tag: str, at: datetime, *, is_offline: bool = False) -> Started:
        """Tell that a transaction began, now or while there was no line."""
        transaction = str(uuid.uuid4())
        begun = call.TransactionEvent(
            event_type="Started",
            timestamp=stamp(at),
            trigger_reason="Authorized",
            seq_no=0,
            transaction_info={"transaction_id": transaction},
            evse={"id": 1},
            id_token=_token(id_tag),
            offline=is_offline,
        )
        answer = await self.call(begun, suppress=False)
        told = answer.id_token_info
        return Started(transaction, info_of(told) if told else IdInfo("Accepted"))

    async def end(self, transaction: str, id_tag: str, *, is_refused: bool) -> None:  # noqa: ARG002 - told when it began
        """Tell that a transaction ended."""
        ended = call.TransactionEvent(
            event_type="Ended",
            timestamp=stamp(now()),
            trigger_reason="Deauthorized" if is_refused else "StopAuthorized",
            seq_no=1,
            transaction_info={
                "transaction_id": transaction,
                "stopped_reason": "DeAuthorized" if is_refused else "Local",
            },
        )
        await self.call(ended, suppress=False)

    @on("GetLocalListVersion")
    def tell_list_version(self) -> Any:  # noqa: ANN401 - the library's own values
        """Say which list we have; 0 for none."""
        return call_result.GetLocalListVersion(version_number=self._memory.list_version)

    @on("SendLocalList")
    def take_list(
        self,
        version_number: int,
        update_type: str,
        local_authorization_list: Sequence[dict[str, Any]] = (),
    ) -> Any:  # noqa: ANN401
        """Take a list, or what changed in it."""
        if not self._memory.has_list:
            return call_result.SendLocalList(status="Failed")
        entries = [_entry(one) for one in local_authorization_list]
        self._memory.update(version_number, entries, is_full=update_type == "Full")
        self._on_list()
        return call_result.SendLocalList(status="Accepted")

    @on("ClearCache")
    def forget(self) -> Any:  # noqa: ANN401
        """Empty the cache."""
        self._memory.cache.clear()
        return call_result.ClearCache(status="Accepted")


def info_of(told: dict[str, Any]) -> IdInfo:
    """Read an IdTokenInfo."""
    message = told.get("personal_message") or {}
    return IdInfo(
        str(told["status"]), moment(told.get("cache_expiry_date_time")), str(message.get("content", ""))
    )


def _token(id_tag: str) -> dict[str, str]:
    return {"id_token": id_tag, "type": "ISO14443"}


def _entry(told: dict[str, Any]) -> Entry:
    info = told.get("id_token_info")
    return Entry(str(told["id_token"]["id_token"]), info_of(info) if info else None)
