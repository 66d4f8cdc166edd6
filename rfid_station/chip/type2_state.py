"""A Type 2 tag as it was read: which chip, what its pages hold, and what keeps them from being written.

Two exchanges with an NTAG213: GET_VERSION and one FAST_READ of all its memory, which is all
that planning needs later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.chip.catalogue import PAGE_SIZE, Type2Chip, chip_of_version
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import Fact, Identity
from rfid_station.chip.ndef import find_ndef, uri_of_message
from rfid_station.chip.sighting import Kind
from rfid_station.chip.type2 import MOST_PAGES_AT_ONCE, fast_read, get_version
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardLost


@dataclass(frozen=True, slots=True)
class Type2State:
    """A Type 2 chip and the pages that were read from it."""

    chip: Type2Chip
    pages: dict[int, bytes] = field(repr=False)

    @property
    def user_memory(self) -> bytes:
        """The user memory as far as it was read without a gap, from its first page."""
        memory = b""
        for page in range(self.chip.user_first, self.chip.user_last + 1):
            if page not in self.pages:
                break
            memory += self.pages[page]
        return memory

    @property
    def link(self) -> str | None:
        """The URI a phone would open."""
        area = find_ndef(self.user_memory)
        return uri_of_message(area.message) if area else None

    @property
    def freshness(self) -> Freshness:
        """Whether the chip is as delivered, carries a link, or something else."""
        if self.link:
            return Freshness.LINK
        memory = self.user_memory.removeprefix(self.chip.prefix)
        empty_ndef = memory[:3] == b"\x03\x00\xfe" and not any(memory[3:])
        return Freshness.BLANK if empty_ndef or not any(memory) else Freshness.OTHER_DATA

    def facts(self) -> dict[str, Fact]:
        """How much of it is locked."""
        user = range(self.chip.user_first, self.chip.user_last + 1)
        locked = sum(self.why_not_writable(page) is not None for page in user)
        return {"locked": f"{locked} of {len(user)} pages"}

    def why_not_writable(self, page: int) -> str | None:
        """Say what keeps a page from being written: locks, capability container, password."""
        if self.pages[3][3] & 0x0F:
            return "its capability container says read-only"
        if self._is_locked(page):
            return f"page {page:02X} is locked"
        first_protected = self.pages[self.chip.configuration][3]
        if page >= first_protected:
            return f"pages from {first_protected:02X} on ask for a password"
        return None

    def _is_locked(self, page: int) -> bool:
        static = int.from_bytes(self.pages[2][2:4], "little")
        if page < 16:
            return bool(static >> page & 1)
        dynamic = int.from_bytes(self.pages[self.chip.dynamic_lock][:3], "little")
        bit = (page - 16) // self.chip.pages_per_lock_bit
        return bool(dynamic >> bit & 1)


def identify_type2(uid: CardUid, kind: Kind) -> Dialogue[Identity]:
    """Find out which Type 2 chip it is, and read what planning will need.

    :raises CardRefused: the memory is shut
    :raises CardLost: the card left
    """
    version = yield from get_version()
    chip = chip_of_version(version) if version else None
    if chip is None:
        said = f" (version {version.hex().upper()})" if version else ""
        return Identity(uid, kind.name + said)
    pages = yield from _read_pages(chip)
    if _uid_in_memory(pages) != uid.raw:
        raise CardLost(
            f"card {uid.masked} was selected, and another one answers",
            hint="leave one card on the reader, and hold it still",
        )
    return Identity(uid, chip.name, Type2State(chip, pages))


def _read_pages(chip: Type2Chip) -> Dialogue[dict[int, bytes]]:
    """Read the front of the memory and, where it lies further behind, the configuration."""
    last = min(chip.pages, MOST_PAGES_AT_ONCE) - 1
    pages = split_pages(0, (yield from fast_read(0, last)))
    if last < chip.configuration + 1:
        tail = yield from fast_read(chip.dynamic_lock, chip.configuration + 1)
        pages |= split_pages(chip.dynamic_lock, tail)
    return pages


def split_pages(first: int, memory: bytes) -> dict[int, bytes]:
    """Cut memory into pages, numbered from `first`."""
    return {first + at // PAGE_SIZE: memory[at : at + PAGE_SIZE] for at in range(0, len(memory), PAGE_SIZE)}


def _uid_in_memory(pages: dict[int, bytes]) -> bytes:
    """The UID without the check bytes between its parts (NTAG21x data sheet, 8.5.1)."""
    return pages[0][:3] + pages[1]
