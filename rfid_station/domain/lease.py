"""Ranges of contract numbers that desks take for themselves, so that each knows which number comes next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """Contract numbers that one desk alone gives out, one after the other."""

    place: str | None
    """The desk; None: given back, and taken by the next desk that needs numbers."""
    first: int
    next: int
    """Comes next; behind `last` when all are given out."""
    last: int
    leased_at: datetime
    leased_by: str

    @property
    def left(self) -> int:
        """How many were not given out."""
        return self.last - self.next + 1


def _tell_nobody(lease: Lease) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Leasing:
    """How a desk leases numbers."""

    place: str
    size: int
    """Numbers in a lease."""
    keep: Callable[[Lease], None] = _tell_nobody
    """Told what the desk holds, right before that is committed: whoever is killed in between has told too
    few numbers, and never one that is on a card. An error that it raises takes the change back."""
