"""A virtual charging station: a card is held to it, and it says whether the driver may charge, and why.

| the station | asks the central system |
|---|---|
| online | at each tap, and by each transaction that begins |
| online, pre-authorizing | where its memory does not accept the card; by each transaction that begins |
| offline | not at all; the transaction is told when the line is back |

Where the central system refuses the transaction, energy is stopped (StopTransactionOnInvalidId).

Sources: OCPP 1.6, 3.5, 4.1, 4.8 and 9.1 (LocalPreAuthorize, LocalAuthorizeOffline,
AllowOfflineTxForUnknownId, StopTransactionOnInvalidId); OCPP 2.0.1 Part 2, C and E.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ocpp.exceptions import OCPPError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from rfid_station.simulator.ocpp.line_1_6 import Line16
from rfid_station.simulator.ocpp.line_2_0_1 import Line201
from rfid_station.simulator.ocpp.memory import Memory
from rfid_station.simulator.ocpp.values import SUBPROTOCOLS, UNKNOWN, IdInfo, Started, now

LISTED_WITHIN_S = 2.0
"""How long a station waits for its local list before it serves drivers."""

_NOT_KNOWN = {"1.6": "Invalid", "2.0.1": UNKNOWN}


class Line(Protocol):
    """A connection to a central system, in one version."""

    async def start(self) -> None:
        """Read messages until the connection ends."""

    async def boot(self) -> None:
        """Say who we are."""

    async def authorize(self, id_tag: str) -> IdInfo:
        """Ask about a card."""

    async def begin(self, id_tag: str, at: datetime, *, is_offline: bool = False) -> Started:
        """Tell that a transaction began, now or while there was no line."""

    async def end(self, transaction: str, id_tag: str, *, is_refused: bool) -> None:
        """Tell that a transaction ended."""


_LINES: dict[str, Callable[..., Line]] = {"1.6": Line16, "2.0.1": Line201}


@dataclass(frozen=True, slots=True)
class Tapped:
    """What a station did about a card."""

    id_tag: str
    status: str
    """What it shows: Accepted, Blocked, Expired, Invalid …"""
    steps: tuple[str, ...]
    """Why, as far as the station knows."""
    is_stopped: bool = False
    """Whether energy was stopped again, as the central system refused the transaction."""

    @property
    def outcome(self) -> str:
        """All in a few words."""
        return f"{self.status}, then stopped" if self.is_stopped else self.status


@dataclass(frozen=True, slots=True)
class Habits:
    """How a station is configured."""

    protocol: str = "1.6"
    pre_authorizes: bool = False
    """LocalPreAuthorize: what its memory accepts is not asked about."""
    takes_unknown_offline: bool = False
    """AllowOfflineTxForUnknownId."""
    stops_refused: bool = True
    """StopTransactionOnInvalidId."""


@dataclass(slots=True)
class ChargingStation:
    """One station. All of it runs on one event loop.

    :param url: where the central system is, without the station's name
    """

    url: str
    name: str
    habits: Habits = field(default_factory=Habits)
    memory: Memory = field(default_factory=Memory)
    _line: Line | None = field(default=None, init=False)
    _connection: ClientConnection | None = field(default=None, init=False)
    _reading: asyncio.Task[None] | None = field(default=None, init=False)
    _untold: list[tuple[str, datetime]] = field(default_factory=list, init=False)
    """Transactions that the central system does not know of yet."""

    async def connect(self) -> list[Tapped]:
        """Open the line, take the local list, tell what happened meanwhile; what became of that.

        :raises OSError: nobody is there, or it speaks another protocol
        """
        version = self.habits.protocol
        subprotocol = SUBPROTOCOLS[version]
        try:
            connection = await connect(
                f"{self.url.rstrip('/')}/{self.name}", subprotocols=[Subprotocol(subprotocol)]
            )
        except (WebSocketException, TimeoutError) as no:
            raise OSError(f"{self.url} takes no station by OCPP {version}: {no}") from no
        is_listed = asyncio.Event()
        self._connection = connection
        self._line = line = _LINES[version](self.name, connection, self.memory, is_listed.set)
        self._reading = asyncio.create_task(_read_to_the_end(line))
        try:
            await line.boot()
            if self.memory.has_list:
                await asyncio.wait_for(is_listed.wait(), LISTED_WITHIN_S)
        except TimeoutError:
            pass  # A central system need not send lists.
        return [await self._tell(id_tag, at) for id_tag, at in self._take_untold()]

    async def disconnect(self) -> None:
        """Lose the line. What is known stays known."""
        if self._connection:
            await self._connection.close()
        if self._reading:
            await self._reading
        self._connection = self._line = self._reading = None

    async def tap(self, id_tag: str) -> Tapped:
        """Hold a card to it."""
        if self._line is None:
            return self._decide_alone(id_tag)
        try:
            return await self._decide_online(self._line, id_tag)
        except (WebSocketException, TimeoutError):
            await self.disconnect()
            return self._decide_alone(id_tag)

    async def _decide_online(self, line: Line, id_tag: str) -> Tapped:
        known = self.memory.find(id_tag, now())
        if self.habits.pre_authorizes and known and known.info.is_accepted:
            step = f"its {known.place} says Accepted, so it does not ask first"
            return await self._begin(line, id_tag, (step,))
        info = await _asked(line, id_tag)
        self.memory.note(id_tag, info)
        step = f"the central system says {info.status}" + (f": {info.words}" if info.words else "")
        if not info.is_accepted:
            return Tapped(id_tag, info.status, (step,))
        return await self._begin(line, id_tag, (step,))

    async def _begin(self, line: Line, id_tag: str, steps: tuple[str, ...]) -> Tapped:
        started = await line.begin(id_tag, now())
        self.memory.note(id_tag, started.info)
        is_stopped = not started.info.is_accepted and self.habits.stops_refused
        await line.end(started.transaction, id_tag, is_refused=is_stopped)
        if not started.info.is_accepted:
            steps += (f"the central system says {started.info.status} to the transaction that began",)
        return Tapped(id_tag, "Accepted", steps, is_stopped)

    def _decide_alone(self, id_tag: str) -> Tapped:
        known = self.memory.find(id_tag, now())
        no_line = "no line to the central system"
        if known is None:
            if not self.habits.takes_unknown_offline:
                return Tapped(
                    id_tag, _NOT_KNOWN[self.habits.protocol], (no_line, "it does not know the card by itself")
                )
            self._untold.append((id_tag, now()))
            return Tapped(id_tag, "Accepted", (no_line, "it takes unknown cards while there is no line"))
        if known.info.is_accepted:
            self._untold.append((id_tag, now()))
        return Tapped(id_tag, known.info.status, (no_line, f"its {known.place} says {known.info.status}"))

    async def _tell(self, id_tag: str, at: datetime) -> Tapped:
        """Tell of a transaction that began while there was no line."""
        if self._line is None:
            return Tapped(id_tag, UNKNOWN, ("no line",))
        started = await self._line.begin(id_tag, at, is_offline=True)
        self.memory.note(id_tag, started.info)
        is_refused = not started.info.is_accepted and self.habits.stops_refused
        await self._line.end(started.transaction, id_tag, is_refused=is_refused)
        words = f"the central system says {started.info.status} to what began without a line"
        return Tapped(id_tag, "Accepted", (words,), is_refused)

    def _take_untold(self) -> list[tuple[str, datetime]]:
        taken, self._untold = self._untold, []
        return taken


async def _asked(line: Line, id_tag: str) -> IdInfo:
    try:
        return await line.authorize(id_tag)
    except OCPPError as no:
        return IdInfo("Invalid", words=f"no answer that can be read ({no})")


async def _read_to_the_end(line: Line) -> None:
    try:
        await line.start()
    except WebSocketException:
        return
