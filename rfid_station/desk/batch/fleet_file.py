"""A fleet's list of drivers: one card each. Checked as a whole before anything changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rfid_station.desk.batch.findings import Cause, Finding
from rfid_station.desk.batch.judge import Judge
from rfid_station.desk.batch.reading import Table, open_table
from rfid_station.desk.batch.rows import Kind
from rfid_station.desk.batch.survey import survey
from rfid_station.domain.card import Driver
from rfid_station.domain.order import OrderLine
from rfid_station.errors import WrongCall

_NAMED = 5
"""How many findings are named; `batch check` lists all."""


def read_fleet_file(path: Path) -> list[OrderLine]:
    """Read a fleet's file in any dialect: a card for each of its rows.

    :raises WrongCall: the file or any of its rows cannot be used
    """
    wrong: list[Finding] = []
    with open_table(path) as table:
        lines = list(_lines(path, table, wrong))
    if wrong:
        named = "; ".join(_said(finding) for finding in wrong[:_NAMED])
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise WrongCall(f"{path} cannot be used: {named}{more}", hint=f"rfid-station batch check {path}")
    return lines


def _lines(path: Path, table: Table, wrong: list[Finding]) -> Iterator[OrderLine]:
    seen = survey(table)
    wrong += [finding for finding in seen.findings if finding.is_error]
    if seen.kind is not Kind.ORDERS:
        words = "is a list of a maker's cards" if seen.kind is Kind.CARDS else "is a list of changes"
        wrong.append(Finding(Cause.FILE, words, "rfid-station batch run"))
    if wrong:
        return
    judge = Judge(table.columns, seen)
    for checked in map(judge.judge, table.rows()):
        wrong += [finding for finding in checked.findings if finding.is_error]
        entry = checked.entry
        if entry:
            driver = Driver(entry.name, entry.reference, entry.fleet, entry.language)
            key = f"{path.stem}:{entry.reference}"
            yield OrderLine(key, driver, entry.group, entry.valid_until)


def _said(finding: Finding) -> str:
    row = "" if finding.row is None else f"row {finding.row}: "
    value = None if finding.value is None else repr(finding.value)
    return row + " ".join(filter(None, (finding.column, value, finding.words)))
