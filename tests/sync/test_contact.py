"""How a partner is met outlives the process, and what somebody paused gets blocks and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cpo_double import DOWN, CpoDouble, FakeClock
from memory_feed import ALWAYS_IN_FORCE, START, MemoryFeed

from rfid_station.domain.contact import NEVER_MET, Contact, Pause
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.partner_profile import STANDARD, AfterOutage, PartnerProfile
from rfid_station.domain.token import Token
from rfid_station.sync.confirmation import PushAnswer
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.port import Peer
from rfid_station.sync.report import LaneState

CPO = "CPO"
WAITS = PartnerProfile(after_outage=AfterOutage.WAIT_FOR_PULL)
BY_HAND = Pause(START, "Tess", "they migrate")


@dataclass
class Book:
    """What the store would keep."""

    feed: MemoryFeed
    successes: int = 0

    @property
    def now(self) -> Contact:
        return self.feed.met.get(CPO, NEVER_MET)

    @now.setter
    def now(self, met: Contact) -> None:
        self.feed.met[CPO] = met

    def note_down(self, since: datetime | None) -> None:
        self.now = replace(self.now, down_since=since)

    def note_success(self, at: datetime) -> None:
        self.successes += 1
        self.now = replace(self.now, last_success_at=at)


class World:
    """One partner with its book, and as many processes as one wants."""

    def __init__(self, profile: PartnerProfile = STANDARD) -> None:
        self.feed, self.clock, self.cpo = MemoryFeed(CPO), FakeClock(), CpoDouble()
        self.book = Book(self.feed)
        self.peer = Peer(CPO, self.cpo, ALWAYS_IN_FORCE, profile, book=self.book)

    def replicator(self) -> Replicator:
        return Replicator(self.feed, [self.peer], self.clock, draw=lambda: 0.5)

    def process(self) -> Courier:
        (courier,) = self.replicator().couriers()
        return courier

    def go(self, courier: Courier) -> LaneState:
        courier.nudge()
        courier.drain(math.inf, is_patient=False)
        return courier.report().state

    def be_down_for(self, hours: float) -> None:
        self.cpo.fault = lambda _number, _token: DOWN
        courier, end_s = self.process(), self.clock.passed_s + hours * 3600
        while self.clock.passed_s < end_s:
            self.go(courier)
            self.clock.passed_s += 60
        self.cpo.fault = lambda _number, _token: None
        self.cpo.puts.clear()


def test_another_process_knows_that_a_partner_is_down_and_when_it_last_answered() -> None:
    world = World()
    world.feed.issue(1)
    world.go(world.process())
    answered_at = world.book.now.last_success_at
    assert answered_at
    world.feed.issue(5)
    world.be_down_for(0.5)
    stranger = world.process().report()
    assert (stranger.state, stranger.last_success) == (LaneState.DOWN, answered_at)
    assert stranger.met.down_since
    assert f"down since {stranger.met.down_since:%Y-%m-%dT%H:%M}" in stranger.detail
    assert any("is down: since" in alarm for alarm in stranger.alarms)
    assert world.go(world.process()) is LaneState.IN_STEP
    assert world.book.now.down_since is None
    assert world.process().report().state is LaneState.IN_STEP


def test_successes_are_written_down_now_and_then() -> None:
    world = World()
    world.feed.issue(100)
    courier = world.process()
    world.go(courier)
    world.feed.change(1)
    world.go(courier)
    assert world.book.successes == 1
    world.clock.passed_s += 11
    world.feed.change(1)
    world.go(courier)
    assert world.book.successes == 2


def test_a_partner_that_is_waited_for_is_waited_for_by_the_next_process() -> None:
    world = World(WAITS)
    world.feed.issue(10)
    world.be_down_for(2)
    assert world.go(world.process()) is LaneState.WAITING
    assert len(world.cpo.puts) == 1, "the one that found out that it is back"
    later = world.process()
    assert world.go(later) is LaneState.WAITING
    assert len(world.cpo.puts) == 1
    world.book.now = replace(world.book.now, last_pull_at=START)
    assert world.go(later) is LaneState.WAITING, "that pull was before the outage"
    world.book.now = replace(world.book.now, last_pull_at=world.clock.now() + timedelta(seconds=1))
    assert world.go(later) is LaneState.IN_STEP
    assert world.book.now.down_since is None
    world.feed.issue(3)
    assert world.go(world.process()) is LaneState.IN_STEP


def test_a_paused_partner_gets_a_block_and_nothing_else() -> None:
    world = World()
    world.feed.issue(3)
    courier = world.process()
    world.go(courier)
    world.book.now = replace(world.book.now, pause=BY_HAND)
    world.feed.issue(6)
    assert world.go(courier) is LaneState.HELD
    assert len(world.cpo.holds) == 3
    blocked = world.feed.block(2)
    assert world.go(courier) is LaneState.HELD
    assert not world.cpo.holds[blocked.token.uid.hex].valid
    assert len(world.cpo.holds) == 3
    report = courier.report()
    assert report.detail.startswith(
        "paused since 2026-03-01T08:00:00Z by Tess: they migrate; 6 tokens behind"
    )
    assert (report.is_at_rest, report.is_settled) == (True, False)
    world.book.now = replace(world.book.now, pause=None)
    assert world.go(courier) is LaneState.IN_STEP
    assert len(world.cpo.holds) == 6


def test_a_block_that_cannot_be_sent_is_not_hidden_by_a_pause() -> None:
    world = World()
    world.feed.issue(1)
    world.go(world.process())
    world.book.now = replace(world.book.now, pause=BY_HAND)
    world.feed.block(1)
    world.be_down_for(0.2)
    report = world.process().report()
    assert report.state is LaneState.DOWN
    assert "paused since" in report.detail
    assert not report.is_at_rest


def test_what_was_set_aside_waits_through_a_pause_unless_it_is_a_block() -> None:
    world = World()
    world.feed.issue(2)
    world.feed.block(2)
    set_aside = [Parked(number, 10, 1, START, False, "refused") for number in (1, 2)]
    world.feed.advance(CPO, Lane.BULK, world.feed.head, set_aside)
    world.book.now = replace(world.book.now, pause=BY_HAND)
    courier = world.process()
    for _ in range(3):
        world.go(courier)
        world.clock.passed_s += 3600
    assert [row.token_id for row in world.feed.standing(CPO).parked] == [1]
    world.book.now = replace(world.book.now, pause=None)
    world.clock.passed_s += 86_400
    assert world.go(courier) is LaneState.IN_STEP


def test_a_push_at_once_to_a_paused_partner_says_so_unless_it_is_a_block() -> None:
    world = World()
    world.feed.issue(2)
    world.go(world.process())
    world.book.now = replace(world.book.now, pause=BY_HAND)
    world.feed.block(1)
    assert world.replicator().push_now(1, 10)[0].is_confirmed
    world.feed.change(2)
    world.cpo.puts.clear()
    (told,) = world.replicator().push_now(2, 10)
    assert (told.answer, world.cpo.puts) == (PushAnswer.UNREACHABLE, [])
    assert "paused since" in told.detail
    assert f"sync resume {CPO}" in told.next_step


def test_a_block_that_is_taken_back_before_it_is_sent_waits_with_the_rest() -> None:
    world = World()
    world.feed.issue(2)
    courier = world.process()
    world.go(courier)
    world.cpo.puts.clear()
    world.book.now = replace(NEVER_MET, pause=BY_HAND)
    world.feed.block(2)
    world.feed.block(1)

    def found_again(_number: int, token: Token) -> None:
        if not token.valid:
            world.feed.change(1)

    world.cpo.fault = found_again
    assert world.go(courier) is LaneState.HELD
    assert [token.valid for token in world.cpo.puts] == [False]
    world.book.now = NEVER_MET
    assert world.go(courier) is LaneState.IN_STEP
    assert [token.valid for token in world.cpo.puts] == [False, True]
