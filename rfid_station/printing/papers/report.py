"""Lists on paper: facts, tables, notes and lines to sign on, over as many pages as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rfid_station.printing.fonts import Typeface, house_typeface
from rfid_station.printing.papers.house_style import (
    TEXT_PT,
    Cell,
    Column,
    Line,
    draw_pages,
    fact_lines,
    heading_line,
    paragraph_lines,
    table_lines,
    title_lines,
)

_SIGNATURE_MM = 80.0


@dataclass(frozen=True, slots=True)
class Section:
    """A table under its heading. Rows have a text for each column."""

    heading: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = ""
    """Said where there are no rows."""
    has_ticks: bool = False
    """Whether each row has a box to tick."""


@dataclass(frozen=True, slots=True)
class Report:
    """What stands on a list, from top to bottom."""

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    signatures: tuple[str, ...]
    """Who signs: a line for each."""
    footer: str
    author: str = ""


def render_report(report: Report) -> bytes:
    """The list as PDF; the same list gives the same bytes."""
    face = house_typeface()
    return draw_pages(report.title, list(_lines(report, face)), TEXT_PT, report.footer, author=report.author)


def _lines(report: Report, face: Typeface) -> Iterator[Line]:
    yield from title_lines(report.title, face, TEXT_PT)
    yield from fact_lines(report.facts, face, TEXT_PT)
    for section in report.sections:
        yield heading_line(section.heading, face)
        if section.rows or not section.empty:
            yield from table_lines(section.columns, section.rows, face, TEXT_PT, has_ticks=section.has_ticks)
        else:
            yield from paragraph_lines(section.empty, face, TEXT_PT, space=0.4)
    for note in report.notes:
        yield from paragraph_lines(note, face, TEXT_PT, space=1.0)
    for signature in report.signatures:
        yield Line((Cell("_" * 40),), space=2.5)
        yield from paragraph_lines(signature, face, TEXT_PT)
