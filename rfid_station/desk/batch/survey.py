"""What a whole fleet file looks like, before its rows are judged one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rfid_station.desk.batch.columns import Columns
from rfid_station.desk.batch.findings import Cause, Finding, Level, shown_value
from rfid_station.desk.batch.reading import Table
from rfid_station.desk.batch.rows import REQUIRED, Kind
from rfid_station.desk.batch.uid_lists import ENOUGH, Tally, UidForm, Verdict

_SHORTEST_PADDED = 4
_PORTION = 1000
"""Rows that are looked at together."""


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
