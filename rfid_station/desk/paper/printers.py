"""Cards on a card printer: one page a side, written, recorded, and sent to a queue where one is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.paper.sheets import face_of
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import load_brand
from rfid_station.printing.design import Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.press.card_printer import CardPrinter, load_printer, render_cards
from rfid_station.printing.press.spool import check_queue, send
from rfid_station.printing.sheet import PrintedSheets
from rfid_station.printing.template import TemplateKind, template_names
from rfid_station.store.prints import PrintItem

KIND = "card"
ANY_PRINTER = "cr80"


@dataclass(frozen=True, slots=True)
class CardWish:
    """How cards should come out; None takes what the settings or the printer's file say."""

    design: str | None = None
    brand: str | None = None
    model: str | None = None
    """A file in `templates/printers`; that of the queue's name, if there is one, else any printer's."""
    queue: str | None = None
    side: Side | None = None
    language: str | None = None
    out: Path | None = None
    reason: str | None = None
    """Why cards are printed again."""


@dataclass(frozen=True, slots=True)
class CardFile:
    """What was made, and where it was sent, if it was."""

    pdf: Path
    job: int
    cards: int
    pages: int
    model: str
    queue: str | None
    request: str | None
    """What CUPS calls it."""


def print_cards(station: Station, cards: Sequence[Card], wish: CardWish) -> CardFile:
    """Draw cards for a card printer, write the file, record it, and send it to its queue.

    It is recorded before it is sent: a card in the printer that nobody knows of would be printed twice.

    :raises WrongCall: no cards, a missing template, or things that do not fit together
    :raises Conflict: a card was printed before, and there is no reason to do it again
    :raises PrintError: a text or a code does not fit, there is no such queue, or it does not take the file
    :raises DiskFull: there is no room; nothing is recorded
    """
    _check_cards(cards)
    station.store.prints.check_again({card.id for card in cards}, KIND, wish.reason)
    printer = the_printer(station, wish)
    queue = wish.queue or printer.queue
    if queue:
        check_queue(queue)
    print_, folders = station.settings.print, [station.folder / "templates"]
    design = load_design(wish.design or print_.design, folders)
    name = f"cards-{station.store.prints.next_job():04}"
    printed = render_cards(
        design,
        load_brand(wish.brand or print_.brand, folders),
        printer,
        [face_of(station, card) for card in cards],
        job=name,
        sides=(wish.side,) if wish.side else None,
        language=wish.language,
    )
    pdf = wish.out or station.folder / "prints" / f"{name}.pdf"
    write_whole(pdf, printed.pdf)
    job = station.store.prints.record(
        design=design.source.stem,
        sheet=printer.source.stem,
        file_sha256=printed.sha256,
        items=items_of(cards, printed),
        actor=station.actor,
        kind=KIND,
        reason=wish.reason,
    )
    request = _sent(queue, pdf, name, printer, printed) if queue else None
    pages = len(cards) * len(printed.sides)
    return CardFile(pdf, job, len(cards), pages, printer.source.stem, queue, request)


def the_printer(station: Station, wish: CardWish) -> CardPrinter:
    """The printer's file: the one that was named, or that of its queue, or that of any card printer.

    :raises WrongCall: there is no such file, or an entry of it is wrong
    """
    folders = [station.folder / "templates"]
    if wish.model:
        return load_printer(wish.model, folders)
    known = template_names(TemplateKind.PRINTER, folders)
    return load_printer(wish.queue if wish.queue in known else ANY_PRINTER, folders)


def items_of(cards: Sequence[Card], printed: PrintedSheets) -> list[PrintItem]:
    """Which side of which card lies where."""
    return [
        PrintItem(cards[place.face_index].id, place.sheet_number, place.position, side)
        for place in printed.placements
        for side in printed.sides
    ]


def _check_cards(cards: Sequence[Card]) -> None:
    if not cards:
        raise WrongCall(
            "there is nothing to print: every card that is made is printed",
            hint='rfid-station card print --again --reason "…"',
        )


def _sent(queue: str, pdf: Path, title: str, printer: CardPrinter, printed: PrintedSheets) -> str:
    paper = printer.paper
    options = {
        "media": f"Custom.{paper.width:.2f}x{paper.height:.2f}mm",
        "print-scaling": "none",
        "sides": "one-sided" if len(printed.sides) == 1 else "two-sided-long-edge",
        **printer.options,
    }
    try:
        return send(queue, pdf, title, options)
    except PrintError as error:
        raise PrintError(
            f"{error.message}; the file is written and recorded: {pdf}", hint=f"lp -d {queue} {pdf}"
        ) from error
