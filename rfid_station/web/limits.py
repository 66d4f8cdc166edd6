"""How often somebody may try: by address and by card, kept in memory, in bounded room.

What is forgotten at a restart is only the delay: how many wrong codes a card has seen is kept in the store.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

Clock = Callable[[], float]
"""Seconds of a clock that never goes back."""

MOST_KEYS = 20_000
"""How many addresses or cards are remembered; beyond that the one that was quiet longest is forgotten."""


@dataclass(slots=True)
class Allowance:
    """So many tries at once, and one more after every so many seconds."""

    clock: Clock
    most: int
    each_s: float
    _used: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait_s(self, key: str) -> int:
        """How long until there is a try, in whole seconds; 0 is now. Uses none."""
        missing = self._now_used(key) + 1 - self.most
        return math.ceil(missing * self.each_s) if missing > 0 else 0

    def use(self, key: str) -> None:
        """Use a try, whether or not there is one."""
        used = min(self._now_used(key) + 1, float(self.most))
        self._used[key] = (used, self.clock())
        self._used.move_to_end(key)
        if len(self._used) > MOST_KEYS:
            self._used.popitem(last=False)

    def take(self, key: str) -> int:
        """Use a try if there is one; else how long until there is, in whole seconds."""
        wait_s = self.wait_s(key)
        if not wait_s:
            self.use(key)
        return wait_s

    def _now_used(self, key: str) -> float:
        used, at = self._used.get(key, (0.0, 0.0))
        return max(0.0, used - (self.clock() - at) / self.each_s)


@dataclass(slots=True)
class Delays:
    """After every failure in a row the next try has to wait twice as long."""

    clock: Clock
    first_s: float = 2.0
    most_s: float = 900.0
    _failed: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def wait_s(self, key: str) -> int:
        """How long until the next try, in whole seconds; 0 is now."""
        _, until = self._failed.get(key, (0, 0.0))
        return max(0, math.ceil(until - self.clock()))

    def failed(self, key: str) -> None:
        """Count a failure."""
        count = min(self._failed.get(key, (0, 0.0))[0] + 1, 32)
        wait_s = min(self.first_s * 2 ** (count - 1), self.most_s)
        self._failed[key] = (count, self.clock() + wait_s)
        self._failed.move_to_end(key)
        if len(self._failed) > MOST_KEYS:
            self._failed.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget what failed before."""
        self._failed.pop(key, None)


@dataclass(slots=True)
class Tries:
    """Who may try what, how often."""

    clock: Clock = time.monotonic
    requests: Allowance = field(init=False)
    """Of an address."""
    strangers: Allowance = field(init=False)
    """Of an address: links that lead to no card."""
    codes: Allowance = field(init=False)
    """Of an address: wrong codes."""
    cards: Delays = field(init=False)
    """Of a card: wrong codes."""
    faults: Allowance = field(init=False)
    """Of a card: proofs that fail, and are written down."""

    def __post_init__(self) -> None:
        """Set the limits."""
        self.requests = Allowance(self.clock, most=60, each_s=1)
        self.strangers = Allowance(self.clock, most=20, each_s=30)
        self.codes = Allowance(self.clock, most=10, each_s=60)
        self.cards = Delays(self.clock)
        self.faults = Allowance(self.clock, most=10, each_s=60)
