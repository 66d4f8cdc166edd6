"""Chips that acknowledge a write and keep something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from rfid_station.simulator.card import State, VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.field import Field

MEMORY = {"memory", "data"}
"""Where the virtual chips keep what is written to a page, a block or a file."""


def blank(chip: str, number: int = 0) -> VirtualCard:
    return new_card(chip, blank_uid(chip, 7, number))


class Liar(Field):
    """A card that keeps something else of its K-th write, counted from 1 while it `is_being_written`."""

    def __init__(self, card: VirtualCard, at: int = 0, which: int = 0) -> None:
        self.is_being_written = False
        self.lies: list[list[State]] = []
        """For each write: what could be kept in place of what was written."""
        self._at, self._which = at, which
        self._before = deepcopy(card.state())
        super().__init__(card, changed=self._written)

    def _written(self) -> None:
        after = deepcopy(self.card.state())
        if self.is_being_written and after != self._before:
            self.lies.append([self._before, *turned(self._before, after)])
            if len(self.lies) == self._at:
                self.card.restore(self.lies[-1][self._which])
        self._before = deepcopy(self.card.state())


def turned(before: Any, after: Any) -> Iterator[Any]:
    """What is after, but for one bit that is as it was before, in the first byte that was written over."""
    for name in after:
        old, new = before.get(name), after[name]
        if isinstance(new, Mapping) and isinstance(old, Mapping):
            yield from ({**after, name: other} for other in turned(old, new))
        elif name in MEMORY and old not in (None, new):
            yield {**after, name: bit_as_before(bytes.fromhex(old), bytes.fromhex(new)).hex()}


def bit_as_before(before: bytes, after: bytes) -> bytes:
    """The highest bit that was changed: the lowest is the parity of a DES key, which no chip looks at."""
    at = next(at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
    changed = before[at] ^ after[at]
    return after[:at] + bytes([after[at] ^ 1 << changed.bit_length() - 1]) + after[at + 1 :]
