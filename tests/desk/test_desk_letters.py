"""Letters, labels and packing lists from the desk: from the store and a file with addresses."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from printed_codes import codes_on
from stations import LINES, issue_from

from rfid_station.desk.paper.letters import (
    PaperWish,
    print_labels,
    print_letters,
    read_recipients,
    write_packing_list,
)
from rfid_station.desk.paper.sheets import Wish, cards_to_print, print_sheets
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.errors import Conflict, WrongCall

ADDRESSES = """number,reference,company,name,street,postcode,city,country,claim_code
,1,Flotte Süd,Łukasz Dąbrowski,Hauptstraße 5,79098,Freiburg,DEUTSCHLAND,K7QM-2XR4
,2,,Driver 2,,,,,
"""


@pytest.fixture
def cards(station: Station) -> list[Card]:
    issue_from(station, "sim:ntag213?count=3", LINES)
    return cards_to_print(station)


@pytest.fixture
def wish(tmp_path: Path) -> PaperWish:
    file = tmp_path / "addresses.csv"
    file.write_text(ADDRESSES, "utf-8-sig")
    return PaperWish(recipients=read_recipients(file))


def text_of(pdf: Path, page: int) -> str:
    document = pypdfium2.PdfDocument(pdf.read_bytes())
    try:
        return document[page - 1].get_textpage().get_text_range()
    finally:
        document.close()


def test_a_letter_for_each_card(station: Station, cards: list[Card], wish: PaperWish) -> None:
    made = print_letters(station, cards, wish)
    assert (made.pages, made.cards, made.pdf.name) == (3, 3, "letters-0001.pdf")
    first, second = text_of(made.pdf, 1), text_of(made.pdf, 2)
    for part in ("Łukasz Dąbrowski", "79098 Freiburg", "K7QM-2XR4", cards[0].visual_number, "Ihre Ladekarte"):
        assert part in first, part
    assert "Freischaltcode" not in second
    assert "Ihre Karte ist bereit" in second
    assert station.store.prints.job(1).kind == "letter"
    assert [one.card.id for one in station.store.prints.on_sheet(1)] == [card.id for card in cards]


def test_the_letters_code_is_that_of_its_card(station: Station, cards: list[Card], wish: PaperWish) -> None:
    made = print_letters(station, cards, wish)
    pdf = made.pdf.read_bytes()
    for page, card in enumerate(cards):
        assert codes_on(pdf, page) == [f"{station.link(card.alias).upper()}#L"]


def test_a_letter_leaves_a_card_to_be_printed(station: Station, cards: list[Card], wish: PaperWish) -> None:
    print_letters(station, cards, wish)
    assert len(cards_to_print(station)) == 3
    with pytest.raises(Conflict, match="was printed before, in job 1"):
        print_letters(station, cards, wish)


def test_labels_for_those_with_an_address(station: Station, cards: list[Card], wish: PaperWish) -> None:
    made = print_labels(station, cards, wish)
    assert (made.cards, made.pages) == (1, 1)
    assert "Hauptstraße 5" in text_of(made.pdf, 1)
    with pytest.raises(WrongCall, match="there are no labels to print"):
        print_labels(station, cards[1:], PaperWish())


def test_the_packing_list_says_where_each_card_lies(
    station: Station, cards: list[Card], wish: PaperWish
) -> None:
    print_sheets(station, cards[:2], Wish(start_position=4))
    print_letters(station, cards, wish)  # a letter is no place of a card
    path = write_packing_list(station, cards, "fleet")
    printed = text_of(path, 1)
    assert "job 1, sheet 1, position 5" in printed
    assert "not yet" in printed
    for card in cards:
        assert printed.count(card.visual_number) == 1
    with pytest.raises(WrongCall, match="the order other has no cards"):
        write_packing_list(station, [], "other")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("number,stret\n1,x\n", "unknown column 'stret'"),
        ("name,street\nA,x\n", "does not say whose addresses"),
        ("number,street\n1,x\n1,y\n", "row 3 names '1' a second time"),
        ("number,street\n,x\n", "row 2 has neither number nor reference"),
        ("number,street\n1\n", "row 2 has not 2 columns"),
        ('number,street\n1,"x\n', "unexpected end of data"),
        (b"number,street\n1,\xff\n", "cannot be read as UTF-8"),
        ("", "does not say whose addresses"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(WrongCall, match=message):
        read_recipients(file)
    with pytest.raises(WrongCall, match="No such file"):
        read_recipients(tmp_path / "none.csv")


def test_the_pdf_is_whole(station: Station, cards: list[Card], wish: PaperWish) -> None:
    made = print_letters(station, cards, wish)
    pdf = pikepdf.open(io.BytesIO(made.pdf.read_bytes()))
    assert pdf.check_pdf_syntax() == []
