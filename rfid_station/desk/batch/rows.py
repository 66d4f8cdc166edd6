"""What a row of a fleet file must look like, whatever the store knows: all that is wrong with it at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rfid_station.desk.batch.actions import WORDS, Action
from rfid_station.desk.batch.columns import Columns
from rfid_station.desk.batch.days import NoDay, read_day
from rfid_station.desk.batch.findings import Cause, Finding, Level, shown_value
from rfid_station.desk.batch.reading import Row, Table
from rfid_station.desk.batch.uid_lists import ENOUGH, Tally, UidForm, Verdict, digits_of, read_uid
from rfid_station.domain.card import Reason
from rfid_station.domain.card_group import check_group
from rfid_station.domain.uid import CardUid
from rfid_station.domain.visual_number import MAX_LENGTH, NumberPattern, bare
from rfid_station.errors import WrongCall

LONGEST_NAME = 200
LONGEST_REFERENCE = 100

_LANGUAGE = re.compile(r"[a-z]{2}")
USUAL_LANGUAGES = frozenset({"de", "en", "fr", "nl"})
"""Languages that need no closer look."""
_ODD = re.compile(
    r"^[=+\-@]|[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffd\u2028\u2029]|[ÃÂ][\x80-\xbf€-™]|â€", re.MULTILINE
)
"""What makes a row worth a closer look: formulas, control characters, text that was encoded twice."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd\u2028\u2029]")
_TWICE = re.compile(r"[ÃÂ][\x80-\xbf€-™]|â€")
_PLAIN_NUMBER = re.compile(r"[+\-][\d ./()]+")
_SCIENTIFIC = re.compile(r"[+\-]?\d+([.,]\d+)?E[+\-]\d+|[+\-]?\d+[.,]\d+E\d+", re.IGNORECASE)
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}|"
    r"\d{1,2}[.\-/ ]{1,2}(jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*\.?"
    r"([.\-/ ]{1,2}\d{2,4})?",
    re.IGNORECASE,
)
_AS_TEXT = "format the column as text, type the value again, or take it from the original list"
_SHORTEST_PADDED = 4
_PORTION = 1000
"""Rows that are looked at together."""


class Kind(StrEnum):
    """What a file asks for, told by its columns."""

    ORDERS = "orders"
    """A card to be made for each driver."""
    CARDS = "cards"
    """Cards that a maker delivers, with their UIDs."""
    CHANGES = "changes"
    """Cards to be blocked, unblocked, activated ..."""


REQUIRED = {
    Kind.ORDERS: ("reference", "name"),
    Kind.CARDS: ("uid",),
    Kind.CHANGES: ("number", "action"),
}

UPDATES = ("reference", "name", "fleet", "language", "group", "valid_until")
"""What an update may change."""
CLEARED = "-"
"""In a cell of an update: take away what stands there; an empty cell leaves it."""
MAY_BE_CLEARED = ("fleet", "language", "valid_until")


class Entry(NamedTuple):
    """A row without an error."""

    row: int
    reference: str = ""
    name: str = ""
    fleet: str = ""
    language: str | None = None
    group: str | None = None
    uid: CardUid | None = None
    number: str | None = None
    chip: str = ""
    action: Action | None = None
    reason: Reason | None = None
    valid_until: date | None = None
    clears: frozenset[str] = frozenset()
    """What an update takes away."""


class Checked(NamedTuple):
    """A row and what was found in it."""

    row: int
    entry: Entry | None
    """None if the row cannot be used."""
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a whole file looks like, before its rows are judged one by one."""

    kind: Kind
    findings: tuple[Finding, ...]
    uids: Verdict
    reads_uids_as: UidForm | None
    """The form in which rows are read; None if no row can be."""
    reference_digits: int | None
    """How many digits nearly all references have."""
    rows: int

    @property
    def is_usable(self) -> bool:
        """Whether any row of the file can be carried out."""
        return not any(finding.is_error for finding in self.findings)


def survey(table: Table, wanted: UidForm = UidForm.AS_IS) -> Survey:
    """Look at a whole file: its columns, the form of its UIDs, the width of its references."""
    columns = table.columns
    kind = _kind_of(columns)
    findings = [*columns.findings, *_missing(columns, kind)]
    tally, widths = Tally(), Counter[int]()
    rows = _count(table, tally, widths)
    if rows == 0 and not any(finding.is_error for finding in findings):
        findings.append(Finding(Cause.FILE, "lists nothing", "add a row for each card below the header"))
    verdict = tally.verdict()
    form: UidForm | None = wanted
    if kind is Kind.CARDS:
        of_list = _of_list(columns, verdict, wanted)
        findings += [*of_list, *_not_unique(columns, tally)]
        if any(finding.is_error for finding in of_list):
            form = verdict.options[0] if verdict.options else None
    width, most = widths.most_common(1)[0] if widths else (0, 0)
    has_width = most >= ENOUGH and most >= 0.95 * rows and width >= _SHORTEST_PADDED
    return Survey(kind, tuple(findings), verdict, form, width if has_width else None, rows)


def _kind_of(columns: Columns) -> Kind:
    if "action" in columns.places:
        return Kind.CHANGES
    return Kind.CARDS if "uid" in columns.places else Kind.ORDERS


def _missing(columns: Columns, kind: Kind) -> Iterator[Finding]:
    for column in REQUIRED[kind]:
        if column not in columns.places:
            titles = ", ".join(map(shown_value, columns.titles)) or "(none)"
            yield Finding(
                Cause.HEADER,
                f"is missing: the file has the columns {titles}",
                f"give the first row the title {column}, or one that docs/batch.md lists for it",
                row=1,
                column=column,
            )


def _count(table: Table, tally: Tally, widths: Counter[int]) -> int:
    uid, reference = table.columns.places.get("uid"), table.columns.places.get("reference")
    counted = 0
    for rows in table.portions(_PORTION):
        counted += len(rows)
        if uid is not None:
            tally.add_all([row.cells[uid] for row in rows if uid < len(row.cells)])
        if reference is not None:
            references = [row.cells[reference] for row in rows if reference < len(row.cells)]
            widths.update(len(text) for text in references if text.isdigit())
    return counted


def _of_list(columns: Columns, verdict: Verdict, wanted: UidForm) -> list[Finding]:
    """What there is to say of the UIDs as a whole."""

    def said(words: str, remedy: str, level: Level = Level.ERROR) -> list[Finding]:
        return [Finding(Cause.UID_FORM, words, remedy, column=columns.title("uid"), level=level)]

    if verdict.form is None:
        return said(verdict.words, "ask the maker for the whole UIDs, in hexadecimal, as text")
    if wanted in verdict.options:
        return []
    options = " or ".join(f"--uids {form}" for form in verdict.options)
    if verdict.options and verdict.is_certain:
        return said(verdict.words, f"nothing is turned by itself: add {options}")
    if verdict.options:
        return said(verdict.words, f"compare one card (rfid-station card read), then add {options}")
    if wanted is not UidForm.AS_IS and verdict.is_certain:
        return said(f"look right as they are, and are to be read {wanted}", "leave --uids out")
    if not verdict.is_certain and wanted is UidForm.AS_IS:
        remedy = "compare one card: rfid-station card read; if it reads reversed, add --uids reversed"
        return said(verdict.words, remedy, Level.WARNING)
    return []


def _not_unique(columns: Columns, tally: Tally) -> Iterator[Finding]:
    """Makers have run out of numbers of four bytes, and give them out again (NXP AN10927)."""
    if tally.lengths[8]:
        yield Finding(
            Cause.UID,
            f"{tally.lengths[8]} of {tally.count} UIDs have 4 bytes: another card may carry the same number",
            "take chips with UIDs of 7 bytes where you can; a number that is taken is refused",
            column=columns.title("uid"),
            level=Level.WARNING,
        )


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
        joined = "\n".join(cells)
        if _ODD.search(joined) or joined.count("\n") >= len(cells):
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
            if _CONTROL.search(text):
                self._add(
                    Cause.CHARACTERS,
                    "has a line break or characters that no list shows",
                    "type it again without them",
                    name,
                    text,
                )
            if _TWICE.search(text):
                self._add(
                    Cause.ENCODED_TWICE,
                    "looks like UTF-8 that was opened as Windows-1252 and saved",
                    "export the list again, as CSV UTF-8",
                    name,
                    text,
                    Level.WARNING,
                )
            if text[:1] in ("=", "+", "-", "@") and text and not _PLAIN_NUMBER.fullmatch(text):
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
        if _SCIENTIFIC.fullmatch(text):
            self._add(
                Cause.SCIENTIFIC,
                "was made a number by a spreadsheet, and its digits are lost",
                _AS_TEXT,
                column,
                text,
            )
            return False
        if _DATE.fullmatch(text):
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


def is_damaged(text: str) -> bool:
    """Whether a text looks like what a spreadsheet made of a number."""
    return not text.isalnum() and bool(_SCIENTIFIC.fullmatch(text) or _DATE.fullmatch(text))


def _has_shape(pattern: NumberPattern, text: str) -> bool:
    wanted = bare(pattern.text).translate({ord("#"): "0", ord("@"): "0"})
    return re.sub(r"\d", "0", bare(text)) == re.sub(r"\d", "0", wanted)
