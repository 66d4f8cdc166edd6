"""The core that MIFARE Ultralight and NTAG share: pages of four bytes, one-way pages, static locks.

From the NXP data sheets MF0ICU1 and NTAG213/215/216 and the NFC Forum Type 2 Tag specification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from rfid_station.simulator.card import State, Tear, TornMode, VirtualCard

PAGE_SIZE = 4


class Nak(bytes):
    """A refusal of four bits. An answer of one whole byte with the same value is none."""


ACK = b"\x0a"
NAK_ARGUMENT = Nak(b"\x00")
NAK_COUNTER = Nak(b"\x04")
NAK_EEPROM = Nak(b"\x05")

CASCADE_TAG = 0x88
STATIC_LOCK_PAGE = 2
CC_PAGE = 3

_FREEZES = ((0, 0x0008), (1, 0x03F0), (2, 0xFC00))
"""Each block-locking bit of page 2, and the lock bits it freezes. Lock byte 0 is the low byte."""

FIRST_DYNAMIC_PAGE = 16
"""The first page that the static lock bits do not reach."""

Handler = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class DynamicLocks:
    """The lock bits behind the user memory: in which page, what each locks, what freezes them.

    Bit 0 is the lowest bit of the page's first byte.
    """

    page: int
    areas: Mapping[int, range]
    """Lock bit, and the pages it stands for."""
    freezes: tuple[tuple[int, int], ...]
    """Block-locking bit, and the mask of the lock bits it freezes."""
    reserved: bytes
    """The bytes of the page that are no lock bytes; they read like this whatever is written."""

    @property
    def lock_bits(self) -> int:
        """The lock bits that exist."""
        return sum(1 << bit for bit in self.areas)

    @property
    def existing(self) -> int:
        """All bits that can be set; the others are reserved and stay 0."""
        return self.lock_bits | sum(1 << bit for bit, _ in self.freezes)

    def locked_by(self, content: bytes) -> set[int]:
        """The pages that a lock page of this content makes read-only."""
        bits = int.from_bytes(content, "little")
        return set[int]().union(*(area for bit, area in self.areas.items() if bits & 1 << bit))

    def after(self, now: bytes, data: bytes) -> bytes:
        """What the lock page holds after a write."""
        size = PAGE_SIZE - len(self.reserved)
        wanted = int.from_bytes(data[:size], "little") & self.existing
        return add_locks(now[:size], wanted.to_bytes(size, "little"), self.freezes) + self.reserved


def locks_behind(page: int, pages_per_lock: int) -> DynamicLocks:
    """Three lock bytes, as NTAG21x and MIFARE Ultralight EV1 and AES have them.

    One lock bit stands for `pages_per_lock` pages; one block-locking bit of byte 2 freezes two lock bits.
    """
    starts = range(FIRST_DYNAMIC_PAGE, page, pages_per_lock)
    areas = {bit: range(start, min(start + pages_per_lock, page)) for bit, start in enumerate(starts)}
    existing = (1 << len(areas)) - 1
    blocks = range((len(areas) + 1) // 2)
    freezes = tuple((16 + block, (0b11 << 2 * block) & existing) for block in blocks)
    return DynamicLocks(page, areas, freezes, b"\xbd")


class VirtualType2(VirtualCard):
    """A Type 2 tag.

    After a NAK, and after a frame it does not know, a tag is silent until it is selected
    again (state diagram of the data sheet: back to IDLE or HALT).

    `worn` pages refuse every write with NAK 5. `weak` bits (page to 32-bit mask) stay 0
    although the write is acknowledged. A `fragile` card wears out the page that is torn.
    """

    internal_byte: ClassVar[int] = 0x48
    """Second byte of page 2, "internal" in the data sheet."""
    locks_at_once: ClassVar[bool] = True
    """Whether a lock bit counts as soon as it is written, or from the next selection on."""
    answer_to_unknown: ClassVar[bytes] = b""
    """What a command is answered that the chip does not have."""
    nak_eeprom: ClassVar[Nak] = NAK_EEPROM

    def __init__(self, chip: str, uid: bytes, pages: int, *locks: DynamicLocks) -> None:
        super().__init__(chip, uid)
        self.lock_pages = {lock.page: lock for lock in locks}
        """The pages that hold lock bits, besides page 2."""
        self.memory = bytearray(pages * PAGE_SIZE)
        self.memory[:10] = _serial_number_bytes(uid) + bytes([self.internal_byte])
        self.worn: set[int] = set()
        self.weak: dict[int, int] = {}
        self.is_fragile = False
        self._is_powered = False
        self._is_active = False
        self._compatibility_page: int | None = None
        self._locked_since_selection: set[int] = set()
        self._deliver({lock.page: lock.after(bytes(PAGE_SIZE), bytes(PAGE_SIZE)) for lock in locks})

    @property
    def pages(self) -> int:
        """How many pages the memory has."""
        return len(self.memory) // PAGE_SIZE

    def page(self, number: int) -> bytes:
        """What the cells of a page really hold, which a reader may not be shown."""
        return bytes(self.memory[number * PAGE_SIZE : (number + 1) * PAGE_SIZE])

    def set_page(self, number: int, content: bytes) -> None:
        """Put something into the cells, as only the maker of the chip can."""
        self.memory[number * PAGE_SIZE : (number + 1) * PAGE_SIZE] = content
        self.changes += 1

    def select(self) -> bytes:
        """Go to the state ACTIVE. Selecting again forgets nothing but the state."""
        if not self._is_powered:
            self._power_on()
        self._go_idle()
        self._is_active = True
        self._locked_since_selection = self._locked_by_memory()
        return self.uid

    def power_off(self) -> None:
        """Forget all but the memory."""
        self._go_idle()
        self._is_powered = False

    def answer(self, frame: bytes) -> bytes:
        """Carry out a command, or fall silent."""
        if not self._is_active:
            return b""
        pending, self._compatibility_page = self._compatibility_page, None
        reply = self._obey(frame) if pending is None else self._finish_compatibility_write(pending, frame)
        if not reply or isinstance(reply, Nak):
            self._go_idle()
        return reply

    def tear(self, frame: bytes, tear: Tear) -> None:
        """Lose power in a command. Only what writes leaves a trace.

        The data sheets promise that lock bits and CC survive a tear whole. Here they may be
        programmed in part, as in worn or copied chips; they are never erased.
        """
        if self._is_active and tear.mode is TornMode.AFTER:
            self.answer(frame)
        elif self._is_active and tear.mode is not TornMode.BEFORE:
            self._tear_write(frame, tear)
        self.power_off()

    def state(self) -> State:
        """Chip, UID, memory and defects."""
        return {
            "chip": self.chip,
            "uid": self._uid.hex(),
            "memory": self.memory.hex(),
            "worn": sorted(self.worn),
            "weak": {str(page): mask for page, mask in sorted(self.weak.items())},
            "fragile": self.is_fragile,
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        self.memory[:] = bytes.fromhex(state["memory"])
        self.worn = set(state["worn"])
        self.weak = {int(page): mask for page, mask in state["weak"].items()}
        self.is_fragile = state["fragile"]

    def _deliver(self, contents: Mapping[int, bytes]) -> None:
        """Fill pages as the maker does, from the first of each content on."""
        for page, content in contents.items():
            self.memory[page * PAGE_SIZE : page * PAGE_SIZE + len(content)] = content

    def _power_on(self) -> None:
        self._is_powered = True

    def _go_idle(self) -> None:
        self._is_active = False
        self._compatibility_page = None

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        """First byte of a command, how long the frame is, and who carries it out."""
        return {
            0x30: (2, self._read),
            0xA2: (6, self._write),
            0xA0: (2, self._begin_compatibility_write),
            0x50: (2, _halt),
        }

    def _obey(self, frame: bytes) -> bytes:
        known = self._commands().get(frame[0]) if frame else None
        if known is None:
            return self.answer_to_unknown
        length, handler = known
        return handler(frame) if len(frame) == length else b""

    def _read(self, frame: bytes) -> bytes:
        start, end = frame[1], self._end_of_reading()
        if start >= end:
            return NAK_ARGUMENT
        return b"".join(self._shown_page((start + offset) % end) for offset in range(4))

    def _end_of_reading(self) -> int:
        """The first page that cannot be read; reading on rolls over to page 0."""
        return self.pages

    def _shown_page(self, number: int) -> bytes:
        return self.page(number)

    def _write(self, frame: bytes) -> bytes:
        return self._write_page(frame[1], frame[2:6])

    def _begin_compatibility_write(self, frame: bytes) -> bytes:
        refusal = self._refusal(frame[1])
        if refusal:
            return refusal
        self._compatibility_page = frame[1]
        return ACK

    def _finish_compatibility_write(self, page: int, frame: bytes) -> bytes:
        return self._write_page(page, frame[:PAGE_SIZE]) if len(frame) == 16 else b""

    def _write_page(self, page: int, data: bytes) -> bytes:
        refusal = self._refusal(page)
        if refusal:
            return refusal
        strong = ~self.weak.get(page, 0)
        self.set_page(page, self._content_after(page, _masked(data, strong)))
        return ACK

    def _refusal(self, page: int) -> bytes:
        """The NAK a write to a page gets; empty if it may be written."""
        if not STATIC_LOCK_PAGE <= page < self.pages or page in self._locked_pages():
            return NAK_ARGUMENT
        return self.nak_eeprom if page in self.worn else b""

    def _locked_pages(self) -> set[int]:
        return self._locked_by_memory() if self.locks_at_once else self._locked_since_selection

    def _locked_by_memory(self) -> set[int]:
        bits = int.from_bytes(self.page(STATIC_LOCK_PAGE)[2:], "little")
        locked = {page for page in range(CC_PAGE, FIRST_DYNAMIC_PAGE) if bits & 1 << page}
        return locked.union(*(locks.locked_by(self.page(page)) for page, locks in self.lock_pages.items()))

    def _content_after(self, page: int, data: bytes) -> bytes:
        """What a page holds after a write that came to its end."""
        now = self.page(page)
        if page == STATIC_LOCK_PAGE:
            return now[:2] + add_locks(now[2:], data[2:], _FREEZES)
        if page in self.lock_pages:
            return self.lock_pages[page].after(now, data)
        return _joined(now, data) if self._is_one_way(page) else data

    def _is_one_way(self, page: int) -> bool:
        return page in (STATIC_LOCK_PAGE, CC_PAGE) or page in self.lock_pages

    def _tear_write(self, frame: bytes, tear: Tear) -> None:
        target = self._write_target(frame)
        if target is None:
            return
        page, data = target
        programmed = _masked(data, tear.mask if tear.mode is TornMode.PARTIAL else 0)
        self.set_page(page, self._torn_content(page, programmed))
        if self.is_fragile:
            self.worn.add(page)

    def _torn_content(self, page: int, programmed: bytes) -> bytes:
        """What a page holds after a write that got as far as these bits."""
        return self._content_after(page, programmed) if self._is_one_way(page) else programmed

    def _write_target(self, frame: bytes) -> tuple[int, bytes] | None:
        """Page and data of a frame that writes, if the write would be accepted."""
        if self._compatibility_page is not None and len(frame) == 16:
            return self._compatibility_page, frame[:PAGE_SIZE]
        if len(frame) == 6 and frame[0] == 0xA2 and not self._refusal(frame[1]):
            return frame[1], frame[2:]
        return None


def _serial_number_bytes(uid: bytes) -> bytes:
    """The first nine bytes of the memory: UID with its two check bytes (ISO/IEC 14443-3)."""
    first, second = uid[:3], uid[3:7]
    return first + bytes([_xor([CASCADE_TAG, *first])]) + second + bytes([_xor(second)])


def _xor(values: Iterable[int]) -> int:
    result = 0
    for value in values:
        result ^= value
    return result


def _halt(_frame: bytes) -> bytes:
    return b""


def _joined(now: bytes, data: bytes) -> bytes:
    return bytes(old | new for old, new in zip(now, data, strict=True))


def _masked(data: bytes, mask: int) -> bytes:
    return (int.from_bytes(data) & mask & 0xFFFFFFFF).to_bytes(PAGE_SIZE)


def add_locks(now: bytes, data: bytes, freezes: Iterable[tuple[int, int]]) -> bytes:
    """OR new lock bits in, except those that a block-locking bit has frozen."""
    old, new = int.from_bytes(now, "little"), int.from_bytes(data, "little")
    for block_bit, frozen in freezes:
        if old & 1 << block_bit:
            new &= ~frozen
    return (old | new).to_bytes(len(now), "little")
