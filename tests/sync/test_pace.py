"""When a partner may be called again (sync.md, failures): measured in its pauses."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_feed import START

from rfid_station.sync.pace import Pace, PaceState, Timing

TIMING = Timing()


def pace(draw: float = 0.999) -> Pace:
    return Pace(TIMING, lambda: draw)


def pause_s(one: Pace) -> float:
    assert one.paused_until
    return (one.paused_until - START).total_seconds()


def fail(one: Pace, times: int = 1, at: float = 0) -> None:
    for _ in range(times):
        one.failed(START + timedelta(seconds=at), "HTTP 503", None)


def test_the_ceiling_of_the_pause_doubles_up_to_a_minute() -> None:
    ceilings = []
    for failures in range(1, 5):
        one = pace()
        fail(one, failures)
        ceilings.append(round(pause_s(one)))
    assert ceilings == [1, 2, 4, 8]
    down = pace()
    fail(down, 9)
    assert 59 < pause_s(down) <= 60


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_every_pause_lies_between_half_a_second_and_a_minute(failures: int, draw: float) -> None:
    one = pace(draw)
    fail(one, failures)
    assert 0.5 <= pause_s(one) <= 60


def test_jitter_is_full() -> None:
    least, most = pace(0.0), pace(0.999)
    fail(least, 4)
    fail(most, 4)
    assert pause_s(least) == 0.5
    assert pause_s(most) > 7.9


def test_the_breaker_opens_after_five_failures_and_lets_one_request_try() -> None:
    one = pace()
    fail(one, 4)
    assert one.state(START) is PaceState.PAUSED
    fail(one)
    assert one.state(START) is PaceState.DOWN
    later = START + timedelta(seconds=61)
    assert one.allows(later, in_flight=0)
    assert not one.allows(later, in_flight=1)


def test_a_success_closes_the_breaker() -> None:
    one = pace()
    fail(one, 7)
    one.succeeded()
    later = START + timedelta(seconds=61)
    assert one.state(later) is PaceState.OPEN
    assert one.allows(later, in_flight=5)
    fail(one, at=61)
    assert one.paused_until
    assert (one.paused_until - later).total_seconds() <= 1


def test_retry_after_pauses_the_lane_and_is_no_failure() -> None:
    one = pace()
    for _ in range(9):
        one.failed(START, "HTTP 429", 120)
    assert pause_s(one) == 120
    assert one.state(START) is PaceState.PAUSED
    assert not one.allows(START + timedelta(seconds=119), in_flight=0)
    assert one.allows(START + timedelta(seconds=120), in_flight=3)


def test_a_late_success_or_a_shorter_pause_does_not_end_the_one_the_partner_asked_for() -> None:
    one = pace()
    one.failed(START, "HTTP 429", 120)
    one.succeeded()
    fail(one)
    assert pause_s(one) == 120


@pytest.mark.parametrize(
    ("asked", "given_s"), [(-5, 0.5), (0, 0.5), (1e12, 3600), (math.inf, 3600), (math.nan, 0.5)]
)
def test_a_senseless_retry_after_is_cut_to_reason(asked: float, given_s: float) -> None:
    one = pace()
    one.failed(START, "HTTP 429", asked)
    assert pause_s(one) == given_s


def test_a_lost_authorization_stops_the_lane_and_is_tried_every_five_minutes() -> None:
    one = pace()
    one.was_unauthorized(START, "HTTP 401")
    assert one.state(START) is PaceState.UNAUTHORIZED
    assert pause_s(one) == 300
    assert not one.allows(START + timedelta(seconds=299), in_flight=0)
    assert one.allows(START + timedelta(seconds=301), in_flight=0)
    assert not one.allows(START + timedelta(seconds=301), in_flight=1)
    one.succeeded()
    assert one.state(START + timedelta(seconds=301)) is PaceState.OPEN


def test_the_21st_token_refused_in_a_row_is_the_partners_fault() -> None:
    one = pace()
    assert all(one.was_refused(token_id, START, "2001") for token_id in range(20))
    assert one.state(START) is PaceState.OPEN
    assert not one.was_refused(20, START, "2001")
    assert one.state(START) is PaceState.DOWN
    assert "every token" in one.reason


def test_one_token_refused_again_and_again_is_not_the_partners_fault() -> None:
    one = pace()
    assert all(one.was_refused(7, START, "2001") for _ in range(50))


def test_a_success_between_refusals_starts_the_count_anew() -> None:
    one = pace()
    for token_id in range(20):
        one.was_refused(token_id, START, "2001")
    one.succeeded()
    assert one.was_refused(20, START, "2001")


def test_a_refusal_does_not_close_the_breaker_of_a_partner_that_refuses_everything() -> None:
    one = pace()
    for token_id in range(21):
        one.was_refused(token_id, START, "2001")
    one.answered()
    assert one.state(START) is PaceState.DOWN
    one.succeeded()
    assert one.state(START + timedelta(minutes=2)) is PaceState.OPEN


def test_a_clock_that_was_set_back_does_not_stretch_a_pause() -> None:
    one = pace()
    one.failed(START, "HTTP 429", 120)
    assert one.allows(START - timedelta(hours=1), in_flight=0)


def test_waits_for_a_parked_token_grow_fourfold_up_to_a_day() -> None:
    assert [TIMING.park_s(n) for n in (1, 2, 3, 4, 5, 6, 7, 40)] == [
        60, 240, 960, 3840, 15360, 61440, 86400, 86400,
    ]  # fmt: skip
    assert TIMING.verify_s(1) == 20
    assert TIMING.verify_s(99) == 86400
