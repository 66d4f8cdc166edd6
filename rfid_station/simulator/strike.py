"""How one writes down that something happens at an exchange: `7`, `7:partial`, `7:partial:0F0F0F0F`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rfid_station.simulator.card import Tear, TornMode

_MASK_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Strike:
    """At which exchange, counted from 1, and how far the command gets."""

    at: int
    mode: TornMode
    mask: int | None = None
    """Which bits were programmed (mode `partial`); None leaves it to chance."""

    def tear(self, seed: int) -> Tear:
        """The tear itself. Chance is a function of the seed and the exchange."""
        drawn = hashlib.sha256(f"{seed}/{self.at}".encode()).digest()[:4]
        return Tear(self.mode, int.from_bytes(drawn) if self.mask is None else self.mask)


def parse_strike(text: str, mode: TornMode) -> Strike:
    """Read `K`, `K:MODE` or `K:MODE:MASK`; `mode` stands for one that is left out.

    :raises ValueError: the text has none of these forms
    """
    at, *rest = text.split(":")
    if len(rest) > 2 or (len(rest) == 2 and len(rest[1]) != _MASK_DIGITS):
        raise ValueError(text)
    return Strike(
        positive(at),
        TornMode(rest[0]) if rest else mode,
        int(rest[1], 16) if len(rest) == 2 else None,
    )


def whole_number(text: str) -> int:
    """Read digits and nothing else.

    :raises ValueError: there is something else
    """
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def positive(text: str) -> int:
    """Read a whole number that counts from 1.

    :raises ValueError: it is none
    """
    if whole_number(text) == 0:
        raise ValueError(text)
    return int(text)
