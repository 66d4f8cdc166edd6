"""Sync in the background of the desk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from cpo_double import DOWN, FAILSAFE_S, UNAUTHORIZED, CpoDouble, always, first
from memory_feed import START, MemoryFeed, peer

from rfid_station.domain.contact import Contact
from rfid_station.domain.feed import Change
from rfid_station.domain.token import Token
from rfid_station.errors import DiskFull
from rfid_station.sync.drive import Replicator
from rfid_station.sync.pace import Timing
from rfid_station.sync.report import LaneState
from rfid_station.sync.turn import Turns
from rfid_station.sync.worker import Worker

CPO = "CPO"
SLOW_POLL = Timing(poll_s=600)
"""So that nothing happens unless somebody wakes the worker."""


@contextmanager
def working(feed: MemoryFeed, cpo: CpoDouble, timing: Timing = SLOW_POLL) -> Iterator[Worker]:
    worker = Worker(Replicator(feed, [peer(CPO, cpo)], timing=timing))
    worker.start()
    try:
        yield worker
    finally:
        cpo.release.set()
        worker.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again until it is true; the deadline only ends a broken run."""
    pause = threading.Event()
    for _ in range(int(FAILSAFE_S / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it never came true")


def test_a_change_goes_out_as_soon_as_the_worker_is_woken() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    with working(feed, cpo) as worker:
        worker.settle(FAILSAFE_S)
        feed.change(1)
        worker.wake()
        wait_for(lambda: len(cpo.holds) == 1)


def test_a_change_by_another_process_goes_out_without_being_woken() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    with working(feed, cpo, Timing(poll_s=0.02)):
        wait_for(lambda: feed.calls["age"] > 1)
        feed.change(1)
        wait_for(lambda: len(cpo.holds) == 1)


def test_an_idle_worker_only_asks_whether_anything_changed() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(3)
    with working(feed, cpo, Timing(poll_s=0.01)) as worker:
        worker.settle(FAILSAFE_S)
        feed.calls.clear()
        wait_for(lambda: feed.calls["age"] >= 10)
        # What it wrote itself made it look once more.
        assert feed.calls["standing"] <= 1
        assert set(feed.calls) <= {"age", "standing"}
        looked = feed.calls["standing"]
        feed.met[CPO] = Contact(last_pull_at=START)
        wait_for(lambda: feed.calls["standing"] > looked)
    assert len(cpo.puts) == 3


def test_settle_returns_when_every_partner_is_in_step() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(first("applied"))
    feed.issue(30)
    timing = Timing(poll_s=600, backoff_least_s=0.01, backoff_most_s=0.05, verify_first_s=0.05)
    with working(feed, cpo, timing) as worker:
        (report,) = worker.settle(FAILSAFE_S)
    assert report.is_settled
    assert (report.puts, report.proofs) == (31, 1)


def test_settle_does_not_wait_for_a_partner_that_is_lost() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(always(UNAUTHORIZED))
    feed.issue(3)
    with working(feed, cpo) as worker:
        began = time.monotonic()
        (report,) = worker.settle(FAILSAFE_S)
        assert time.monotonic() - began < FAILSAFE_S / 2
    assert report.state is LaneState.UNAUTHORIZED
    assert len(cpo.puts) == 1


def test_settle_does_not_sit_out_the_pauses_of_a_partner_that_is_down() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(always(DOWN))
    feed.issue(3)
    timing = Timing(poll_s=600, breaker_after=1, backoff_least_s=2, backoff_most_s=3)
    with working(feed, cpo, timing) as worker:
        began = time.monotonic()
        (report,) = worker.settle(FAILSAFE_S)
        assert time.monotonic() - began < FAILSAFE_S / 2
    assert report.state is LaneState.DOWN


def test_settle_that_is_asked_while_a_request_is_under_way_does_not_wait_for_the_next_poll() -> None:
    feed, go_on = MemoryFeed(CPO), threading.Event()
    feed.issue(1)

    def waits(_number: int, _token: Token) -> None:
        cpo.is_hanging.set()
        go_on.wait(FAILSAFE_S)

    cpo = CpoDouble(waits)
    reports = []
    with working(feed, cpo) as worker:
        assert cpo.is_hanging.wait(FAILSAFE_S)
        began = time.monotonic()
        settling = threading.Thread(target=lambda: reports.extend(worker.settle(FAILSAFE_S)))
        settling.start()
        wait_for(lambda: worker._posts[0].courier._nudged.is_set())
        go_on.set()
        settling.join(FAILSAFE_S)
        assert time.monotonic() - began < FAILSAFE_S / 2
    assert reports[0].is_settled


def test_a_turn_that_somebody_else_holds_is_waited_for() -> None:
    feed, cpo, turns = MemoryFeed(CPO), CpoDouble(), Turns()
    feed.issue(2)
    worker = Worker(Replicator(feed, [peer(CPO, cpo)], turns=turns, timing=Timing(turn_s=0.005)))
    with turns.take(CPO, 0):
        worker.start()
        wait_for(lambda: feed.calls["changes_after"] > 0)
        assert not worker.settle(0.05)[0].is_settled
        assert not cpo.puts
    assert worker.settle(FAILSAFE_S)[0].is_settled
    worker.stop()


def test_settle_gives_up_at_its_deadline_while_a_partner_hangs() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(always("hang"))
    feed.issue(3)
    with working(feed, cpo) as worker:
        assert cpo.is_hanging.wait(FAILSAFE_S)
        (report,) = worker.settle(0.05)
        assert (report.state, report.behind) == (LaneState.BEHIND, 3)


def test_a_hanging_partner_delays_neither_wake_nor_stop() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(always("hang"))
    feed.issue(3)
    worker = Worker(Replicator(feed, [peer(CPO, cpo)]))
    worker.start()
    try:
        assert cpo.is_hanging.wait(FAILSAFE_S)
        began = time.monotonic()
        worker.wake()
        worker.stop(deadline_s=0.05)
        assert time.monotonic() - began < FAILSAFE_S / 2
    finally:
        cpo.release.set()
        worker.stop(FAILSAFE_S)
    assert len(cpo.puts) == 1


def test_stopping_keeps_what_was_acknowledged() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(10)
    worker = Worker(Replicator(feed, [peer(CPO, cpo)], timing=SLOW_POLL))

    def stops_after_five(number: int, _token: Token) -> None:
        if number == 4:
            threading.Thread(target=worker.stop).start()
            wait_for(lambda: worker.is_stopped)

    cpo.fault = stops_after_five
    worker.start()
    worker.settle(FAILSAFE_S)
    worker.stop(FAILSAFE_S)
    standing = feed.standing(CPO)
    assert len(cpo.puts) == 5
    assert standing.behind == 5


def test_a_store_that_fails_for_a_while_stops_nothing() -> None:
    class Flaky(MemoryFeed):
        is_full = True

        def advance(self, *args: object, **kwargs: object) -> None:
            if self.is_full:
                raise DiskFull("no room for station.sqlite", hint="df -h .")
            super().advance(*args, **kwargs)  # type: ignore[arg-type]

    feed, cpo = Flaky(CPO), CpoDouble()
    feed.issue(2)
    with working(feed, cpo, Timing(poll_s=0.01)) as worker:
        (report,) = worker.settle(FAILSAFE_S)
        assert report.last_error == "no room for station.sqlite"
        assert not report.is_settled
        feed.is_full = False
        wait_for(lambda: worker.settle(FAILSAFE_S)[0].is_settled)


def test_a_fault_in_our_own_code_is_not_swallowed() -> None:
    class Broken(MemoryFeed):
        def newest(self, partner: str, token_id: int) -> Change | None:
            raise ZeroDivisionError

    feed = Broken(CPO)
    feed.issue(1)
    worker = Worker(Replicator(feed, [peer(CPO, CpoDouble())]))
    worker.start()
    with pytest.raises(ZeroDivisionError):
        worker.settle(FAILSAFE_S)
    worker.stop()


def test_a_block_goes_ahead_of_what_the_worker_still_has_to_send() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(200)
    worker = Worker(Replicator(feed, [peer(CPO, cpo)]))

    def blocks_meanwhile(number: int, _token: Token) -> None:
        if number == 20:
            feed.block(150)
            worker.wake()

    cpo.fault = blocks_meanwhile
    worker.start()
    assert worker.settle(FAILSAFE_S)[0].is_settled
    worker.stop()
    assert cpo.puts[21].valid is False
    assert len(cpo.puts) == 200


def test_a_push_beside_a_working_worker_never_overlaps_it() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(150)
    replicator = Replicator(feed, [peer(CPO, cpo)])
    worker = Worker(replicator)
    worker.start()
    confirmations = []
    for token_id in (140, 141, 142):
        feed.block(token_id)
        confirmations += replicator.push_now(token_id, FAILSAFE_S)
    assert worker.settle(FAILSAFE_S)[0].is_settled
    worker.stop()
    assert all(one.is_confirmed for one in confirmations)
    assert cpo.most_at_once == 1
    assert not cpo.overtaken
    assert sum(not token.valid for token in cpo.holds.values()) == 3
