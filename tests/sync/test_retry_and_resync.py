"""Set-aside tokens tried at once, and a partner that is owed everything again."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

from cpo_double import DOWN, LOST, REFUSED, CpoDouble, FakeClock, Fault, first, numbers
from memory_feed import MemoryFeed, peer

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.feed import Lane
from rfid_station.sync.drive import Replicator
from rfid_station.sync.retry import Retried, RetryResult

CPO = "CPO"
SOMEBODY = Actor("Sam", Role.SUPPORT)


class Desk:
    def __init__(self, *faults: Fault | None, tokens: int = 3) -> None:
        self.feed = MemoryFeed(CPO, "other")
        self.feed.issue(tokens)
        self.cpo, self.other = CpoDouble(first(*faults)), CpoDouble()
        self.clock = FakeClock()
        peers = [peer(CPO, self.cpo), peer("other", self.other)]
        self.replicator = Replicator(self.feed, peers, self.clock, draw=lambda: 0.999)

    def run(self, deadline_s: float = 1.0) -> None:
        self.replicator.run_until_settled(deadline_s)

    def retry(self, token_ids: set[int] | None = None, deadline_s: float = 1.0) -> list[Retried]:
        found, _ = self.replicator.retry_now({CPO}, token_ids, deadline_s)
        return found

    @property
    def parked(self) -> dict[int, int]:
        return {row.token_id: row.attempts for row in self.feed.standing(CPO).parked}


def test_a_refused_token_goes_at_once_when_somebody_says_so() -> None:
    desk = Desk(REFUSED)
    desk.run()
    assert desk.parked == {1: 1}
    desk.run()
    assert numbers(desk.cpo.puts) == [1, 2, 3], "it is not due"
    (one,) = desk.retry()
    assert (one.partner, one.token_id, one.result, one.next_try) == (CPO, 1, RetryResult.SETTLED, None)
    assert desk.parked == {}
    assert sorted(numbers(desk.cpo.holds.values())) == [1, 2, 3]


def test_a_token_that_is_refused_again_stays_parked_with_the_partners_words() -> None:
    desk = Desk(REFUSED, None, None, REFUSED)
    desk.run()
    (one,) = desk.retry()
    assert one.result is RetryResult.REFUSED
    assert one.detail == "OCPI 2001 invalid parameters"
    assert one.next_try
    assert one.next_try > desk.clock.now()
    assert desk.parked == {1: 2}


def test_only_the_named_token_and_partner_are_tried() -> None:
    desk = Desk(REFUSED, REFUSED)
    desk.other.fault = first(REFUSED)
    desk.run()
    assert [one.token_id for one in desk.retry({2})] == [2]
    assert desk.parked == {1: 1}
    assert len(desk.feed.standing("other").parked) == 1
    assert desk.retry({3}) == [], "that one is not parked"


def test_a_partner_that_is_down_loses_nothing_and_counts_no_attempt() -> None:
    desk = Desk(REFUSED, REFUSED)
    desk.run()
    desk.cpo.fault = lambda _number, _token: DOWN
    found = desk.retry()
    assert {one.result for one in found} == {RetryResult.NOT_TRIED}
    assert "503" in found[0].detail
    assert desk.parked == {1: 1, 2: 1}


def test_a_push_that_may_still_land_is_not_verified_before_its_time() -> None:
    desk = Desk(LOST, LOST, tokens=1)
    desk.run()
    before = desk.feed.standing(CPO).parked[0]
    assert before.must_verify
    (one,) = desk.retry()
    assert one.result is RetryResult.TO_VERIFY
    assert desk.cpo.proofs == 0
    after = desk.feed.standing(CPO).parked[0]
    assert after.due_at >= before.due_at
    (later,) = desk.retry(deadline_s=60)
    assert later.result is RetryResult.SETTLED
    assert desk.cpo.proofs
    assert desk.parked == {}


def test_a_verification_that_grew_late_is_due_after_the_shortest_safe_wait() -> None:
    desk = Desk(tokens=1)
    desk.run()
    lane_row = desk.feed.block(1)
    desk.cpo.fault = lambda _number, _token: LOST
    desk.run()
    (row,) = desk.feed.standing(CPO).parked
    late = replace(row, attempts=4, due_at=desk.clock.now() + timedelta(days=1))
    desk.feed.advance(CPO, Lane.BULK, 0, [late])
    desk.cpo.fault = first()
    desk.retry(deadline_s=60)
    assert desk.parked == {}
    assert not desk.cpo.holds[lane_row.token.uid.hex].valid
    assert 20 <= desk.clock.passed_s < 120


def test_a_lane_at_work_heeds_what_another_process_made_due() -> None:
    desk = Desk(REFUSED, tokens=1)
    courier = desk.replicator.couriers()[0]
    courier.drain(math.inf, is_patient=False)
    (before,) = desk.replicator.couriers()[0].hurry(None, desk.clock.elapsed_s() + 1) or []
    assert before.due_at > desk.clock.now()
    courier.drain(math.inf, is_patient=False)
    assert desk.parked == {}


def test_a_resync_sends_every_newest_state_again_and_keeps_what_is_parked() -> None:
    desk = Desk(None, REFUSED)
    desk.run()
    assert desk.parked == {2: 1}
    parked = desk.feed.standing(CPO).parked
    assert desk.replicator.rewind(CPO, SOMEBODY) == 3
    assert desk.feed.standing(CPO).parked == parked
    assert desk.feed.standing("other").behind == 0
    desk.run()
    assert numbers(desk.cpo.puts) == [1, 2, 3, 1, 3]
    assert desk.parked == {2: 1}


def test_a_lane_that_is_at_work_does_not_undo_a_resync() -> None:
    """Its cursor was read before: written after the rewind, it would skip all that was owed again."""
    desk = Desk(tokens=120)
    courier = desk.replicator.couriers()[0]

    def rewind(number: int, _token: object) -> None:
        if number == 110:
            desk.replicator.rewind(CPO, SOMEBODY)

    desk.cpo.fault = rewind
    courier.drain(math.inf, is_patient=False)
    courier.drain(math.inf, is_patient=False)
    assert desk.feed.standing(CPO).is_settled
    assert sorted(numbers(desk.cpo.puts[120:])) == list(range(1, 121))


def test_a_lane_whose_cursor_never_moved_does_not_undo_a_resync_either() -> None:
    """It is at zero before and after: the number of the resync tells the two apart."""
    desk = Desk(tokens=12)
    courier = desk.replicator.couriers()[0]

    def rewind(number: int, _token: object) -> None:
        if number == 5:
            desk.replicator.rewind(CPO, SOMEBODY)

    desk.cpo.fault = rewind
    for _ in range(2):
        courier.drain(math.inf, is_patient=False)
    assert desk.feed.standing(CPO).is_settled
    assert sorted(numbers(desk.cpo.puts[12:])) == list(range(1, 13))


def test_a_dead_partner_with_a_long_backlog_is_left_and_not_turned_over_and_over() -> None:
    desk = Desk(tokens=250)
    desk.cpo.fault = lambda _number, _token: DOWN

    desk.run(deadline_s=30)
    assert desk.feed.calls["standing"] < 100
