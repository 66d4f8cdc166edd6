"""Brings every partner to the newest state: until it is done, or one token at once."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TypeVar

from rfid_station.domain.feed import Change
from rfid_station.errors import Conflict
from rfid_station.sync.clock import Clock, WallClock
from rfid_station.sync.confirmation import Confirmation
from rfid_station.sync.courier import Courier
from rfid_station.sync.pace import Draw, Timing
from rfid_station.sync.port import FeedStore, Peer
from rfid_station.sync.push import Push
from rfid_station.sync.report import LaneReport
from rfid_station.sync.turn import Turns

_GRACE_S = 0.25
"""How much longer than its deadline a thread is waited for."""

Work = TypeVar("Work")


class Replicator:
    """All partners, each on a thread of its own, so that a dead one slows nobody.

    :param store: used from several threads
    :param turns: `FileTurns` where several processes may speak to the same partners
    """

    def __init__(
        self,
        store: FeedStore,
        peers: Sequence[Peer],
        clock: Clock | None = None,
        *,
        turns: Turns | None = None,
        timing: Timing | None = None,
        draw: Draw = random.random,
    ) -> None:
        self._store = store
        self._peers = tuple(peers)
        self._clock = clock or WallClock()
        self._turns = turns or Turns()
        self._timing = timing or Timing()
        self._draw = draw

    @property
    def clock(self) -> Clock:
        """The time it lives in."""
        return self._clock

    @property
    def timing(self) -> Timing:
        """How patient its lanes are."""
        return self._timing

    def couriers(self) -> list[Courier]:
        """A new courier for every partner."""
        return [self._courier(peer) for peer in self._peers]

    def status(self) -> list[LaneReport]:
        """How every partner stands, by the store alone; nothing is sent.

        :raises StationError: the store failed
        """
        return [courier.report() for courier in self.couriers()]

    def run_until_settled(self, deadline_s: float) -> list[LaneReport]:
        """Bring every partner as far as it goes, and say how far that was.

        Short pauses that end in time are sat out. A partner that is down, or does not accept our
        client token, is left; so is, at the deadline, one whose request has not ended.

        :raises StationError: the store failed
        """
        couriers = self.couriers()
        until_s = self._clock.elapsed_s() + deadline_s
        drains = [in_thread(f"sync {courier.name}", _drain(courier, until_s)) for courier in couriers]
        wait(drains, timeout=deadline_s + _GRACE_S)
        for courier, drain in zip(couriers, drains, strict=True):
            if drain.done():
                drain.result()
            else:
                courier.abandon()
        return [courier.report() for courier in couriers]

    def push_now(self, token_id: int, deadline_s: float) -> list[Confirmation]:
        """Send a token's newest state to every covering partner at once, ahead of everything, and prove it.

        What is not confirmed stays owed in the feed.

        :raises Conflict: there is no such token
        :raises StationError: the store failed
        """
        change = self._newest(token_id)
        return self._at_once([change], deadline_s, lambda push, until_s: push.run(until_s))

    def prove_now(self, token_ids: Sequence[int], deadline_s: float) -> list[Confirmation]:
        """Read tokens back from every covering partner and compare. What differs is owed again.

        :raises Conflict: there is no such token
        :raises StationError: the store failed
        """
        changes = [self._newest(token_id) for token_id in token_ids]
        return self._at_once(changes, deadline_s, lambda push, until_s: push.prove(until_s))

    def _at_once(
        self, changes: Sequence[Change], deadline_s: float, run: Callable[[Push, float], object]
    ) -> list[Confirmation]:
        until_s = self._clock.elapsed_s() + deadline_s
        today = self._clock.now().date()
        covering = [self._courier(peer) for peer in self._peers if peer.agreement.covers(today)]
        errands = [[Push(courier, change) for change in changes] for courier in covering]
        runs = [in_thread("push", _in_order(pushes, until_s, run)) for pushes in errands]
        wait(runs, timeout=deadline_s + _GRACE_S)
        for done in runs:
            if done.done():
                done.result()
        return [push.confirmation for pushes in errands for push in pushes]

    def _newest(self, token_id: int) -> Change:
        change = self._store.newest(token_id)
        if change is None:
            raise Conflict(f"there is no token {token_id}", hint="rfid-station card list")
        return change

    def _courier(self, peer: Peer) -> Courier:
        return Courier(self._store, peer, self._clock, self._turns, self._timing, self._draw)


def _drain(courier: Courier, until_s: float) -> Callable[[], None]:
    return lambda: courier.drain(until_s, is_patient=True)


def _in_order(
    pushes: Sequence[Push], until_s: float, run: Callable[[Push, float], object]
) -> Callable[[], None]:
    def one_after_the_other() -> None:
        for push in pushes:
            run(push, until_s)

    return one_after_the_other


def in_thread(name: str, work: Callable[[], Work]) -> Future[Work]:
    """Do some work in a thread that does not keep the process alive: a kill at any moment loses nothing."""
    future: Future[Work] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as trouble:  # noqa: BLE001 - handed to whoever asks for the result
            future.set_exception(trouble)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
