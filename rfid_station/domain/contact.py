"""How a partner was last met, and whether somebody told sync to leave it alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word that a partner is to be left alone. What takes rights away is sent all the same."""

    at: datetime
    by: str
    reason: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"paused since {self.at:%Y-%m-%dT%H:%M:%SZ} by {self.by}{why}"


@dataclass(frozen=True, slots=True)
class Contact:
    """What is known of a partner's whereabouts, whichever process met it."""

    down_since: datetime | None = None
    """Kept on when it is back, as long as it is waited for (profile: `after_outage = "wait-for-pull"`)."""
    last_success_at: datetime | None = None
    """When it last acknowledged something; written down every few seconds."""
    last_pull_at: datetime | None = None
    """When it last read a list of tokens from us to its end; written down once a minute at most."""
    pause: Pause | None = None

    @property
    def is_back(self) -> bool:
        """Whether it acknowledged something since it was down."""
        return bool(self.down_since and self.last_success_at and self.last_success_at > self.down_since)


NEVER_MET = Contact()
