"""A fleet's list of drivers: one card each. Checked as a whole before anything changes."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from rfid_station.domain.card import Driver
from rfid_station.domain.card_group import check_group
from rfid_station.errors import WrongCall

COLUMNS = ("reference", "name", "fleet", "language")
OPTIONAL = ("group",)
"""May follow them: the group that agreements know the card by; by default the fleet's name."""
_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One card to be made. The key is the same whenever the same file is read again."""

    key: str
    driver: Driver
    group: str | None = None
    """The card's; None for the one of its fleet."""


def read_fleet_file(path: Path) -> list[OrderLine]:
    """Read a CSV file with the columns reference, name, fleet, language and maybe group (UTF-8, comma).

    :raises WrongCall: the file or any of its rows cannot be used; all rows are named at once
    """
    width, rows = _rows(path)
    lines, wrong = [], []
    first_row: dict[str, int] = {}
    for number, row in rows:
        trouble = _trouble(row, number, first_row, width)
        wrong += [f"row {number}: {words}" for words in trouble]
        if not trouble:
            lines.append(_line(path, row))
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WrongCall(
            f"{path} cannot be used: {'; '.join(wrong[:5])}{more}",
            hint="correct these rows in a text editor (spreadsheets change numbers), then run it again",
        )
    if not lines:
        raise WrongCall(f"{path} lists no driver", hint="add a row for each card below the header")
    return lines


def _rows(path: Path) -> tuple[int, list[tuple[int, dict[str, str]]]]:
    """How many columns there are, and the rows with the numbers of their lines."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise WrongCall(f"there is no file {path}", hint=f"ls {path.parent}") from None
    except (UnicodeDecodeError, IsADirectoryError, PermissionError) as error:
        raise WrongCall(
            f"{path} cannot be read as UTF-8 text: {error}",
            hint="save it as CSV UTF-8, and see that you may read it",
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        found = tuple(name.strip() for name in reader.fieldnames or ())
        reader.fieldnames = found
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise WrongCall(
            f"{path} row {reader.line_num}: {error}", hint="close the quotes in that row"
        ) from None
    if found not in (COLUMNS, COLUMNS + OPTIONAL):
        raise WrongCall(
            f"{path} has the columns {', '.join(found) or '(none)'}",
            hint=f"make its first line: {','.join(COLUMNS)} (,{','.join(OPTIONAL)} may follow)",
        )
    return len(found), rows


def _trouble(row: dict[str, str], number: int, first_row: dict[str, int], width: int) -> list[str]:
    """What is wrong with a row, in words; remembers its reference."""
    if None in row or None in row.values():
        return [f"has not {width} columns"]
    trouble = []
    reference = row["reference"].strip()
    if not reference:
        trouble.append("reference is empty")
    elif reference in first_row:
        trouble.append(f"reference {reference!r} stands in row {first_row[reference]} already")
    else:
        first_row[reference] = number
    if not row["name"].strip():
        trouble.append("name is empty")
    language = row["language"].strip()
    if language and not _LANGUAGE.fullmatch(language):
        trouble.append(f"language {language!r} is not two small letters, as in de")
    group = row.get("group", "").strip() or row["fleet"].strip()
    if group:
        try:
            check_group(group)
        except WrongCall as wrong:
            trouble.append(wrong.message)
    return trouble


def _line(path: Path, row: dict[str, str]) -> OrderLine:
    reference, name, fleet, language = (row[column].strip() for column in COLUMNS)
    driver = Driver(name=name, reference=reference, fleet=fleet, language=language or None)
    return OrderLine(f"{path.stem}:{reference}", driver, row.get("group", "").strip() or None)
