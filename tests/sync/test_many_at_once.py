"""Several requests to one partner at once: what must hold whatever the order in which they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from cpo_double import (
    DOWN,
    FAILSAFE_S,
    LOST,
    REFUSED,
    UNAUTHORIZED,
    CpoDouble,
    FakeClock,
    Fault,
    always,
    numbers,
)
from memory_feed import START, MemoryFeed, peer

from rfid_station.domain.contact import Contact
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Token
from rfid_station.errors import DiskFull
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.fresh import KEPT_S
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.outage import Outage
from rfid_station.sync.pace import Timing
from rfid_station.sync.step import Deliver
from rfid_station.sync.turn import FileTurns, Turns

CPO = "CPO"
QUICK = Timing(backoff_least_s=0.001, backoff_most_s=0.01, verify_first_s=0.01, park_first_s=0.01, poll_s=600)


class Meeting(CpoDouble):
    """Answers nobody until so many requests are there at once."""

    def __init__(self, at_once: int) -> None:
        super().__init__()
        self._all_here = threading.Barrier(at_once)

    def put(self, token: Token) -> Outcome:
        self._enter(token)
        try:
            self._all_here.wait(FAILSAFE_S)
        finally:
            self._leave(token)
        return super().put(token)


def courier_of(
    feed: MemoryFeed, cpo: CpoDouble, window: int = 4, timing: Timing = QUICK, turns: Turns | None = None
) -> Courier:
    one = peer(CPO, cpo, profile=PartnerProfile(max_in_flight=window))
    (courier,) = Replicator(feed, [one], turns=turns or Turns(), timing=timing).couriers()
    return courier


def drain(courier: Courier) -> None:
    courier.drain(courier.clock.elapsed_s() + FAILSAFE_S, is_patient=True)


def issued(count: int) -> MemoryFeed:
    feed = MemoryFeed(CPO)
    feed.issue(count)
    return feed


def test_as_many_requests_are_under_way_as_the_profile_says_and_no_more() -> None:
    feed, cpo = issued(12), Meeting(4)
    drain(courier_of(feed, cpo))
    assert cpo.most_at_once == 4
    assert sorted(numbers(cpo.puts)) == list(range(1, 13))
    assert feed.standing(CPO).is_settled


@pytest.mark.parametrize("window", [2, 8])
def test_one_token_is_never_in_two_requests(window: int) -> None:
    feed, twice = issued(3), []

    def changes_it(number: int, token: Token) -> Fault | None:
        twice.extend(uid for uid, count in cpo.at_once.items() if count > 1)
        if number < 60:
            feed.change(int(token.uid.hex[2:], 16))
            courier.nudge()
        return ("applied", None, LOST, None)[number % 4]

    cpo = CpoDouble(changes_it)
    # However often answers were lost, a read-back is due soon.
    courier = courier_of(feed, cpo, window, replace(QUICK, park_most_s=0.1))
    for _ in range(40):
        drain(courier)
        if feed.standing(CPO).is_settled:
            break
    assert not twice
    assert not cpo.overtaken
    assert feed.standing(CPO).is_settled
    assert cpo.holds == {one.token.uid.hex: one.token for one in feed.tokens.values()}


def test_a_turn_reads_what_is_owed_by_the_page_and_not_one_by_one() -> None:
    class Counting(MemoryFeed):
        single = 0

        def newest(self, partner: str, token_id: int) -> Change | None:
            self.single += 1
            return super().newest(partner, token_id)

    feed, cpo = Counting(CPO), CpoDouble()
    feed.issue(150)
    drain(courier_of(feed, cpo, 8))
    assert len(cpo.puts) == 150
    assert feed.single == 0


def test_what_was_read_too_long_ago_is_read_again_by_the_page() -> None:
    class Counting(MemoryFeed):
        single = 0

        def newest(self, partner: str, token_id: int) -> Change | None:
            self.single += 1
            return super().newest(partner, token_id)

    feed, clock, sent = Counting(CPO), FakeClock(), []
    feed.issue(150)

    def slow(number: int, token: Token) -> None:
        sent.append(token)
        if number == 20:
            feed.change(100, valid=False)
            clock.passed_s += KEPT_S + 1

    one = peer(CPO, CpoDouble(slow), profile=PartnerProfile(max_in_flight=2))
    (courier,) = Replicator(feed, [one], clock, timing=QUICK).couriers()
    drain(courier)
    assert feed.standing(CPO).is_settled
    assert feed.single <= 2, "the two that were under way"
    assert [token.valid for token in sent if token.uid == feed.tokens[100].token.uid] == [False]


def test_who_can_be_asked_within_an_event_loop_needs_no_thread() -> None:
    class Swift(CpoDouble):
        def __init__(self) -> None:
            super().__init__()
            self.threads: set[int] = set()

        async def put_soon(self, token: Token) -> Outcome:
            self.threads.add(threading.get_ident())
            self._enter(token)
            await asyncio.sleep(0.001)
            self._leave(token)
            return self.put(token)

        async def prove_soon(self, token: Token) -> tuple[Outcome, list[str] | None]:
            return self.prove(token)

    feed, cpo = issued(40), Swift()
    drain(courier_of(feed, cpo))
    assert (cpo.threads, cpo.most_at_once) == ({threading.get_ident()}, 4)
    assert feed.standing(CPO).is_settled


def test_a_partner_that_was_down_is_asked_by_one_first() -> None:
    feed = issued(20)
    lane = PartnerLane(feed.standing(CPO), QUICK, window=4, outage=Outage(met=Contact(down_since=START)))
    read(feed, lane)
    first = lane.next_step(START)
    assert isinstance(first, Deliver)
    assert not isinstance(lane.next_step(START), Deliver)
    attempt = lane.begin(first, feed.newest(CPO, first.token_id), START)
    assert attempt
    lane.finish_put(attempt, Outcome(Verdict.ACKNOWLEDGED), START)
    assert [type(lane.next_step(START)) for _ in range(4)] == [Deliver] * 4


def test_one_that_hangs_keeps_the_cursor_and_nobody_else() -> None:
    feed, cpo = issued(300), CpoDouble()
    hangs = feed.tokens[5].token.uid

    def fault(_number: int, token: Token) -> Fault | None:
        return "hang" if token.uid == hangs else None

    cpo.fault = fault
    courier = courier_of(feed, cpo)
    run = threading.Thread(target=drain, args=(courier,))
    run.start()
    try:
        wait_for(lambda: len(cpo.holds) == 299)
        assert feed.standing(CPO).cursors["bulk"] < 5  # type: ignore[index]
    finally:
        cpo.fault = lambda _number, _token: None
        cpo.release.set()
        run.join(FAILSAFE_S)
    drain(courier)
    assert feed.standing(CPO).is_settled


def test_a_block_goes_while_all_hands_hang() -> None:
    feed, cpo = issued(20), CpoDouble(always("hang"))
    courier = courier_of(feed, cpo)
    run = threading.Thread(target=drain, args=(courier,))
    run.start()
    try:
        wait_for(lambda: len(cpo.puts) == 4)
        cpo.fault = lambda _number, _token: None
        blocked = feed.block(20)
        courier.nudge()
        wait_for(lambda: blocked.token.uid.hex in cpo.holds)
        assert len(cpo.puts) == 5
    finally:
        cpo.release.set()
        run.join(FAILSAFE_S)


def test_who_waits_for_the_turn_gets_it_in_the_middle_of_a_bulk() -> None:
    feed, cpo, turns = issued(3000), CpoDouble(), Turns()
    courier = courier_of(feed, cpo, turns=turns)
    run = threading.Thread(target=drain, args=(courier,))
    run.start()
    try:
        wait_for(lambda: len(cpo.puts) > 20)
        with turns.take(CPO, FAILSAFE_S) as is_ours:
            assert is_ours
            assert cpo.at_once.total() == 0, "nothing is under way in a turn that is given away"
            there = len(cpo.puts)
        assert there < 3000
        wait_for(lambda: len(cpo.puts) > there)
    finally:
        courier.stop()
        run.join(FAILSAFE_S)


@pytest.mark.parametrize(("fault", "most"), [(DOWN, 4 + 5), (UNAUTHORIZED, 4)], ids=["down", "unauthorized"])
def test_requests_that_fail_together_are_one_failure(fault: Outcome, most: int) -> None:
    feed, cpo = issued(50), CpoDouble(always(fault))
    courier = courier_of(feed, cpo)
    drain(courier)
    assert courier.has_given_up
    assert len(cpo.puts) <= most


def test_after_a_failure_one_goes_alone() -> None:
    feed, together, all_here = issued(30), [], threading.Barrier(4)

    def fault(number: int, _token: Token) -> Fault | None:
        if number < 4:
            all_here.wait(FAILSAFE_S)
        together.append(cpo.at_once.total())
        return DOWN if number < 6 else None

    cpo = CpoDouble(fault)
    drain(courier_of(feed, cpo))
    assert together[4:7] == [1] * 3
    assert feed.standing(CPO).is_settled


def test_one_that_is_refused_stands_in_nobodys_way() -> None:
    feed = issued(40)
    cpo = CpoDouble(lambda _number, token: REFUSED if token.uid.hex.endswith("7") else None)
    courier = courier_of(feed, cpo, timing=replace(QUICK, park_first_s=600))
    drain(courier)
    standing = feed.standing(CPO)
    assert {row.token_id for row in standing.parked} == {7, 23, 39}
    assert standing.behind == 0


def test_a_store_that_fails_ends_it_and_what_was_acknowledged_is_sent_again() -> None:
    class Full(MemoryFeed):
        is_full = True

        def advance(self, *args: object, **kwargs: object) -> None:
            if self.is_full:
                raise DiskFull("no room for station.sqlite", hint="df -h .")
            super().advance(*args, **kwargs)  # type: ignore[arg-type]

    feed, cpo = Full(CPO), CpoDouble()
    feed.issue(30)
    courier = courier_of(feed, cpo, timing=replace(QUICK, commit_every=3))
    with pytest.raises(DiskFull):
        drain(courier)
    assert cpo.at_once.total() == 0
    feed.is_full = False
    drain(courier)
    assert feed.standing(CPO).is_settled


def test_the_rate_holds_although_many_could_go_at_once() -> None:
    feed, at_s = issued(8), []
    cpo = CpoDouble(lambda _number, _token: at_s.append(courier.clock.elapsed_s()))
    one = peer(CPO, cpo, profile=PartnerProfile(max_in_flight=8, max_rps=50))
    (courier,) = Replicator(feed, [one], timing=QUICK).couriers()
    drain(courier)
    assert feed.standing(CPO).is_settled
    assert min(after - before for before, after in pairwise(at_s)) >= 0.02 - 0.004


def test_two_processes_at_one_partner_never_speak_at_the_same_time(tmp_path: object) -> None:
    feed = issued(120)
    speaking: list[set[str]] = []
    now: set[str] = set()
    lock = threading.Lock()

    class Named(CpoDouble):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def put(self, token: Token) -> Outcome:
            with lock:
                now.add(self.name)
                speaking.append(set(now))
            outcome = super().put(token)
            with lock:
                if self.at_once.total() == 0:
                    now.discard(self.name)
            return outcome

    turns = [FileTurns(tmp_path), FileTurns(tmp_path)]  # type: ignore[arg-type]
    couriers = [courier_of(feed, Named(name), turns=own) for name, own in zip("ab", turns, strict=True)]
    runs = [threading.Thread(target=drain, args=(courier,)) for courier in couriers]
    for run in runs:
        run.start()
    for run in runs:
        run.join(FAILSAFE_S)
    assert all(len(names) == 1 for names in speaking)
    assert feed.standing(CPO).is_settled


# PATCH


class Patching(CpoDouble):
    """Says of what it is sent that it was a part, as a client with `method = patch` does."""

    def __init__(self, *parts: bool) -> None:
        super().__init__()
        self.parts = list(parts)

    def put(self, token: Token) -> Outcome:
        outcome = super().put(token)
        return outcome._replace(is_partial=bool(self.parts) and self.parts.pop(0))


def test_a_part_that_reads_back_as_the_whole_is_enough() -> None:
    feed, cpo = issued(1), Patching(True)
    drain(courier_of(feed, cpo, window=1))
    assert (len(cpo.puts), cpo.proofs) == (1, 1)
    assert feed.standing(CPO).is_settled


@pytest.mark.parametrize("fault", ["ignored", REFUSED], ids=["dropped", "refused"])
def test_a_part_that_did_not_make_the_whole_is_followed_by_it(fault: Fault) -> None:
    feed, cpo = issued(1), Patching(True, False)
    cpo.fault = lambda number, _token: fault if number == 0 else None
    drain(courier_of(feed, cpo, window=1))
    assert len(cpo.puts) == 2
    assert cpo.proofs == (fault == "ignored")
    assert feed.standing(CPO).is_settled
    assert numbers(cpo.holds.values()) == [1]


def test_a_part_without_an_answer_is_judged_as_any_request() -> None:
    feed, cpo = issued(1), Patching(True)
    cpo.fault = lambda number, _token: LOST if number == 0 else None
    drain(courier_of(feed, cpo, window=1))
    assert feed.standing(CPO).is_settled
    assert cpo.puts[-1] == feed.tokens[1].token


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(FAILSAFE_S / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    raise AssertionError("it never came true")


def test_news_that_come_while_a_page_is_read_are_not_lost() -> None:
    """Until the next poll, that is: a second is long for a block."""
    for which in (Lane.BULK, Lane.URGENT):
        feed = issued(1)
        lane = PartnerLane(feed.standing(CPO), QUICK)
        if which is Lane.URGENT:
            feed.issue(QUICK.scan_limit)
            lane.wake()
            read(feed, lane)
            lane.wake()
        scan = lane.next_scan()
        assert scan
        page = feed.changes_after(CPO, scan.after, scan.lane, scan.limit)
        blocked = feed.block(999)
        lane.wake()
        lane.scanned(scan, page)
        read(feed, lane)
        step = lane.next_step(START)
        assert isinstance(step, Deliver)
        assert step.token_id == blocked.token_id


def read(feed: MemoryFeed, lane: PartnerLane) -> None:
    while scan := lane.next_scan():
        lane.scanned(scan, feed.changes_after(CPO, scan.after, scan.lane, scan.limit))
