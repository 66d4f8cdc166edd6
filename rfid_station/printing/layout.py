"""A sheet as its template file tells it: paper, places for cards or labels, bleed, marks, slug, back.

Millimetres throughout, origin top left. Standard library only: what can be listed without drawing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from itertools import combinations
from pathlib import Path

from rfid_station.errors import WrongCall
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point, box_around
from rfid_station.printing.layer import SMALLEST_TEXT_PT
from rfid_station.printing.template import Table, TemplateKind, load_template, template_path


class ColorSpace(StrEnum):
    """What the sheet's colours are written in: RGB for office printers, CMYK for a press."""

    RGB = "rgb"
    CMYK = "cmyk"


class Order(StrEnum):
    """In which order cards go onto sheets.

    Row after row, column after column, or so that the cut piles, laid on one another from the
    first position on, are in order (cut and stack).
    """

    ROW = "row"
    COLUMN = "column"
    STACK = "stack"


class Turn(IntEnum):
    """How far what is printed in a slot is turned, in degrees clockwise."""

    UPRIGHT = 0
    RIGHT = 90
    UPSIDE_DOWN = 180
    LEFT = 270

    @property
    def is_sideways(self) -> bool:
        """Whether width and height change places."""
        return self in (Turn.RIGHT, Turn.LEFT)


class Flip(StrEnum):
    """About which edge of the paper a printer turns it over."""

    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Slot(Box):
    """The place of one trimmed card on the paper; width and height are those that it has there."""

    turn: Turn = Turn.UPRIGHT

    @property
    def card_size(self) -> tuple[float, float]:
        """Width and height of the card itself, in mm."""
        return (self.height, self.width) if self.turn.is_sideways else (self.width, self.height)


@dataclass(frozen=True, slots=True)
class Duplex:
    """How the back is printed: how the paper is turned over, and what the printer is off by."""

    flip: Flip = Flip.LONG
    offset_mm: Point = (0.0, 0.0)
    """How far to move the back, right and down as one looks at the back."""


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
    """Where its baseline begins."""
    width_mm: float
    size_pt: float
    is_turned: bool = False
    """Whether it runs downwards, its letters turned clockwise."""

    @property
    def box(self) -> Box:
        """What the line covers."""
        (x, y), size_mm = self.at, self.size_pt / POINTS_PER_MM
        if self.is_turned:
            return Box(x - 0.25 * size_mm, y, 1.05 * size_mm, self.width_mm)
        return Box(x, y - 0.8 * size_mm, self.width_mm, 1.05 * size_mm)


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """A sheet. `slots` are the trimmed cards; a position is a number in this list, from 1 on."""

    source: Path
    title: str
    paper: Box
    bleed_mm: float
    color_space: ColorSpace
    slots: tuple[Slot, ...]
    marks: CropMarks | None
    slug: Slug | None
    order: Order | None = None
    """How it is filled, where the file says more than the order of its slots."""
    duplex: Duplex = Duplex()
    is_label: bool = False
    """Whether this is stock for labels and not for cards."""

    @property
    def trim(self) -> Box:
        """The box around all trimmed cards."""
        corners = [(slot.x, slot.y) for slot in self.slots]
        return box_around(corners + [(slot.right, slot.bottom) for slot in self.slots])

    def sequence(self, order: Order | None = None) -> tuple[int, ...]:
        """The positions in the order in which one sheet is filled; None is that of the file."""
        places = list(enumerate(self.slots, start=1))
        if order is Order.ROW:
            places.sort(key=lambda place: (round(place[1].y, 2), round(place[1].x, 2)))
        if order is Order.COLUMN:
            places.sort(key=lambda place: (round(place[1].x, 2), round(place[1].y, 2)))
        return tuple(position for position, _ in places)

    def back(self, duplex: Duplex) -> SheetLayout:
        """The other side of the paper, as one looks at it: places are mirrored, what is in them is not.

        :raises WrongCall: the offset moves a card off the paper
        """
        is_upright = self.paper.height >= self.paper.width
        sideways = (duplex.flip is Flip.LONG) == is_upright
        slots = tuple(_behind(slot, self.paper, sideways, duplex.offset_mm) for slot in self.slots)
        slug = self.slug and replace(self.slug, at=_slug_behind(self.slug, self.paper, sideways))
        back = replace(self, slots=slots, slug=slug)
        _check_on_paper(back)
        return back


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
        order=table.choice("order", Order) if table.has("order") else None,
        duplex=table.table("duplex").read(_duplex) if table.has("duplex") else Duplex(),
        is_label=table.has("label"),
    )
    _check(layout)
    return layout


def _slots(table: Table) -> tuple[Slot, ...]:
    """From a `[grid]`, or from the list `slots` of top left corners."""
    if table.has("card") == table.has("label"):
        raise table.wrong("card", "and label are both there, or neither is", "write card = [width, height]")
    width, height = table.numbers(
        "label" if table.has("label") else "card", "width, height", least=5, most=400
    )
    if table.has("slots") == table.has("grid"):
        raise table.wrong("slots", "and [grid] are both there, or neither is", "give one of the two")
    if table.has("grid"):
        return table.table("grid").read(lambda grid: _grid(grid, width, height))
    corners = table.points("slots")
    turns = _turns(table, len(corners))
    return tuple(_slot(corner, (width, height), turn) for corner, turn in zip(corners, turns, strict=True))


def _turns(table: Table, count: int) -> list[Turn]:
    """One for each slot, or one for all."""
    if table.has("turns"):
        names = ", ".join(f"turn {number}" for number in range(1, count + 1))
        return [_as_turn(table, "turns", turn) for turn in table.numbers("turns", names, least=0, most=270)]
    return [_turn(table)] * count


def _turn(table: Table) -> Turn:
    return _as_turn(table, "turn", table.number("turn", 0, least=0, most=270))


def _as_turn(table: Table, key: str, degrees: float) -> Turn:
    if degrees not in list(Turn):
        raise table.wrong(
            key, f"has {degrees:g}", f"write one of: {', '.join(str(int(turn)) for turn in Turn)}"
        )
    return Turn(int(degrees))


def _slot(corner: Point, size: tuple[float, float], turn: Turn) -> Slot:
    width, height = reversed(size) if turn.is_sideways else size
    return Slot(*corner, width, height, turn)


def _grid(grid: Table, width: float, height: float) -> tuple[Slot, ...]:
    columns = range(grid.whole("columns", least=1, most=100))
    rows = range(grid.whole("rows", least=1, most=100))
    left, top = grid.numbers("first", "x, y", least=0)
    gap_x, gap_y = grid.numbers("gap", "x, y", least=0)
    order = grid.choice("order", Order, Order.ROW)
    if order is Order.STACK:
        raise grid.wrong("order", "is 'stack'", 'write it above [grid], as order = "stack"')
    turn = _turn(grid)
    cells = [(column, row) for row in rows for column in columns]
    if order is Order.COLUMN:
        cells.sort()
    one = _slot((left, top), (width, height), turn)
    return tuple(
        replace(one, x=left + column * (one.width + gap_x), y=top + row * (one.height + gap_y))
        for column, row in cells
    )


def _duplex(table: Table) -> Duplex:
    offset = table.numbers("offset", "x, y", least=-20, most=20) if table.has("offset") else (0.0, 0.0)
    return Duplex(table.choice("flip", Flip, Flip.LONG), (offset[0], offset[1]))


def _behind(slot: Slot, paper: Box, sideways: bool, offset: Point) -> Slot:
    """Where the back of a card lies. Its upper edge is that of the front, seen through the paper."""
    x = paper.width - slot.right if sideways else slot.x
    y = slot.y if sideways else paper.height - slot.bottom
    turn = Turn(-slot.turn % 360 if sideways else (180 - slot.turn) % 360)
    return replace(slot, x=x + offset[0], y=y + offset[1], turn=turn)


def _slug_behind(slug: Slug, paper: Box, sideways: bool) -> Point:
    box = slug.box
    shift_x = paper.width - box.right - box.x if sideways else 0
    shift_y = 0 if sideways else paper.height - box.bottom - box.y
    return (slug.at[0] + shift_x, slug.at[1] + shift_y)


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
        is_turned=_turn_of_slug(table) is Turn.RIGHT,
    )


def _turn_of_slug(table: Table) -> Turn:
    turn = _turn(table)
    if turn not in (Turn.UPRIGHT, Turn.RIGHT):
        raise table.wrong("turn", f"has {int(turn)}", "write 0, or 90 for a line that runs downwards")
    return turn


def _check(layout: SheetLayout) -> None:
    _check_on_paper(layout)
    bled = [slot.grown(layout.bleed_mm) for slot in layout.slots]
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


def _check_on_paper(layout: SheetLayout) -> None:
    for number, slot in enumerate(layout.slots, start=1):
        if not layout.paper.holds(slot.grown(layout.bleed_mm)):
            raise WrongCall(
                f"{layout.source}: position {number} with its bleed leaves the paper",
                hint="move it inwards, or make bleed or the offset of the back smaller",
            )
