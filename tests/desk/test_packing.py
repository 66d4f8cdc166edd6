"""Card and letter into one envelope: the right pair only, and only what may leave."""

from __future__ import annotations

from dataclasses import replace

import pytest
from printed_codes import codes_on
from stations import issue_from

from rfid_station.desk.fulfilment import orders, packing
from rfid_station.desk.fulfilment.scanning import link_on_letter
from rfid_station.desk.paper.letters import PaperWish, print_letters
from rfid_station.desk.paper.sheets import Wish as SheetWish
from rfid_station.desk.paper.sheets import print_sheets
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.errors import Conflict
from rfid_station.reader.opening import open_reader


@pytest.fixture
def cards(station: Station) -> list[Card]:
    """Two cards of an order, with letters; the first is printed."""
    orders.order_count(station, 2, orders.Wish(name="spare"))
    made = issue_from(station, "sim:ntag213?count=2", orders.open_lines(station, "spare")).issued
    print_letters(station, made, PaperWish())
    print_sheets(station, made[:1], SheetWish())
    return made


def letter_code(station: Station, page: int) -> str:
    """What a scanner reads from a letter: its code, from the printed page."""
    (code,) = codes_on((station.folder / "prints" / "letters-0001.pdf").read_bytes(), page)
    return code


def test_the_code_of_a_letter_is_its_cards_and_no_others(station: Station, cards: list[Card]) -> None:
    first, second = cards
    packed = packing.pack(station, first, letter_code(station, 0), was_tapped=True, order="spare")
    assert (packed.with_letter, packed.was_tapped) == (True, True)
    print_sheets(station, [second], SheetWish())
    words = f"wrong pair: the card is {second.visual_number}, and the letter is for {first.visual_number}"
    with pytest.raises(Conflict, match=words):
        packing.pack(station, second, letter_code(station, 0), was_tapped=True)
    assert station.store.packing.of_card(second.id) is None
    packing.pack(station, second, letter_code(station, 1), was_tapped=True)
    assert [card.id for card in packing.packed_cards(station, "spare")] == [first.id, second.id]
    packing.dispatch(station, cards, "T1", "Post")
    assert orders.close(station, "spare") == []
    assert packing.packed_cards(station, "spare") == []


def test_a_card_does_not_pass_for_its_letter_nor_a_letter_for_a_card(
    station: Station, cards: list[Card]
) -> None:
    code = letter_code(station, 0)
    own = station.link(cards[0].alias).upper()
    assert code != own
    for scanned in (own, f"]Q1{own}", own.replace("/", "-").replace(":", ";")):
        with pytest.raises(Conflict, match="that is the code of a card, and no letter's"):
            packing.pack(station, cards[0], scanned, was_tapped=True)
        assert packing.card_by_code(station, scanned).id == cards[0].id
    for scanned in (code, f"]Q1{code}", code.replace("/", "-").replace(":", ";").replace("#", "'")):
        with pytest.raises(Conflict, match="that is a letter's code, and no card's"):
            packing.card_by_code(station, scanned)
        assert packing.pack(station, cards[0], scanned, was_tapped=True).with_letter
    assert packing.pack(station, cards[0], cards[0].visual_number, was_tapped=True).with_letter


def test_a_link_with_a_fragment_of_its_own_is_left_as_it_is(station: Station, cards: list[Card]) -> None:
    desk = station.settings.desk.model_copy(update={"link": "https://cards.example.com/#/c/{alias}"})
    other = replace(station, settings=station.settings.model_copy(update={"desk": desk}))
    own = other.link(cards[0].alias).upper()
    assert link_on_letter(own) == own
    assert packing.pack(other, cards[0], own, was_tapped=True).with_letter


def test_what_is_not_printed_is_not_packed(station: Station, cards: list[Card]) -> None:
    with pytest.raises(Conflict, match=f"card {cards[1].visual_number} is not printed yet"):
        packing.pack(station, cards[1], None, was_tapped=True)


def test_a_card_without_an_order_goes_and_one_of_another_does_not(
    station: Station, cards: list[Card]
) -> None:
    (stray,) = issue_from(station, "sim:ntag213?seed=9").issued
    packing.pack(station, stray, None, was_tapped=False)
    with pytest.raises(Conflict, match="belongs to no order, and order spare is being packed"):
        packing.check_packable(station, stray, "spare")
    other = orders.order_count(station, 1, orders.Wish(name="other"))
    with pytest.raises(Conflict, match=f"belongs to order spare, and order {other.name} is being packed"):
        packing.pack(station, cards[0], None, was_tapped=True, order="other")


def test_a_card_has_no_letter_as_long_as_nobody_printed_one(station: Station) -> None:
    (card,) = issue_from(station, "sim:ntag213").issued
    with pytest.raises(Conflict, match="no letter was printed for card"):
        packing.pack(station, card, card.visual_number, was_tapped=True)
    for text in ("Driver 1", card.uid.hex, "EXM-0000-0000-0"):
        with pytest.raises(Conflict, match="no card of ours has"):
            packing.pack(station, card, text, was_tapped=True)


def test_a_card_that_was_stopped_is_refused_before_its_letter_is_looked_for(
    station: Station, cards: list[Card]
) -> None:
    packing.pack(station, cards[0], None, was_tapped=True)
    station.store.cards.move(cards[0].id, CardState.BLOCKED, Reason.LOST, station.actor, station.token)
    for refused in (
        lambda card: packing.check_packable(station, card),
        lambda card: packing.dispatch(station, [card], "T1"),
    ):
        with pytest.raises(Conflict, match=r"is blocked \(lost\): it must not leave"):
            refused(station.store.cards.by_id(cards[0].id))
    packing.unpack(station, cards[0], "blocked")


def test_the_card_on_the_reader_is_known_by_its_chip(station: Station, cards: list[Card]) -> None:
    for uid, words in ((cards[0].uid.hex, None), ("04010203040506", "is not one of ours")):
        reader = open_reader(f"sim:ntag213?uid={uid}")
        try:
            link = next(iter(reader.cards(lambda: False)))
            if words is None:
                assert packing.card_on_reader(station, link).id == cards[0].id
            else:
                with pytest.raises(Conflict, match=words):
                    packing.card_on_reader(station, link)
        finally:
            reader.close()
