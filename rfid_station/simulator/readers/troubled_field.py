"""A field in which the hand does more than lay a card and take it away: it is slow, or swaps cards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.field import Field, Mishap


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens while a card lies there."""

    pause_s: float = 0.0
    """How long each exchange takes."""
    swap_at: int = 0
    """Before which exchange, counted from 1, another card takes the place of the first; 0 is never."""
    other: VirtualCard | None = None
    """That other card."""


class TroubledField(Field):
    """A card in the field, and trouble with it."""

    def __init__(
        self,
        card: VirtualCard,
        trouble: Trouble,
        *,
        mishap: Mishap | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(card, mishap=mishap, changed=changed)
        self._trouble = trouble

    def exchange(self, frame: bytes) -> bytes:
        """Send a frame, later or to another card than before."""
        self._make_trouble()
        return super().exchange(frame)

    def apdu(self, command: bytes) -> bytes:
        """Send an APDU, later or to another card than before."""
        self._make_trouble()
        return super().apdu(command)

    def _make_trouble(self) -> None:
        trouble = self._trouble
        if trouble.pause_s:
            time.sleep(trouble.pause_s)
        if trouble.other is not None and self.exchanges + 1 == trouble.swap_at:
            self.switch_off()
            self.card = trouble.other
