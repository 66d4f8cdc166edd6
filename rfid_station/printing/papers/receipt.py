"""A receipt on one page of A4, in the style of the house: the same receipt gives the same bytes."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rfid_station.errors import PrintError
from rfid_station.printing.fonts import Typeface, house_typeface
from rfid_station.printing.papers.house_style import (
    Line,
    draw_pages,
    fact_lines,
    fits_on_a_page,
    heading_line,
    paragraph_lines,
    title_lines,
)

_INDENT_MM = 6.0
_SIZES_PT = (10.0, 9.0, 8.0, 7.0, 6.0)


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


def render_receipt(page: ReceiptPage) -> bytes:
    """The receipt as PDF. Text shrinks to fit the page; then the last entries are left out, and counted.

    A character without a glyph becomes a question mark: a receipt is never refused for a name.

    :raises PrintError: it does not fit on one page
    """
    lines, size_pt = _fitted(page, house_typeface())
    return draw_pages(page.title, lines, size_pt, page.footer)


def _fitted(page: ReceiptPage, face: Typeface) -> tuple[list[Line], float]:
    for size_pt in _SIZES_PT:
        lines = list(_lines(page, face, size_pt))
        if fits_on_a_page(lines, size_pt):
            return lines, size_pt
    kept = bisect(range(len(page.entries)), False, key=lambda count: not _fits_with(page, face, count)) - 1
    if not page.more or kept < 0:
        raise PrintError(
            f"the receipt {page.title!r} does not fit on one page", hint="take a .txt or .json file for it"
        )
    return list(_lines(_cut(page, kept), face, _SIZES_PT[-1])), _SIZES_PT[-1]


def _fits_with(page: ReceiptPage, face: Typeface, count: int) -> bool:
    return fits_on_a_page(list(_lines(_cut(page, count), face, _SIZES_PT[-1])), _SIZES_PT[-1])


def _cut(page: ReceiptPage, kept: int) -> ReceiptPage:
    """The page with the first entries only, and a line that counts the others."""
    more = Entry(page.more.format(count=len(page.entries) - kept), "")
    return replace(page, entries=(*page.entries[:kept], more))


def _lines(page: ReceiptPage, face: Typeface, size_pt: float) -> Iterator[Line]:
    yield from title_lines(page.title, face, size_pt)
    yield from fact_lines(page.facts, face, size_pt)
    yield heading_line(page.heading, face)
    for entry in page.entries:
        yield from paragraph_lines(entry.line, face, size_pt, space=0.6)
        yield from paragraph_lines(entry.words, face, size_pt, indent_mm=_INDENT_MM)
    for note in page.notes:
        yield from paragraph_lines(note, face, size_pt, space=1.0)
