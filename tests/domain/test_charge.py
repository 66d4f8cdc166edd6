"""What a partner knew when a card charged that was stopped; cards that are in two places at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.domain.card import CardState
from rfid_station.domain.charge import AfterStop, Cost, Place, Stop, Visit, plain, too_far
from rfid_station.domain.token import Whitelist

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STOP = Stop(
    CardState.BLOCKED, "lost", NOON, None, False, NOON + timedelta(minutes=15), Whitelist.ALLOWED, 0.0
)


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("proven", "acknowledged", "began", "basis", "known"),
    [
        (None, False, 60, "not known to it", None),
        (5, False, 4, "not known to it", None),
        (5, False, 5, "proven", 5),
        (5, False, 60, "proven", 5),
        (None, True, 14, "not known to it", None),
        (None, True, 15, "not known to it", None),
        (None, True, 16, "acknowledged", 15),
        (90, True, 60, "acknowledged", 15),
        (5, True, 60, "proven", 5),
    ],
)
def test_a_partner_knew_by_proof_or_by_its_word_when_that_was_due(
    proven: int | None, acknowledged: bool, began: int, basis: str, known: int | None
) -> None:
    stop = replace(STOP, proven_at=minutes(proven) if proven else None, acknowledged=acknowledged)
    after = AfterStop(stop, minutes(began))

    assert (after.basis, after.known_at) == (basis, minutes(known) if known else None)
    assert after.is_alarm == (known is not None)


@pytest.mark.parametrize(("cache", "within"), [(0, None), (54, False), (55, True), (600, True)])
def test_a_declared_cache_explains_an_older_state_for_its_time(cache: float, within: bool | None) -> None:
    after = AfterStop(replace(STOP, proven_at=minutes(5), cache_minutes=cache), minutes(60))

    assert after.is_within_cache is within
    assert "blocked (lost) 2026-03-01T12:00:00Z, proven there 2026-03-01T12:05:00Z" in f"{after}"


def test_what_a_partner_may_not_have_known_is_no_matter_of_caches() -> None:
    after = AfterStop(replace(STOP, cache_minutes=60), minutes(60))

    assert after.is_within_cache is None
    assert "it may not have known; whitelist ALLOWED" in f"{after}"


def visit(card: int, began: float, country: str, ended: float | None = None) -> Visit:
    return Visit(card, minutes(began), None if ended is None else minutes(ended), country)


@pytest.mark.parametrize(
    ("earlier", "later", "is_odd"),
    [
        (visit(1, 0, "NLD"), visit(1, 60, "BEL"), True),
        (visit(1, 0, "NLD"), visit(1, 61, "BEL"), False),
        (visit(1, 0, "NLD"), visit(1, 1, "NLD"), False),
        (visit(1, 0, "NLD"), visit(2, 1, "BEL"), False),
        (visit(1, 0, "NLD", 300), visit(1, 330, "BEL"), True),
        (visit(1, 0, "NLD", 300), visit(1, 100, "BEL"), True),
        (visit(1, 0, "NLD", -5), visit(1, 58, "BEL"), True),
    ],
)
def test_two_countries_within_the_hour(earlier: Visit, later: Visit, is_odd: bool) -> None:
    assert too_far([earlier, later]) == ([(earlier, later)] if is_odd else [])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 500), st.sampled_from(["NLD", "BEL"])), max_size=12)
)
def test_pairs_are_of_one_card_and_two_countries(told: list[tuple[int, int, str]]) -> None:
    visits = [visit(card, began, country) for card, began, country in sorted(told)]
    for earlier, later in too_far(visits):
        assert earlier.card_id == later.card_id
        assert earlier.country != later.country
        assert later.began - earlier.began <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("number", "text"), [("0", "0"), ("1E+3", "1000"), ("1.50", "1.5"), ("-0.10", "-0.1"), ("100", "100")]
)
def test_numbers_are_written_as_people_do(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_money_and_places_in_words() -> None:
    assert f"{Cost(Decimal('4.60'), Decimal('5.57'), 'EUR')}" == "4.6 EUR (5.57 with taxes)"
    assert f"{Cost(Decimal(4), None, 'SEK')}" == "4 SEK"
    assert f"{Place('Gent', '', 'BEL')}" == "Gent, BEL"
