"""What a row of a fleet file must look like, whatever the store knows: all that is wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from rfid_station.desk.batch.actions import WORDS, Action
from rfid_station.desk.batch.columns import Columns
from rfid_station.desk.batch.damage import (
    has_control_characters,
    is_date,
    is_encoded_twice,
    is_formula,
    is_odd,
    is_scientific,
)
from rfid_station.desk.batch.days import NoDay, read_day
from rfid_station.desk.batch.findings import Cause, Finding, Level, shown_value
from rfid_station.desk.batch.reading import Row
from rfid_station.desk.batch.rows import (
    CLEARED,
    LONGEST_NAME,
    LONGEST_REFERENCE,
    MAY_BE_CLEARED,
    REQUIRED,
    UPDATES,
    USUAL_LANGUAGES,
    Checked,
    Entry,
    Kind,
)
from rfid_station.desk.batch.survey import Survey
from rfid_station.desk.batch.uid_lists import digits_of, read_uid
from rfid_station.domain.card import Reason
from rfid_station.domain.card_group import check_group
from rfid_station.domain.uid import CardUid
from rfid_station.domain.visual_number import MAX_LENGTH, NumberPattern, bare
from rfid_station.errors import WrongCall

_LANGUAGE = re.compile(r"[a-z]{2}")
_AS_TEXT = "format the column as text, type the value again, or take it from the original list"


@dataclass(slots=True)
class Judge:
    """Judges the rows of one file, one after the other, and remembers what must not come twice."""

    columns: Columns
    survey: Survey
    pattern: NumberPattern | None = None
    """How our own visual numbers look."""
    seen: dict[str, dict[str, int]] = field(init=False)
    """By column: the row in which each value came first."""
    _found: list[Finding] = field(init=False, default_factory=list)
    _good_names: set[str] = field(init=False, default_factory=set)
    _row: int = field(init=False, default=0)
    _is_usable: bool = field(init=False)
    _steps: list[tuple[str, int, Callable[[str], object]]] = field(init=False)

    def __post_init__(self) -> None:
        self._is_usable = self.survey.is_usable
        self.seen = {"reference": {}, "uid": {}, "number": {}}
        rules = {
            "reference": self._reference,
            "name": self._name,
            "fleet": self._fleet,
            "language": self._language,
            "group": self._group,
            "uid": self._uid,
            "number": self._number,
            "chip": self._text,
            "action": self._action,
            "reason": self._reason,
            "valid_until": self._valid_until,
        }
        self._steps = [
            (name, self.columns.places[name], rule)
            for name, rule in rules.items()
            if name in self.columns.places
        ]

    def judge(self, row: Row) -> Checked:
        """All that is wrong with a row, and what it asks for if nothing is."""
        self._found, self._row = [], row.number
        if row.broken:
            self._add(Cause.SHAPE, f"cannot be taken apart: {row.broken}", "close the quotes in that row")
            return Checked(row.number, None, self._found)
        width, cells = len(self.columns.titles), row.cells
        if len(cells) != width and (len(cells) < width or any(cells[width:])):
            self._add(
                Cause.SHAPE,
                f"has {len(cells)} columns, and the header has {width}",
                "put values with a delimiter in them into quotes; leave no column out",
            )
            return Checked(row.number, None, self._found)
        clears: frozenset[str] = frozenset()
        if CLEARED in cells and self.survey.kind is Kind.CHANGES:
            cells, clears = self._cleared(cells)
        if is_odd(cells):
            self._look_at_texts(cells)
        values = {name: rule(cells[place]) for name, place, rule in self._steps}
        if values.get("action") is Action.UPDATE:
            values["clears"] = clears
            self._check_update(values, clears)
        is_good = self._is_usable and not (self._found and any(one.is_error for one in self._found))
        return Checked(row.number, Entry(row.number, **values) if is_good else None, self._found)  # type: ignore[arg-type]

    def _cleared(self, cells: list[str]) -> tuple[list[str], frozenset[str]]:
        """The cells without those that say to take away what stands there, and which these are."""
        places = {
            self.columns.places[name]: name
            for name in UPDATES
            if name in self.columns.places and cells[self.columns.places[name]] == CLEARED
        }
        left = ["" if place in places else cell for place, cell in enumerate(cells)]
        return left, frozenset(places.values())

    def _check_update(self, values: Mapping[str, object], clears: frozenset[str]) -> None:
        for column in sorted(clears.difference(MAY_BE_CLEARED)):
            remedy = (
                "name another group" if column == "group" else "rfid-station driver erase forgets a person"
            )
            self._add(Cause.VALUE, "cannot be taken away", remedy, column, CLEARED)
        if not clears and not any(values.get(name) for name in UPDATES):
            remedy = f"fill in one of: {', '.join(UPDATES)}"
            self._add(Cause.EMPTY, "says update, and the row has nothing to change", remedy, "action")

    def _look_at_texts(self, cells: list[str]) -> None:
        for name, place, _ in self._steps:
            text = cells[place]
            if has_control_characters(text):
                self._add(
                    Cause.CHARACTERS,
                    "has a line break or characters that no list shows",
                    "type it again without them",
                    name,
                    text,
                )
            if is_encoded_twice(text):
                self._add(
                    Cause.ENCODED_TWICE,
                    "looks like UTF-8 that was opened as Windows-1252 and saved",
                    "export the list again, as CSV UTF-8",
                    name,
                    text,
                    Level.WARNING,
                )
            if is_formula(text):
                self._add(
                    Cause.FORMULA,
                    "would be a formula in a spreadsheet",
                    "nothing, if it is meant; files for spreadsheets get a quote in front of it",
                    name,
                    text,
                    Level.WARNING,
                )

    def _add(
        self,
        cause: Cause,
        words: str,
        remedy: str,
        column: str | None = None,
        value: str | None = None,
        level: Level = Level.ERROR,
    ) -> None:
        title = None if column is None else self.columns.title(column)
        told = None if value is None else shown_value(value)
        self._found.append(Finding(cause, words, remedy, self._row, title, told, level))

    def _once(self, column: str, value: str, same: str) -> None:
        first = self.seen[column].setdefault(same, self._row)
        if first != self._row:
            self._add(
                Cause.REPEATED,
                f"stands in row {first} already",
                "remove one of the two rows, or correct it",
                column,
                value,
            )

    def _must(self, column: str, text: str) -> bool:
        if not text:
            self._add(Cause.EMPTY, "is empty", f"fill in {column}", column)
        return bool(text)

    def _short(self, column: str, text: str, longest: int) -> None:
        if len(text) > longest:
            self._add(Cause.VALUE, f"has {len(text)} characters", f"use {longest} at most", column, text)

    def _undamaged(self, column: str, text: str) -> bool:
        if text.isalnum():
            return True
        if is_scientific(text):
            self._add(
                Cause.SCIENTIFIC,
                "was made a number by a spreadsheet, and its digits are lost",
                _AS_TEXT,
                column,
                text,
            )
            return False
        if is_date(text):
            level = Level.WARNING if column == "reference" else Level.ERROR
            self._add(
                Cause.DATE,
                "looks like a date that a spreadsheet made of a number",
                _AS_TEXT,
                column,
                text,
                level,
            )
            return level is Level.WARNING
        return True

    def _reference(self, text: str) -> str:
        if not text:
            if "reference" in REQUIRED[self.survey.kind]:
                self._must("reference", text)
            return text
        if not self._undamaged("reference", text):
            return text
        self._short("reference", text, LONGEST_REFERENCE)
        width = self.survey.reference_digits
        if width and len(text) < width and text.isdigit():
            self._add(
                Cause.ZEROS_LOST,
                f"has {len(text)} digits, nearly all others {width}: it may have lost its leading zeros",
                _AS_TEXT,
                "reference",
                text,
                Level.WARNING,
            )
        if self.survey.kind is not Kind.CHANGES:
            self._once("reference", text, text)
        return text

    def _name(self, text: str) -> str:
        if self.survey.kind is Kind.ORDERS:
            self._must("name", text)
        self._short("name", text, LONGEST_NAME)
        return text

    def _fleet(self, text: str) -> str:
        if text:
            self._named("fleet", text)
        return text

    def _group(self, text: str) -> str | None:
        if text:
            self._named("group", text)
        return text or None

    def _named(self, column: str, text: str) -> None:
        if text in self._good_names:
            return
        try:
            check_group(text)
        except WrongCall as wrong:
            self._add(Cause.VALUE, "cannot name a card group", wrong.hint or "", column, text)
        else:
            self._good_names.add(text)

    def _language(self, text: str) -> str | None:
        if text in USUAL_LANGUAGES:
            return text
        code = text.lower()
        if text and not _LANGUAGE.fullmatch(code):
            self._add(
                Cause.VALUE, "is not two letters", "write a code of ISO 639-1, as in de", "language", text
            )
        return code or None

    def _uid(self, text: str) -> CardUid | None:
        form = self.survey.reads_uids_as
        if not text:
            if self.survey.kind is Kind.CARDS:
                self._must("uid", text)
            return None
        if form is None or not self._undamaged("uid", text):
            return None
        uid = read_uid(text, form)
        if isinstance(uid, CardUid):
            self._once("uid", text, uid.hex)
            self._order_of_bytes(uid, text)
            return uid
        self._not_a_uid(text, uid)
        return None

    def _order_of_bytes(self, uid: CardUid, text: str) -> None:
        if (
            len(uid.raw) != 7
            or uid.raw[0] == 0x04
            or uid.raw[6] != 0x04
            or self.survey.uids.is_certain is False
        ):
            return
        self._add(
            Cause.UID_FORM,
            "ends with the byte 04 that NXP's UIDs begin with, unlike the list: it may be reversed",
            "compare the card: rfid-station card read",
            "uid",
            text,
            Level.WARNING,
        )

    def _not_a_uid(self, text: str, words: str) -> None:
        digits = digits_of(text)
        if len(digits) in (7, 13, 19) and digits.isdigit():
            cause, words = Cause.ZEROS_LOST, "has lost its leading zero in a spreadsheet"
        else:
            cause = Cause.UID
        remedy = (
            _AS_TEXT
            if cause is Cause.ZEROS_LOST
            else "write 8, 14 or 20 hexadecimal digits, as in 04E10CDA993C80"
        )
        self._add(cause, words, remedy, "uid", text)

    def _number(self, text: str) -> str | None:
        if not text:
            if self.survey.kind is Kind.CHANGES:
                self._must("number", text)
            return None
        if not self._undamaged("number", text):
            return None
        self._short("number", text, MAX_LENGTH)
        if not bare(text):
            self._add(
                Cause.VALUE, "has no letter and no digit", "write the number on the card", "number", text
            )
        elif self.pattern and _has_shape(self.pattern, text) and self.pattern.index(text) is None:
            self._add(
                Cause.VALUE,
                f"has the shape of {self.pattern.text} and a wrong check digit",
                "read it from the card again",
                "number",
                text,
            )
        self._once("number", text, bare(text))
        return text

    def _text(self, text: str) -> str:
        return text

    def _action(self, text: str) -> Action | None:
        if not self._must("action", text):
            return None
        action = WORDS.get(text.casefold())
        if action is None:
            self._add(Cause.VALUE, "is no action", f"write one of: {', '.join(WORDS)}", "action", text)
        return action

    def _reason(self, text: str) -> Reason | None:
        if not text:
            return None
        if text.casefold() not in list(Reason):
            self._add(Cause.VALUE, "is no reason", f"write one of: {', '.join(Reason)}", "reason", text)
            return None
        return Reason(text.casefold())

    def _valid_until(self, text: str) -> date | None:
        if not text:
            return None
        day = read_day(text)
        if isinstance(day, NoDay):
            self._add(day.cause, day.words, day.remedy, "valid_until", text)
            return None
        return day


def _has_shape(pattern: NumberPattern, text: str) -> bool:
    wanted = bare(pattern.text).translate({ord("#"): "0", ord("@"): "0"})
    return re.sub(r"\d", "0", bare(text)) == re.sub(r"\d", "0", wanted)
