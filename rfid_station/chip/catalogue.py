"""The chips and kinds of cards we know, as tables: from `data/chips.toml` and `data/card_names.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from rfid_station.shipped import shipped

PAGE_SIZE = 4
"""Bytes in a page of a Type 2 tag."""


@dataclass(frozen=True, slots=True)
class Type2Chip:
    """The memory map of an NFC Forum Type 2 chip. Numbers are page numbers."""

    name: str
    maker: str
    version: bytes
    """The whole answer to GET_VERSION."""
    pages: int
    user_first: int
    user_last: int
    capability: bytes
    """Capability container (page 3) as delivered."""
    prefix: bytes
    """What stands before the NDEF TLV in the user memory of a fresh chip."""
    dynamic_lock: int
    pages_per_lock_bit: int
    configuration: int
    """CFG0; CFG1 is the page behind it."""

    @property
    def user_size(self) -> int:
        """User memory in bytes."""
        return (self.user_last - self.user_first + 1) * PAGE_SIZE

    @property
    def ndef_room(self) -> int:
        """The longest NDEF message in bytes, beside a one-byte length and the terminator."""
        return min(self.user_size - len(self.prefix) - 3, 254)


@cache
def type2_chips() -> tuple[Type2Chip, ...]:
    """All Type 2 chips that can be written."""
    return tuple(_chip(row) for row in _table()["type2"])


def chip_of_version(version: bytes) -> Type2Chip | None:
    """The chip that answers GET_VERSION with these bytes."""
    return next((chip for chip in type2_chips() if chip.version == version), None)


@dataclass(frozen=True, slots=True)
class CardName:
    """A kind of card in words. `family` is one of `sighting.Family`; `refusal` says why it cannot charge."""

    name: str
    family: str
    refusal: str = ""


def card_name_of_atr(code: str) -> CardName | None:
    """The kind behind a PC/SC card name of four hexadecimal digits."""
    row = _card_names()["atr"].get(code)
    return CardName(**row) if row else None


def card_name_of_sak(sak: int) -> CardName | None:
    """The kind behind a select acknowledge."""
    row = _card_names()["sak"].get(f"{sak:02X}")
    return CardName(**row) if row else None


def _chip(row: dict[str, Any]) -> Type2Chip:
    as_bytes = {key: bytes.fromhex(row[key]) for key in ("version", "capability", "prefix")}
    return Type2Chip(**{**row, **as_bytes})


@cache
def _card_names() -> dict[str, Any]:
    return tomllib.loads(shipped("data", "card_names.toml").read_text("utf-8"))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(shipped("data", "chips.toml").read_text("utf-8"))
