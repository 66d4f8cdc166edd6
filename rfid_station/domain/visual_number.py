"""The number printed on a card, which drivers read out on the phone.

A pattern says how it looks: `#` is a digit, `@` the check digit, everything else stands for
itself, as in `EXM-####-####-@`. The check digit is Damm's: one wrong digit and one swap of
neighbours are always noticed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rfid_station.errors import WrongCall

_DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)
"""The quasigroup of H. M. Damm's thesis (2004), Table 3: weakly totally anti-symmetric, order 10."""

_TWO_STEPS = [
    {f"{first}{second}": _DAMM[_DAMM[interim][first]][second] for first in range(10) for second in range(10)}
    for interim in range(10)
]
"""Two digits at a time."""

_SEPARATORS = re.compile(r"[^0-9A-Za-z#@]").sub
_TO_BARE = {
    code: chr(code).upper() if chr(code).isalnum() or chr(code) in "#@" else None for code in range(128)
}
"""What becomes of each sign of ASCII."""

MAX_LENGTH = 64
"""OCPI: `visual_number` is a string(64)."""


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """How visual numbers look. Built from settings.

    :raises WrongCall: the pattern has too few digits, not exactly one check digit, or is too long
    """

    text: str

    def __post_init__(self) -> None:
        remedy = "write # for a digit and one @ for the check digit, as in EXM-####-####-@"
        if self.digits < 4 or self.text.count("@") != 1:
            raise WrongCall(f"{self.text!r} is no pattern for visual numbers", hint=remedy)
        if len(self.text) > MAX_LENGTH or not self.text.isprintable():
            raise WrongCall(f"pattern {self.text!r} has more than {MAX_LENGTH} characters", hint=remedy)

    @property
    def digits(self) -> int:
        """How many digits may vary, the check digit left out."""
        return self.text.count("#")

    @property
    def capacity(self) -> int:
        """How many different numbers there are."""
        return int(10**self.digits)

    def render(self, index: int) -> str:
        """The visual number for an index from 0 to `capacity` - 1, with its check digit."""
        shape = _shape(self.text)
        body = str(index).zfill(shape.digits)
        if index < 0 or len(body) > shape.digits:
            raise WrongCall(
                f"number {index} does not fit into the {shape.digits} digits of {self.text}",
                hint="give desk.visual_number one # more in station.toml",
            )
        signs = body + check_digit(body)
        return shape.frame % tuple([signs[run] for run in shape.runs])

    def index(self, written: str) -> int | None:
        """The index of a number as somebody wrote it, or None if it is not one of ours.

        Separators and case do not matter; the check digit must be right.
        """
        wanted = "".join(re.escape(sign) if sign not in "#@" else r"(\d)" for sign in bare(self.text))
        match = re.fullmatch(wanted, bare(written), re.ASCII)
        if not match:
            return None
        signs = [sign for sign in self.text if sign in "#@"]
        found = list(zip(signs, match.groups(), strict=True))
        body = "".join(digit for sign, digit in found if sign == "#")
        written_check = next(digit for sign, digit in found if sign == "@")
        return int(body) if check_digit(body) == written_check else None


class _Shape(NamedTuple):
    """A pattern as numbers are rendered by it."""

    digits: int
    frame: str
    """With `%s` for each run of digits, and for the check digit."""
    runs: tuple[slice, ...]
    """Where these stand in the digits with the check digit behind them."""


@cache
def _shape(pattern: str) -> _Shape:
    digits, frame, runs, used = pattern.count("#"), "", [], 0
    for run in re.findall(r"#+|@|[^#@]+", pattern):
        if run[0] == "#":
            runs.append(slice(used, used + len(run)))
            used += len(run)
        elif run == "@":
            runs.append(slice(digits, digits + 1))
        frame += "%s" if run[0] in "#@" else run.replace("%", "%%")
    return _Shape(digits, frame, tuple(runs))


def bare(text: str) -> str:
    """A number without separators, in upper case: the form in which numbers are compared."""
    return text.translate(_TO_BARE) if text.isascii() else _SEPARATORS("", text).upper()


def check_digit(digits: str) -> str:
    """Damm check digit over a string of decimal digits."""
    interim = _DAMM[0][int(digits[0])] if len(digits) % 2 else 0
    for start in range(len(digits) % 2, len(digits), 2):
        interim = _TWO_STEPS[interim][digits[start : start + 2]]
    return str(interim)


def draw_index(pattern: NumberPattern, draw: Callable[[int], int] = secrets.randbelow) -> int:
    """Draw a number that tells nothing about its neighbours. The store refuses one that is taken."""
    return draw(pattern.capacity)
