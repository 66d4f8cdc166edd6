"""What a clerk can say to the station loop while it runs, whatever it is said with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rfid_station.domain.order import Preprinted


class Command(StrEnum):
    """One word to the loop."""

    UNDO = "undo"
    """Take the last card back; said twice."""
    SKIP = "skip"
    """The next line has to wait: it goes to the end."""
    SPOIL = "spoil"
    """The blank in hand is useless; a reason follows."""
    PAUSE = "pause"
    """Make nothing until this, or `GO_ON`, is said again."""
    QUIT = "quit"
    GO_ON = "go on"
    DAMAGED = "damaged"
    MISPRINT = "misprint"
    ENCODE_FAILED = "encode failed"
    OTHER = "other"
    """Something that means nothing here: no answer is a no."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a barcode scanner read, or somebody typed."""

    text: str


Scan = Callable[[str], Preprinted]
"""Finds the numbers that were printed by what was scanned of them.

:raises StationError: nothing was printed with these, or they are used up
"""


class Clerk(Protocol):
    """Who gives commands."""

    @property
    def is_there(self) -> bool:
        """Whether anything can still come from there."""

    def hear(self, wait_s: float, *, scan: bool) -> Command | Scanned | None:
        """What was said next, if anything is within this time.

        :param scan: whether a number is asked for
        """

    def forget(self) -> None:
        """A question is asked now: what was said before, and not heard yet, is no answer to it."""


class Nobody:
    """No clerk: cards are made as they come."""

    is_there = False

    def hear(self, wait_s: float, *, scan: bool) -> None:
        """Say nothing."""

    def forget(self) -> None:
        """Nothing was said."""
