"""A partner that was away for long, and wants to begin by itself when it is back.

Some partners read what changed as soon as they are back, and choke when all of it is pushed
to them at the same time (profile: `after_outage = "wait-for-pull"`). Kept in memory only.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rfid_station.domain.partner_profile import AfterOutage

LONG = timedelta(hours=1)
"""How long a partner has to be down until it is given the first move."""


class Outage:
    """Since when a partner is down, and whether its bulk lane waits for it since it came back."""

    def __init__(self, after: AfterOutage = AfterOutage.RESUME) -> None:
        self._waits = after is AfterOutage.WAIT_FOR_PULL
        self._down_since: datetime | None = None
        self._last_seen_down: datetime | None = None
        self.ended_at: datetime | None = None
        """When it came back, as long as it is waited for."""

    @property
    def is_waiting(self) -> bool:
        """Whether only urgent changes may go."""
        return self.ended_at is not None

    def look(self, now: datetime, *, is_down: bool, is_well: bool) -> None:
        """Take note of how a request left the partner."""
        if is_down:
            self._down_since = self._down_since or now
            self._last_seen_down = now
        elif is_well and self._down_since is not None:
            if self._waits and now - self._down_since >= LONG:
                self.ended_at = now
            self._down_since = None

    def pulled(self, at: datetime) -> None:
        """Take note of when the partner last read from us; only what came after the outage counts."""
        if self._last_seen_down is None or at > self._last_seen_down:
            self.release()

    def release(self) -> None:
        """Let the bulk lane go on."""
        self.ended_at = None
