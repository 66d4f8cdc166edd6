"""Days as files write them: read where they have one meaning, and what a spreadsheet made of them named."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from rfid_station.desk.batch.findings import Cause

WRITE_IT = "write the day as 2027-12-31"

_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?", re.ASCII)
"""With the midnight that spreadsheets add."""
_GERMAN = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})(?: 00:00(?::00)?)?", re.ASCII)
"""Nobody writes a month first where dots stand."""
_EITHER = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})", re.ASCII)
_DAY_FIRST = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?[ .\-/]{1,2}([^\W\d_]{3,9})[ .,\-/]{1,2}([0-9]{4})")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", re.ASCII)
_SHORT_YEAR = re.compile(r"\d{1,2}[./\- ]{1,2}(?:\d{1,2}|[^\W\d_]{3,9})[./\- ]{1,2}\d{2}")
_NO_YEAR = re.compile(r"\d{1,2}[.\-/ ]{1,2}[^\W\d_]{3,9}\.?|[^\W\d_]{3,9}\.?[\-/ ]\d{2,4}")
_NARROW = re.compile(r"#+")
_SCIENTIFIC = re.compile(r"\d+[.,]?\d*E\+?\d+", re.IGNORECASE)
_SERIAL = re.compile(r"\d{5}(?:[.,]0+)?", re.ASCII)
_SERIAL_START = date(1899, 12, 30)
"""Day 0 of a spreadsheet, leap year of 1900 included."""
_SERIALS = range(36_526, 73_051)
"""The years 2000 to 2099."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar",
            "feb february februar",
            "mar march mär märz maerz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ),
        1,
    )
    for name in names.split()
}


class NoDay(NamedTuple):
    """Why a text is no day that could be relied on."""

    cause: Cause
    words: str
    remedy: str = WRITE_IT


@lru_cache(maxsize=1024)
def read_day(text: str) -> date | NoDay:
    """The one day that a text can mean: ISO 8601, German or English.

    `03/04/2027` is two days, one in London and one in New York; it is refused.
    """
    found = _written(text)
    if isinstance(found, NoDay):
        return found
    if found is None:
        return _damage(text)
    year, month, day = found
    try:
        return date(year, month, day)
    except ValueError:
        return NoDay(Cause.VALUE, "is a day that no calendar has")


def _written(text: str) -> tuple[int, int, int] | NoDay | None:
    """Year, month and day as they are written."""
    if iso := _ISO.fullmatch(text):
        return int(iso[1]), int(iso[2]), int(iso[3])
    if german := _GERMAN.fullmatch(text):
        return int(german[3]), int(german[2]), int(german[1])
    if either := _EITHER.fullmatch(text):
        return _one_of_two(int(either[1]), int(either[3]), int(either[4]))
    return _with_a_name(text)


def _one_of_two(first: int, second: int, year: int) -> tuple[int, int, int] | NoDay:
    """Day and month where either may come first: only one of them reads as a month, or it does not matter."""
    if first <= 12 and second <= 12 and first != second:
        british, american = f"{year}-{second:02}-{first:02}", f"{year}-{first:02}-{second:02}"
        return NoDay(Cause.DATE, f"may be {british} or {american}", "write the one that is meant")
    return (year, second, first) if second <= 12 else (year, first, second)


def _with_a_name(text: str) -> tuple[int, int, int] | None:
    if months := _MONTH_FIRST.fullmatch(text):
        name, day, year = months.groups()
    elif days := _DAY_FIRST.fullmatch(text):
        day, name, year = days.groups()
    else:
        return None
    month = _MONTHS.get(name.casefold())
    return None if month is None else (int(year), month, int(day))


def _damage(text: str) -> NoDay:
    """What a spreadsheet did to it, where that can be told."""
    if _NARROW.fullmatch(text):
        return NoDay(Cause.DATE, "was not shown: the column was too narrow when the file was saved")
    if _SCIENTIFIC.fullmatch(text):
        return NoDay(Cause.SCIENTIFIC, "was made a number by a spreadsheet")
    if _SERIAL.fullmatch(text) and int(text[:5]) in _SERIALS:
        day = _SERIAL_START + timedelta(int(text[:5]))
        return NoDay(Cause.DATE, "is how a spreadsheet counts days", f"if {day} is meant, write that")
    if _SHORT_YEAR.fullmatch(text):
        return NoDay(Cause.DATE, "has a year of two digits")
    if _NO_YEAR.fullmatch(text):
        return NoDay(Cause.DATE, "lacks the day or the year, as spreadsheets cut dates")
    return NoDay(Cause.VALUE, "is no day")
