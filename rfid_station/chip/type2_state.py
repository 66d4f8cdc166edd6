"""A Type 2 tag as it was read: which chip, what its pages hold, and what keeps them from being written.

Two exchanges with an NTAG213: GET_VERSION and one FAST_READ, which is all that planning needs later.
Older chips fall silent at GET_VERSION and are told apart by what else they know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rfid_station.chip.catalogue import (
    NDEF_MAGIC,
    PAGE_SIZE,
    STATIC_END,
    Type2Chip,
    chip_of_version,
    manufacturer_of_uid,
    name_of_version,
    type2_chip,
    unmapped_chip,
)
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import Fact, Identity
from rfid_station.chip.ndef import find_ndef, ndef_end, uri_of_message
from rfid_station.chip.sighting import Kind
from rfid_station.chip.type2 import GET_VERSION, VERSION_SIZE, read, read_pages, restart, split_pages
from rfid_station.chip.ultralight_keys import BEGIN
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardDefective, CardLost

STATIC_LOCKS, CAPABILITY = 2, 3
"""The pages with the static locks and the capability container."""
STATIC_LOCK_BITS, STATIC_BLOCK_BITS = 0xFFF8, 0x0007
READ_ONLY = 0x0F
"""The access byte of a capability container that nobody may write behind."""

_CFGLCK, _NFC_CNT_EN, _AUTHLIM = 0x40, 0x10, 0x07
_MIRROR = 0xC0
_NTAG203_LOCKS = 0x28
_UID_SIZE = 7
_EMPTY = b"\x03\x00\xfe"


@dataclass(frozen=True, slots=True)
class Type2State:
    """A Type 2 chip and the pages that were read from it; without any when it does not let itself be read."""

    chip: Type2Chip
    pages: dict[int, bytes] = field(repr=False)
    opens: bool | None = None
    """Whether our password or key opens it; None when that was not tried."""

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
        memory = self.user_memory
        starts = (b"", _EMPTY, self.chip.prefix, self.chip.prefix + _EMPTY, *self.chip.blanks)
        is_blank = memory and any(not any(memory.removeprefix(s)) for s in starts if memory.startswith(s))
        return Freshness.BLANK if is_blank else Freshness.OTHER_DATA

    @property
    def first_protected(self) -> int | None:
        """The page from which on writing takes a password or a key; None if none does."""
        guard = self.chip.guard
        if guard is None or guard.first_page.page not in self.pages:
            return None
        first = self.pages[guard.first_page.page][guard.first_page.at]
        return first if first < min(self.chip.pages, guard.off) else None

    @property
    def access(self) -> int:
        """The byte that says what the guard guards; 0 for a chip without one."""
        guard = self.chip.guard
        return self.pages[guard.access.page][guard.access.at] if guard and self.pages else 0

    @property
    def is_mirrored(self) -> bool:
        """Whether the chip shows its UID or counter in place of what stands in its memory."""
        guard = self.chip.guard
        if guard is None or guard.kind != "password" or not self.pages:
            return False
        return bool(self.pages[guard.first_page.page][0] & _MIRROR)

    @property
    def static_locks(self) -> int:
        """The two static lock bytes, the first one being the lower."""
        return int.from_bytes(self.pages[STATIC_LOCKS][2:], "little")

    @property
    def dynamic_locks(self) -> int:
        """The three dynamic lock bytes, the first one being the lowest."""
        page = self.chip.lock_page
        return 0 if page is None else int.from_bytes(self.pages[page][:3], "little")

    def facts(self) -> dict[str, Fact]:
        """Its size, and all that keeps it from being written."""
        if not self.pages:
            return {"size": f"{self.chip.user_size} bytes", "locked": "it does not let itself be read"}
        user = range(self.chip.user_first, self.chip.user_last + 1)
        locked = sum(self.why_not_writable(page) is not None for page in user)
        facts: dict[str, Fact] = {
            "size": f"{self.chip.user_size} bytes",
            "capability": self.pages[CAPABILITY].hex(" ").upper(),
            "locked": f"{locked} of {len(user)} pages",
        }
        return facts | dict(self._oddities()) | self._guard_facts()

    def why_not_writable(self, page: int) -> str | None:
        """Say what keeps a page from being written: locks, capability container, password."""
        if not self.pages:
            return "it does not let itself be read"
        if self.pages[CAPABILITY][3] & READ_ONLY:
            return "its capability container says read-only"
        if self.is_locked(page):
            return f"page {page:02X} is locked"
        first = self.first_protected
        if first is not None and page >= first and not self.opens:
            return f"pages from {first:02X} on ask for a {self._guard_words}"
        return None

    def is_locked(self, page: int) -> bool:
        """Whether a lock bit keeps everybody from writing the page, for ever."""
        if page < STATIC_END:
            return bool(self.static_locks >> page & 1)
        locks = self.dynamic_locks
        return any(locks >> bit & 1 and page in area for bit, area in self.chip.lock_areas().items())

    @property
    def _guard_words(self) -> str:
        return "password" if self.chip.guard and self.chip.guard.kind == "password" else "key"

    def _guard_facts(self) -> dict[str, Fact]:
        guard = self.chip.guard
        if guard is None:
            return {}
        first = self.first_protected
        shown = "not asked for" if first is None else f"asked for to write from page {first:02X} on"
        facts: dict[str, Fact] = {self._guard_words: shown}
        if self.chip.counter:
            facts["counter"] = "on" if self.access & _NFC_CNT_EN else "off"
        if guard.kind == "password":
            facts["mirror"] = "on" if self.is_mirrored else "off"
        return facts

    def _oddities(self) -> Iterable[tuple[str, Fact]]:
        """What nobody would do to a card by accident, or only by accident."""
        blocks = self.static_locks & STATIC_BLOCK_BITS or self.dynamic_locks & self.chip.block_bits
        if blocks:
            yield "lock bits", "some are frozen, so that they can never be set"
        if self.pages[CAPABILITY][0] not in (0, NDEF_MAGIC):
            yield "spoiled", "its capability container is none, and cannot be put right"
        if self.chip.guard and self.chip.guard.kind == "password":
            if self.access & _CFGLCK:
                yield "configuration", "locked for ever"
            if self.access & _AUTHLIM:
                yield "wrong passwords", f"{self.access & _AUTHLIM} and it is shut for ever"


def identify_type2(uid: CardUid, kind: Kind) -> Dialogue[Identity]:
    """Find out which Type 2 chip it is, and read what planning will need.

    :raises CardLost: the card left, or another one answers
    """
    version = yield from _ask_twice(uid, GET_VERSION)
    known: dict[int, bytes] = {}
    if len(version) == VERSION_SIZE:
        chip = chip_of_version(version)
    else:
        yield from restart(uid)
        chip, known = yield from _chip_without_version(uid)
    if chip is None:
        return (yield from _identify_unmapped(uid, kind, version))
    pages = yield from _front(uid, chip, known)
    if pages and _uid_in_memory(pages) != uid.raw:
        raise CardLost(
            f"card {uid.masked} was selected, and another one answers",
            hint="leave one card on the reader, and hold it still",
        )
    return Identity(uid, chip.name, Type2State(chip, pages), notes=_notes(uid, chip.maker))


def _ask_twice(uid: CardUid, frame: bytes) -> Dialogue[bytes]:
    """Let no noise on the way decide which chip it is: silence is believed when it comes again."""
    answer = yield frame
    if answer:
        return answer
    yield from restart(uid)
    return (yield frame)


def _chip_without_version(uid: CardUid) -> Dialogue[tuple[Type2Chip | None, dict[int, bytes]]]:
    """Tell apart the chips from before GET_VERSION by commands and pages that only some of them have."""
    if (yield from _has_key(uid)):
        return type2_chip("MIFARE Ultralight C"), {}
    # Page 28 is the last but one of an NTAG203, which goes on with its UID; an Ultralight has no such page.
    end = yield from _ask_twice(uid, bytes([0x30, _NTAG203_LOCKS]))
    if end[2 * PAGE_SIZE : 2 * PAGE_SIZE + 3] == uid.raw[:3]:
        return type2_chip("NTAG203"), {_NTAG203_LOCKS: end[:PAGE_SIZE]}
    yield from restart(uid)
    if len(end) > 1:
        return (type2_chip("MIFARE Ultralight C") if (yield from _has_key(uid)) else None), {}
    front = yield from _ask_twice(uid, b"\x30\x00")
    if len(front) == 4 * PAGE_SIZE and len(uid.raw) == _UID_SIZE:
        return type2_chip("MIFARE Ultralight"), split_pages(0, front)
    yield from restart(uid)
    return None, {}


def _has_key(uid: CardUid) -> Dialogue[bool]:
    has_key = (yield BEGIN)[:1] == b"\xaf"
    yield from restart(uid)
    return has_key


def _identify_unmapped(uid: CardUid, kind: Kind, version: bytes) -> Dialogue[Identity]:
    """Name a chip whose memory map is not known, and read it as far as its capability container reaches."""
    name = kind.name
    if len(version) == VERSION_SIZE:
        name = name_of_version(version) or f"Type 2 tag (version {version.hex().upper()})"
    owner = manufacturer_of_uid(uid.raw[0]) or "no known maker"
    notes = (f"its memory map is not known here, so that it can only be read; its UID is of {owner}",)
    try:
        head = split_pages(0, (yield from read(0)))
        chip = unmapped_chip(name, head[CAPABILITY])
        pages = head | (yield from read_pages(chip, range(chip.user_first, min(chip.pages, 60))))
    except (CardDefective, CardLost):
        yield from restart(uid)
        return Identity(uid, name, notes=notes)
    return Identity(uid, name, Type2State(chip, pages), notes=notes)


def _front(uid: CardUid, chip: Type2Chip, known: dict[int, bytes]) -> Dialogue[dict[int, bytes]]:
    """Read the front of the memory and all of its message; nothing of a chip behind a read password."""
    try:
        pages = known | (yield from read_pages(chip, [page for page in chip.front if page not in known]))
        message = chip.user_first + ndef_end(Type2State(chip, pages).user_memory) // PAGE_SIZE
        rest = [page for page in range(min(message, chip.user_last) + 1) if page not in pages]
        return pages | (yield from read_pages(chip, rest))
    except CardDefective:
        yield from restart(uid)
        return {}


def _notes(uid: CardUid, maker: str) -> tuple[str, ...]:
    """A copy gives itself away by a UID that its chip's maker does not hand out."""
    owner = manufacturer_of_uid(uid.raw[0])
    if owner == maker:
        return ()
    return (f"it says that it is a chip of {maker}, and its UID is of {owner or 'no known maker'}: a copy",)


def _uid_in_memory(pages: dict[int, bytes]) -> bytes:
    """The UID without the check bytes between its parts (NTAG21x data sheet, 8.5.1)."""
    return pages[0][:3] + pages[1]
