"""What a station says, by the two specifications; `tests/flow/test_charge_point.py` asks real stations."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.domain.charge_point import (
    Known,
    Says,
    Situation,
    StationMode,
    UidForm,
    is_same,
    predict,
    seen,
)
from rfid_station.domain.token import Whitelist
from rfid_station.domain.uid import CardUid

UID = CardUid(bytes.fromhex("04E10CDA993C80"))
KNOWN = st.none() | st.builds(Known, st.booleans(), st.sampled_from(Whitelist))
SITUATIONS = st.builds(
    Situation,
    held=KNOWN,
    before=KNOWN,
    ours=st.sampled_from(Says),
    mode=st.sampled_from(StationMode),
    asks=st.booleans(),
    is_reached=st.booleans(),
    is_recognized=st.booleans(),
)


def at(whitelist: Whitelist, *, valid: bool = True, ours: Says = Says.ACCEPTED) -> Situation:
    return Situation(Known(valid, whitelist), Known(True, whitelist), ours)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (UidForm.WHOLE, "04E10CDA993C80"),
        (UidForm.FOUR, "04E10CDA"),
        (UidForm.REVERSED, "803C99DA0CE104"),
        (UidForm.DECIMAL, "1373345230175360"),
    ],
)
def test_readers_write_a_uid_in_four_ways(form: UidForm, text: str) -> None:
    assert seen(UID, form) == text
    assert is_same(text.lower(), text)


def test_a_card_of_four_bytes_is_the_same_to_a_reader_of_four_bytes() -> None:
    short = CardUid(bytes.fromhex("3633E0E0"))
    assert seen(short, UidForm.FOUR) == seen(short, UidForm.WHOLE)


def test_zeros_in_front_make_another_uid() -> None:
    assert not is_same("003633E0E0", "3633E0E0")


@pytest.mark.parametrize("whitelist", [Whitelist.ALLOWED_OFFLINE, Whitelist.NEVER])
@pytest.mark.parametrize("ours", Says)
def test_whoever_asks_goes_by_our_answer(whitelist: Whitelist, ours: Says) -> None:
    assert predict(at(whitelist, valid=False, ours=ours)).says is ours


@pytest.mark.parametrize("whitelist", [Whitelist.ALWAYS, Whitelist.ALLOWED])
@pytest.mark.parametrize("valid", [True, False])
def test_whoever_does_not_ask_goes_by_what_it_holds(whitelist: Whitelist, valid: bool) -> None:
    for ours in Says:
        says = predict(at(whitelist, valid=valid, ours=ours)).says
        assert says is (Says.ACCEPTED if valid else Says.BLOCKED)


@pytest.mark.parametrize(("asks", "is_reached"), [(True, False), (False, True), (False, False)])
def test_never_is_refused_where_nobody_can_be_asked_and_allowed_offline_is_not(
    asks: bool, is_reached: bool
) -> None:
    for whitelist, says in ((Whitelist.NEVER, Says.BLOCKED), (Whitelist.ALLOWED_OFFLINE, Says.ACCEPTED)):
        assert predict(replace(at(whitelist), asks=asks, is_reached=is_reached)).says is says


def test_a_cache_lets_a_blocked_card_begin_and_the_central_system_stops_it() -> None:
    blocked = replace(at(Whitelist.ALLOWED, valid=False), mode=StationMode.CACHED)
    assert predict(blocked).outcome == "Accepted, then stopped"
    assert [step.rule for step in predict(blocked).steps] == ["pre-authorized", "transaction", "not valid"]


def test_a_station_without_a_line_knows_nothing_newer() -> None:
    blocked = replace(at(Whitelist.ALWAYS, valid=False, ours=Says.BLOCKED), mode=StationMode.OFFLINE)
    assert predict(blocked).outcome == "Accepted"
    assert predict(replace(blocked, before=Known(False, Whitelist.ALWAYS))).says is Says.BLOCKED
    assert predict(replace(blocked, before=None)).says is Says.INVALID
    assert predict(replace(blocked, before=Known(True, Whitelist.NEVER))).says is Says.INVALID


@given(SITUATIONS)
def test_an_unknown_uid_never_charges(situation: Situation) -> None:
    verdict = predict(replace(situation, is_recognized=False))
    assert (verdict.says, verdict.is_stopped) == (Says.INVALID, False)


@given(SITUATIONS)
def test_every_verdict_has_its_reasons_and_only_what_was_accepted_is_stopped(situation: Situation) -> None:
    verdict = predict(situation)
    assert len(verdict.steps) >= 2
    assert all(step.rule and step.words for step in verdict.steps)
    assert verdict.says is Says.ACCEPTED or not verdict.is_stopped


def test_without_a_line_nothing_depends_on_us_or_on_what_the_partner_holds() -> None:
    offline = replace(at(Whitelist.ALLOWED), mode=StationMode.OFFLINE)
    told = {
        predict(replace(offline, held=held, ours=ours, is_reached=is_reached)).outcome
        for held, ours, is_reached in product((None, Known(False, Whitelist.ALWAYS)), Says, (True, False))
    }
    assert told == {"Accepted"}
