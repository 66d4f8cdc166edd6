"""What we owe partners how soon: the one place that says so.

The same for every partner, until agreements name levels of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

URGENT_WITHIN = timedelta(minutes=15)
"""A change that takes rights away: a blocked card charges on until the partner has it."""
OTHERS_WITHIN = timedelta(hours=24)
"""Everything else: a new card, a changed name."""


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

    @property
    def since(self) -> datetime | None:
        """The oldest of all."""
        return min(filter(None, (self.urgent_since, self.others_since)), default=None)

    @property
    def due_at(self) -> datetime | None:
        """When the service level is broken, or was; None while nothing is owed."""
        ends = []
        if self.urgent_since:
            ends.append(self.urgent_since + URGENT_WITHIN)
        if self.others_since:
            ends.append(self.others_since + OTHERS_WITHIN)
        return min(ends, default=None)

    def is_within_level(self, now: datetime) -> bool:
        """Whether nothing is owed for longer than it may be."""
        return self.due_at is None or now <= self.due_at


NOTHING_OWED = Owed()
