"""What a partner's profile says about pace: requests a second, and who begins after an outage."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cpo_double import DOWN, CpoDouble, FakeClock
from memory_feed import ALWAYS_IN_FORCE, START, MemoryFeed, peer

from rfid_station.domain.contact import Contact
from rfid_station.domain.delivery import Outcome
from rfid_station.domain.partner_profile import AfterOutage, PartnerProfile
from rfid_station.domain.service_level import Owed
from rfid_station.domain.token import Token
from rfid_station.sync.clock import WallClock
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.port import Peer
from rfid_station.sync.report import LaneState
from rfid_station.sync.turn import FileTurns

CPO = "CPO"
HOUR = 3600.0
WAITS = PartnerProfile(after_outage=AfterOutage.WAIT_FOR_PULL)


class Timed(CpoDouble):
    """Writes down when each request came."""

    def __init__(self, elapsed_s: Callable[[], float]) -> None:
        super().__init__()
        self.elapsed_s = elapsed_s
        self.at_s: list[float] = []

    def put(self, token: Token) -> Outcome:
        self.at_s.append(self.elapsed_s())
        return super().put(token)

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:
        self.at_s.append(self.elapsed_s())
        return super().prove(token)

    @property
    def closest_s(self) -> float:
        pairs = zip(self.at_s, self.at_s[1:], strict=False)
        return min((after - before for before, after in pairs), default=math.inf)


@pytest.mark.parametrize("max_rps", [4.0, 0.5])
def test_no_two_requests_are_closer_than_the_partner_allows(max_rps: float) -> None:
    feed, clock = MemoryFeed(CPO), FakeClock()
    feed.issue(6)
    cpo = Timed(clock.elapsed_s)
    profile = PartnerProfile(max_rps=max_rps)
    replicator = Replicator(feed, [peer(CPO, cpo, profile=profile)], clock)
    replicator.run_until_settled(60)
    feed.block(3)
    replicator.push_now(3, 60)
    replicator.prove_now([1, 2], 60)
    assert len(cpo.at_s) == 6 + 2 + 2
    assert cpo.closest_s >= 1 / max_rps - 1e-6
    assert feed.standing(CPO).is_settled


def test_without_a_limit_nothing_is_waited_for() -> None:
    feed, clock = MemoryFeed(CPO), FakeClock()
    feed.issue(6)
    Replicator(feed, [peer(CPO, CpoDouble())], clock).run_until_settled(60)
    assert clock.waits == []


def test_the_limit_holds_between_processes_that_share_nothing_but_the_turn(tmp_path: Path) -> None:
    feed, clock = MemoryFeed(CPO), WallClock()
    feed.issue(3)
    cpo = Timed(clock.elapsed_s)
    one = peer(CPO, cpo, profile=PartnerProfile(max_rps=20))
    for _ in range(3):
        feed.block(2)
        process = Replicator(feed, [one], clock, turns=FileTurns(tmp_path))
        assert process.push_now(2, 5)[0].is_confirmed
    assert len(cpo.at_s) == 6
    # A request that is held up on its way comes closer to the next one; all of them together do not.
    assert cpo.at_s[-1] - cpo.at_s[0] >= 5 * 0.05 - 0.03


class Outage:
    """A partner that is down for some hours, and its lane in the background of the desk."""

    def __init__(self, profile: PartnerProfile = WAITS, hours: float = 2.0) -> None:
        self.feed, self.clock = MemoryFeed(CPO), FakeClock()
        self.feed.issue(1)
        self.cpo = CpoDouble()
        a_peer = Peer(CPO, self.cpo, ALWAYS_IN_FORCE, profile)
        self.replicator = Replicator(self.feed, [a_peer], self.clock, draw=lambda: 0.5)
        (self.courier,) = self.replicator.couriers()
        self.go()
        for number in range(2, 12):
            self.feed.change(number)
        self.cpo.fault = lambda _number, _token: DOWN
        end_s = self.clock.passed_s + hours * HOUR
        while self.clock.passed_s < end_s:
            self.go()
            self.clock.passed_s += 60
        self.cpo.fault = lambda _number, _token: None
        self.cpo.puts.clear()

    def go(self) -> None:
        self.courier.nudge()
        self.courier.drain(math.inf, is_patient=False)

    def pulls(self, at: datetime) -> None:
        self.feed.met[CPO] = Contact(last_pull_at=at)

    @property
    def state(self) -> LaneState:
        return self.courier.report().state


@pytest.mark.parametrize("set_back_h", [0.0, 3.0])
def test_a_lane_at_rest_goes_on_in_time_though_the_clock_is_set_back(set_back_h: float) -> None:
    class SetBack(FakeClock):
        hours = 0.0

        def now(self) -> datetime:
            return super().now() - timedelta(hours=self.hours)

    feed, clock = MemoryFeed(CPO), SetBack()
    feed.issue(1)
    cpo = CpoDouble(lambda _number, _token: DOWN)
    (courier,) = Replicator(feed, [peer(CPO, cpo)], clock, draw=lambda: 0.5).couriers()
    courier.drain(math.inf, is_patient=False)
    cpo.fault = lambda _number, _token: None
    waits_s = courier.resumes_in_s()
    assert waits_s
    clock.hours = set_back_h
    looks = feed.calls["standing"]
    clock.passed_s += waits_s - 0.01
    courier.drain(math.inf, is_patient=False)
    assert (feed.calls["standing"], len(cpo.puts)) == (looks, 1), "it is too early"
    clock.passed_s += 0.02
    courier.drain(math.inf, is_patient=False)
    assert len(cpo.puts) == 2
    assert feed.standing(CPO).is_settled


def test_after_a_long_outage_the_bulk_waits_and_says_so() -> None:
    outage = Outage()
    outage.go()
    outage.clock.passed_s += 60
    outage.go()
    assert len(outage.cpo.puts) == 1, "the one that found out that the partner is back"
    report = outage.courier.report()
    assert report.state is LaneState.WAITING
    assert "is to read by itself first" in report.detail
    assert report.behind


def test_a_block_goes_all_the_same() -> None:
    outage = Outage()
    outage.go()
    blocked = outage.feed.block(1)
    outage.go()
    assert not outage.cpo.holds[blocked.token.uid.hex].valid
    assert outage.state is LaneState.WAITING
    assert len(outage.cpo.puts) == 2


def test_the_partners_pull_lets_the_bulk_go() -> None:
    outage = Outage()
    outage.pulls(START)
    outage.go()
    outage.go()
    assert outage.state is LaneState.WAITING, "that pull was before the outage"
    outage.pulls(outage.clock.now() + timedelta(seconds=1))
    outage.go()
    assert outage.state is LaneState.IN_STEP


def test_somebody_who_retries_lets_the_bulk_go() -> None:
    outage = Outage()
    outage.go()
    assert outage.courier.hurry(None, outage.clock.elapsed_s() + 1) == []
    outage.go()
    assert outage.state is LaneState.IN_STEP


def test_a_retry_by_another_process_ends_the_waiting() -> None:
    outage = Outage()
    outage.go()
    outage.replicator.retry_now(None, None, 10)
    outage.feed.change(20)
    outage.go()
    outage.go()
    assert outage.state is LaneState.IN_STEP


@pytest.mark.parametrize(
    ("profile", "hours"), [(PartnerProfile(), 2.0), (WAITS, 0.9)], ids=["resumes", "short"]
)
def test_others_and_short_outages_just_go_on(profile: PartnerProfile, hours: float) -> None:
    outage = Outage(profile, hours)
    for _ in range(3):
        outage.clock.passed_s += 60
        outage.go()
    assert outage.state is LaneState.IN_STEP


def courier_of(feed: MemoryFeed, clock: FakeClock) -> Courier:
    cpo = CpoDouble(lambda _number, _token: DOWN)
    (courier,) = Replicator(feed, [peer(CPO, cpo)], clock).couriers()
    return courier


def test_a_block_is_late_after_fifteen_minutes_and_a_new_card_after_a_day() -> None:
    feed, clock = MemoryFeed(CPO), FakeClock()
    feed.issue(2)
    courier = courier_of(feed, clock)
    start_s = 1.0
    clock.passed_s = start_s + 24 * HOUR
    assert courier.report().is_within_level
    clock.passed_s += 1
    report = courier.report()
    assert not report.is_within_level
    assert report.owed == Owed(others=2, others_since=START + timedelta(seconds=1))
    assert "the service level is broken since 2026-03-02T08:00:01Z" in report.alarms[-1]
    urgent = MemoryFeed(CPO)
    urgent.block(1)
    courier, clock.passed_s = courier_of(urgent, clock), 1 + HOUR / 4
    assert courier.report().is_within_level
    clock.passed_s += 1
    assert not courier.report().is_within_level


def test_nothing_owed_is_within_every_level() -> None:
    assert Owed().is_within_level(START)
    assert Owed().since is None
