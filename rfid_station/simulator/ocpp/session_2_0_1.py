"""A central system's (CSMS) side of OCPP 2.0.1.

Source: OCPP 2.0.1 Part 2, C (Authorization), D (Local list), E (Transactions), messages and data types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from websockets.asyncio.server import ServerConnection

from rfid_station.simulator.ocpp.judge import Judge
from rfid_station.simulator.ocpp.values import ANSWERED_WITHIN_S, Entry, IdInfo, now, stamp

_LONGEST_MESSAGE = 512


class Session201(ChargePoint):
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
    def tell_time(self, **_: object) -> Any:  # noqa: ANN401
        """Tell the time."""
        return call_result.Heartbeat(current_time=stamp(now()))

    @on("StatusNotification")
    def note_status(self, **_: object) -> Any:  # noqa: ANN401
        """Take notice."""
        return call_result.StatusNotification()

    @on("Authorize")
    async def authorize(self, id_token: dict[str, Any], **_: object) -> Any:  # noqa: ANN401
        """Decide about a card."""
        info = await self._judge.decide(self.id, "Authorize", str(id_token["id_token"]))
        return call_result.Authorize(id_token_info=_told(info))

    @on("TransactionEvent")
    async def take_event(
        self,
        event_type: str,
        id_token: dict[str, Any] | None = None,
        **_: object,
    ) -> Any:  # noqa: ANN401
        """Take what happens to a transaction; when it begins, decide about its card."""
        if event_type != "Started" or id_token is None:
            return call_result.TransactionEvent()
        info = await self._judge.decide(self.id, "TransactionEvent", str(id_token["id_token"]))
        return call_result.TransactionEvent(id_token_info=_told(info))

    async def list_version(self) -> int | None:
        """Which local list the station has; whether it takes one shows when one is sent."""
        answer = await self.call(call.GetLocalListVersion(), suppress=False)
        return int(answer.version_number)

    async def send_list(self, version: int, entries: Sequence[Entry], *, is_full: bool) -> bool:
        """Bring the station a list, or what changed in it; whether it took that."""
        listed = [_listed(entry) for entry in entries]
        update = call.SendLocalList(
            version_number=version,
            update_type="Full" if is_full else "Differential",
            # The schema wants one entry at least.
            local_authorization_list=listed or None,
        )
        answer = await self.call(update, suppress=False)
        return bool(answer.status == "Accepted")


def _told(info: IdInfo) -> dict[str, Any]:
    told: dict[str, Any] = {"status": info.status}
    if info.until:
        told["cache_expiry_date_time"] = stamp(info.until)
    if info.words:
        told["personal_message"] = {"format": "UTF8", "content": info.words[:_LONGEST_MESSAGE]}
    return told


def _listed(entry: Entry) -> dict[str, Any]:
    token = {"id_token": {"id_token": entry.id_tag, "type": "ISO14443"}}
    return {**token, **({"id_token_info": _told(entry.info)} if entry.info else {})}
