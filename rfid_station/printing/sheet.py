"""Cards on sheets, as PDF: the same cards on the same sheet give the same bytes.

A design with a back gives two pages a sheet, front and back, in the order in which printers take them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import BLACK, BRAND_FIELDS, Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.draw import CardPainter
from rfid_station.printing.field_text import CARD_FIELDS
from rfid_station.printing.fonts import house_typeface, normal_form
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import CropMarks, Duplex, Order, SheetLayout, Slot, Turn
from rfid_station.printing.pen import FLAT, Pen, new_canvas
from rfid_station.printing.quick_pen import QuickPen

CardFace = Mapping[str, str]
"""What varies on one card: values for some of `CARD_FIELDS`, `visual_number` always among them."""

_SAME_SIZE_MM = 0.005
SMALLEST_SLUG_PT = 4.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a card came to lie: sheets and positions count from 1, faces from 0."""

    face_index: int
    sheet_number: int
    position: int


@dataclass(frozen=True, slots=True)
class PrintedSheets:
    """The finished PDF, where each card is in it, and the SHA-256 of the file in hexadecimal."""

    pdf: bytes
    placements: tuple[Placement, ...]
    sha256: str
    sides: tuple[Side, ...] = (Side.FRONT,)
    """What was printed of each sheet, a page for each."""

    @property
    def sheet_count(self) -> int:
        """How many sheets of paper there are."""
        return max(placement.sheet_number for placement in self.placements)

    def page(self, sheet_number: int, side: Side = Side.FRONT) -> int:
        """The page of the PDF, from 1, that has a side of a sheet."""
        return (sheet_number - 1) * len(self.sides) + self.sides.index(side) + 1


def render_sheets(
    design: CardDesign,
    brand: Brand,
    layout: SheetLayout,
    faces: Sequence[CardFace],
    *,
    start_position: int = 1,
    order: Order | None = None,
    duplex: Duplex | None = None,
    sides: Iterable[Side] | None = None,
    language: str | None = None,
    job: str,
) -> PrintedSheets:
    """Print every card, from a position of the first sheet on.

    `job` stands in the slug and as the title of the file. `order` and `duplex` are those of the sheet,
    and `sides` those that the design has, unless said otherwise. Nothing is returned unless every
    card could be printed.

    :raises WrongCall: there are no cards, the position does not exist, a card lacks a field or has an
        unknown one, or design, brand and sheet do not fit together
    :raises PrintError: a text is too long or has no glyph, a picture or a code cannot be printed
    """
    _check_fit(design, brand, layout)
    _check_faces(design, faces)
    printed_sides = _sides(design, sides)
    placements = place(len(faces), layout, start_position, order)
    target = io.BytesIO()
    bleed = layout.trim.grown(layout.bleed_mm)
    canvas = new_canvas(target, layout.paper, house_typeface().name, trim=layout.trim, bleed=bleed)
    _describe(canvas, job, brand)
    papers = {Side.FRONT: layout}
    if Side.BACK in printed_sides:
        papers[Side.BACK] = layout.back(duplex or layout.duplex)
    painters = [_SidePainter(canvas, design, brand, papers[side], side, language) for side in printed_sides]
    by_sheet = sorted(placements, key=lambda placement: placement.sheet_number)
    for number, on_sheet in groupby(by_sheet, lambda placement: placement.sheet_number):
        shown = list(on_sheet)
        slug = _slug(job, (number, by_sheet[-1].sheet_number), shown, faces, len(layout.slots))
        for painter in painters:
            painter.paint(shown, faces, slug if len(painters) == 1 else f"{slug}  ·  {painter.side}")
            canvas.showPage()
    canvas.save()
    pdf = _with_artwork(target.getvalue(), design)
    return PrintedSheets(pdf, placements, sha256(pdf).hexdigest(), printed_sides)


def place(
    count: int, layout: SheetLayout, start_position: int = 1, order: Order | None = None
) -> tuple[Placement, ...]:
    """Where `count` cards come to lie when the first free position of the first sheet is given.

    Cut and stack takes as many sheets as any other order, and the same places on them.

    :raises WrongCall: the sheet has no such position
    """
    order = order or layout.order
    sequence = layout.sequence(order)
    if start_position not in sequence:
        raise WrongCall(
            f"position {start_position} is not on the sheet {layout.source.stem}",
            hint=f"choose one from 1 to {len(sequence)}",
        )
    skipped = sequence.index(start_position)
    places = [divmod(skipped + index, len(sequence)) for index in range(count)]
    if order is Order.STACK:
        places.sort(key=lambda place: (place[1], place[0]))
    return tuple(Placement(index, sheet + 1, sequence[turn]) for index, (sheet, turn) in enumerate(places))


def _sides(design: CardDesign, wanted: Iterable[Side] | None) -> tuple[Side, ...]:
    """What is to be printed, the front first."""
    there = list(design.sides)
    chosen = tuple(side for side in Side if side in set(there if wanted is None else wanted))
    missing = [side for side in chosen if side not in there]
    if missing or not chosen:
        raise WrongCall(
            f"the design {design.source.stem} has no {missing[0] if missing else 'side to print'}",
            hint=f"add [[{missing[0] if missing else 'front'}]] layers to it, or print its other side",
        )
    return chosen


def _slug(
    job: str, of: tuple[int, int], shown: Sequence[Placement], faces: Sequence[CardFace], positions: int
) -> str:
    """Job, sheet, first and last number, and the positions that stay blank."""
    first, last = (
        faces[end(placement.face_index for placement in shown)]["visual_number"] for end in (min, max)
    )
    parts = [job, f"sheet {of[0]}/{of[1]}", f"{first} – {last}"]
    blank = sorted(set(range(1, positions + 1)).difference(placement.position for placement in shown))
    if blank:
        parts.append(f"blank: {_ranges(blank)}")
    return "  ·  ".join(parts)


def _ranges(numbers: Sequence[int]) -> str:
    """Rising numbers, as in `1–3, 7`."""
    runs = groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in ends)


def _with_artwork(pdf: bytes, design: CardDesign) -> bytes:
    """The file with PDF artwork of the design, if it has any, in its place."""
    artwork = {side: path for side, path in design.artwork.items() if path.suffix.lower() == ".pdf"}
    if not artwork:
        return pdf
    from rfid_station.printing.press.artwork import place_artwork

    return place_artwork(pdf, artwork)


def _check_fit(design: CardDesign, brand: Brand, layout: SheetLayout) -> None:
    missing = sorted((design.fields & set(BRAND_FIELDS)).difference(brand.fields))
    if missing:
        raise WrongCall(
            f"{brand.source} has no {missing[0]}, which the design {design.source.stem} shows",
            hint=f'add {missing[0]} = "…" there, or take another design',
        )
    if layout.is_label:
        raise WrongCall(
            f"the sheet {layout.source.stem} is for labels",
            hint="choose one for cards: rfid-station sheet layouts",
        )
    width, height = layout.slots[0].card_size
    if max(abs(width - design.width_mm), abs(height - design.height_mm)) > _SAME_SIZE_MM:
        raise WrongCall(
            f"design {design.source.stem} is {design.width_mm:g} × {design.height_mm:g} mm, and cards on the"
            f" sheet {layout.source.stem} are {width:g} × {height:g} mm",
            hint="choose a sheet for cards of that size: rfid-station sheet layouts",
        )


def _check_faces(design: CardDesign, faces: Sequence[CardFace]) -> None:
    if not faces:
        raise WrongCall("there are no cards to print", hint="issue one first: rfid-station card issue")
    needed = (design.fields & set(CARD_FIELDS)) | {"visual_number"}
    for number, face in enumerate(faces, start=1):
        unknown = sorted(set(face).difference(CARD_FIELDS))
        if unknown:
            raise WrongCall(
                f"card {number} has the unknown field {unknown[0]!r}",
                hint=f"fields of a card: {', '.join(CARD_FIELDS)}; the brand gives the others",
            )
        missing = sorted(needed.difference(face))
        if missing:
            raise WrongCall(
                f"card {number} has no {missing[0]}, which the design {design.source.stem} shows",
                hint="give it a value, or take another design",
            )


def _describe(canvas: Canvas, job: str, brand: Brand) -> None:
    canvas.setTitle(job)
    canvas.setAuthor(brand.fields["issuer"])
    canvas.setCreator("RFID Station")


class _SidePainter:
    """Draws one side of sheets: cards, marks and slug. To be made before anything else is drawn."""

    def __init__(
        self,
        canvas: Canvas,
        design: CardDesign,
        brand: Brand,
        layout: SheetLayout,
        side: Side,
        language: str | None,
    ) -> None:
        self.side = side
        self._layout = layout
        self._canvas = canvas
        self._marks = f"marks-{side}"
        frame = Box(0, 0, design.width_mm, design.height_mm).grown(layout.bleed_mm)
        self._pen = Pen(canvas, layout.paper.height, layout.paper, layout.color_space)
        self._cards = CardPainter(
            QuickPen(canvas, design.height_mm, frame, layout.color_space), design, brand, side, language
        )
        if layout.marks:
            with self._pen.form(self._marks):
                self._pen.stroke_with(BLACK, layout.marks.width_pt / POINTS_PER_MM, FLAT)
                for start, end in crop_marks(layout, layout.marks):
                    self._pen.line(start, end)

    def paint(self, shown: Sequence[Placement], faces: Sequence[CardFace], slug: str) -> None:
        """Draw one page, all but ending it."""
        self._canvas.setTrimBox(_page_box(self._layout.paper, self._layout.trim))
        self._canvas.setBleedBox(
            _page_box(self._layout.paper, self._layout.trim.grown(self._layout.bleed_mm))
        )
        if self._layout.marks:
            self._canvas.doForm(self._marks)
        for placement in shown:
            self._card(self._layout.slots[placement.position - 1], faces[placement.face_index])
        if self._layout.slug:
            self._slug(self._layout.slug.width_mm, normal_form(slug))

    def _card(self, slot: Slot, face: CardFace) -> None:
        height = self._layout.paper.height
        if slot.turn is Turn.UPRIGHT:
            self._cards.paint(face, slot.x, height - slot.bottom)
            return
        x = slot.x if slot.turn is Turn.RIGHT else slot.right
        y = slot.bottom if slot.turn is Turn.LEFT else slot.y
        with _turned(self._canvas, (x, height - y), slot.turn):
            self._cards.paint(face, 0, 0)

    def _slug(self, width_mm: float, line: str) -> None:
        slug = self._layout.slug
        if slug is None:
            return
        face = house_typeface()
        try:
            size = face.fitted_size(line, 0, width_mm * POINTS_PER_MM, (SMALLEST_SLUG_PT, slug.size_pt))
        except PrintError as error:
            raise PrintError(f"{self._layout.source}: slug: {error.message}", hint=error.hint) from error
        self._pen.fill_with(BLACK)
        if not slug.is_turned:
            self._pen.text(line, slug.at, face.name, size)
            return
        with _turned(self._canvas, (slug.at[0], self._layout.paper.height - slug.at[1]), Turn.RIGHT):
            self._pen.text(line, (0, self._layout.paper.height), face.name, size)


@contextmanager
def _turned(canvas: Canvas, origin_mm: Point, turn: Turn) -> Iterator[None]:
    """Draw with another origin, counted from the lower left corner of the paper, and turned clockwise."""
    canvas.saveState()
    canvas.translate(origin_mm[0] * POINTS_PER_MM, origin_mm[1] * POINTS_PER_MM)
    canvas.rotate(-int(turn))
    yield
    canvas.restoreState()


def _page_box(paper: Box, box: Box) -> tuple[float, ...]:
    """As PDF has it: points from the lower left corner."""
    edges = (box.x, paper.height - box.bottom, box.right, paper.height - box.y)
    return tuple(edge * POINTS_PER_MM for edge in edges)


def crop_marks(layout: SheetLayout, marks: CropMarks) -> list[tuple[Point, Point]]:
    """The marks as lines in mm: at each cut, outwards from every corner, but never into a card's bleed."""
    bled = [slot.grown(layout.bleed_mm) for slot in layout.slots]
    lines = dict.fromkeys(
        line for slot in layout.slots for line in _corner_marks(slot, layout.bleed_mm, marks)
    )
    return [line for line in lines if not any(_crosses(line, box) for box in bled)]


def _corner_marks(slot: Box, bleed_mm: float, marks: CropMarks) -> list[tuple[Point, Point]]:
    near = bleed_mm + marks.distance_mm
    far = near + marks.length_mm
    lines: list[tuple[Point, Point]] = []
    for x, outwards in ((slot.x, -1), (slot.right, 1)):
        for y, down in ((slot.y, -1), (slot.bottom, 1)):
            lines.append(((x + outwards * near, y), (x + outwards * far, y)))
            lines.append(((x, y + down * near), (x, y + down * far)))
    return [(_rounded(start), _rounded(end)) for start, end in lines]


def _rounded(point: Point) -> Point:
    """To a micrometre, so that marks of neighbours are seen to be the same."""
    return (round(point[0], 3), round(point[1], 3))


def _crosses(line: tuple[Point, Point], box: Box) -> bool:
    (x1, y1), (x2, y2) = line
    along = Box(min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
    return along.overlaps(box)
