"""A portion of rows in which nothing can be wrong, taken column by column: that is most, and much quicker.

Nothing wrong is found here, and nothing decided: where a column leaves any doubt, the whole portion goes to
`judge.Judge`, row by row. What is taken here is what the judge would have made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
from typing import Any, TypeVar

from rfid_station.desk.batch.damage import is_damaged
from rfid_station.desk.batch.days import NoDay, read_day
from rfid_station.desk.batch.judge import Judge
from rfid_station.desk.batch.reading import Row
from rfid_station.desk.batch.rows import (
    LONGEST_NAME,
    LONGEST_REFERENCE,
    REQUIRED,
    USUAL_LANGUAGES,
    Checked,
    Entry,
    Kind,
)
from rfid_station.desk.batch.uid_lists import UidForm, read_uid, whole_uids
from rfid_station.domain.card_group import check_group
from rfid_station.domain.uid import CardUid
from rfid_station.errors import WrongCall

T = TypeVar("T")

_ODD = ("|=", "|+", "|-", "|@", "\ufffd", "Ã", "Â", "â€")
"""What a cell may begin with as a formula does, and what is printable and odd all the same."""
_BY_ROW = ("action", "reason", "number")
"""Columns that are left to the judge wherever they say anything."""


class _DoubtError(Exception):
    """Something may be wrong in a portion."""


@dataclass(slots=True)
class Glance:
    """Takes the portions of one file. What must not come twice, its judge remembers."""

    judge: Judge
    _rules: dict[str, Callable[[Sequence[str]], Iterable[Any]]] = field(init=False)

    def __post_init__(self) -> None:
        self._rules = {
            "reference": self._references,
            "name": self._names,
            "fleet": self._fleets,
            "language": _languages,
            "group": _groups,
            "uid": self._uids,
            "chip": list,
            "valid_until": _days,
        }

    def checked(self, rows: Sequence[Row]) -> list[Checked]:
        """Every row judged."""
        try:
            entries = self._entries(rows)
        except _DoubtError:
            return [self.judge.judge(row) for row in rows]
        return [Checked(entry.row, entry, []) for entry in entries]

    def _entries(self, rows: Sequence[Row]) -> list[Entry]:
        columns = self._columns(rows)
        values = {name: rule(columns[name]) for name, rule in self._rules.items() if name in columns}
        numbers = [row.number for row in rows]
        self._remember("reference", columns.get("reference", ()), numbers)
        self._remember("uid", [uid.hex for uid in values.get("uid", ())], numbers)
        defaults = Entry._field_defaults
        others = (values.get(name, repeat(defaults[name])) for name in Entry._fields[1:])
        return list(map(Entry, numbers, *others))

    def _columns(self, rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
        """Columns of cells with nothing in them that a single cell could be refused or named for."""
        survey, columns = self.judge.survey, self.judge.columns
        _must(survey.is_usable and survey.kind is not Kind.CHANGES)
        cells = [row.cells for row in rows]
        _must(set(map(len, cells)) == {len(columns.titles)})
        text = "|" + "|".join(map("|".join, cells))
        _must(text.isprintable() and not any(odd in text for odd in _ODD))
        by_place = list(zip(*cells, strict=True))
        found = {name: by_place[place] for name, place in columns.places.items()}
        _must(all(all(found[name]) for name in REQUIRED[survey.kind] if name in found))
        _must(not any(any(found[name]) for name in _BY_ROW if name in found))
        return found

    def _references(self, texts: Sequence[str]) -> Sequence[str]:
        given = list(filter(None, texts))
        if given:
            lengths = set(map(len, given))
            _must(
                max(lengths) <= LONGEST_REFERENCE
                and min(lengths) >= (self.judge.survey.reference_digits or 0)
            )
            _must("".join(given).isalnum() or not any(map(is_damaged, given)))
            self._new("reference", given)
        return texts

    def _names(self, texts: Sequence[str]) -> Sequence[str]:
        _must(max(map(len, texts)) <= LONGEST_NAME)
        return texts

    def _fleets(self, texts: Sequence[str]) -> Sequence[str]:
        _groups(texts)
        return texts

    def _uids(self, texts: Sequence[str]) -> list[CardUid]:
        form = self.judge.survey.reads_uids_as
        uids: Sequence[CardUid | str] = ()
        if form is UidForm.AS_IS:
            uids = whole_uids(texts)
        if not uids and form is not None:
            _must("".join(texts).isalnum())
            uids = [read_uid(text, form) for text in texts]
        usable = [uid for uid in uids if isinstance(uid, CardUid)]
        _must(len(usable) == len(texts))
        _must(not any(uid.raw[-1] == 0x04 != uid.raw[0] for uid in usable))
        self._new("uid", [uid.hex for uid in usable])
        return usable

    def _new(self, column: str, values: Sequence[str]) -> None:
        """Doubt what came before."""
        _must(len(set(values)) == len(values) and self.judge.seen[column].keys().isdisjoint(values))

    def _remember(self, column: str, values: Iterable[str], numbers: Sequence[int]) -> None:
        seen = self.judge.seen[column]
        seen.update((value, number) for value, number in zip(values, numbers, strict=False) if value)


def _must(is_beyond_doubt: bool) -> None:
    if not is_beyond_doubt:
        raise _DoubtError


def _each(texts: Sequence[str], read: Callable[[str], T]) -> list[T]:
    """What texts mean of which many are the same."""
    meanings = {text: read(text) for text in set(texts)}
    return [meanings[text] for text in texts]


def _languages(texts: Sequence[str]) -> list[str | None]:
    _must(USUAL_LANGUAGES.issuperset(filter(None, texts)))
    return [text or None for text in texts]


def _groups(texts: Sequence[str]) -> list[str | None]:
    def read(text: str) -> str | None:
        try:
            return text if not text or check_group(text) else None
        except WrongCall:
            raise _DoubtError from None

    return [name or None for name in _each(texts, read)]


def _days(texts: Sequence[str]) -> list[date | None]:
    def read(text: str) -> date | None:
        day = read_day(text) if text else None
        if isinstance(day, NoDay):
            raise _DoubtError
        return day

    return _each(texts, read)
