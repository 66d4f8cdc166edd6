"""Brings every partner to the newest state: until it is done, or one token at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace

from rfid_station.domain.actor import Actor
from rfid_station.domain.feed import Parked
from rfid_station.errors import WrongCall
from rfid_station.sync.aside import in_thread
from rfid_station.sync.audit import Auditor, Finding
from rfid_station.sync.clock import Clock, WallClock
from rfid_station.sync.confirmation import Confirmation
from rfid_station.sync.courier import Courier
from rfid_station.sync.pace import Draw, Timing
from rfid_station.sync.port import FeedStore, Peer
from rfid_station.sync.push import Push
from rfid_station.sync.report import LaneReport
from rfid_station.sync.retry import Retried, retried
from rfid_station.sync.turn import Turns

_GRACE_S = 0.25
"""How much longer than its deadline a thread is waited for."""

_FEW = 25
"""So much of what else is owed is read beside a single token: enough to see whether it was all."""

_LOOK_S = 0.1
"""How often whoever watches a push is told what changed."""

Watch = Callable[[Sequence[Confirmation]], None]
"""Told what every partner said so far, whenever that changes."""


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

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Whom it speaks to."""
        return self._peers

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

    def retry_now(
        self, names: Container[str] | None, token_ids: Container[int] | None, deadline_s: float
    ) -> tuple[list[Retried], list[LaneReport]]:
        """Try parked tokens again at once, and go on with what is owed; what came of each.

        :param names: which partners; all with None
        :param token_ids: which tokens; with None all, and a bulk lane that waits for a pull goes on
        :raises StationError: the store failed
        """
        couriers = [courier for courier in self.couriers() if names is None or courier.name in names]
        until_s = self._clock.elapsed_s() + deadline_s
        runs = [
            in_thread(f"retry {courier.name}", _retry(courier, token_ids, until_s)) for courier in couriers
        ]
        wait(runs, timeout=deadline_s + _GRACE_S)
        found: list[Retried] = []
        reports = []
        for courier, run in zip(couriers, runs, strict=True):
            if not run.done():
                courier.abandon()
            before = run.result() if run.done() else None
            report = courier.report()
            reports.append(report)
            found += retried(report, before, token_ids)
        return found, reports

    def rewind(self, name: str, actor: Actor) -> int:
        """Owe a partner every token again; how many these are. What is parked stays parked.

        :raises WrongCall: the partner is not connected
        :raises StationError: the store failed
        """
        return self._store.rewind(self._peer(name).name, actor)

    def audit(
        self, name: str, token_ids: Sequence[int], *, rate: float, repair: bool, deadline_s: float
    ) -> Iterator[Finding]:
        """Read tokens back from a partner, one after the other, and compare; each as soon as it is known.

        :param rate: reads a second at most; the partner's own limit holds as well
        :param repair: whether what differs is sent again at once, and read back
        :raises WrongCall: the partner is not connected
        :raises StationError: the store failed
        """
        auditor = Auditor(self._courier(self._peer(name)), self._timing, rate=rate, repair=repair)
        return auditor.run(token_ids, self._clock.elapsed_s() + deadline_s)

    def _peer(self, name: str) -> Peer:
        for peer in self._peers:
            if peer.name == name:
                return peer
        raise WrongCall(f"{name} is not connected", hint="rfid-station partner list")

    def push_now(
        self, token_id: int, deadline_s: float, *, insist: bool = False, watch: Watch | None = None
    ) -> list[Confirmation]:
        """Send a token's newest state at once to every partner that is to see it, and prove it.

        It goes ahead of everything. What is not confirmed stays owed in the feed.

        :param insist: whether a partner that has not confirmed is asked again until the deadline
        :raises StationError: the store failed
        """
        run = Push.insist if insist else Push.run
        return self._at_once([token_id], deadline_s, run, watch)

    def prove_now(self, token_ids: Sequence[int], deadline_s: float) -> list[Confirmation]:
        """Read tokens back from every partner that is to see them, and compare. What differs is owed again.

        :raises StationError: the store failed
        """
        return self._at_once(token_ids, deadline_s, Push.prove)

    def _at_once(
        self,
        token_ids: Sequence[int],
        deadline_s: float,
        run: Callable[[Push, float], object],
        watch: Watch | None = None,
    ) -> list[Confirmation]:
        until_s = self._clock.elapsed_s() + deadline_s
        errands = [self._errand(peer, token_ids) for peer in self._peers]
        runs = [in_thread("push", _in_order(pushes, until_s, run)) for pushes in errands if pushes]
        pushes = [push for errand in errands for push in errand]
        _await(runs, pushes, deadline_s + _GRACE_S, watch)
        for done in runs:
            if done.done():
                done.result()
        return [push.confirmation for push in pushes]

    def _errand(self, peer: Peer, token_ids: Sequence[int]) -> list[Push]:
        """One push for each token that the partner is to see."""
        courier = self._courier(peer, replace(self._timing, scan_limit=_FEW))
        courier.bring_up_to_date()
        changes = map(courier.newest, token_ids)
        return [Push(courier, change) for change in changes if change]

    def _courier(self, peer: Peer, timing: Timing | None = None) -> Courier:
        return Courier(self._store, peer, self._clock, self._turns, timing or self._timing, self._draw)


def _await(
    runs: Sequence[Future[None]], pushes: Sequence[Push], patience_s: float, watch: Watch | None
) -> None:
    """Wait until all is done or it took too long, and tell the watcher what changes meanwhile."""
    if watch is None:
        wait(runs, timeout=patience_s)
        return
    end = time.monotonic() + patience_s
    told: list[Confirmation] = []
    is_over = False
    while not is_over:
        is_over = not wait(runs, timeout=_LOOK_S).not_done or time.monotonic() >= end
        seen = [push.confirmation for push in pushes]
        if seen != told:
            watch(seen)
            told = seen


def _retry(
    courier: Courier, token_ids: Container[int] | None, until_s: float
) -> Callable[[], list[Parked] | None]:
    def hurry_and_drain() -> list[Parked] | None:
        before = courier.hurry(token_ids, until_s)
        if before is not None:
            courier.drain(until_s, is_patient=True)
        return before

    return hurry_and_drain


def _drain(courier: Courier, until_s: float) -> Callable[[], None]:
    return lambda: courier.drain(until_s, is_patient=True)


def _in_order(
    pushes: Sequence[Push], until_s: float, run: Callable[[Push, float], object]
) -> Callable[[], None]:
    def one_after_the_other() -> None:
        for push in pushes:
            run(push, until_s)

    return one_after_the_other
