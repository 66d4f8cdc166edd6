"""What a contactless ATR tells: the reader made it up, and it names a kind of card at best.

PC/SC part 3, 3.1.3.2.3: `3B 8F 80 01 80 4F 0C A0 00 00 03 06 SS NN NN 00 00 00 00 TCK` is a
storage card with standard SS and name NN NN; anything else stands for an ISO 14443-4 card.
It never holds the UID, and two cards of one kind have the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.catalogue import atr_names

_STORAGE_CARD = bytes.fromhex("804F0CA000000306")
_TYPE2_NAMES = frozenset({"0003", "003A", "003D"})

VECTORS = [
    ("3B8F8001804F0CA000000306030001000000006A", "MIFARE Classic 1K", False),
    ("3B8F8001804F0CA0000003060300030000000068", "MIFARE Ultralight or NTAG", True),
    ("3B8F8001804F0CA0000003060300020000000069", "MIFARE Classic 4K", False),
    ("3B8F8001804F0CA000000306030026000000004D", "MIFARE Mini", False),
    ("3B8180018080", "ISO 14443-4 card", False),
]
"""(ATR, name, may it be a Type 2 tag)"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of card in words, and whether Type 2 commands make sense with it."""

    name: str
    may_be_type2: bool


def kind_of(atr: bytes) -> Kind:
    """Name the kind of card behind an ATR; an empty ATR (no PC/SC) leaves everything open."""
    if not atr:
        return Kind("unknown card", True)
    start = atr.find(_STORAGE_CARD)
    if start < 0:
        return Kind("ISO 14443-4 card", False)
    name = atr[start + 9 : start + 11].hex().upper()
    words = atr_names().get(name, f"storage card {name}")
    return Kind(words, name in _TYPE2_NAMES or name not in atr_names())
