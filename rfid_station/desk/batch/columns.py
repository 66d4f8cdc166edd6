"""Which column of a file is which of ours: by a table of names (`data/fleet_headers.toml`)."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rfid_station.desk.batch.findings import Cause, Finding, Level, shown_value
from rfid_station.shipped import shipped

_NOISE = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each of our columns stands in a file, and how the file calls it."""

    titles: tuple[str, ...]
    places: dict[str, int]
    findings: tuple[Finding, ...]

    def title(self, column: str) -> str:
        """How the file calls one of our columns; our own name where it has none."""
        place = self.places.get(column)
        return column if place is None else self.titles[place]


def columns_of(header: Sequence[str]) -> Columns:
    """Find our columns in a header."""
    places: dict[str, int] = {}
    findings = []
    titles = tuple(title.strip() for title in header)
    while titles and not titles[-1]:
        titles = titles[:-1]
    for place, title in enumerate(titles):
        column = _known().get(_bare(title))
        if column is None:
            findings.append(_unknown(title, place))
        elif column in places:
            findings.append(_twice(title, titles[places[column]], column))
        else:
            places[column] = place
    return Columns(titles, places, tuple(findings))


def known_titles(header: Sequence[str]) -> int:
    """How many titles of a header are known."""
    return sum(_bare(title) in _known() for title in header)


@cache
def _known() -> dict[str, str]:
    table = tomllib.loads(shipped("data", "fleet_headers.toml").read_text("utf-8"))
    return {_bare(name): column for column, names in table.items() for name in names}


def _bare(title: str) -> str:
    return _NOISE.sub("", unicodedata.normalize("NFKC", title).casefold())


def _unknown(title: str, place: int) -> Finding:
    called = shown_value(title) or f"(column {place + 1} has no title)"
    return Finding(
        Cause.UNKNOWN_COLUMN,
        "is no column that is known here, and is left aside",
        "nothing, if it is not needed; docs/batch.md lists the titles that are known",
        row=1,
        column=called,
        value=shown_value(title),
        level=Level.WARNING,
    )


def _twice(title: str, other: str, column: str) -> Finding:
    return Finding(
        Cause.HEADER,
        f"means {column}, and so does {shown_value(other)!r}",
        "rename or remove one of the two columns",
        row=1,
        column=shown_value(title),
        value=shown_value(title),
    )
