"""Several requests to one partner at once, within one turn: a thread for each, and a lock around the lane.

Who has made a request takes the next step by itself; so a bulk is handed to nobody. Only steps that are
left over (the first ones, a block while all are busy) call for one more hand.
"""

from __future__ import annotations

import threading
from typing import Protocol

from rfid_station.sync.step import Commit, Deliver, Scan

_LOOK_S = 0.002
"""How often somebody looks up while the others work."""

Work = Scan | Deliver | Commit


class Foreman(Protocol):
    """Says what is to be done, and does it. Asked under the lock of the shift, for the most part."""

    def next_work(self) -> Work | None:
        """What one more hand could do now."""

    def is_enough(self) -> bool:
        """Whether the turn is to end: what is under way is ended, and nothing is begun."""

    def is_wanted(self) -> bool:
        """Whether somebody else wants the turn, so that it is to end. Slow, and called without the lock."""

    def carry_out(self, work: Work) -> None:
        """Do it. Called without the lock, from several threads at once."""


class Shift:
    """One turn's work.

    :param window: how many hands there are; one more for what is urgent
    :param bell: rung from outside when there may be something new to do
    """

    def __init__(
        self, foreman: Foreman, lock: threading.RLock, window: int, bell: threading.Event, name: str
    ) -> None:
        self._foreman = foreman
        self._lock = lock
        self._window = window
        self._bell = bell
        self._name = name
        self._hands = 0
        self._is_over = False
        self._trouble: BaseException | None = None

    def run(self, first: Work) -> None:
        """Work until nothing is left that could be done now, or it is enough. Nothing is under way then.

        Whatever a hand raises is raised here, when all have ended.
        """
        self._call_hand(first)
        while self._call_hands():
            self._bell.wait(_LOOK_S)
            self._bell.clear()
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
        with self._lock:
            while work := self._next_work(self._hands):
                self._call_hand(work)
            return self._hands > 0

    def _next_work(self, others: int) -> Work | None:
        """What one more hand could do beside so many others."""
        try:
            self._is_over = self._is_over or self._foreman.is_enough()
            return None if self._is_over or others > self._window else self._foreman.next_work()
        except BaseException as trouble:  # noqa: BLE001 - raised when all have ended
            self._fail(trouble)
            return None

    def _call_hand(self, work: Work) -> None:
        self._hands += 1
        threading.Thread(target=self._work, args=(work,), name=self._name, daemon=True).start()

    def _work(self, first: Work) -> None:
        work: Work | None = first
        while work is not None:
            try:
                self._foreman.carry_out(work)
            except BaseException as trouble:  # noqa: BLE001 - raised when all have ended
                self._fail(trouble)
            with self._lock:
                work = self._next_work(self._hands - 1)
                self._hands -= work is None
                if self._hands < self._window:
                    self._bell.set()

    def _fail(self, trouble: BaseException) -> None:
        with self._lock:
            self._trouble = self._trouble or trouble
            self._is_over = True
