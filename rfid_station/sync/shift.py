"""Several requests to one partner at once, within one turn: a task for each, and one thread for all of them.

Who has made a request takes the next step by itself; so a bulk is handed to nobody. Only steps that are
left over (the first ones, a block while all are busy) call for one more hand.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from rfid_station.sync.step import Commit, Deliver, Scan

_LOOK_S = 0.002
"""How often somebody looks up while the others work."""

Work = Scan | Deliver | Commit


class Foreman(Protocol):
    """Says what is to be done, and does it."""

    def next_work(self) -> Work | None:
        """What one more hand could do now."""

    def is_enough(self) -> bool:
        """Whether the turn is to end: what is under way is ended, and nothing is begun."""

    def is_wanted(self) -> bool:
        """Whether somebody else wants the turn, so that it is to end."""

    async def carry_out(self, work: Work) -> None:
        """Do it; others go on while it waits for the partner."""


class Shift:
    """One turn's work.

    :param window: how many hands there are; one more for what is urgent
    """

    def __init__(self, foreman: Foreman, window: int) -> None:
        self._foreman = foreman
        self._window = window
        self._hands: set[asyncio.Task[None]] = set()
        self._bell = _Bell()
        self._is_over = False
        self._trouble: BaseException | None = None

    async def run(self, first: Work) -> None:
        """Work until nothing is left that could be done now, or it is enough. Nothing is under way then.

        Whatever a hand raises is raised here, when all have ended.
        """
        self._call_hand(first)
        while self._call_hands():
            await self._bell.wait(_LOOK_S)
            self._give_way()
        if self._trouble:
            raise self._trouble

    def _give_way(self) -> None:
        try:
            self._is_over = self._is_over or self._foreman.is_wanted()
        except BaseException as trouble:  # noqa: BLE001 - raised when all have ended
            self._fail(trouble)

    def _call_hands(self) -> bool:
        """Give away all that can be done now; whether anybody is at work."""
        while work := self._next_work(len(self._hands)):
            self._call_hand(work)
        return bool(self._hands)

    def _next_work(self, others: int) -> Work | None:
        """What one more hand could do beside so many others."""
        try:
            self._is_over = self._is_over or self._foreman.is_enough()
            return None if self._is_over or others > self._window else self._foreman.next_work()
        except BaseException as trouble:  # noqa: BLE001 - raised when all have ended
            self._fail(trouble)
            return None

    def _call_hand(self, work: Work) -> None:
        hand = asyncio.get_running_loop().create_task(self._work(work))
        self._hands.add(hand)
        hand.add_done_callback(self._goes)

    def _goes(self, hand: asyncio.Task[None]) -> None:
        self._hands.discard(hand)
        self._bell.ring()

    async def _work(self, first: Work) -> None:
        work: Work | None = first
        while work is not None:
            try:
                await self._foreman.carry_out(work)
            except BaseException as trouble:  # noqa: BLE001 - raised when all have ended
                self._fail(trouble)
            work = self._next_work(len(self._hands) - 1)
            if len(self._hands) < self._window:
                self._bell.ring()

    def _fail(self, trouble: BaseException) -> None:
        self._trouble = self._trouble or trouble
        self._is_over = True


class _Bell:
    """Wakes the one who waits for it."""

    def __init__(self) -> None:
        self._is_rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits, or who waits next."""
        self._is_rung = True
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Wait until it is rung, or so many seconds are over."""
        loop = asyncio.get_running_loop()
        if not self._is_rung:
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self.ring)
            try:
                await self._waiter
            finally:
                timer.cancel()
        else:
            # Let the others go on, who may have rung it just before they ask for more.
            await asyncio.sleep(0)
        self._is_rung, self._waiter = False, None
