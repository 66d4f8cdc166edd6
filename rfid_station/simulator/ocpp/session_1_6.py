"""A central system's side of OCPP 1.6J.

Source: OCPP 1.6, 4 (operations of the charge point), 5.10, 5.15 (local list), 7 (types).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import ServerConnection

from rfid_station.simulator.ocpp.judge import Judge
from rfid_station.simulator.ocpp.values import ANSWERED_WITHIN_S, Entry, IdInfo, now, stamp

STATUSES = {"Unknown": "Invalid", "NoCredit": "Blocked", "NotAtThisLocation": "Blocked"}
"""AuthorizationStatus has fewer words than 2.0.1."""

_transactions = count(1)


class Session16(ChargePoint):
    """One station that is connected."""

    def __init__(self, name: str, connection: ServerConnection, judge: Judge) -> None:
        super().__init__(name, connection, response_timeout=ANSWERED_WITHIN_S)
        self._judge = judge

    @on("BootNotification")
    def meet(self, **_: object) -> Any:  # noqa: ANN401 - the library's own values
        """Let a station in."""
        return call_result.BootNotification(current_time=stamp(now()), interval=300, status="Accepted")

    @after("BootNotification")
    def begin(self, **_: object) -> None:
        """See to its local list from now on."""
        self._judge.meet(self)

    @on("Heartbeat")
    def tell_time(self) -> Any:  # noqa: ANN401
        """Tell the time."""
        return call_result.Heartbeat(current_time=stamp(now()))

    @on("StatusNotification")
    def note_status(self, **_: object) -> Any:  # noqa: ANN401
        """Take notice."""
        return call_result.StatusNotification()

    @on("Authorize")
    async def authorize(self, id_tag: str) -> Any:  # noqa: ANN401
        """Decide about a card."""
        info = await self._judge.decide(self.id, "Authorize", id_tag)
        return call_result.Authorize(id_tag_info=_told(info))

    @on("StartTransaction")
    async def start_transaction(self, id_tag: str, **_: object) -> Any:  # noqa: ANN401
        """Take a transaction that began, and decide about its card."""
        info = await self._judge.decide(self.id, "StartTransaction", id_tag)
        return call_result.StartTransaction(transaction_id=next(_transactions), id_tag_info=_told(info))

    @on("StopTransaction")
    def stop_transaction(self, **_: object) -> Any:  # noqa: ANN401
        """Take a transaction that ended."""
        return call_result.StopTransaction()

    async def list_version(self) -> int | None:
        """Which local list the station has; None if it takes none."""
        answer = await self.call(call.GetLocalListVersion(), suppress=False)
        return None if answer.list_version < 0 else int(answer.list_version)

    async def send_list(self, version: int, entries: Sequence[Entry], *, is_full: bool) -> bool:
        """Bring the station a list, or what changed in it; whether it took that."""
        update = call.SendLocalList(
            list_version=version,
            update_type="Full" if is_full else "Differential",
            local_authorization_list=[_listed(entry) for entry in entries],
        )
        answer = await self.call(update, suppress=False)
        return bool(answer.status == "Accepted")


def _told(info: IdInfo) -> dict[str, str]:
    told = {"status": STATUSES.get(info.status, info.status)}
    return {**told, "expiry_date": stamp(info.until)} if info.until else told


def _listed(entry: Entry) -> dict[str, Any]:
    return {"id_tag": entry.id_tag, **({"id_tag_info": _told(entry.info)} if entry.info else {})}
