"""The time that a driver lives in."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and passes it."""

    def now(self) -> datetime:
        """The time of day, in UTC."""

    def elapsed_s(self) -> float:
        """Seconds since some moment; never set back."""

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Let time pass until the event is set, or so many seconds are over."""


class WallClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def elapsed_s(self) -> float:
        """Seconds since this machine started."""
        return time.monotonic()

    def wait(self, event: threading.Event, seconds: float) -> None:
        """Wait until the event is set, or so many seconds are over."""
        event.wait(max(0.0, seconds))
