"""Cards onto paper or plastic: drawn, written, and remembered with every card's place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.order import Preprinted
from rfid_station.errors import WrongCall
from rfid_station.printing.brand import Brand, load_brand
from rfid_station.printing.calibration import render_calibration
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import Duplex, Flip, Order, SheetLayout, load_layout
from rfid_station.printing.preview import preview_png
from rfid_station.printing.sheet import PrintedSheets, render_sheets
from rfid_station.printing.template import TemplateKind, template_names
from rfid_station.store.prints import PrintItem

Printable = Card | Preprinted
"""What has the numbers that are printed on a card."""
PRINTABLE = (CardState.ISSUED, CardState.ACTIVE)
CARDS_IN_A_FILE = 10_000
"""More become several files: presses read them one by one, and none needs much memory."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a print should come out; None takes what the settings, the sheet or the design say."""

    design: str | None = None
    brand: str | None = None
    sheet: str | None = None
    start_position: int | None = None
    """The first free position of the first sheet; None is the first, or the first free one of `onto`."""
    out: Path | None = None
    order: Order | None = None
    flip: Flip | None = None
    offset_mm: tuple[float, float] | None = None
    """How far the back is moved, right and down as one looks at it."""
    sides: tuple[Side, ...] | None = None
    language: str | None = None
    onto: int | None = None
    """The job whose last sheet is put in again."""
    cards_in_a_file: int = CARDS_IN_A_FILE
    reason: str | None = None
    """Why cards are printed again."""


@dataclass(frozen=True, slots=True)
class SheetFile:
    """One PDF: a job of its own."""

    pdf: Path
    job: int
    cards: int
    sheets: int


@dataclass(frozen=True, slots=True)
class SheetFiles:
    """What was made: the PDFs, and a picture of the first page of the first."""

    files: tuple[SheetFile, ...]
    preview: Path

    @property
    def pdf(self) -> Path:
        """The first PDF."""
        return self.files[0].pdf

    @property
    def job(self) -> int:
        """The job of the first PDF."""
        return self.files[0].job

    @property
    def cards(self) -> int:
        """How many cards are in all of them."""
        return sum(file.cards for file in self.files)

    @property
    def sheets(self) -> int:
        """How many sheets of paper they take."""
        return sum(file.sheets for file in self.files)


def cards_to_print(station: Station, fleet: str | None = None, *, again: bool = False) -> list[Card]:
    """The cards that are made and not printed yet; with `again` the printed ones too."""
    printed = set() if again else station.store.prints.card_ids()
    return [
        card
        for card in station.store.cards.listing(fleet=fleet)
        if card.state in PRINTABLE and card.id not in printed
    ]


def print_sheets(station: Station, cards: Sequence[Printable], wish: Wish) -> SheetFiles:
    """Draw cards, or numbers that wait for a chip, on sheets; write PDFs and a preview; record the places.

    Either all of it is there in the end, or no file and no record.

    :raises WrongCall: no cards, a missing template, a position that does not exist or is used
    :raises Conflict: a card was printed before, and the wish has no reason
    :raises PrintError: a text or a code does not fit
    :raises DiskFull: there is no room; nothing is recorded
    """
    if not cards:
        raise WrongCall(
            "there is nothing to print: every card that is made is printed",
            hint="rfid-station sheet print --again, or name the cards",
        )
    check_again(station, cards, "sheet", wish.reason)
    task = _task(station, wish)
    portions = [
        cards[start : start + wish.cards_in_a_file] for start in range(0, len(cards), wish.cards_in_a_file)
    ]
    first_job = station.store.prints.next_job()
    with _all_or_none() as written:
        drawn = []
        for number, portion in enumerate(portions):
            name = f"sheet-{first_job + number:04}"
            start = task.start_position if number == 0 else None
            printed = _drawn(station, replace(task, start_position=start), portion, name)
            pdf = _path(station, wish, name, number + 1 if len(portions) > 1 else None)
            write_whole(pdf, printed.pdf)
            written.append(pdf)
            if number == 0:
                preview = pdf.with_suffix(".png")
                write_whole(preview, preview_png(printed.pdf))
                written.append(preview)
            drawn.append((pdf, portion, replace(printed, pdf=b"")))
        files = tuple(_recorded(station, task, wish, *one) for one in drawn)
    return SheetFiles(files, preview)


def all_layouts(folder: Path) -> list[SheetLayout]:
    """Every sheet that a station can print on, by name.

    :raises WrongCall: a file is wrong
    """
    folders = [folder / "templates"]
    return [load_layout(name, folders) for name in template_names(TemplateKind.SHEET, folders)]


def write_calibration(station: Station, wish: Wish) -> Path:
    """Write the page that tells how far a printer's back is off, for a sheet.

    :raises WrongCall: there is no such sheet, or the offset moves a card off it
    :raises DiskFull: there is no room
    """
    layout = _layout(station, wish)
    path = wish.out or station.folder / "prints" / f"calibration-{layout.source.stem}.pdf"
    write_whole(path, render_calibration(layout, _duplex(layout, wish)))
    return path


@dataclass(frozen=True, slots=True)
class _Task:
    design: CardDesign
    brand: Brand
    layout: SheetLayout
    duplex: Duplex
    order: Order | None
    sides: tuple[Side, ...] | None
    language: str | None
    start_position: int | None


def _task(station: Station, wish: Wish) -> _Task:
    print_, folders = station.settings.print, [station.folder / "templates"]
    layout = _layout(station, wish)
    return _Task(
        design=load_design(wish.design or print_.design, folders),
        brand=load_brand(wish.brand or print_.brand, folders),
        layout=layout,
        duplex=_duplex(layout, wish),
        order=wish.order,
        sides=wish.sides,
        language=wish.language,
        start_position=_start(station, layout, wish),
    )


def _layout(station: Station, wish: Wish) -> SheetLayout:
    return load_layout(wish.sheet or station.settings.print.sheet, [station.folder / "templates"])


def _duplex(layout: SheetLayout, wish: Wish) -> Duplex:
    return Duplex(
        wish.flip or layout.duplex.flip,
        layout.duplex.offset_mm if wish.offset_mm is None else wish.offset_mm,
    )


def _start(station: Station, layout: SheetLayout, wish: Wish) -> int | None:
    """Where the first card goes: after all that lies on the sheet already, if it was used.

    :raises WrongCall: that position is used, or the sheet is full, or of another kind
    """
    if wish.onto is None:
        return wish.start_position
    job = station.store.prints.job(wish.onto)
    if (job.kind, job.sheet) != ("sheet", layout.source.stem):
        raise WrongCall(
            f"job {wish.onto} is a {job.kind} on {job.sheet}, and not on {layout.source.stem}",
            hint=f"add --sheet {job.sheet}, or choose another job",
        )
    placed = station.store.prints.on_sheet(wish.onto)
    last = max(one.sheet_number for one in placed)
    used = {one.position: one.card.visual_number for one in placed if one.sheet_number == last}
    sequence = layout.sequence(wish.order or layout.order)
    first_free = max(map(sequence.index, used)) + 1
    if first_free == len(sequence):
        raise WrongCall(
            f"sheet {last} of job {wish.onto} is full", hint="leave --onto out, and put in a new sheet"
        )
    start = wish.start_position or sequence[first_free]
    if start in sequence[:first_free]:
        lies = f": card {used[start]} lies there" if start in used else ""
        raise WrongCall(
            f"position {start} of sheet {last} of job {wish.onto} is used{lies}",
            hint=f"add --start {sequence[first_free]}, which is free, or leave --start out",
        )
    return start


def _drawn(station: Station, task: _Task, cards: Sequence[Printable], name: str) -> PrintedSheets:
    return render_sheets(
        task.design,
        task.brand,
        task.layout,
        [face_of(station, card) for card in cards],
        start_position=task.start_position or task.layout.sequence(task.order or task.layout.order)[0],
        order=task.order,
        duplex=task.duplex,
        sides=task.sides,
        language=task.language,
        job=name,
    )


def _path(station: Station, wish: Wish, name: str, number: int | None) -> Path:
    """Where a PDF goes; of several with one name each has a number."""
    if wish.out is None:
        return station.folder / "prints" / f"{name}.pdf"
    return wish.out if number is None else wish.out.with_stem(f"{wish.out.stem}-{number:03}")


def _recorded(
    station: Station, task: _Task, wish: Wish, pdf: Path, cards: Sequence[Printable], printed: PrintedSheets
) -> SheetFile:
    job = station.store.prints.record(
        design=task.design.source.stem,
        sheet=task.layout.source.stem,
        file_sha256=printed.sha256,
        items=[
            item_of(cards[place.face_index], place.sheet_number, place.position, side)
            for place in printed.placements
            for side in printed.sides
        ],
        actor=station.actor,
        kind="sheet",
        reason=wish.reason,
    )
    return SheetFile(pdf, job, len(cards), printed.sheet_count)


@contextmanager
def _all_or_none() -> Iterator[list[Path]]:
    """Files that are taken away again if the work that they belong to fails."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def check_again(station: Station, cards: Sequence[Printable], kind: str, reason: str | None) -> None:
    """See that a print may be recorded, before it is drawn.

    :raises Conflict: a card was printed before, and there is no reason to do it again
    """
    plastic = {card.id for card in cards if isinstance(card, Preprinted)}
    made = {card.id for card in cards if isinstance(card, Card)}
    station.store.prints.check_again(made, kind, reason, plastic)


def item_of(card: Printable, sheet_number: int, position: int, side: str) -> PrintItem:
    """The place of a card, or of numbers that wait for a chip, as it is recorded."""
    if isinstance(card, Preprinted):
        return PrintItem(card.card_id, sheet_number, position, side, preprinted_id=card.id)
    return PrintItem(card.id, sheet_number, position, side)


def face_of(station: Station, card: Printable) -> Mapping[str, str]:
    """What is printed on one card. The code holds the link in capitals: fewer modules, same page."""
    link = station.link(card.alias)
    return {
        "contract_id": str(card.contract_id),
        "visual_number": card.visual_number,
        "link": link,
        "qr_link": link.upper(),
        "driver": card.driver.name if card.driver else "",
        "fleet": card.driver.fleet if card.driver else "",
        "reference": card.driver.reference if card.driver else "",
        "valid_until": f"{card.valid_until:%m/%Y}" if card.valid_until else "",
    }
