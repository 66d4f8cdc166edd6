"""Cards on sheets, as PDF: the same cards on the same sheet give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.brand import BLACK, BRAND_FIELDS, Brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.draw import CardPainter
from rfid_station.printing.field_text import CARD_FIELDS
from rfid_station.printing.fonts import house_typeface, normal_form
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import CropMarks, SheetLayout
from rfid_station.printing.pen import FLAT, Pen, new_canvas

CardFace = Mapping[str, str]
"""What varies on one card: values for some of `CARD_FIELDS`, `visual_number` always among them."""

_SAME_SIZE_MM = 0.005
SMALLEST_SLUG_PT = 4.0
_MARKS = "marks"


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

    @property
    def sheet_count(self) -> int:
        """How many sheets there are."""
        return self.placements[-1].sheet_number


def render_sheets(
    design: CardDesign,
    brand: Brand,
    layout: SheetLayout,
    faces: Sequence[CardFace],
    *,
    start_position: int = 1,
    job: str,
) -> PrintedSheets:
    """Print the front of every card, in order, from a position of the first sheet on.

    `job` stands in the slug and as the title of the file. Nothing is returned unless every
    card could be printed.

    :raises WrongCall: there are no cards, the position does not exist, a card lacks a field or has an
        unknown one, or design, brand and sheet do not fit together
    :raises PrintError: a text is too long or has no glyph, a picture or a code cannot be printed
    """
    _check_fit(design, brand, layout)
    _check_faces(design, faces)
    placements = place(len(faces), layout, start_position)
    target = io.BytesIO()
    bleed = layout.trim.grown(layout.bleed_mm)
    canvas = new_canvas(target, layout.paper, house_typeface().name, trim=layout.trim, bleed=bleed)
    _describe(canvas, job, brand)
    card_frame = Box(0, 0, design.width_mm, design.height_mm).grown(layout.bleed_mm)
    card = CardPainter(Pen(canvas, design.height_mm, card_frame, layout.color_space), design, brand)
    sheet = _SheetPainter(Pen(canvas, layout.paper.height, layout.paper, layout.color_space), layout)
    for number, on_sheet in groupby(placements, lambda placement: placement.sheet_number):
        shown = list(on_sheet)
        sheet.paint_marks()
        for placement in shown:
            slot = layout.slots[placement.position - 1]
            card.paint(faces[placement.face_index], slot.x, layout.paper.height - slot.bottom)
        first, last = (faces[shown[end].face_index]["visual_number"] for end in (0, -1))
        sheet.paint_slug(f"{job}  ·  sheet {number}/{placements[-1].sheet_number}  ·  {first} – {last}")
        canvas.showPage()
    canvas.save()
    pdf = target.getvalue()
    return PrintedSheets(pdf, placements, sha256(pdf).hexdigest())


def place(count: int, layout: SheetLayout, start_position: int = 1) -> tuple[Placement, ...]:
    """Where `count` cards come to lie when the first goes to a position of the first sheet.

    :raises WrongCall: the sheet has no such position
    """
    slots = len(layout.slots)
    if not 1 <= start_position <= slots:
        raise WrongCall(
            f"position {start_position} is not on the sheet {layout.source.stem}",
            hint=f"choose one from 1 to {slots}",
        )
    places = (divmod(start_position - 1 + index, slots) for index in range(count))
    return tuple(Placement(index, sheet + 1, position + 1) for index, (sheet, position) in enumerate(places))


def _check_fit(design: CardDesign, brand: Brand, layout: SheetLayout) -> None:
    missing = sorted((design.fields & set(BRAND_FIELDS)).difference(brand.fields))
    if missing:
        raise WrongCall(
            f"{brand.source} has no {missing[0]}, which the design {design.source.stem} shows",
            hint=f'add {missing[0]} = "…" there, or take another design',
        )
    slot = layout.slots[0]
    if max(abs(slot.width - design.width_mm), abs(slot.height - design.height_mm)) > _SAME_SIZE_MM:
        raise WrongCall(
            f"design {design.source.stem} is {design.width_mm:g} × {design.height_mm:g} mm, and cards on the"
            f" sheet {layout.source.stem} are {slot.width:g} × {slot.height:g} mm",
            hint="choose a sheet for cards of that size",
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


class _SheetPainter:
    """Draws what stands beside the cards. To be made before anything else is drawn."""

    def __init__(self, pen: Pen, layout: SheetLayout) -> None:
        self._pen = pen
        self._layout = layout
        if layout.marks:
            with pen.form(_MARKS):
                pen.stroke_with(BLACK, layout.marks.width_pt / POINTS_PER_MM, FLAT)
                for start, end in crop_marks(layout, layout.marks):
                    pen.line(start, end)

    def paint_marks(self) -> None:
        """Refer to the marks, which are one form for all sheets."""
        if self._layout.marks:
            self._pen.canvas.doForm(_MARKS)

    def paint_slug(self, text: str) -> None:
        """Write the line that tells which sheet this is."""
        slug = self._layout.slug
        if slug is None:
            return
        face = house_typeface()
        line = normal_form(text)
        try:
            size = face.fitted_size(line, 0, slug.width_mm * POINTS_PER_MM, (SMALLEST_SLUG_PT, slug.size_pt))
        except PrintError as error:
            raise PrintError(f"{self._layout.source}: slug: {error.message}", hint=error.hint) from error
        self._pen.fill_with(BLACK)
        self._pen.text(line, slug.at, face.name, size)


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
