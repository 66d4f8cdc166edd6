"""Cards onto sheets from the desk: numbered files, used sheets, both sides, nothing half."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pikepdf
import pytest
from stations import LINES, issue_from

from rfid_station.desk.paper import sheets
from rfid_station.desk.paper.sheets import Wish, print_sheets, write_calibration
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.errors import Conflict, DiskFull, PrintError, WrongCall
from rfid_station.printing.design import Side
from rfid_station.printing.layout import Order

BACK = """
[[back]]
kind = "fill"
color = "primary"

[[back]]
kind = "text"
text = "{visual_number}"
at = [10, 30]
width = 60
size = 10
color = "on_primary"
"""


@pytest.fixture
def cards(station: Station) -> list[Card]:
    issue_from(station, "sim:ntag213?count=3", LINES)
    return sheets.cards_to_print(station)


def left_behind(station: Station) -> list[Path]:
    folder = station.folder / "prints"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_more_cards_than_a_file_takes_become_numbered_files(station: Station, cards: list[Card]) -> None:
    made = print_sheets(station, cards, Wish(cards_in_a_file=2))
    assert [file.pdf.name for file in made.files] == ["sheet-0001.pdf", "sheet-0002.pdf"]
    assert [(file.job, file.cards, file.sheets) for file in made.files] == [(1, 2, 1), (2, 1, 1)]
    assert [one.card.id for one in station.store.prints.on_sheet(2)] == [cards[2].id]
    for file in made.files:
        assert len(pikepdf.open(file.pdf).pages) == 1
    assert made.preview.name == "sheet-0001.png"


def test_files_with_a_name_of_ones_own_are_numbered(
    station: Station, cards: list[Card], tmp_path: Path
) -> None:
    made = print_sheets(station, cards, Wish(cards_in_a_file=1, out=tmp_path / "x.pdf"))
    assert [file.pdf.name for file in made.files] == ["x-001.pdf", "x-002.pdf", "x-003.pdf"]


def test_a_used_sheet_goes_on_where_it_ended(station: Station, cards: list[Card]) -> None:
    first = print_sheets(station, cards[:2], Wish(start_position=3))
    again = print_sheets(station, cards[2:], Wish(onto=first.job))
    (place,) = station.store.prints.on_sheet(again.job)
    assert place.position == 5


def test_a_used_position_is_refused_with_the_card_that_lies_there(
    station: Station, cards: list[Card]
) -> None:
    first = print_sheets(station, cards[:2], Wish(start_position=3))
    before = left_behind(station)
    with pytest.raises(
        WrongCall, match=f"position 4 of sheet 1 of job 1 is used: card {cards[1].visual_number} lies"
    ) as caught:
        print_sheets(station, cards[2:], Wish(onto=first.job, start_position=4))
    assert "--start 5" in (caught.value.hint or "")
    with pytest.raises(WrongCall, match="position 1 of sheet 1 of job 1 is used"):
        print_sheets(station, cards[2:], Wish(onto=first.job, start_position=1))
    assert left_behind(station) == before


def test_a_full_sheet_or_another_one_is_not_gone_on_with(station: Station, cards: list[Card]) -> None:
    full = print_sheets(station, cards[:2], Wish(start_position=9))
    with pytest.raises(WrongCall, match="sheet 1 of job 1 is full"):
        print_sheets(station, cards[2:], Wish(onto=full.job))
    with pytest.raises(WrongCall, match="job 1 is a sheet on a4-10up, and not on letter-8up"):
        print_sheets(station, cards[2:], Wish(onto=full.job, sheet="letter-8up"))


def test_both_sides_are_recorded(station: Station, cards: list[Card]) -> None:
    own = station.folder / "templates" / "cards" / "own.toml"
    own.parent.mkdir(parents=True)
    classic = Path(sheets.__file__).parents[3] / "templates" / "cards" / "classic.toml"
    own.write_text(classic.read_text("utf-8") + BACK, "utf-8")
    made = print_sheets(station, cards, Wish(design="own", order=Order.COLUMN))
    assert len(pikepdf.open(made.pdf).pages) == 2
    placed = station.store.prints.on_sheet(made.job)
    assert [(one.side, one.position) for one in placed] == [
        *(("front", position) for position in (1, 3, 5)),
        *(("back", position) for position in (1, 3, 5)),
    ]
    made = print_sheets(station, cards, Wish(design="own", sides=(Side.BACK,), reason="backs were blank"))
    assert {one.side for one in station.store.prints.on_sheet(made.job)} == {"back"}


def test_again_only_with_a_reason(station: Station, cards: list[Card]) -> None:
    print_sheets(station, cards, Wish())
    before = left_behind(station)
    with pytest.raises(Conflict, match="was printed before, in job 1"):
        print_sheets(station, cards, Wish())
    assert left_behind(station) == before
    print_sheets(station, cards, Wish(reason="out of toner"))
    assert station.store.prints.job(2).reason == "out of toner"


class TestNothingHalf:
    def test_an_unknown_sheet(self, station: Station, cards: list[Card]) -> None:
        with pytest.raises(WrongCall, match="there is no sheet 'a4-10-up'") as caught:
            print_sheets(station, cards, Wish(sheet="a4-10-up"))
        assert "did you mean 'a4-10up'?" in (caught.value.hint or "")
        assert left_behind(station) == []

    def test_a_full_disk_in_the_middle_of_several_files(
        self, station: Station, cards: list[Card], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The second PDF finds no room: the first goes too, and no job remains."""
        written = 0

        def full(descriptor: int) -> None:
            nonlocal written
            written += 1
            if written == 3:  # the first PDF, its picture, the second PDF
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DiskFull, match=r"there is no room for .*sheet-0002\.pdf"):
            print_sheets(station, cards, Wish(cards_in_a_file=1))
        monkeypatch.undo()
        assert left_behind(station) == []
        assert station.store.prints.jobs() == []

    def test_a_card_that_cannot_be_printed_in_the_second_file(
        self, station: Station, cards: list[Card], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        face_of = sheets.face_of
        monkeypatch.setattr(
            sheets,
            "face_of",
            lambda station, card: {
                **face_of(station, card),
                **({"contract_id": "W" * 200} if card.id == cards[2].id else {}),
            },
        )
        with pytest.raises(PrintError, match="is too long"):
            print_sheets(station, cards, Wish(cards_in_a_file=1))
        assert left_behind(station) == []
        assert station.store.prints.jobs() == []

    def test_a_record_that_fails(
        self, station: Station, cards: list[Card], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> int:
            raise DiskFull("there is no room in the store")

        monkeypatch.setattr(type(station.store.prints), "record", fail)
        with pytest.raises(DiskFull):
            print_sheets(station, cards, Wish())
        assert left_behind(station) == []


def test_the_calibration_page(station: Station) -> None:
    path = write_calibration(station, Wish(sheet="letter-9up"))
    assert path.name == "calibration-letter-9up.pdf"
    assert len(pikepdf.open(path).pages) == 2
