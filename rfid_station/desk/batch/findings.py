"""What a check finds: where, what value, what is wrong with it, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LONGEST_VALUE = 60
"""Characters of a value that a finding repeats."""


class Level(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """The row, or the file, cannot be used."""
    WARNING = "warning"
    """It can be used, and should be looked at."""


class Cause(StrEnum):
    """What is wrong, for programs."""

    FILE = "file"
    HEADER = "header"
    UNKNOWN_COLUMN = "unknown-column"
    SHAPE = "shape"
    EMPTY = "empty"
    VALUE = "value"
    CHARACTERS = "characters"
    FORMULA = "formula"
    SCIENTIFIC = "scientific-notation"
    DATE = "date"
    ZEROS_LOST = "zeros-lost"
    DIGITS_LOST = "digits-lost"
    ENCODED_TWICE = "encoded-twice"
    REPEATED = "repeated"
    UID_FORM = "uid-form"
    UID = "uid"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. Row 1 is the header; without a row it concerns the file or a whole column."""

    cause: Cause
    words: str
    remedy: str
    row: int | None = None
    column: str | None = None
    """As the file names it."""
    value: str | None = None
    level: Level = Level.ERROR

    @property
    def is_error(self) -> bool:
        """Whether the row, or the file, cannot be used."""
        return self.level is Level.ERROR

    @property
    def place(self) -> str:
        """Where it is, in words."""
        row = f"row {self.row}" if self.row is not None else ""
        return ", ".join(filter(None, (row, self.column))) or "the file"


def shown_value(text: str) -> str:
    """A value as a person may see it: control characters written out, a long one cut."""
    cut = text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
    return "".join(sign if sign.isprintable() else f"\\u{ord(sign):04x}" for sign in cut)
