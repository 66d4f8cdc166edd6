"""A sheet as its template file tells it: paper, places for cards, bleed, marks and slug."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from pathlib import Path

from rfid_station.errors import WrongCall
from rfid_station.printing.design import SMALLEST_TEXT_PT
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point, box_around
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path


class ColorSpace(StrEnum):
    """What the sheet's colours are written in: RGB for office printers, CMYK for a press."""

    RGB = "rgb"
    CMYK = "cmyk"


class Order(StrEnum):
    """How a grid is filled: row after row, or column after column."""

    ROW = "row"
    COLUMN = "column"


@dataclass(frozen=True, slots=True)
class CropMarks:
    """Marks where to cut, outside of all bleed."""

    length_mm: float
    distance_mm: float
    """From the bleed's edge."""
    width_pt: float


@dataclass(frozen=True, slots=True)
class Slug:
    """One line outside of the cards that says which sheet of which job this is."""

    at: Point
    width_mm: float
    size_pt: float

    @property
    def box(self) -> Box:
        """What the line covers."""
        size_mm = self.size_pt / POINTS_PER_MM
        return Box(self.at[0], self.at[1] - 0.8 * size_mm, self.width_mm, 1.05 * size_mm)


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """A sheet. `slots` are the trimmed cards in the order in which they are filled."""

    source: Path
    title: str
    paper: Box
    bleed_mm: float
    color_space: ColorSpace
    slots: tuple[Box, ...]
    marks: CropMarks | None
    slug: Slug | None

    @property
    def trim(self) -> Box:
        """The box around all trimmed cards."""
        corners = [(slot.x, slot.y) for slot in self.slots]
        return box_around(corners + [(slot.right, slot.bottom) for slot in self.slots])


def load_layout(name: str, folders: Sequence[Path] = ()) -> SheetLayout:
    """Load a sheet by its name.

    :raises WrongCall: there is no such sheet, or an entry of its file is wrong
    """
    return load_template(template_path(TemplateKind.SHEET, name, folders), _layout)


def _layout(table: Table) -> SheetLayout:
    width, height = table.numbers("size", "width, height", least=20, most=2000)
    layout = SheetLayout(
        source=table.source,
        title=table.text("title"),
        paper=Box(0, 0, width, height),
        bleed_mm=table.number("bleed", least=0, most=10),
        color_space=table.choice("colors", ColorSpace, ColorSpace.RGB),
        slots=_slots(table),
        marks=table.table("marks").read(_marks) if table.has("marks") else None,
        slug=table.table("slug").read(_slug) if table.has("slug") else None,
    )
    _check(layout)
    return layout


def _slots(table: Table) -> tuple[Box, ...]:
    """From a `[grid]`, or from the list `slots` of top left corners."""
    width, height = table.numbers("card", "width, height", least=10, most=300)
    if table.has("slots") == table.has("grid"):
        raise table.wrong("slots", "and [grid] are both there, or neither is", "give one of the two")
    corners = table.points("slots") if table.has("slots") else _grid(table.table("grid"), width, height)
    return tuple(Box(x, y, width, height) for x, y in corners)


def _grid(table: Table, width: float, height: float) -> list[Point]:
    def take(grid: Table) -> list[Point]:
        columns = range(grid.whole("columns", least=1, most=100))
        rows = range(grid.whole("rows", least=1, most=100))
        left, top = grid.numbers("first", "x, y", least=0)
        gap_x, gap_y = grid.numbers("gap", "x, y", least=0)
        order = grid.choice("order", Order, Order.ROW)
        cells = [(column, row) for row in rows for column in columns]
        if order is Order.COLUMN:
            cells.sort()
        return [(left + column * (width + gap_x), top + row * (height + gap_y)) for column, row in cells]

    return table.read(take)


def _marks(table: Table) -> CropMarks:
    return CropMarks(
        length_mm=table.number("length", least=0.5, most=30),
        distance_mm=table.number("distance", 0.0, least=0, most=10),
        width_pt=table.number("width", 0.25, least=0.1, most=2),
    )


def _slug(table: Table) -> Slug:
    x, y = table.numbers("at", "x, y", least=0)
    return Slug(
        at=(x, y),
        width_mm=table.number("width", least=20, most=1000),
        size_pt=table.number("size", 6.0, least=SMALLEST_TEXT_PT, most=20),
    )


def _check(layout: SheetLayout) -> None:
    bled = [slot.grown(layout.bleed_mm) for slot in layout.slots]
    for number, box in enumerate(bled, start=1):
        if not layout.paper.holds(box):
            raise WrongCall(
                f"{layout.source}: position {number} with its bleed leaves the paper",
                hint="move it inwards, or make bleed smaller",
            )
    for (one, box), (other, other_box) in combinations(enumerate(bled, start=1), 2):
        if box.overlaps(other_box):
            raise WrongCall(
                f"{layout.source}: positions {one} and {other} overlap in their bleed",
                hint="leave a gap of twice the bleed between cards, or make bleed smaller",
            )
    if layout.slug and any(layout.slug.box.overlaps(box) for box in bled):
        raise WrongCall(
            f"{layout.source}: the slug lies on a card or its bleed",
            hint="move [slug] at to the margin of the sheet",
        )
