"""A page to find out how far a printer's back is off, and whether it takes a sheet's positions as told.

The front has rulers, the back crosses behind their zeros. Held against the light, the lines of a cross
point at the two numbers by which the back has to be moved.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence

from rfid_station.printing.brand import BLACK, WHITE
from rfid_station.printing.fonts import house_typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box, Point
from rfid_station.printing.layout import ColorSpace, Duplex, Flip, SheetLayout
from rfid_station.printing.pen import FLAT, Pen, new_canvas

REACH_MM = 5
"""How far a ruler goes to each side of its zero."""
_HAIR_MM = 0.1
_TEXT_PT = 7.0
_NUMBER_PT = 4.5
_CROSS_MM = 9.0
_LINE_MM = 3.6


def render_calibration(layout: SheetLayout, duplex: Duplex | None = None) -> bytes:
    """Front and back of the page as PDF, the outlines of the sheet's positions on both.

    :raises WrongCall: the offset moves a card off the paper
    """
    how = duplex or layout.duplex
    back = layout.back(how)
    target = io.BytesIO()
    face = house_typeface()
    canvas = new_canvas(target, layout.paper, face.name, trim=layout.paper, bleed=layout.paper)
    canvas.setTitle(f"calibration {layout.source.stem}")
    canvas.setCreator("RFID Station")
    pen = Pen(canvas, layout.paper.height, layout.paper, ColorSpace.RGB)
    for side, words in ((layout, _front_words(layout, how)), (back, ("back",))):
        pen.fill_with(BLACK)
        pen.stroke_with(BLACK, _HAIR_MM, FLAT)
        _outlines(pen, side)
        for place in calibration_points(layout):
            if side is layout:
                _rulers(pen, place, layout.paper, how.flip)
            else:
                _cross(pen, behind(place, layout.paper, how))
        _say(pen, layout.paper, list(words))
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def calibration_points(layout: SheetLayout) -> list[Point]:
    """Where rulers stand: towards the four corners of the paper."""
    xs = (layout.paper.width / 4, layout.paper.width * 3 / 4)
    ys = (layout.paper.height / 6, layout.paper.height * 5 / 6)
    return [(x, y) for y in ys for x in xs]


def behind(place: Point, paper: Box, duplex: Duplex) -> Point:
    """The same place seen from the back, moved as the back is."""
    sideways = _is_sideways(paper, duplex.flip)
    x = paper.width - place[0] if sideways else place[0]
    y = place[1] if sideways else paper.height - place[1]
    return (x + duplex.offset_mm[0], y + duplex.offset_mm[1])


def correction(paper: Box, flip: Flip, seen: Point) -> Point:
    """How to move the back when its cross is seen, from the front, so far right and below of the zero."""
    right, below = seen
    return (right, -below) if _is_sideways(paper, flip) else (-right, below)


def _is_sideways(paper: Box, flip: Flip) -> bool:
    return (flip is Flip.LONG) == (paper.height >= paper.width)


def _front_words(layout: SheetLayout, duplex: Duplex) -> Iterator[str]:
    x, y = duplex.offset_mm
    yield f"front  ·  {layout.source.stem}  ·  {duplex.flip} edge  ·  back moved by {x:g}, {y:g} mm"
    yield "Print both sides without scaling, hold the sheet against the light, and look from this side."
    yield "A line of the cross points at X on the ruler across, the other at Y on the ruler down."
    yield "Print cards with --offset X,Y, each added to what stands above. Numbers are those of positions."


def _say(pen: Pen, paper: Box, lines: Sequence[str]) -> None:
    """In the middle, on white, since an outline may run there."""
    face = house_typeface()
    width = max(face.width(line, 0) for line in lines) * _TEXT_PT / POINTS_PER_MM
    left, top = (paper.width - width) / 2, paper.height / 2 - _LINE_MM * len(lines) / 2
    pen.fill_with(WHITE)
    pen.rect(Box(left, top, width, _LINE_MM * len(lines)).grown(1.5))
    pen.fill_with(BLACK)
    for number, line in enumerate(lines):
        pen.text(line, (left, top + _LINE_MM * (number + 0.75)), face.name, _TEXT_PT)


def _outlines(pen: Pen, layout: SheetLayout) -> None:
    face = house_typeface()
    for position, slot in enumerate(layout.slots, start=1):
        corners = [(slot.x, slot.y), (slot.right, slot.y), (slot.right, slot.bottom), (slot.x, slot.bottom)]
        for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
            pen.line(start, end)
        pen.text(f"{position}", (slot.x + 1.5, slot.y + 3.5), face.name, _TEXT_PT)


def _rulers(pen: Pen, zero: Point, paper: Box, flip: Flip) -> None:
    x, y = zero
    pen.line((x - REACH_MM, y), (x + REACH_MM, y))
    pen.line((x, y - REACH_MM), (x, y + REACH_MM))
    face = house_typeface()
    for step in range(-REACH_MM, REACH_MM + 1):
        length = 1.5 if step % REACH_MM == 0 else 0.8
        pen.line((x + step, y - length), (x + step, y))
        pen.line((x - length, y + step), (x, y + step))
        if abs(step) == REACH_MM:
            to_right, down = correction(paper, flip, (step, step))
            for text, at in (
                (f"X {to_right:+g}", (x + step, y - 2.2)),
                (f"Y {down:+g}", (x - 4.0, y + step)),
            ):
                width = face.width(text, 0) * _NUMBER_PT / POINTS_PER_MM
                pen.text(text, (at[0] - width / 2, at[1] + 0.5), face.name, _NUMBER_PT)


def _cross(pen: Pen, at: Point) -> None:
    x, y = at
    pen.line((x - _CROSS_MM, y), (x + _CROSS_MM, y))
    pen.line((x, y - _CROSS_MM), (x, y + _CROSS_MM))
