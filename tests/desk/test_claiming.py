"""Claim codes: shown once, hashed, counted, locked, and drawn anew by a supervisor."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.desk.paper.letters import read_recipients
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.claiming import claim, draw_code, hash_of, is_code, prove, write_codes
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import MOST_CLAIMS, Card, CardState, Claim, Reason, Role
from rfid_station.errors import MoveNotAllowed, WrongCall


@pytest.fixture
def inactive(folder: Path) -> Path:
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    return folder


def one_card(station: Station) -> Card:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    assert card.state is CardState.ISSUED
    return card


def test_the_right_code_in_any_writing_activates_the_card_once(inactive: Path) -> None:
    with open_station(inactive, CLERK) as station:
        card = one_card(station)
        drawn = draw_code(station, card)
        assert re.fullmatch(r"[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{5}", drawn.code)
        with pytest.raises(WrongCall, match="9 more may be tried"):
            claim(station, card, "AAAAA-AAAAA")
        done = claim(station, card, f" {drawn.code.lower().replace('-', ' ')} ")
        assert (done.card.state, done.card.claim) == (CardState.ACTIVE, Claim())
        assert station.store.cards.by_id(card.id) == done.card
        with pytest.raises(MoveNotAllowed, match="waits for no code"):
            claim(station, card, drawn.code)
        assert station.store.audit.check().is_sound


def test_the_code_is_nowhere_in_the_store(inactive: Path) -> None:
    with open_station(inactive, CLERK) as station:
        code = draw_code(station, one_card(station)).code
    with closing(sqlite3.connect(inactive / "station.db")) as connection:
        everything = "\n".join(connection.iterdump())
    assert code not in everything
    assert code.replace("-", "") not in everything
    assert "scrypt:16384:8:1:" in everything


def test_after_ten_wrong_codes_the_right_one_is_refused_until_a_supervisor_draws_anew(inactive: Path) -> None:
    with open_station(inactive, CLERK) as station:
        card = one_card(station)
        right = draw_code(station, card).code
        for left in range(MOST_CLAIMS - 1, -1, -1):
            with pytest.raises(WrongCall, match=f"{left} more may be tried"):
                claim(station, card, "WRONG")
        with pytest.raises(MoveNotAllowed, match="10 wrong codes were typed"):
            claim(station, card, right)
    with open_station(inactive, SUPPORT) as station, pytest.raises(MoveNotAllowed, match="10 wrong codes"):
        draw_code(station, card)
    with open_station(inactive, Actor("Sue", Role.SUPERVISOR)) as station:
        again = draw_code(station, card).code
        with pytest.raises(WrongCall):
            claim(station, card, right)
        assert claim(station, card, again).card.state is CardState.ACTIVE


def test_a_card_that_is_active_gets_a_code_too_and_one_whose_life_is_over_does_not(station: Station) -> None:
    (card,) = issue_from(station, "sim:ntag213").issued
    code = draw_code(station, card).code
    assert prove(station, card, code).state is CardState.ACTIVE
    with pytest.raises(WrongCall, match="9 more may be tried"):
        prove(station, card, "AAAAA-AAAAA")
    assert prove(station, card, code).claim == Claim()
    with pytest.raises(MoveNotAllowed, match="waits for no code"):
        claim(station, card, code)
    station.store.cards.move(
        card.id, CardState.RETIRED, Reason.RETURNED, Actor("Sue", Role.SUPERVISOR), station.token
    )
    with pytest.raises(MoveNotAllowed, match="is retired: a code is of no use to it"):
        draw_code(station, card)


def test_a_card_without_a_code_takes_none(station: Station) -> None:
    (card,) = issue_from(station, "sim:ntag213").issued
    with pytest.raises(MoveNotAllowed, match="has no code"):
        prove(station, card, "AAAAA-AAAAA")


def test_codes_are_written_as_letters_read_them(inactive: Path, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    with open_station(inactive, CLERK) as station:
        drawn = draw_code(station, one_card(station))
    write_codes(path, [drawn])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    recipients = read_recipients(path)
    assert drawn.code in str(recipients)


def test_hashes_of_one_code_differ_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = hash_of("ABCDEFGH23"), hash_of("ABCDEFGH23")
    assert first != second
    assert is_code("abcde-fgh23", first)
    assert is_code("ABCDE FGH23", second)
    assert not is_code("ABCDE-FGH24", first)
    assert not is_code("", first)
