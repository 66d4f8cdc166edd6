"""Single cards as PDF: each side of each card is a page, in the order front, back, front, back."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from reportlab.pdfgen.canvas import Canvas

from rfid_station.errors import WrongCall
from rfid_station.printing.brand import BRAND_FIELDS, Brand
from rfid_station.printing.design import CardDesign, Side
from rfid_station.printing.draw import CardPainter
from rfid_station.printing.fonts import house_typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import Pen, new_canvas
from rfid_station.printing.sheet import (
    CardFace,
    Placement,
    PrintedSheets,
    _check_faces,
    _describe,
)


@dataclass(frozen=True, slots=True)
class CardPlace:
    """Where a trimmed card lies on its page, in mm from the upper left corner, and which way up."""

    card: Box
    is_upside_down: bool = False

    @property
    def corner(self) -> Point:
        """Where the upper left corner of what is printed on the card lies on the page."""
        return (self.card.right, self.card.bottom) if self.is_upside_down else (self.card.x, self.card.y)

    def seen_from_card(self, box: Box) -> Box:
        """A box of the page in the coordinates of the card."""
        if self.is_upside_down:
            return Box(self.card.right - box.right, self.card.bottom - box.bottom, box.width, box.height)
        return Box(box.x - self.card.x, box.y - self.card.y, box.width, box.height)


class CardPage:
    """A page that holds one side of one card. Its pens are the usual ones, unless a page knows better."""

    def __init__(
        self, paper: Box, places: Mapping[Side, CardPlace], color_space: ColorSpace, boxes: tuple[Box, Box]
    ) -> None:
        self.paper = paper
        self.places = places
        self.color_space = color_space
        self.trim, self.bleed = boxes

    def inked(self, side: Side) -> Box:  # noqa: ARG002 - a page may print its sides differently
        """What may be printed on, as a box of the page."""
        return self.bleed

    def pen(self, canvas: Canvas, side: Side, height_mm: float) -> Pen:
        """A pen that draws in the coordinates of the card on one side."""
        frame = self.places[side].seen_from_card(self.inked(side))
        return Pen(canvas, height_mm, frame, self.color_space)


def render_pages(
    design: CardDesign,
    brand: Brand,
    page: CardPage,
    faces: Sequence[CardFace],
    *,
    job: str,
    sides: Sequence[Side] | None = None,
    language: str | None = None,
) -> PrintedSheets:
    """Print every card on pages of its own; `sheet_number` of a placement is the card's number.

    :raises WrongCall: there are no cards, a card lacks a field or has an unknown one, or design and brand
        do not fit together
    :raises PrintError: a text is too long or has no glyph, a picture or a code cannot be printed
    """
    _check_brand(design, brand)
    _check_faces(design, faces)
    printed_sides = design.sides if sides is None else tuple(sides)
    target = io.BytesIO()
    canvas = new_canvas(target, page.paper, house_typeface().name, trim=page.trim, bleed=page.bleed)
    _describe(canvas, job, brand)
    painters = {
        side: CardPainter(page.pen(canvas, side, design.height_mm), design, brand, side, language)
        for side in printed_sides
    }
    for face in faces:
        for side, painter in painters.items():
            _paint(canvas, page, page.places[side], painter, face)
            canvas.showPage()
    canvas.save()
    pdf = _with_artwork(target.getvalue(), design, printed_sides)
    placements = tuple(Placement(index, index + 1, 1) for index in range(len(faces)))
    return PrintedSheets(pdf, placements, sha256(pdf).hexdigest(), printed_sides)


def _paint(canvas: Canvas, page: CardPage, place: CardPlace, painter: CardPainter, face: CardFace) -> None:
    if not place.is_upside_down:
        painter.paint(face, place.card.x, page.paper.height - place.card.bottom)
        return
    canvas.saveState()
    canvas.translate(place.card.right * POINTS_PER_MM, (page.paper.height - place.card.y) * POINTS_PER_MM)
    canvas.rotate(180)
    painter.paint(face, 0, 0)
    canvas.restoreState()


def _check_brand(design: CardDesign, brand: Brand) -> None:
    missing = sorted((design.fields & set(BRAND_FIELDS)).difference(brand.fields))
    if missing:
        raise WrongCall(
            f"{brand.source} has no {missing[0]}, which the design {design.source.stem} shows",
            hint=f'add {missing[0]} = "…" there, or take another design',
        )


def _with_artwork(pdf: bytes, design: CardDesign, sides: Sequence[Side]) -> bytes:
    """The file with the artwork of the design that is a PDF, if it has any, in its place."""
    artwork = {side: design.artwork[side] for side in sides if side in design.artwork}
    artwork = {side: file for side, file in artwork.items() if file.suffix.lower() == ".pdf"}
    if not artwork:
        return pdf
    from rfid_station.printing.press.artwork import place_artwork

    return place_artwork(pdf, artwork, (design.width_mm, design.height_mm))
