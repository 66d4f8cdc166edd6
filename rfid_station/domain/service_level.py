"""What we owe partners how soon: the one place that says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How long a partner may wait for a change."""

    block_within: timedelta = timedelta(minutes=15)
    """One that takes rights away: a blocked card charges on until the partner has it."""
    new_within: timedelta = timedelta(hours=24)
    """Everything else: a new card, a changed name."""


STANDARD_LEVEL = ServiceLevel()
"""Where the agreement says nothing else."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a partner has not acknowledged, parked tokens included.

    A token counts from its newest change on: of older ones nothing is kept.
    """

    urgent: int = 0
    urgent_since: datetime | None = None
    """The oldest of them; None where there is none."""
    others: int = 0
    others_since: datetime | None = None
    level: ServiceLevel = STANDARD_LEVEL

    @property
    def since(self) -> datetime | None:
        """The oldest of all."""
        return min(filter(None, (self.urgent_since, self.others_since)), default=None)

    @property
    def due_at(self) -> datetime | None:
        """When the service level is broken, or was; None while nothing is owed."""
        ends = []
        if self.urgent_since:
            ends.append(self.urgent_since + self.level.block_within)
        if self.others_since:
            ends.append(self.others_since + self.level.new_within)
        return min(ends, default=None)

    def is_within_level(self, now: datetime) -> bool:
        """Whether nothing is owed for longer than it may be."""
        return self.due_at is None or now <= self.due_at


NOTHING_OWED = Owed()
