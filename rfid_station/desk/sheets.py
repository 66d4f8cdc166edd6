"""Cards onto paper or plastic: drawn, written, and remembered with every card's place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.errors import WrongCall
from rfid_station.printing.brand import load_brand
from rfid_station.printing.design import load_design
from rfid_station.printing.layout import load_layout
from rfid_station.printing.preview import preview_png
from rfid_station.printing.sheet import PrintedSheets, render_sheets
from rfid_station.store.prints import PrintItem

PRINTABLE = (CardState.ISSUED, CardState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a print should come out; None takes what the settings say."""

    design: str | None = None
    brand: str | None = None
    sheet: str | None = None
    start_position: int = 1
    out: Path | None = None


@dataclass(frozen=True, slots=True)
class SheetFiles:
    """What was made: the PDF, a picture of its first sheet, and how much it is."""

    pdf: Path
    preview: Path
    cards: int
    sheets: int
    job: int


def cards_to_print(station: Station, fleet: str | None = None, *, again: bool = False) -> list[Card]:
    """The cards that are made and not printed yet; with `again` the printed ones too."""
    printed = set() if again else station.store.prints.card_ids()
    return [
        card
        for card in station.store.cards.listing(fleet=fleet)
        if card.state in PRINTABLE and card.id not in printed
    ]


def print_sheets(station: Station, cards: Sequence[Card], wish: Wish) -> SheetFiles:
    """Draw cards on sheets, write PDF and preview, and record which card lies where.

    :raises WrongCall: no cards, a missing template, a position that does not exist
    :raises PrintError: a text or a code does not fit
    :raises DiskFull: there is no room; nothing is recorded
    """
    if not cards:
        raise WrongCall(
            "there is nothing to print: every card that is made is printed",
            hint="rfid-station sheet print --again, or name the cards",
        )
    printed, name = _draw(station, cards, wish)
    pdf = wish.out or station.folder / "prints" / f"{name}.pdf"
    preview = pdf.with_suffix(".png")
    write_whole(pdf, printed.pdf)
    write_whole(preview, preview_png(printed.pdf))
    job = _record(station, cards, wish, printed)
    return SheetFiles(pdf, preview, len(cards), printed.sheet_count, job)


def _draw(station: Station, cards: Sequence[Card], wish: Wish) -> tuple[PrintedSheets, str]:
    print_, folders = station.settings.print, [station.folder / "templates"]
    name = f"sheet-{station.store.prints.next_job():04}"
    printed = render_sheets(
        load_design(wish.design or print_.design, folders),
        load_brand(wish.brand or print_.brand, folders),
        load_layout(wish.sheet or print_.sheet, folders),
        [face_of(station, card) for card in cards],
        start_position=wish.start_position,
        job=name,
    )
    return printed, name


def _record(station: Station, cards: Sequence[Card], wish: Wish, printed: PrintedSheets) -> int:
    return station.store.prints.record(
        design=wish.design or station.settings.print.design,
        sheet=wish.sheet or station.settings.print.sheet,
        file_sha256=printed.sha256,
        items=[
            PrintItem(cards[place.face_index].id, place.sheet_number, place.position)
            for place in printed.placements
        ],
        actor=station.actor,
    )


def face_of(station: Station, card: Card) -> Mapping[str, str]:
    """What is printed on one card. The code holds the link in capitals: fewer modules, same page."""
    link = station.link(card.alias)
    return {
        "contract_id": str(card.contract_id),
        "visual_number": card.visual_number,
        "link": link,
        "qr_link": link.upper(),
        "driver": card.driver.name if card.driver else "",
    }
