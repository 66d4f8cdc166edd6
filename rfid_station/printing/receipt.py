"""A receipt on one page of A4: the same receipt gives the same bytes."""

from __future__ import annotations

import io
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rfid_station.errors import PrintError
from rfid_station.printing.brand import BLACK
from rfid_station.printing.fonts import Typeface, house_typeface, normal_form
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import FLAT, Pen, new_canvas

_PAPER = Box(0, 0, 210, 297)
_MARGIN_MM = 20.0
_WIDTH_MM = _PAPER.width - 2 * _MARGIN_MM
_FACTS_MM = 45.0
"""Where the values of the facts begin."""
_INDENT_MM = 6.0
_SIZES_PT = (10.0, 9.0, 8.0, 7.0, 6.0)
_LEADING = 1.35
_TITLE = 1.8
"""Of the title, in sizes of the text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One partner: a line, and what is to be said about it."""

    line: str
    words: str


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """What stands on a receipt, from top to bottom."""

    title: str
    facts: tuple[tuple[str, str], ...]
    heading: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]
    footer: str
    more: str = ""
    """Says that entries were left out, with `{count}`; without it all have to fit."""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    indent_mm: float = 0.0
    scale: float = 1.0
    space: float = 0.0
    """Above it, in lines."""
    beside: str = ""
    """A value in the second column."""


def render_receipt(page: ReceiptPage) -> bytes:
    """The receipt as PDF. Text shrinks to fit the page; then the last entries are left out, and counted.

    A character without a glyph becomes a question mark: a receipt is never refused for a name.

    :raises PrintError: it does not fit on one page
    """
    face = house_typeface()
    lines, size_pt = _fitted(page, face)
    target = io.BytesIO()
    canvas = new_canvas(target, _PAPER, face.name, trim=_PAPER, bleed=_PAPER)
    canvas.setTitle(_printable(page.title, face))
    canvas.setCreator("RFID Station")
    pen = Pen(canvas, _PAPER.height, _PAPER, ColorSpace.RGB)
    pen.fill_with(BLACK)
    pen.stroke_with(BLACK, 0.2, FLAT)
    y_mm = _MARGIN_MM
    for line in lines:
        y_mm += _height_mm(line, size_pt)
        at = (_MARGIN_MM + line.indent_mm, y_mm)
        pen.text(line.text, at, face.name, size_pt * line.scale)
        if line.beside:
            pen.text(line.beside, (_MARGIN_MM + _FACTS_MM, y_mm), face.name, size_pt)
        if line.scale > 1:
            pen.line((_MARGIN_MM, y_mm + 2), (_PAPER.width - _MARGIN_MM, y_mm + 2))
    pen.text(_printable(page.footer, face), (_MARGIN_MM, _PAPER.height - 12), face.name, _SIZES_PT[-1])
    canvas.showPage()
    canvas.save()
    return target.getvalue()


def _fitted(page: ReceiptPage, face: Typeface) -> tuple[list[_Line], float]:
    for size_pt in _SIZES_PT:
        lines = list(_lines(page, face, size_pt))
        if _fits(lines, size_pt):
            return lines, size_pt
    kept = bisect(range(len(page.entries)), False, key=lambda count: not _fits_with(page, face, count)) - 1
    if not page.more or kept < 0:
        raise PrintError(
            f"the receipt {page.title!r} does not fit on one page", hint="take a .txt or .json file for it"
        )
    return list(_lines(_cut(page, kept), face, _SIZES_PT[-1])), _SIZES_PT[-1]


def _fits(lines: list[_Line], size_pt: float) -> bool:
    return sum(_height_mm(line, size_pt) for line in lines) <= _PAPER.height - 2 * _MARGIN_MM


def _fits_with(page: ReceiptPage, face: Typeface, count: int) -> bool:
    return _fits(list(_lines(_cut(page, count), face, _SIZES_PT[-1])), _SIZES_PT[-1])


def _cut(page: ReceiptPage, kept: int) -> ReceiptPage:
    """The page with the first entries only, and a line that counts the others."""
    more = Entry(page.more.format(count=len(page.entries) - kept), "")
    return replace(page, entries=(*page.entries[:kept], more))


def _height_mm(line: _Line, size_pt: float) -> float:
    return size_pt * _LEADING * (line.scale + line.space) / POINTS_PER_MM


def _lines(page: ReceiptPage, face: Typeface, size_pt: float) -> Iterator[_Line]:
    def wrapped(text: str, width_mm: float) -> list[str]:
        return _wrapped(_printable(text, face), face, width_mm * POINTS_PER_MM / size_pt)

    for part in _wrapped(_printable(page.title, face), face, _WIDTH_MM * POINTS_PER_MM / size_pt / _TITLE):
        yield _Line(part, scale=_TITLE)
    for number, (name, value) in enumerate(page.facts):
        first, *rest = wrapped(value, _WIDTH_MM - _FACTS_MM)
        yield _Line(_printable(name, face), space=1.5 if number == 0 else 0.1, beside=first)
        yield from (_Line("", beside=more) for more in rest)
    yield _Line(_printable(page.heading, face), space=1.5, scale=1.2)
    for entry in page.entries:
        for number, part in enumerate(wrapped(entry.line, _WIDTH_MM)):
            yield _Line(part, space=0 if number else 0.6)
        yield from (_Line(part, _INDENT_MM) for part in wrapped(entry.words, _WIDTH_MM - _INDENT_MM))
    for note in page.notes:
        for number, part in enumerate(wrapped(note, _WIDTH_MM)):
            yield _Line(part, space=0 if number else 1.0)


def _wrapped(text: str, face: Typeface, width: float) -> list[str]:
    """Break a text between words, and a word that is too long within; `width` is in parts of the size."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if face.width(longer, 0) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if lines[-1] and face.width(lines[-1] + sign, 0) > width:
                lines.append("")
            lines[-1] += sign
    return lines


def _printable(text: str, face: Typeface) -> str:
    return "".join(sign if sign in face.glyphs else "?" for sign in normal_form(text))
