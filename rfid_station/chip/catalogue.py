"""The chips and kinds of cards we know, as tables: from `data/chips.toml` and `data/card_names.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rfid_station.shipped import shipped

PAGE_SIZE = 4
"""Bytes in a page of a Type 2 tag."""

USER_FIRST = 4
STATIC_END = 16
"""The first page that the static locks do not reach."""

FRONT = 60
"""240 bytes, which fit into one short APDU beside its wrapping: as much as is read of a large memory."""

NDEF_MAGIC = 0xE1


@dataclass(frozen=True, slots=True)
class Place:
    """A byte in a page."""

    page: int
    at: int


@dataclass(frozen=True, slots=True)
class SecretPage:
    """A page that takes a part of a password or key: which of its bytes, in the order of the page."""

    page: int
    order: tuple[int, ...]
    """Bytes that are missing to a whole page are 00."""

    def data(self, secret: bytes) -> bytes:
        """What the page gets of a secret."""
        return bytes(secret[at] for at in self.order).ljust(PAGE_SIZE, b"\x00")


@dataclass(frozen=True, slots=True)
class Guard:
    """What can keep strangers from writing to a chip: a password, or a key. Numbers are page numbers."""

    kind: str
    """`password`, `3des` or `aes`."""
    slot: str
    """The name of the key slot, see `encode.keys.card_key`."""
    first_page: Place
    """Holds the page from which on the guard is asked."""
    first_page_as_delivered: bytes
    off: int
    """What stands there when the guard is off."""
    access: Place
    """Holds what strangers may do behind that page."""
    access_as_delivered: bytes
    write_only: int
    """What stands there when strangers may read; on chips with a counter, without the counter's bit."""
    freeze: int
    """The bit there that keeps the guard as it is, for ever; 0 on chips that have it elsewhere."""
    secrets: tuple[SecretPage, ...]
    secret_as_delivered: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Type2Chip:
    """The memory map of an NFC Forum Type 2 chip. Numbers are page numbers."""

    name: str
    pages: int
    user_last: int
    capability: bytes
    """Capability container (page 3) that an NDEF tag of this size has; the chip may come with 00 there."""
    maker: str = ""
    versions: tuple[bytes, ...] = ()
    """Whole answers to GET_VERSION; none for a chip that does not know the command."""
    prefix: bytes = b""
    """What stands before the NDEF TLV in the user memory of a fresh chip."""
    blanks: tuple[bytes, ...] = ()
    """What else may stand in front of the user memory of a fresh chip."""
    fast_read: bool = True
    """Whether it knows FAST_READ."""
    lock_page: int | None = None
    """Dynamic locks, for the pages from 16 on."""
    lock_area: int = 0
    """How many pages one of them stands for."""
    lock_bits: int = 0
    """Which bits of the lock page lock, its first byte being the lowest."""
    block_bits: int = 0
    """Which bits freeze the others."""
    guard: Guard | None = None
    counter: bool = False
    """Whether it can count how often it was read (NFC_CNT_EN)."""
    is_mapped: bool = True
    """Whether its memory map is known: else it is only read, as far as its capability container says."""

    @property
    def user_first(self) -> int:
        """The first page of the user memory, the same for all."""
        return USER_FIRST

    @property
    def user_size(self) -> int:
        """User memory in bytes."""
        return (self.user_last - self.user_first + 1) * PAGE_SIZE

    @property
    def ndef_room(self) -> int:
        """The longest NDEF message in bytes with a one-byte length, in pages that one read can answer."""
        room = min(self.capability[2] * 8, (FRONT - self.user_first) * PAGE_SIZE)
        return min(room - len(self.prefix) - 2, 254)

    @property
    def length_page(self) -> int:
        """The page with the length of the NDEF message: what a phone finds hangs on it."""
        return self.user_first + (len(self.prefix) + 1) // PAGE_SIZE

    @property
    def empty(self) -> bytes:
        """The user memory of a tag that is ready for a message and has none."""
        return (self.prefix + b"\x03\x00\xfe").ljust(self.user_size, b"\x00")

    @property
    def front(self) -> tuple[int, ...]:
        """The pages that identifying reads: the front of the memory, locks, and configuration.

        Where four pages cost an exchange, the front is short; what a link covers beyond it is read later.
        """
        pages = {*range(min(self.user_last + 1, FRONT if self.fast_read else STATIC_END))}
        if self.lock_page is not None:
            pages.add(self.lock_page)
        if self.guard is not None:
            pages |= {self.guard.first_page.page, self.guard.access.page}
        return tuple(sorted(pages))

    def lock_areas(self) -> dict[int, range]:
        """Each dynamic lock bit, by its number, and the pages that it locks."""
        bits = [bit for bit in range(24) if self.lock_bits >> bit & 1]
        starts = range(STATIC_END, self.user_last + 1, self.lock_area or 1)
        ends = (min(start + self.lock_area, self.user_last + 1) for start in starts)
        return {bit: range(start, end) for bit, start, end in zip(bits, starts, ends, strict=False)}


@cache
def type2_chips() -> tuple[Type2Chip, ...]:
    """All Type 2 chips that can be written."""
    rows: dict[str, dict[str, Any]] = {}
    for row in _table()["type2"]:
        rows[row["name"]] = rows.get(row.get("like", ""), {}) | row
    return tuple(map(_chip, rows.values()))


def chip_of_version(version: bytes) -> Type2Chip | None:
    """The chip that answers GET_VERSION with these bytes."""
    return next((chip for chip in type2_chips() if version in chip.versions), None)


def type2_chip(name: str) -> Type2Chip:
    """The chip of this name, which must be in the table."""
    return next(chip for chip in type2_chips() if chip.name == name)


def name_of_version(version: bytes) -> str | None:
    """The name of a chip that we can only read."""
    name: str | None = _table()["named"].get(version.hex().upper())
    return name


def unmapped_chip(name: str, capability: bytes) -> Type2Chip:
    """A chip of which no more is known than the size in its capability container."""
    pages = USER_FIRST + capability[2] * 8 // PAGE_SIZE if capability[0] == NDEF_MAGIC else USER_FIRST
    return Type2Chip(name, pages, pages - 1, capability, fast_read=False, is_mapped=False)


def manufacturer_of_uid(first_byte: int) -> str | None:
    """Who registered the first byte of seven-byte UIDs (ISO/IEC 7816-6)."""
    name: str | None = _table()["manufacturer"].get(f"{first_byte:02X}")
    return name


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
    entries = {key: value for key, value in row.items() if key not in _OF_THE_FILE}
    for key in ("capability", "prefix"):
        entries[key] = bytes.fromhex(row.get(key, ""))
    for key in ("versions", "blanks"):
        entries[key] = tuple(map(bytes.fromhex, row.get(key, ())))
    for key in ("lock_bits", "block_bits"):
        entries[key] = int.from_bytes(bytes.fromhex(row.get(key, "")), "little")
    entries["guard"] = _guard(row) if "guard" in row else None
    return Type2Chip(**entries)


_OF_THE_FILE = ("like", "guard_page", "first_page_as_delivered")
"""Entries that say something about others."""


def _guard(chip: dict[str, Any]) -> Guard:
    row, start = _table()["guard"][chip["guard"]], chip["guard_page"]
    secrets = (SecretPage(start + part["page"], tuple(part["order"])) for part in row["secrets"])
    first_page = chip.get("first_page_as_delivered", row["first_page_as_delivered"])
    return Guard(
        kind=chip["guard"],
        slot=row["slot"],
        first_page=_place(row["first_page"], start),
        first_page_as_delivered=bytes.fromhex(first_page),
        off=row["off"],
        access=_place(row["access"], start),
        access_as_delivered=bytes.fromhex(row["access_as_delivered"]),
        write_only=row.get("write_only", 0),
        freeze=row.get("freeze", 0),
        secrets=tuple(secrets),
        secret_as_delivered=bytes.fromhex(row["secret_as_delivered"]),
    )


def _place(text: str, start: int) -> Place:
    page, _, at = text.partition(".")
    return Place(start + int(page), int(at))


@cache
def _card_names() -> dict[str, Any]:
    return tomllib.loads(shipped("data", "card_names.toml").read_text("utf-8"))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(shipped("data", "chips.toml").read_text("utf-8"))
