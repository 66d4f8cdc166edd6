"""How every paper of the desk looks: margins, title, facts, tables, footer; over as many pages as it takes.

A paper is a list of lines. The same lines give the same bytes. A character without a glyph becomes a question
mark here: a receipt or a list is never refused for somebody's name.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rfid_station.printing.brand import BLACK
from rfid_station.printing.fonts import Typeface, house_typeface, normal_form, words
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layer import Anchor
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import FLAT, Pen, new_canvas
from rfid_station.printing.shaping import is_mark

A4 = Box(0, 0, 210, 297)
MARGIN_MM = 20.0
FOOTER_MM = 12.0
"""From the lower edge of the paper to the footer's baseline."""
LEADING = 1.35
TITLE = 1.8
"""Of the title, in sizes of the text."""
HEADING = 1.2
FACTS_MM = 45.0
"""Where the values of facts begin."""
TEXT_PT = 9.0
FOOTER_PT = 6.0
_RULE_MM = 0.2
_TICK_MM = 3.2


@dataclass(frozen=True, slots=True)
class Cell:
    """A text on a line, at a place counted from the left margin."""

    text: str
    x_mm: float = 0.0
    anchor: Anchor = Anchor.LEFT


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a paper."""

    cells: tuple[Cell, ...]
    scale: float = 1.0
    """In sizes of the text."""
    space: float = 0.0
    """Above it, in lines."""
    is_ruled: bool = False
    """Whether there is a rule below."""
    is_header: bool = False
    """Whether it stands again at the top of every page up to the next header."""
    tick_mm: float | None = None
    """Where there is a box to tick, from the left margin."""

    def height_mm(self, size_pt: float) -> float:
        """What it takes, the space above included."""
        return size_pt * LEADING * (self.scale + self.space) / POINTS_PER_MM


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    width_mm: float
    anchor: Anchor = Anchor.LEFT


def text_width_mm(paper: Box = A4) -> float:
    """Between the margins."""
    return paper.width - 2 * MARGIN_MM


def title_lines(text: str, face: Typeface, size_pt: float, paper: Box = A4) -> Iterator[Line]:
    """The title of a paper, with a rule below."""
    *first, last = wrapped(printable(text, face), face, _across(text_width_mm(paper), size_pt * TITLE))
    yield from (Line((Cell(part),), scale=TITLE) for part in first)
    yield Line((Cell(last),), scale=TITLE, is_ruled=True)


def fact_lines(facts: Sequence[tuple[str, str]], face: Typeface, size_pt: float) -> Iterator[Line]:
    """Names and values, in two columns."""
    for number, (name, value) in enumerate(facts):
        parts = wrapped(printable(value, face), face, _across(text_width_mm() - FACTS_MM, size_pt))
        label = Cell(printable(name, face))
        yield Line((label, Cell(parts[0], FACTS_MM)), space=0.1 if number else 1.5)
        yield from (Line((Cell(part, FACTS_MM),)) for part in parts[1:])


def heading_line(text: str, face: Typeface) -> Line:
    """What a part of a paper is about."""
    return Line((Cell(printable(text, face)),), scale=HEADING, space=1.5)


def paragraph_lines(
    text: str, face: Typeface, size_pt: float, *, space: float = 0.0, indent_mm: float = 0.0
) -> Iterator[Line]:
    """A text of any length."""
    width = _across(text_width_mm() - indent_mm, size_pt)
    for number, part in enumerate(wrapped(printable(text, face), face, width)):
        yield Line((Cell(part, indent_mm),), space=0 if number else space)


def table_lines(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    face: Typeface,
    size_pt: float,
    *,
    has_ticks: bool = False,
) -> Iterator[Line]:
    """A table: its header stands again on each page, a text too long for its column is broken."""
    yield Line(
        tuple(_cells(columns, [column.title for column in columns], face)),
        space=0.4, is_ruled=True, is_header=True,
    )  # fmt: skip
    for row in rows:
        parts = [
            wrapped(printable(text, face), face, _across(column.width_mm - 2, size_pt))
            for column, text in zip(columns, row, strict=True)
        ]
        for number in range(max(map(len, parts))):
            texts = [part[number] if number < len(part) else "" for part in parts]
            yield Line(
                tuple(_cells(columns, texts, face)),
                space=0 if number else 0.35,
                tick_mm=text_width_mm() - _TICK_MM if has_ticks and not number else None,
            )
    yield Line((), scale=0.1)


def _cells(columns: Sequence[Column], texts: Sequence[str], face: Typeface) -> Iterator[Cell]:
    x_mm = 0.0
    for column, text in zip(columns, texts, strict=True):
        if text:
            yield Cell(
                printable(text, face), x_mm + column.anchor.share * (column.width_mm - 2), column.anchor
            )
        x_mm += column.width_mm


def draw_pages(
    title: str, lines: Sequence[Line], size_pt: float, footer: str, *, author: str = "", paper: Box = A4
) -> bytes:
    """The lines as PDF, with the footer on every page, and page numbers where there are several."""
    face = house_typeface()
    target = io.BytesIO()
    canvas = new_canvas(target, paper, face.name, trim=paper, bleed=paper)
    canvas.setTitle(printable(title, face))
    canvas.setCreator("RFID Station")
    if author:
        canvas.setAuthor(printable(author, face))
    pen = Pen(canvas, paper.height, paper, ColorSpace.RGB)
    pages = list(_pages(lines, size_pt, paper.height - 2 * MARGIN_MM))
    for number, page in enumerate(pages, start=1):
        pen.fill_with(BLACK)
        pen.stroke_with(BLACK, _RULE_MM, FLAT)
        y_mm = MARGIN_MM
        for line in page:
            y_mm += line.height_mm(size_pt)
            _draw(pen, face, line, y_mm, size_pt, paper)
        at = (MARGIN_MM, paper.height - FOOTER_MM)
        pen.text(printable(footer, face), at, face.name, FOOTER_PT)
        if len(pages) > 1:
            text = f"{number}/{len(pages)}"
            x = paper.width - MARGIN_MM - face.width(text, 0) * FOOTER_PT / POINTS_PER_MM
            pen.text(text, (x, at[1]), face.name, FOOTER_PT)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def _draw(pen: Pen, face: Typeface, line: Line, y_mm: float, size_pt: float, paper: Box) -> None:
    for cell in line.cells:
        width = face.width(cell.text, 0) * size_pt * line.scale / POINTS_PER_MM
        x = MARGIN_MM + cell.x_mm - cell.anchor.share * width
        pen.text(cell.text, (x, y_mm), face.name, size_pt * line.scale)
    if line.is_ruled:
        below = y_mm + 2 * line.scale / TITLE
        pen.line((MARGIN_MM, below), (paper.width - MARGIN_MM, below))
    if line.tick_mm is not None:
        _draw_box(pen, Box(MARGIN_MM + line.tick_mm, y_mm - 0.85 * _TICK_MM, _TICK_MM, _TICK_MM))


def _draw_box(pen: Pen, box: Box) -> None:
    corners = [(box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)]
    for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
        pen.line(start, end)


def _pages(lines: Sequence[Line], size_pt: float, height_mm: float) -> Iterator[list[Line]]:
    """Break into pages. A table goes on under its header; a heading does not stay behind alone."""
    page: list[Line] = []
    header: Line | None = None
    for line in lines:
        if line.is_header:
            header = line
        elif line.scale != 1.0:
            header = None
        if page and _height_mm([*page, line], size_pt) > height_mm:
            kept = page
            behind: list[Line] = []
            while len(kept) > 1 and (kept[-1].is_header or kept[-1].scale > 1):
                behind.insert(0, kept.pop())
            yield kept
            page = behind or ([header] if header and header is not line else [])
        page.append(line)
    yield page


def _height_mm(lines: Sequence[Line], size_pt: float) -> float:
    return sum(line.height_mm(size_pt) for line in lines)


def fits_on_a_page(lines: Sequence[Line], size_pt: float, paper: Box = A4) -> bool:
    """Whether one page is enough."""
    return _height_mm(lines, size_pt) <= paper.height - 2 * MARGIN_MM


def wrapped(text: str, face: Typeface, width: float) -> list[str]:
    """Break a text between words, and a word that is too long within; `width` is in parts of the size."""
    lines = [""]
    for gap, word in words(text):
        longer = f"{lines[-1]}{gap}{word}" if lines[-1] else word
        if face.width(longer, 0) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if lines[-1] and not is_mark(sign) and face.width(lines[-1] + sign, 0) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def printable(text: str, face: Typeface) -> str:
    """The text with a question mark for what the font does not have."""
    return "".join(sign if sign in face.glyphs else "?" for sign in normal_form(text))


def _across(width_mm: float, size_pt: float) -> float:
    """A width in parts of a font size."""
    return width_mm * POINTS_PER_MM / size_pt
