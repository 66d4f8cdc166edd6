"""A partner that was away for long, and wants to begin by itself when it is back.

Some partners read what changed as soon as they are back, and choke when all of it is pushed
to them at the same time (profile: `after_outage = "wait-for-pull"`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rfid_station.domain.contact import NEVER_MET, Contact
from rfid_station.domain.partner_profile import AfterOutage

LONG = timedelta(hours=1)
"""How long a partner has to be down until it is given the first move."""


class Outage:
    """Since when a partner is down, and whether its bulk lane waits for it since it came back."""

    def __init__(self, after: AfterOutage = AfterOutage.RESUME, met: Contact = NEVER_MET) -> None:
        self._waits = after is AfterOutage.WAIT_FOR_PULL
        self._down_since = met.down_since
        self._last_seen_down = met.down_since
        self._was_down_since: datetime | None = None
        self.ended_at: datetime | None = None
        """When it came back, as long as it is waited for."""
        if met.is_back and met.last_success_at:
            self._end(met.last_success_at)

    @property
    def down_since(self) -> datetime | None:
        """What whoever goes on has to know: since when it is down, or was when it is waited for."""
        return self._down_since or self._was_down_since

    @property
    def is_down(self) -> bool:
        """Whether it was down when it was last met, by whichever process."""
        return self._down_since is not None

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
            self._end(now)

    def _end(self, now: datetime) -> None:
        if self._waits and self._down_since and now - self._down_since >= LONG:
            self._was_down_since, self.ended_at = self._down_since, now
        self._down_since = None

    def pulled(self, at: datetime) -> None:
        """Take note of when the partner last read from us; only what came after the outage counts."""
        if self._last_seen_down is None or at > self._last_seen_down:
            self.release()

    def release(self) -> None:
        """Let the bulk lane go on."""
        self._was_down_since = self.ended_at = None
