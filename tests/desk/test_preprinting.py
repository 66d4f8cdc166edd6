"""Printed first: numbers on sheets, a scan that says which plastic it is, a chip that takes its numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from stations import issue_from

from rfid_station.desk.fulfilment import orders
from rfid_station.desk.fulfilment.preprinting import (
    preprinted_by_scan,
    print_numbers,
    spoil_plastic,
    to_print,
)
from rfid_station.desk.fulfilment.scanning import read_scan, scanned_card
from rfid_station.desk.issue import Issued, issue_card
from rfid_station.desk.paper import sheets
from rfid_station.desk.paper.sheets import Wish as SheetWish
from rfid_station.desk.station import Station
from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.order import Missing, Order, Preprinted, Way
from rfid_station.errors import CardLost, Conflict, PrintError, StationError, WrongCall
from rfid_station.reader.opening import open_reader


@pytest.fixture
def order(station: Station) -> Order:
    return orders.order_count(station, 2, orders.Wish(name="spare", way=Way.PRINT_FIRST))


@pytest.fixture
def plastic(station: Station, order: Order) -> list[Preprinted]:
    print_numbers(station, order, SheetWish())
    return [preprinted_by_scan(station, item.printed_number) for item in station.store.orders.items(order)]


def issue_on(station: Station, uri: str, plastic: Preprinted | None) -> Issued:
    """Make the one card that comes."""
    reader = open_reader(uri)
    try:
        link = next(iter(reader.cards(lambda: False)))
        return issue_card(station, link, station.profile(), preprinted=plastic)
    finally:
        reader.close()


def test_the_printed_code_is_the_number_that_the_chip_gets(station: Station, order: Order) -> None:
    made = print_numbers(station, order, SheetWish())
    codes = [code.text for code in zxingcpp.read_barcodes(Image.open(made.preview).convert("RGB"))]
    assert len(codes) == 2
    for number, code in enumerate(codes):
        found = preprinted_by_scan(station, code, "spare")
        card = issue_on(station, f"sim:ntag213?seed={number}", found).card
        assert (card.visual_number, card.alias, card.contract_id) == (
            found.visual_number,
            found.alias,
            found.contract_id,
        )
        assert card.order_line == found.line
        assert code.upper() == station.link(card.alias).upper()
    assert [item.missing for item in station.store.orders.items(order)] == [(Missing.PACK,)] * 2


def writings(plastic: Preprinted, station: Station) -> list[str]:
    link, number = station.link(plastic.alias), plastic.visual_number
    return [
        number,
        number.lower(),
        number.replace("-", ""),
        number.replace("-", " ") + "\r\n",
        f"]C0{number}",
        f"]d1{number}",
        plastic.alias,
        plastic.alias.lower(),
        link,
        link + "/",
        link.upper(),
        f"]Q1{link.upper()}",
        link.upper().replace("/", "-").replace(":", ";"),
    ]


def test_whatever_a_scanner_types_finds_the_plastic(station: Station, plastic: list[Preprinted]) -> None:
    for text in writings(plastic[1], station):
        assert preprinted_by_scan(station, text, "spare").id == plastic[1].id, text
    for nothing in ("", " \r\n", "---", "x" * 2000):
        with pytest.raises(Conflict, match="is no code of a card"):
            preprinted_by_scan(station, nothing)
    with pytest.raises(Conflict, match="no card of ours has 'EXM-0000-0000-0'"):
        preprinted_by_scan(station, "EXM-0000-0000-0")
    assert read_scan("]Q1HTTPS://X/C/ABC").text == "HTTPS://X/C/ABC"


def test_the_wrong_plastic_is_said_in_words(station: Station, plastic: list[Preprinted]) -> None:
    other = orders.order_count(station, 1, orders.Wish(name="other", way=Way.PRINT_FIRST))
    print_numbers(station, other, SheetWish())
    with pytest.raises(Conflict, match="was printed for order spare, and this is other"):
        preprinted_by_scan(station, plastic[0].visual_number, "other")
    spoil_plastic(station, plastic[1].visual_number, "smeared")
    with pytest.raises(Conflict, match=r"is spoiled \(smeared\): this plastic is waste"):
        preprinted_by_scan(station, plastic[1].visual_number, "spare")
    card = issue_on(station, "sim:ntag213", plastic[0]).card
    with pytest.raises(Conflict, match="has its chip already: the card is active"):
        preprinted_by_scan(station, plastic[0].visual_number, "spare")
    with pytest.raises(Conflict, match="has its chip already"):
        issue_on(station, "sim:ntag213?seed=2", plastic[0])
    (tapped,) = issue_from(station, "sim:ntag213?seed=3").issued
    with pytest.raises(Conflict, match="is a card already, and active"):
        preprinted_by_scan(station, tapped.visual_number)
    with pytest.raises(Conflict, match="is a card already"):
        spoil_plastic(station, tapped.visual_number, "why")
    assert scanned_card(station, f"]Q1{station.link(card.alias).upper()}").id == card.id


def test_a_card_torn_away_is_finished_with_the_same_plastic_and_no_other(
    station: Station, plastic: list[Preprinted], tmp_path: Path
) -> None:
    deck = tmp_path / "deck.json"
    with pytest.raises(CardLost):
        issue_on(station, f"sim:ntag213?deck={deck}&tear=15", plastic[0])
    (begun,) = station.store.cards.listing()
    assert begun.state.is_unfinished
    with pytest.raises(
        Conflict, match=f"begun as {plastic[0].visual_number}, and {plastic[1].visual_number}"
    ):
        issue_on(station, f"sim:ntag213?deck={deck}&start=0", plastic[1])
    again = preprinted_by_scan(station, plastic[0].visual_number, "spare")
    done = issue_on(station, f"sim:ntag213?deck={deck}&start=0", again)
    assert (done.was_resumed, done.card.visual_number) == (True, plastic[0].visual_number)


def test_a_bad_chip_takes_its_number_along_and_the_next_print_replaces_it(
    station: Station, order: Order, plastic: list[Preprinted]
) -> None:
    with pytest.raises(StationError):
        issue_on(station, "sim:ntag213?fault=stuck", plastic[0])
    (card,) = station.store.cards.listing()
    assert card.state is CardState.SPOILED
    with pytest.raises(Conflict, match=r"is spoiled \(encode_failed\)"):
        preprinted_by_scan(station, plastic[0].visual_number)
    assert to_print(station, order) == ([], 1)
    made = print_numbers(station, order, SheetWish())
    assert made.cards == 1
    fresh = orders.standing(station, "spare").items[0].printed_number
    assert fresh not in (None, plastic[0].visual_number)
    assert print_numbers(station, order, SheetWish()) is None


def test_numbers_whose_print_failed_are_printed_by_the_next_call(
    station: Station, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PrintError("no ink")

    with monkeypatch.context() as broken:
        broken.setattr(sheets, "render_sheets", fail)
        with pytest.raises(PrintError):
            print_numbers(station, order, SheetWish())
    drawn, wanting = to_print(station, order)
    assert (len(drawn), wanting) == (2, 0)
    assert print_numbers(station, order, SheetWish()).cards == 2
    assert [item.printed_number for item in station.store.orders.items(order)] == [
        one.visual_number for one in drawn
    ]


def test_one_is_printed_again_with_a_reason(
    station: Station, order: Order, plastic: list[Preprinted]
) -> None:
    number = plastic[0].visual_number
    with pytest.raises(Conflict, match=f"card {number} was printed before, in job 1 by Tess"):
        print_numbers(station, order, SheetWish(), [number])
    made = print_numbers(station, order, SheetWish(reason="smeared"), [number])
    assert (made.cards, station.store.prints.job(made.job).reason) == (1, "smeared")


def test_the_driver_is_on_the_plastic_and_other_orders_are_not_printed_first(station: Station) -> None:
    jan = Driver("Jan Jansen", "NL-9", "Delta")
    one = orders.order_one(station, jan, orders.Wish(name="one", way=Way.PRINT_FIRST))
    print_numbers(station, one, SheetWish())
    found = preprinted_by_scan(station, orders.standing(station, "one").items[0].printed_number)
    assert (found.driver, found.order, found.line) == (jan, "one", "one:NL-9")
    usual = orders.order_count(station, 1, orders.Wish())
    with pytest.raises(Conflict, match="are not printed first: its way is encode_first"):
        print_numbers(station, usual, SheetWish())
    orders.cancel(station, "one", [], "left")
    orders.close(station, "one")
    with pytest.raises(Conflict, match="order one is closed"):
        print_numbers(station, station.store.orders.get("one"), SheetWish())


def test_a_sheet_of_plastic_is_gone_on_with(
    station: Station, order: Order, plastic: list[Preprinted]
) -> None:
    other = orders.order_count(station, 1, orders.Wish(name="other", way=Way.PRINT_FIRST))
    made = print_numbers(station, other, SheetWish(onto=1))
    (place,) = station.store.prints.on_sheet(made.job)
    assert place.position == 3
    with pytest.raises(WrongCall, match=f"is used: card {plastic[1].visual_number} lies there"):
        print_numbers(
            station, order, SheetWish(onto=1, start_position=2, reason="x"), [plastic[0].visual_number]
        )
