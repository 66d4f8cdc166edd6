"""When a partner may be called again: back-off, breaker, Retry-After, lost authorization.

Pure: time and randomness come in from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

Draw = Callable[[], float]
"""A random number from 0 (included) to 1 (excluded)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a lane is. Times in seconds."""

    backoff_least_s: float = 0.5
    backoff_most_s: float = 60.0
    breaker_after: int = 5
    """Failures in a row after which a partner counts as down."""
    unauthorized_s: float = 300.0
    """How long to wait with a client token that was not accepted."""
    retry_after_most_s: float = 3600.0
    """The longest wait that a partner can ask for."""
    refused_in_a_row: int = 20
    """When more different tokens than this are refused, the fault is the partner's."""
    park_first_s: float = 60.0
    verify_first_s: float = 20.0
    """Twice the time limit of a request: a push without an answer has landed by then, or never will."""
    park_factor: float = 4.0
    park_most_s: float = 86_400.0
    alarm_after: int = 3
    """Attempts on a parked token after which somebody should look."""
    poison_after: int = 3
    """Failures of one token after which it is parked, if others got through meanwhile."""
    commit_every: int = 100
    """After how many acknowledgements, and after how long, the store is told."""
    commit_after_s: float = 1.0
    scan_limit: int = 200
    """Changes on a page of the feed."""
    turn_s: float = 1.0
    """How long a lane leaves the turn at a partner to somebody else, at the most, before it looks again."""
    poll_s: float = 1.0
    """How often a lane looks for what another process changed."""

    def park_s(self, attempts: int) -> float:
        """The longest wait before a refused token is tried again."""
        return self._grown(self.park_first_s, attempts)

    def verify_s(self, attempts: int) -> float:
        """How long to wait before a push that ended ambiguously is checked."""
        return self._grown(self.verify_first_s, attempts)

    def _grown(self, first_s: float, attempts: int) -> float:
        steps = min(max(attempts - 1, 0), 32)
        return float(min(first_s * self.park_factor**steps, self.park_most_s))


class PaceState(StrEnum):
    """Whether a partner takes requests."""

    OPEN = "open"
    PAUSED = "paused"
    """A short wait: after a failure, or because the partner asked for it."""
    DOWN = "down"
    """The breaker is open: one request at a time finds out whether the partner is back."""
    UNAUTHORIZED = "unauthorized"


class Pace:
    """Counts what went wrong with a partner as a whole, and says when the next request may go."""

    def __init__(self, timing: Timing, draw: Draw) -> None:
        self._timing = timing
        self._draw = draw
        self._failures = 0
        self.setback = 0
        """The number of the last failure that was counted."""
        self._is_unauthorized = False
        self._refused: set[int] = set()
        self._paused_at: datetime | None = None
        self.paused_until: datetime | None = None
        self.reason = ""
        """The last thing that went wrong with the partner as a whole, in words."""

    def state(self, now: datetime) -> PaceState:
        """What stands in the way of a request."""
        if self._is_unauthorized:
            return PaceState.UNAUTHORIZED
        if self.is_down:
            return PaceState.DOWN
        return PaceState.PAUSED if self.is_pausing(now) else PaceState.OPEN

    def allows(self, now: datetime, in_flight: int) -> bool:
        """Whether one more request may go: not in a pause, and alone after a failure."""
        return not self.is_pausing(now) and (self.is_well or in_flight == 0)

    @property
    def is_down(self) -> bool:
        """Whether the breaker is open."""
        return self._failures >= self._timing.breaker_after and not self._is_unauthorized

    @property
    def is_well(self) -> bool:
        """Whether the last request did not fail for a reason of the partner's."""
        return not self._failures and not self._is_unauthorized

    def is_pausing(self, now: datetime) -> bool:
        """Whether no request at all may go now."""
        if self.paused_until is None or self._paused_at is None:
            return False
        # A clock that was set back must not stretch the pause.
        return self._paused_at <= now < self.paused_until

    def succeeded(self) -> None:
        """Take note that the partner accepted something. A pause that it asked for stays."""
        self._refused.clear()
        self.reason = ""
        self.answered()

    def answered(self) -> None:
        """Take note that the partner is there and knows us, unless it refuses whatever comes."""
        if not self._refuses_all:
            self._failures = 0
            self._is_unauthorized = False

    def failed(
        self, now: datetime, reason: str, retry_after_s: float | None, *, began_at: int | None = None
    ) -> None:
        """Back off after a fault of the partner, or wait as long as it asks.

        Full jitter between the least pause and a ceiling that doubles with each failure. A wait
        that the partner asked for is no fault, and does not count towards the breaker. Nor does a
        request that was under way already when the last one failed: it tells nothing new.

        :param began_at: the setback that was the last one when the request began
        """
        self.reason = reason
        if retry_after_s is not None:
            self.wait(now, retry_after_s)
            return
        if began_at is not None and began_at < self.setback and self._failures:
            return
        self._failures += 1
        self.setback += 1
        self._back_off(now)

    def wait(self, now: datetime, retry_after_s: float) -> None:
        """Wait as long as the partner asks, within reason."""
        least, most = self._timing.backoff_least_s, self._timing.retry_after_most_s
        self._pause(now, min(max(least, retry_after_s), most))

    def was_refused(self, token_id: int, now: datetime, reason: str) -> bool:
        """Whether the refusal is about this token; False when the partner refuses whatever comes."""
        self._refused.add(token_id)
        if not self._refuses_all:
            self.answered()
            return True
        self.reason = f"refuses every token: {reason}"
        self._failures = max(self._failures + 1, self._timing.breaker_after)
        self._back_off(now)
        return False

    def was_unauthorized(self, now: datetime, reason: str) -> None:
        """Stop: the client token is not accepted. One request every few minutes finds out when it is."""
        self.reason = reason
        self._is_unauthorized = True
        self._pause(now, self._timing.unauthorized_s)

    @property
    def _refuses_all(self) -> bool:
        return len(self._refused) > self._timing.refused_in_a_row

    def _back_off(self, now: datetime) -> None:
        timing = self._timing
        is_down = self._failures >= timing.breaker_after
        doubled = timing.backoff_least_s * 2.0 ** min(self._failures, 32)
        ceiling = timing.backoff_most_s if is_down else min(timing.backoff_most_s, doubled)
        self._pause(now, timing.backoff_least_s + self._draw() * (ceiling - timing.backoff_least_s))

    def _pause(self, now: datetime, seconds: float) -> None:
        until = now + timedelta(seconds=seconds)
        if self.paused_until is None or not self.is_pausing(now) or until > self.paused_until:
            self._paused_at, self.paused_until = now, until
