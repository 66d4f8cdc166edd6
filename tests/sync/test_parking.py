"""What happens to a token that a partner refuses, does not answer about, or chokes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import pytest
from cpo_double import DOWN, GARBAGE, LOST, REFUSED, UNAUTHORIZED, CpoDouble, FakeClock, Fault, first, numbers
from memory_feed import MemoryFeed, peer

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.token import Token
from rfid_station.sync.courier import Courier
from rfid_station.sync.drive import Replicator
from rfid_station.sync.report import LaneReport, LaneState

NOBODY = Actor("nobody", Role.SYSTEM)
CPO = "CPO"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class Desk:
    """A feed with one partner, on a clock of its own, with the longest possible jitter."""

    def __init__(self, *faults: Fault | None, tokens: int = 1, jitter: float = 1 - 1e-9) -> None:
        self.feed = MemoryFeed(CPO)
        self.feed.issue(tokens)
        self.cpo = CpoDouble(first(*faults))
        self.clock = FakeClock()
        self.replicator = Replicator(self.feed, [peer(CPO, self.cpo)], self.clock, draw=lambda: jitter)

    def courier(self) -> Courier:
        """One that keeps its memory from run to run, as in the background of the desk."""
        (courier,) = self.replicator.couriers()
        return courier

    def run(self, deadline_s: float = 1.0) -> LaneReport:
        (report,) = self.replicator.run_until_settled(deadline_s)
        return report

    @property
    def row(self) -> Parked:
        (row,) = self.feed.standing(CPO).parked
        return row

    def waits_s(self) -> float:
        return (self.row.due_at - self.clock.now()).total_seconds()


def refusing(*token_ids: int) -> Callable[[int, Token], Fault | None]:
    """A partner that has something against these tokens."""
    return lambda _number, token: REFUSED if numbers([token])[0] in token_ids else None


def test_a_refused_token_is_parked_with_its_reason_and_the_rest_goes_on() -> None:
    desk = Desk(None, REFUSED, tokens=3)
    report = desk.run()
    assert report.state is LaneState.PARKED
    assert report.detail == "token 2 refused: OCPI 2001 invalid parameters"
    assert (report.behind, report.cursor, len(desk.cpo.holds)) == (0, 3, 2)
    assert (desk.row.token_id, desk.row.attempts, desk.row.must_verify) == (2, 1, False)


def test_a_parked_token_is_tried_after_a_minute_then_four_times_as_long_up_to_a_day() -> None:
    desk = Desk(*[REFUSED] * 9)
    waits = []
    for _ in range(9):
        desk.run()
        waits.append(round(desk.waits_s()))
        desk.clock.passed_s += desk.waits_s() + 1
    assert waits == [60, 240, 960, 3840, 15360, 61440, 86400, 86400, 86400]
    assert desk.run().is_settled
    assert len(desk.cpo.puts) == 10


def test_a_run_waits_for_a_retry_that_falls_due_in_time_and_not_for_a_later_one() -> None:
    desk = Desk(REFUSED, REFUSED)
    assert not desk.run(MINUTE + 1).is_settled
    assert len(desk.cpo.puts) == 2
    assert desk.clock.passed_s < 2 * MINUTE


def test_a_new_revision_of_a_parked_token_is_sent_at_once() -> None:
    desk = Desk(REFUSED)
    desk.run()
    desk.feed.block(1)
    report = desk.run()
    assert report.is_settled
    assert [token.valid for token in desk.cpo.puts] == [True, False]
    assert desk.clock.passed_s < 1


def test_a_new_revision_that_is_refused_as_well_starts_with_a_minute_again() -> None:
    desk = Desk(REFUSED, REFUSED, REFUSED)
    desk.run()
    desk.clock.passed_s += MINUTE + 1
    desk.run()
    assert (desk.row.attempts, round(desk.waits_s())) == (2, 240)
    desk.feed.block(1)
    desk.run()
    assert (desk.row.attempts, desk.row.revision, round(desk.waits_s())) == (1, 2, 60)


def test_a_parked_token_is_not_sent_again_by_a_new_process_before_it_is_due() -> None:
    desk = Desk(DOWN, REFUSED, DOWN, tokens=2)
    desk.run(deadline_s=1)
    assert numbers(desk.cpo.puts) == [1, 2, 1]
    assert desk.feed.standing(CPO).cursors[Lane.BULK] == 0, "so the feed shows both of them again"
    desk.run(deadline_s=5)
    assert numbers(desk.cpo.puts) == [1, 2, 1, 1]
    assert desk.row.token_id == 2


def test_a_token_that_is_refused_three_times_rings() -> None:
    desk = Desk(REFUSED, REFUSED, REFUSED)
    for expected in ((), (), ("token 1 refused: OCPI 2001 invalid parameters (3 attempts)",)):
        assert desk.run().alarms == expected
        desk.clock.passed_s += desk.waits_s() + 1


def test_twenty_refused_tokens_are_parked_and_the_next_one_opens_the_breaker() -> None:
    desk = Desk(tokens=60)
    desk.cpo.fault = lambda _number, _token: REFUSED
    report = desk.run()
    assert report.state is LaneState.DOWN
    assert len(desk.cpo.puts) == 21
    assert len(report.parked) == 20
    assert report.behind == 40
    assert "refuses every token" in report.alarms[0]


def test_when_a_partner_stops_refusing_everything_all_of_it_arrives() -> None:
    desk = Desk(*[REFUSED] * 25, tokens=60)
    desk.run()
    for _ in range(4):
        desk.clock.passed_s += 5 * MINUTE
        desk.run()
    assert len(desk.cpo.holds) == 60
    assert desk.run().is_settled


def test_25_bad_tokens_in_a_row_do_not_keep_the_others_from_a_healthy_partner() -> None:
    desk = Desk(tokens=40)
    desk.cpo.fault = refusing(*range(1, 26))
    for _ in range(20):
        desk.run()
        desk.clock.passed_s += DAY
    assert sorted(numbers(desk.cpo.holds.values())) == list(range(26, 41))
    assert len(desk.feed.standing(CPO).parked) == 25
    assert desk.feed.standing(CPO).behind == 0


def test_a_push_without_an_answer_is_sent_again_and_then_verified() -> None:
    desk = Desk("applied")
    report = desk.run(deadline_s=10)
    assert len(desk.cpo.puts) == 2
    assert (report.state, desk.row.must_verify) == (LaneState.PARKED, True)
    assert 18 < desk.waits_s() <= 20
    assert desk.cpo.proofs == 0
    assert desk.run(deadline_s=25).is_settled
    assert (len(desk.cpo.puts), desk.cpo.proofs) == (2, 1)
    assert desk.feed.proofs == [(CPO, 1, 1, True, "")]


def test_a_push_without_an_answer_that_is_then_refused_is_verified_no_earlier_for_it() -> None:
    """Whatever the jitter says: until then the first push may still land."""
    desk = Desk(LOST, REFUSED, jitter=0.0)
    desk.run(deadline_s=10)
    assert len(desk.cpo.puts) == 2
    assert (desk.row.must_verify, desk.row.error) == (True, "OCPI 2001 invalid parameters")
    assert 19 < desk.waits_s() <= 20


def test_an_old_push_that_lands_on_top_of_a_newer_one_is_found_and_repaired() -> None:
    desk = Desk(LOST)
    ghost = desk.feed.tokens[1].token
    desk.cpo.fault = lambda number, _token: desk.feed.block(1) and LOST if number == 0 else None
    desk.run(deadline_s=10)
    assert desk.cpo.holds[ghost.uid.hex].valid is False
    desk.cpo.holds[ghost.uid.hex] = ghost
    desk.run(deadline_s=120)
    assert desk.cpo.holds[ghost.uid.hex].valid is False
    assert [proven for _, _, _, proven, _ in desk.feed.proofs] == [False, True]
    assert desk.run().is_settled


def test_a_partner_that_reads_back_something_else_is_not_asked_without_end() -> None:
    desk = Desk("applied")
    desk.cpo.reads_back = ["whitelist is NEVER instead of ALLOWED"]
    report = desk.run(deadline_s=DAY)
    assert desk.cpo.proofs < 10
    assert len(desk.cpo.puts) < 12
    assert "reads back differently: whitelist is NEVER" in report.alarms[0]


def test_a_partner_that_cannot_be_read_back_gets_it_once_more_and_is_believed() -> None:
    desk = Desk("applied")
    desk.cpo.proof_fault = Outcome(Verdict.REFUSED, "HTTP 405")
    assert desk.run(deadline_s=MINUTE).is_settled
    assert (len(desk.cpo.puts), desk.cpo.proofs) == (3, 1)
    assert desk.feed.proofs == []


@pytest.mark.parametrize("verdict", [Verdict.UNREACHABLE, Verdict.UNAUTHORIZED])
def test_a_partner_that_fails_when_it_is_to_read_back_stays_to_be_verified(verdict: Verdict) -> None:
    desk = Desk("applied")
    desk.cpo.proof_fault = Outcome(verdict, "not now")
    assert not desk.run(deadline_s=25).is_settled
    assert desk.row.must_verify
    desk.cpo.proof_fault = None
    desk.clock.passed_s += 5 * MINUTE
    assert desk.run(deadline_s=25).is_settled
    assert len(desk.cpo.puts) == 2


def test_a_reading_back_that_never_ends_does_not_hold_up_the_rest() -> None:
    desk = Desk("applied")
    desk.cpo.proof_fault = LOST
    for minute in range(30):
        desk.feed.change(2)
        desk.run(deadline_s=1)
        desk.clock.passed_s += MINUTE
        assert len(desk.cpo.puts) >= 3 + minute
    assert desk.cpo.proofs < 10
    assert desk.row.must_verify


def test_a_token_that_the_partner_chokes_on_is_parked_once_others_get_through() -> None:
    desk = Desk(tokens=12)
    desk.cpo.fault = lambda _number, token: DOWN if numbers([token]) == [4] else None
    report = desk.run(deadline_s=30)
    assert report.state is LaneState.PARKED
    assert numbers(desk.cpo.puts).count(4) == 3
    assert len(desk.cpo.holds) == 11
    assert (desk.row.token_id, desk.row.error) == (4, "HTTP 503")


def test_a_parked_token_that_the_partner_still_chokes_on_is_not_hammered() -> None:
    """By one process that goes on, while the others get through in every single second."""
    desk = Desk(tokens=12)
    desk.cpo.fault = lambda _number, token: DOWN if numbers([token]) == [4] else None
    courier = desk.courier()
    for second in range(600):
        desk.feed.change(5 + second % 5)
        courier.drain(math.inf, is_patient=False)
        desk.clock.passed_s += 1
    assert desk.row.token_id == 4
    assert numbers(desk.cpo.puts).count(4) <= 3 + 600 / MINUTE
    assert desk.feed.standing(CPO).behind == 0


def test_two_urgent_tokens_that_the_partner_chokes_on_do_not_starve_the_others() -> None:
    desk = Desk(tokens=12)
    for token_id in (4, 5):
        desk.feed.block(token_id)
    desk.cpo.fault = lambda _number, token: LOST if numbers([token])[0] in (4, 5) else None
    desk.run(deadline_s=5 * MINUTE)
    assert len(desk.cpo.holds) == 10
    assert [row.token_id for row in desk.feed.standing(CPO).parked] == [4, 5]


def test_an_outage_parks_nothing() -> None:
    desk = Desk(tokens=12)
    desk.cpo.fault = lambda _number, _token: DOWN
    for _ in range(30):
        desk.run(deadline_s=30)
        desk.clock.passed_s += MINUTE
    standing = desk.feed.standing(CPO)
    assert (standing.behind, standing.parked, standing.cursors[Lane.BULK]) == (12, (), 0)
    desk.cpo.fault = lambda _number, _token: None
    assert desk.run().is_settled


def test_a_partner_down_for_a_day_is_brought_home_by_one_request_for_each_card() -> None:
    desk = Desk(tokens=12)
    desk.cpo.fault = lambda _number, _token: DOWN
    for hour in range(24):
        for _ in range(6):
            desk.run(deadline_s=30)
            desk.clock.passed_s += 10 * MINUTE
        desk.feed.change(1 + hour % 12, valid=hour % 2 == 0, urgent=False)
    blocked = desk.feed.block(7)
    assert desk.feed.standing(CPO).parked == ()
    tried = len(desk.cpo.puts)
    desk.cpo.fault = lambda _number, _token: None
    desk.clock.passed_s += 10 * MINUTE
    assert desk.run().is_settled
    assert desk.cpo.puts[tried] == blocked.token
    assert len(desk.cpo.puts) - tried == 12
    assert desk.cpo.holds == {one.token.uid.hex: one.token for one in desk.feed.tokens.values()}


def test_a_run_gives_up_on_a_partner_that_is_down_and_says_so() -> None:
    desk = Desk(tokens=12)
    desk.cpo.fault = lambda _number, _token: DOWN
    report = desk.run(deadline_s=HOUR)
    assert report.state is LaneState.DOWN
    assert report.detail == "HTTP 503; 12 tokens behind"
    assert report.alarms == ("CPO is down: HTTP 503",)
    assert len(desk.cpo.puts) == 5
    assert desk.clock.passed_s < MINUTE


def test_a_partner_that_lost_our_client_token_is_left_alone_with_an_alarm() -> None:
    desk = Desk(UNAUTHORIZED, tokens=3)
    report = desk.run(deadline_s=HOUR)
    assert report.state is LaneState.UNAUTHORIZED
    assert "client token" in report.detail
    assert report.alarms == ("CPO does not accept our client token: connect it again",)
    assert report.resumes_at == desk.clock.now() + timedelta(minutes=5)
    assert len(desk.cpo.puts) == 1


def test_retry_after_is_kept() -> None:
    desk = Desk(Outcome(Verdict.UNREACHABLE, "HTTP 429", retry_after_s=40), tokens=3)
    assert desk.run(deadline_s=30).state is LaneState.PAUSED
    assert len(desk.cpo.puts) == 1
    desk = Desk(Outcome(Verdict.UNREACHABLE, "HTTP 429", retry_after_s=40), tokens=3)
    assert desk.run(deadline_s=50).is_settled
    assert desk.clock.waits == [40.0]


def test_garbage_is_no_acknowledgement() -> None:
    desk = Desk(GARBAGE)
    report = desk.run(deadline_s=0.1)
    assert report.last_error == "ambiguous: HTTP 200, but the answer is not OCPI"
    assert (report.cursor, report.behind) == (0, 1)


def test_a_full_resync_is_a_cursor_at_zero() -> None:
    desk = Desk(tokens=5)
    desk.run()
    desk.feed.rewind(CPO, NOBODY)
    assert desk.run().is_settled
    assert len(desk.cpo.puts) == 10


def test_a_full_resync_reaches_a_lane_at_work_as_well() -> None:
    desk = Desk(tokens=5)
    courier = desk.courier()
    courier.drain(math.inf, is_patient=False)
    desk.feed.rewind(CPO, NOBODY)
    courier.drain(math.inf, is_patient=False)
    assert len(desk.cpo.puts) == 10
    assert desk.feed.standing(CPO).is_settled


def test_a_newer_state_is_sent_and_not_compared_with_what_was_sent_before() -> None:
    desk = Desk(LOST)
    desk.run(deadline_s=0.1)
    desk.clock.passed_s += 30
    desk.feed.block(1)
    assert desk.run(deadline_s=MINUTE).is_settled
    assert [token.valid for token in desk.cpo.puts] == [True, False]
    assert [proven for _, _, _, proven, _ in desk.feed.proofs] == [True]


def test_a_token_that_is_gone_from_the_store_blocks_nothing() -> None:
    desk = Desk(tokens=3)

    def gone_meanwhile(number: int, _token: Token) -> Fault | None:
        if number == 0:
            del desk.feed.tokens[2]
        return None

    desk.cpo.fault = gone_meanwhile
    assert desk.run().is_settled
    assert numbers(desk.cpo.puts) == [1, 3]
