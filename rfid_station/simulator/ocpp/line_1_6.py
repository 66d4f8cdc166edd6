"""A charging station's side of OCPP 1.6J.

Source: OCPP 1.6, 4.1, 4.2, 4.8, 4.10 (charge point), 5.10, 5.15 (local list), 7 (types).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.client import ClientConnection

from rfid_station.simulator.ocpp.memory import Memory
from rfid_station.simulator.ocpp.values import ANSWERED_WITHIN_S, Entry, IdInfo, Started, moment, now, stamp

_WITHOUT_LIST = -1
"""GetLocalListVersion of a station that has none."""


class Line16(ChargePoint):
    """One connection."""

    def __init__(
        self, name: str, connection: ClientConnection, memory: Memory, on_list: Callable[[], None]
    ) -> None:
        super().__init__(name, connection, response_timeout=ANSWERED_WITHIN_S)
        self._memory = memory
        self._on_list = on_list

    async def boot(self) -> None:
        """Say who we are."""
        who = call.BootNotification(charge_point_model="Virtual station", charge_point_vendor="RFID Station")
        await self.call(who, suppress=False)

    async def authorize(self, id_tag: str) -> IdInfo:
        """Ask about a card."""
        answer = await self.call(call.Authorize(id_tag=id_tag), suppress=False)
        return info_of(answer.id_tag_info)

    async def begin(self, id_tag: str, at: datetime, *, is_offline: bool = False) -> Started:  # noqa: ARG002 - 1.6 has no word for it
        """Tell that a transaction began."""
        begun = call.StartTransaction(connector_id=1, id_tag=id_tag, meter_start=0, timestamp=stamp(at))
        answer = await self.call(begun, suppress=False)
        return Started(str(answer.transaction_id), info_of(answer.id_tag_info))

    async def end(self, transaction: str, id_tag: str, *, is_refused: bool) -> None:
        """Tell that a transaction ended."""
        ended = call.StopTransaction(
            meter_stop=0,
            timestamp=stamp(now()),
            transaction_id=int(transaction),
            reason="DeAuthorized" if is_refused else "Local",
            id_tag=id_tag,
        )
        await self.call(ended, suppress=False)

    @on("GetLocalListVersion")
    def tell_list_version(self) -> Any:  # noqa: ANN401 - the library's own values
        """Say which list we have."""
        version = self._memory.list_version if self._memory.has_list else _WITHOUT_LIST
        return call_result.GetLocalListVersion(list_version=version)

    @on("SendLocalList")
    def take_list(
        self,
        list_version: int,
        update_type: str,
        local_authorization_list: Sequence[dict[str, Any]] = (),
    ) -> Any:  # noqa: ANN401
        """Take a list, or what changed in it."""
        if not self._memory.has_list:
            return call_result.SendLocalList(status="NotSupported")
        entries = [_entry(one) for one in local_authorization_list]
        self._memory.update(list_version, entries, is_full=update_type == "Full")
        self._on_list()
        return call_result.SendLocalList(status="Accepted")

    @on("ClearCache")
    def forget(self) -> Any:  # noqa: ANN401
        """Empty the cache."""
        self._memory.cache.clear()
        return call_result.ClearCache(status="Accepted")


def info_of(told: dict[str, Any]) -> IdInfo:
    """Read an IdTagInfo."""
    return IdInfo(str(told["status"]), moment(told.get("expiry_date")))


def _entry(told: dict[str, Any]) -> Entry:
    info = told.get("id_tag_info")
    return Entry(str(told["id_tag"]), info_of(info) if info else None)
