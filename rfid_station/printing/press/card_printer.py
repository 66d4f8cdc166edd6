"""Card printers: one side of a card a page, edge to edge, codes and places on whole dots.

What a printer is like is its template file; two of the same kind differ by the offset that a clerk
has measured. Millimetres, origin top left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor
from pathlib import Path

from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import Brand, Color
from rfid_station.printing.codes.modules import Modules
from rfid_station.printing.codes.qr_code import QrMatrix
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.geometry import Box, Point
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import Pen
from rfid_station.printing.press.card_pages import CardPage, CardPlace, render_pages
from rfid_station.printing.sheet import CardFace, PrintedSheets
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path

MM_PER_INCH = 25.4
LEAST_DOTS = 4
"""Printed dots a module of a code has at least (Denso Wave); fewer blur into one another."""

LEAST_DOTS_OF_BARS = 2

_NEARLY = 1e-6


class Black(StrEnum):
    """What black is written as.

    Drivers take what is nothing but black from the resin panel K, which is sharp and does not wear off
    (Zebra P640i, Datacard CD800). Grey 0 is black to all of them, RGB 0, 0, 0 to most.
    """

    K = "k"
    COMPOSITE = "composite"


class BackTurn(StrEnum):
    """Which way up a printer that turns cards over wants their back."""

    UPRIGHT = "upright"
    UPSIDE_DOWN = "upside_down"


@dataclass(frozen=True, slots=True)
class CardPrinter:
    """A card printer. `source` is its file."""

    source: Path
    title: str
    dots: tuple[int, int]
    """What the print head covers, wide and high; a little more than the card."""
    dpi: int
    overprint_mm: tuple[float, float] | None
    """How far colour runs over the card's edges, sideways and up and down; None is as far as dots go."""
    offset_mm: Point
    """How far to move what is printed, right and down, so that it lies on the card."""
    back_offset_mm: Point
    back: BackTurn
    black: Black
    color_space: ColorSpace
    queue: str | None
    """The print queue it has, where it always has the same."""
    options: Mapping[str, str]
    """What its queue is told with each job."""

    @property
    def dot_mm(self) -> float:
        """The width of one dot."""
        return MM_PER_INCH / self.dpi

    @property
    def paper(self) -> Box:
        """The page: all dots."""
        return Box(0, 0, self.dots[0] * self.dot_mm, self.dots[1] * self.dot_mm)

    def place(self, design: CardDesign, side: Side) -> CardPlace:
        """Where a card lies on the page: in the middle, moved by the offset, to a whole dot."""
        offset = self.offset_mm if side is Side.FRONT else self.back_offset_mm
        size = (design.width_mm, design.height_mm)
        x, y = (
            _to_dot((whole - part) / 2 + shift, self.dot_mm)
            for whole, part, shift in zip((self.paper.width, self.paper.height), size, offset, strict=True)
        )
        is_upside_down = side is Side.BACK and self.back is BackTurn.UPSIDE_DOWN
        return CardPlace(Box(x, y, *size), is_upside_down)


def load_printer(name: str, folders: Sequence[Path] = ()) -> CardPrinter:
    """Load a card printer by the name of its file.

    :raises WrongCall: there is no such printer, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.PRINTER, name, folders), _printer)


def render_cards(
    design: CardDesign,
    brand: Brand,
    printer: CardPrinter,
    faces: Sequence[CardFace],
    *,
    job: str,
    sides: Sequence[Side] | None = None,
    language: str | None = None,
) -> PrintedSheets:
    """Print every card for a card printer, a page for each side.

    :raises WrongCall: there are no cards, or cards, design, brand and printer do not fit together
    :raises PrintError: a text is too long or has no glyph, a picture or a code cannot be printed
    """
    _check_size(design, printer)
    missing = [side for side in sides or () if side not in design.sides]
    if missing:
        raise WrongCall(
            f"the design {design.source.stem} has no {missing[0]}",
            hint=f"add [[{missing[0]}]] layers to it, or print its other side",
        )
    page = _PrinterPage(printer, design)
    return render_pages(design, brand, page, faces, job=job, sides=sides, language=language)


def _printer(table: Table) -> CardPrinter:
    across, down = (table.whole(key, least=100, most=20_000) for key in ("dots_across", "dots_down"))
    return CardPrinter(
        source=table.source,
        title=table.text("title"),
        dots=(across, down),
        dpi=table.whole("dpi", least=150, most=2400),
        overprint_mm=_pair(table, "overprint", least=0) if table.has("overprint") else None,
        offset_mm=_offset(table, "offset"),
        back_offset_mm=_offset(table, "back_offset"),
        back=table.choice("back", BackTurn, BackTurn.UPRIGHT),
        black=table.choice("black", Black, Black.K),
        color_space=table.choice("colors", ColorSpace, ColorSpace.RGB),
        queue=table.text("queue") if table.has("queue") else None,
        options=table.text_entries("options"),
    )


def _offset(table: Table, key: str) -> Point:
    return _pair(table, key, least=-5) if table.has(key) else (0.0, 0.0)


def _pair(table: Table, key: str, *, least: float) -> Point:
    x, y = table.numbers(key, "x, y", least=least, most=5)
    return (x, y)


def _check_size(design: CardDesign, printer: CardPrinter) -> None:
    paper = printer.paper
    if design.width_mm > paper.width + _NEARLY or design.height_mm > paper.height + _NEARLY:
        raise WrongCall(
            f"design {design.source.stem} is {design.width_mm:g} × {design.height_mm:g} mm, and the printer"
            f" {printer.source.stem} covers {paper.width:.2f} × {paper.height:.2f} mm",
            hint="take a design of the size of the card, 85.6 × 53.98 mm, or another printer",
        )


class _PrinterPage(CardPage):
    """The page of a printer. All its boxes are the whole page: no program is to cut the overprint off."""

    def __init__(self, printer: CardPrinter, design: CardDesign) -> None:
        places = {side: printer.place(design, side) for side in Side}
        super().__init__(printer.paper, places, printer.color_space, (printer.paper, printer.paper))
        self._printer = printer

    def inked(self, side: Side) -> Box:
        """All dots, or the card and what it is overprinted by."""
        if self._printer.overprint_mm is None:
            return self.paper
        card, (x, y) = self.places[side].card, self._printer.overprint_mm
        return Box(card.x - x, card.y - y, card.width + 2 * x, card.height + 2 * y)

    def pen(self, canvas: Canvas, side: Side, height_mm: float) -> Pen:
        """A pen that knows the dots of the printer."""
        place = self.places[side]
        frame = place.seen_from_card(self.inked(side))
        return _DotPen(canvas, height_mm, frame, self.color_space, self._printer, place)


@dataclass(frozen=True, slots=True)
class _DotPen(Pen):
    """Puts codes on whole dots, so that all modules are equally wide and no edge is blurred."""

    printer: CardPrinter
    place: CardPlace

    def fill_with(self, color: Color) -> None:
        """Use a colour for areas and texts; pure black as what the K panel prints."""
        if self.printer.black is Black.K and color.rgb == (0, 0, 0) and self.color_space is ColorSpace.RGB:
            self.canvas.setFillGray(0)
        else:
            Pen.fill_with(self, color)

    def modules(self, matrix: QrMatrix | Modules, box: Box) -> None:
        """Paint a code with modules of as many whole dots as fit, in the middle of its box."""
        columns, rows = _size(matrix)
        is_bars = rows == 1
        dot_mm, least = self.printer.dot_mm, LEAST_DOTS_OF_BARS if is_bars else LEAST_DOTS
        dots = floor(box.width / columns / dot_mm + _NEARLY)
        if dots < least:
            raise PrintError(
                f"the code has modules of {dots} dots on the printer {self.printer.source.stem},"
                f" and {least} are the least",
                hint=f"make it {least * dot_mm * columns:.1f} mm wide without its quiet zone, or shorten it",
            )
        width = dots * dot_mm * columns
        height = box.height if is_bars else dots * dot_mm * rows
        x = self._on_dot(box.x + (box.width - width) / 2, self.place.corner[0])
        y = self._on_dot(box.y + (box.height - height) / 2, self.place.corner[1])
        Pen.modules(self, matrix, Box(x, y, width, height))

    def _on_dot(self, on_card_mm: float, corner_mm: float) -> float:
        """The nearest place on the card that is the edge of a dot on the page."""
        direction = -1 if self.place.is_upside_down else 1
        on_page = _to_dot(corner_mm + direction * on_card_mm, self.printer.dot_mm)
        return direction * (on_page - corner_mm)


def _to_dot(place_mm: float, dot_mm: float) -> float:
    return round(place_mm / dot_mm) * dot_mm


def _size(matrix: QrMatrix | Modules) -> tuple[int, int]:
    if isinstance(matrix, Modules):
        return (matrix.columns, matrix.rows)
    return (matrix.side, matrix.side)
