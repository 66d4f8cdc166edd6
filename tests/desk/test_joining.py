"""A card and a fob act as one at partners, and each is stopped by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import rows, run
from hypothesis import given, settings
from hypothesis import strategies as st
from stations import CLERK, LINES, SUPPORT, issue_from, new_station

from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.joining import join, part
from rfid_station.desk.support.lookup import describe
from rfid_station.desk.support.replacing import ask, line_for
from rfid_station.domain.card import Card, CardState, Driver, Reason, Replacement, ReplaceWhen
from rfid_station.domain.feed import Change
from rfid_station.domain.order import OrderLine
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.ocpi.wire import v2_1_1, v2_2_1, v2_3_0
from rfid_station.ocpi.wire.dialect import dialect_of
from rfid_station.ocpi.wire.told import tell

ANNA = Driver("Anna", "17", "Fleet", "de")
PAIR = [
    OrderLine("fleet:card", ANNA),
    OrderLine("fleet:fob", ANNA),
    OrderLine("fleet:other", LINES[0].driver),
]


@pytest.fixture
def cards(station: Station) -> list[Card]:
    return issue_from(station, "sim:ntag213?count=3", PAIR).issued


def change_of(station: Station, card: Card) -> Change:
    token_id = station.store.feed.token_id_of(card.id)
    assert token_id
    change = station.store.feed.own(token_id)
    assert change
    return change


def test_both_tokens_tell_the_same_short_group_and_each_has_one_revision(
    station: Station, cards: list[Card]
) -> None:
    card, fob, _ = cards
    before = [change_of(station, one).revision for one in (card, fob)]
    joined = join(station, [card, fob]).cards
    told = [change_of(station, one) for one in (card, fob)]
    (group_id,) = {change.token.group_id for change in told}
    assert group_id
    assert len(group_id) <= 20
    assert [change.revision for change in told] == [max(before) + 2, max(before) + 3]
    assert all(change.token.valid for change in told)
    assert join(station, joined).cards == joined
    assert [change_of(station, one).revision for one in joined] == [change.revision for change in told]
    assert [other["number"] for other in describe(station, joined[0])["acts_with"]] == [fob.visual_number]
    assert station.store.audit.check().is_sound


@pytest.mark.parametrize(("version", "tells"), [("2.1.1", False), ("2.2.1", True), ("2.3.0", True)])
def test_what_each_version_says_of_a_group(
    station: Station, cards: list[Card], version: str, tells: bool
) -> None:
    assert {v2_1_1.VERSION, v2_2_1.VERSION, v2_3_0.VERSION} == {"2.1.1", "2.2.1", "2.3.0"}
    group_id = join(station, cards[:2]).cards[0].group_id
    wire = dialect_of(version).token_to_wire(tell(change_of(station, cards[0]).token), nulls=False)
    assert wire.get("group_id") == (group_id if tells else None)


def test_a_third_joins_and_one_that_parts_leaves_two(station: Station, cards: list[Card]) -> None:
    join(station, cards[:2])
    with pytest.raises(Conflict, match="not known to be one driver's"):
        join(station, [cards[0], cards[2]])
    (group_id,) = {card.group_id for card in join(station, cards, any_driver=True).cards}
    parted = part(station, cards[0]).cards
    assert [card.id for card in parted] == [cards[0].id]
    assert [station.store.cards.by_id(card.id).group_id for card in cards] == [None, group_id, group_id]
    assert len(part(station, cards[1]).cards) == 2
    assert {station.store.cards.by_id(card.id).group_id for card in cards} == {None}
    assert {change_of(station, card).token.group_id for card in cards} == {None}
    with pytest.raises(Conflict, match="stands alone"):
        part(station, cards[0])


def test_what_cannot_be_joined(station: Station, cards: list[Card]) -> None:
    with pytest.raises(WrongCall):
        join(station, [cards[0], cards[0]])
    more = issue_from(station, "sim:ntag213?count=1&seed=5", [OrderLine("more:1", ANNA)]).issued
    join(station, cards[:2])
    join(station, [cards[2], *more], any_driver=True)
    with pytest.raises(Conflict, match="each with its own"):
        join(station, [cards[0], more[0]])
    station.store.cards.move(cards[1].id, CardState.RETIRED, Reason.RETURNED, SUPPORT, station.token)
    with pytest.raises(MoveNotAllowed, match="final"):
        join(station, cards[:2])
    assert station.store.joined.others(station.store.cards.by_id(cards[0].id)) == []


def test_a_new_card_in_anothers_place_acts_with_the_fob(station: Station, cards: list[Card]) -> None:
    card, fob, _ = cards
    group_id = join(station, [card, fob]).cards[0].group_id
    ask(station, station.store.cards.by_id(card.id), Replacement(ReplaceWhen.NOW, Reason.DAMAGED))
    old = station.store.cards.by_id(card.id)
    (new,) = issue_from(station, "sim:ntag213?count=1&seed=9", [line_for(old)]).issued
    assert new.group_id == group_id
    assert change_of(station, new).token.group_id == group_id
    fob_now = station.store.cards.by_id(fob.id)
    assert [other.id for other in station.store.joined.others(fob_now)] == [new.id]


def test_blocking_the_card_leaves_the_fob_and_says_so(folder: Path, cards: list[Card]) -> None:
    card, fob, _ = cards
    joined = run(folder, "card", "join", card.visual_number, fob.visual_number, "--json")
    assert {row["group_id"] for row in rows(joined)} != {None}
    blocked = run(folder, "card", "block", card.visual_number)
    assert f"{fob.visual_number} acts with it and goes on; --with-group blocks it too" in blocked.stderr
    shown = json.loads(run(folder, "card", "show", fob.visual_number, "--json").stdout)
    assert (shown["state"], shown["acts_with"]) == (
        "active",
        [{"number": card.visual_number, "state": "blocked"}],
    )
    assert card.visual_number in run(folder, "card", "show", fob.visual_number).stdout
    assert run(folder, "card", "part", fob.visual_number).exit_code == 0


def test_with_group_both_are_blocked(folder: Path, station: Station, cards: list[Card]) -> None:
    join(station, cards[:2])
    number = cards[0].visual_number
    refused = run(folder, "card", "block", number, "--with-group", "--receipt", "r.txt")
    assert refused.exit_code == 2
    assert run(folder, "card", "block", number, "--with-group").exit_code == 0
    states = [station.store.cards.by_id(card.id).state for card in cards]
    assert states == [CardState.BLOCKED, CardState.BLOCKED, CardState.ACTIVE]


@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 2)), max_size=8))
@settings(max_examples=12, deadline=None)
def test_no_group_is_left_with_one_card_and_tokens_tell_what_cards_have(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[bool, int, int]]
) -> None:
    with open_station(new_station(tmp_path_factory.mktemp("joins") / "s", "plain"), CLERK) as station:
        cards = issue_from(station, "sim:ntag213?count=3", PAIR).issued
        for is_joined, one, other in moves:
            try:
                if is_joined:
                    join(station, [cards[one], cards[other]], any_driver=True)
                else:
                    part(station, cards[one])
            except (Conflict, WrongCall):
                continue
        now = [station.store.cards.by_id(card.id) for card in cards]
        groups = [card.group_id for card in now if card.group_id]
        assert all(groups.count(group) > 1 for group in groups)
        assert [change_of(station, card).token.group_id for card in now] == [card.group_id for card in now]
