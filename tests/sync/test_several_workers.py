"""Several workers share a partner: each change is brought once, by whoever has the turn."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from cpo_double import FAILSAFE_S, REFUSED, CpoDouble
from memory_feed import START, MemoryFeed, peer

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.feed import Lane, Parked, Standing
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.sync.clock import WallClock
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.pace import Timing
from rfid_station.sync.report import LaneReport
from rfid_station.sync.turn import FileTurns, Turns
from rfid_station.sync.worker import Worker

CPO = "CPO"
WORKERS = 3
ANYBODY = Actor("anybody", Role.SUPERVISOR)


@pytest.fixture(params=["threads", "files"])
def turns_of_each(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Turns]:
    """The turns as each worker has them: of one process, or each of its own on one machine."""
    if request.param == "files":
        return lambda: FileTurns(tmp_path)
    shared = Turns()
    return lambda: shared


@contextmanager
def at_work(
    feed: MemoryFeed, cpo: CpoDouble, turns: Callable[[], Turns], window: int, count: int = WORKERS
) -> Iterator[list[Worker]]:
    profile = PartnerProfile(max_in_flight=window)
    timing = Timing(poll_s=600, turn_s=0.05, park_first_s=600)
    workers = [
        Worker(
            Replicator(
                feed, [peer(CPO, cpo, profile=profile)], turns=turns(), timing=timing, draw=lambda: 1.0
            )
        )
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    try:
        yield workers
    finally:
        cpo.release.set()
        for worker in workers:
            worker.stop()


def settled(workers: list[Worker]) -> list[LaneReport]:
    """All are asked at once, as by a word of the store that something changed."""
    reports: dict[int, LaneReport] = {}

    def settle(number: int) -> None:
        (reports[number],) = workers[number].settle(FAILSAFE_S)

    threads = [threading.Thread(target=settle, args=(number,)) for number in range(len(workers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(FAILSAFE_S)
    return [reports[number] for number in range(len(workers))]


@pytest.mark.parametrize("window", [1, 8])
def test_each_change_is_sent_once(turns_of_each: Callable[[], Turns], window: int) -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    with at_work(feed, cpo, turns_of_each, window) as workers:
        for number in range(1, 31):
            feed.change(number)
            assert all(report.is_settled for report in settled(workers))

    assert [len(cpo.puts), len(cpo.holds)] == [30, 30]


def test_who_was_slower_lets_the_other_go_first_and_goes_itself_when_that_one_is_gone() -> None:
    """Both are asked at each change, and the slower one only sees that it was brought."""
    feed, cpo, turns = MemoryFeed(CPO), CpoDouble(), Turns()
    looks: Counter[str] = Counter()
    standing = feed.standing

    def looked(partner: str, *, counted: bool = True) -> Standing:
        looks[threading.current_thread().name] += not counted
        return standing(partner, counted=counted)

    feed.standing = looked  # type: ignore[method-assign]
    quick_is_done = threading.Event()

    class LongWait(WallClock):
        """Until the quick one is done, so that nothing hangs on how busy this machine is."""

        def wait(self, event: threading.Event, seconds: float) -> bool:
            assert seconds < 1
            return quick_is_done.wait(FAILSAFE_S)

    quick, slow = (
        Courier(feed, peer(CPO, cpo), clock, turns, Timing(poll_s=600), draw=lambda: 1.0)
        for clock in (WallClock(), LongWait())
    )
    slow._gives_way = True

    def come(courier: Courier, name: str) -> threading.Thread:
        go = partial(courier.drain, math.inf, is_patient=False)
        thread = threading.Thread(target=go, name=name, daemon=True)
        thread.start()
        return thread

    for number in range(1, 6):
        feed.change(number)
        quick_is_done.clear()
        second = come(slow, "slow")
        come(quick, "quick").join(FAILSAFE_S)
        assert len(cpo.puts) == number
        quick_is_done.set()
        second.join(FAILSAFE_S)
    assert slow._gives_way
    assert not quick._gives_way
    assert slow.traffic.puts == 0
    assert looks["slow"] == 5 < looks["quick"]
    feed.change(1)
    come(slow, "slow").join(FAILSAFE_S)
    assert (slow.traffic.puts, slow._gives_way) == (1, False)
    assert len(cpo.puts) == 6


@pytest.mark.parametrize("window", [1, 8])
def test_each_token_of_a_backlog_is_sent_once(turns_of_each: Callable[[], Turns], window: int) -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(700)
    with at_work(feed, cpo, turns_of_each, window) as workers:
        assert all(report.is_settled for report in settled(workers))

    assert Counter(token.uid.hex for token in cpo.puts).most_common(1)[0][1] == 1
    assert len(cpo.holds) == 700


def test_what_a_partner_refuses_is_parked_by_one_and_left_alone_by_all(
    turns_of_each: Callable[[], Turns],
) -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(lambda _number, token: REFUSED if token.uid.hex in bad else None)
    bad = {feed.change(3).token.uid.hex}
    feed.issue(10)
    with at_work(feed, cpo, turns_of_each, 8) as workers:
        settled(workers)
        for number in range(11, 16):
            feed.change(number)
            settled(workers)

    sent = Counter(token.uid.hex for token in cpo.puts)
    assert set(sent.values()) == {1}
    assert len(feed.partners[CPO].parked) == 1


def test_a_lane_knows_what_another_one_did() -> None:
    """A retry by another worker moves no cursor: only the row tells of it."""
    feed = MemoryFeed(CPO)
    feed.issue(3)
    lane = PartnerLane(feed.standing(CPO))
    assert not lane.is_overtaken(feed.standing(CPO))

    for happens in (
        lambda: feed.advance(CPO, Lane.BULK, 2),
        lambda: feed.advance(CPO, Lane.BULK, 3, [Parked(3, 3, 1, START, False, "2001")]),
        lambda: feed.advance(CPO, Lane.BULK, 3, [Parked(3, 3, 2, START, False, "2001")]),
        lambda: feed.advance(CPO, Lane.BULK, 3, unpark=[3]),
        lambda: feed.advance(CPO, Lane.URGENT, 3),
        lambda: feed.rewind(CPO, ANYBODY),
    ):
        happens()
        assert lane.is_overtaken(feed.standing(CPO))
        lane.refresh(feed.standing(CPO))
        assert not lane.is_overtaken(feed.standing(CPO))


def test_a_lane_is_not_overtaken_by_what_it_did_itself() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(lambda number, _token: REFUSED if number == 1 else None)
    feed.issue(3)
    courier = Courier(feed, peer(CPO, cpo), WallClock(), Turns(), Timing(park_first_s=600), draw=lambda: 1.0)
    courier.drain(WallClock().elapsed_s() + FAILSAFE_S, is_patient=False)

    assert feed.partners[CPO].parked
    assert courier._lane is not None
    assert not courier._lane.is_overtaken(feed.standing(CPO))
