"""What spreadsheets and wrong encodings make of a cell, told by its text alone."""

from __future__ import annotations

import re

_ODD = re.compile(
    r"^[=+\-@]|[\x00-\x09\x0b-\x1f\x7f-\x9f\ufffd\u2028\u2029]|[ÃÂ][\x80-\xbf€-™]|â€", re.MULTILINE
)
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


def is_odd(cells: list[str]) -> bool:
    """Whether a row is worth a closer look: formulas, control characters, text that was encoded twice."""
    joined = "\n".join(cells)
    return bool(_ODD.search(joined)) or joined.count("\n") >= len(cells)


def has_control_characters(text: str) -> bool:
    """Whether there is a line break in it, or a character that no list shows."""
    return bool(_CONTROL.search(text))


def is_encoded_twice(text: str) -> bool:
    """Whether it looks like UTF-8 that was read as Windows-1252 and written again."""
    return bool(_TWICE.search(text))


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take it for a formula."""
    return text[:1] in ("=", "+", "-", "@") and bool(text) and not _PLAIN_NUMBER.fullmatch(text)


def is_scientific(text: str) -> bool:
    """Whether it looks like a number that lost its digits: 4,10E+13."""
    return bool(_SCIENTIFIC.fullmatch(text))


def is_date(text: str) -> bool:
    """Whether it looks like a date that was made of a number: 3-4 or 04.Mrz."""
    return bool(_DATE.fullmatch(text))


def is_damaged(text: str) -> bool:
    """Whether a text looks like what a spreadsheet made of a number."""
    return not text.isalnum() and (is_scientific(text) or is_date(text))
