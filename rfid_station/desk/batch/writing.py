"""Outcomes as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rfid_station.desk.batch.running import Outcome
from rfid_station.errors import WrongCall

COLUMNS = ("row", "reference", "result", "number", "state", "words")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def neutral(text: str) -> str:
    """A text that a spreadsheet takes for text: a quote stands in front of what would be a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_outcomes(file: TextIO, outcomes: Iterable[Outcome]) -> int:
    """Write a row for each outcome, and say how many."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for one in outcomes:
        count += 1
        cells = (one.reference, one.result.value, one.number or "", one.state or "", one.words)
        writer.writerow([one.row, *map(neutral, cells)])
    return count


def write_outcomes_into(path: Path, outcomes: Iterable[Outcome]) -> int:
    """Write outcomes into a file that is whole or not there.

    :raises WrongCall: the place cannot be written to
    """
    if path.exists() and not path.is_file():
        raise WrongCall(f"{path} is not a file", hint="name a file that is new, or that may be replaced")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            count = write_outcomes(file, outcomes)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise WrongCall(f"{path} cannot be written: {error.strerror}", hint=f"ls -ld {path.parent}") from None
    finally:
        with suppress(OSError):
            part.unlink()
    return count
