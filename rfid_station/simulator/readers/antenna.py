"""The place in front of an antenna: a hand lays cards there while a reader's firmware works with them.

The hand and the firmware are two threads: whoever works with the card holds the `lock`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.field import Field, Mishap

_SWAP_S = 0.45
"""Nobody swaps cards faster, and a station that looks a few times in a second would not see it."""
_RELEASED_AFTER_S = 0.3
_IDLE_POLLS = 3


class Antenna:
    """At most one card.

    `on_released` is called, from a thread of its own, when a program that had exchanges with the card is
    through with it: the field was off for a while, or the card was selected again and again for nothing.
    """

    def __init__(self, on_released: Callable[[], None] | None = None) -> None:
        self.lock = threading.RLock()
        self._on_released = on_released
        self._field: Field | None = None
        self._empty_until = 0.0
        self._off_since: float | None = None
        self._polls = 0
        self._exchanges_before = 0

    @property
    def laid(self) -> Field | None:
        """The card that was laid here, with its counters, whether the reader can see it yet or not."""
        return self._field

    @property
    def field(self) -> Field | None:
        """The card that the reader finds now; None without one."""
        if self._field is None or self._field.is_empty or time.monotonic() < self._empty_until:
            return None
        return self._field

    def lay(self, field: Field) -> Field:
        """Lay a card here, in place of one that may lie there."""
        with self.lock:
            self.remove()
            self._field = field
            self._off_since, self._polls, self._exchanges_before = None, 0, 0
            return field

    def remove(self) -> None:
        """Take the card away."""
        with self.lock:
            if self._field is not None:
                self._field.take_away()
                self._field = None
                self._empty_until = time.monotonic() + _SWAP_S

    def note_poll(self) -> None:
        """The reader has looked which card lies there."""
        self._off_since = None
        exchanges = self._field.exchanges if self._field else 0
        self._polls = self._polls + 1 if exchanges == self._exchanges_before else 0
        self._exchanges_before = exchanges
        if exchanges and self._polls == _IDLE_POLLS:
            self._tell()

    def note_switched_off(self) -> None:
        """The reader has taken the field away."""
        if self._off_since is None and self._field is not None and self._field.exchanges > 0:
            self._off_since = time.monotonic()

    def tick(self) -> None:
        """To be called a few times in a second: finds out that the field is off for good."""
        if self._off_since is not None and time.monotonic() - self._off_since >= _RELEASED_AFTER_S:
            self._off_since = None
            self._tell()

    def _tell(self) -> None:
        if self._on_released is not None:
            threading.Thread(target=self._on_released, daemon=True).start()


class CardPlace:
    """What a hand can do at a reader with one antenna."""

    _antenna: Antenna

    @property
    def field(self) -> Field | None:
        """The card on the reader, with its counters; None without one."""
        return self._antenna.laid

    def insert(
        self,
        card: VirtualCard,
        *,
        mishap: Mishap | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> Field:
        """Lay a card on the reader, in place of one that may lie there."""
        return self.lay(Field(card, mishap=mishap, changed=changed))

    def lay(self, field: Field) -> Field:
        """Lay a card on the reader, with all that happens to it there."""
        return self._antenna.lay(field)

    def remove(self) -> None:
        """Take the card away."""
        self._antenna.remove()
