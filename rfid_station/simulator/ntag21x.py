"""NTAG213, NTAG215 and NTAG216, from the NXP data sheet NTAG213_215_216 (rev. 3.2).

CFG0 and CFG1 take effect at the next power-up, PWD and PACK at once. The data sheet says so of
CFGLCK only (8.5.7); of the others NXP's support does (community thread 795227), traces of real
chips show it, and nfcpy relies on it. Lock bits take effect at once. The ASCII mirror and the
field detection of the F types are not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.simulator.card import State
from rfid_station.simulator.type2 import (
    CC_PAGE,
    NAK_ARGUMENT,
    NAK_COUNTER,
    PAGE_SIZE,
    Handler,
    VirtualType2,
    add_locks,
)

_PROT, _CFGLCK, _NFC_CNT_EN, _NFC_CNT_PWD_PROT, _AUTHLIM = 0x80, 0x40, 0x10, 0x08, 0x07
_COUNTER_LIMIT = 0xFFFFFF
_FIRST_DYNAMIC_PAGE = 16
_LOCK_RFUI = 0xBD
"""Byte 3 of the dynamic lock page, always (8.5.3)."""


@dataclass(frozen=True, slots=True)
class Ntag21xModel:
    """What tells the three types apart (tables 2, 6 and 26 of the data sheet)."""

    name: str
    pages: int
    version: str
    capability: str
    """Capability container in page 3, as delivered."""
    delivered: str
    """User memory from page 4 on, as delivered."""
    pages_per_lock: int
    """How many pages one dynamic lock bit stands for; one block-locking bit freezes two lock bits."""

    @property
    def dynamic_lock_page(self) -> int:
        """The page behind the user memory; CFG0, CFG1, PWD and PACK follow."""
        return self.pages - 5

    @property
    def lock_areas(self) -> list[range]:
        """The pages behind each dynamic lock bit, in order."""
        starts = range(_FIRST_DYNAMIC_PAGE, self.dynamic_lock_page, self.pages_per_lock)
        return [range(s, min(s + self.pages_per_lock, self.dynamic_lock_page)) for s in starts]

    @property
    def lock_freezes(self) -> list[tuple[int, int]]:
        """Each block-locking bit (of byte 2), and the lock bits it freezes."""
        blocks = (len(self.lock_areas) + 1) // 2
        return [(16 + block, (0b11 << 2 * block) & self.lock_bits) for block in range(blocks)]

    @property
    def lock_bits(self) -> int:
        """The lock bits that exist. All others are reserved and stay 0."""
        return (1 << len(self.lock_areas)) - 1


MODELS = {
    "ntag213": Ntag21xModel(
        "NTAG213", 0x2D, "0004040201000F03", "E1101200", "0103A00C 340300FE", pages_per_lock=2
    ),
    "ntag215": Ntag21xModel("NTAG215", 0x87, "0004040201001103", "E1103E00", "0300FE00", pages_per_lock=16),
    "ntag216": Ntag21xModel("NTAG216", 0xE7, "0004040201001303", "E1106D00", "0300FE00", pages_per_lock=16),
}

SAMPLE_UID = bytes.fromhex("04E10CDA993C80")
_SAMPLE_SIGNATURE = bytes.fromhex("8B76052EE42F5567BEB53238B3E3F9950707C0DCC956B5C5EFCFDB709B2D82B3")
"""A published pair (NXP AN11350): the only UID whose originality signature is genuine here."""


class VirtualNtag21x(VirtualType2):
    """One NTAG213, NTAG215 or NTAG216.

    Only a chip with `SAMPLE_UID` has a genuine signature; nobody but NXP can sign other
    UIDs, so all others answer READ_SIG with 32 bytes 00.
    """

    def __init__(self, model: str, uid: bytes, memory: bytes | None = None) -> None:
        self.model = MODELS[model]
        super().__init__(model, uid, self.model.pages)
        self.counter = 0
        """NFC counter: how often the powered chip was first read, while the counter was enabled."""
        self.failed_passwords = 0
        """Wrong passwords since the last right one, counted while AUTHLIM is not 0."""
        self._is_authenticated = False
        self._has_counted = False
        self._auth0 = 0xFF
        self._access = 0x00
        self._set_delivery_state()
        if memory is not None:
            self.memory[:] = memory

    @property
    def name(self) -> str:
        """`NTAG213` and so on."""
        return self.model.name

    @property
    def signature(self) -> bytes:
        """What READ_SIG answers."""
        return _SAMPLE_SIGNATURE if self._uid == SAMPLE_UID else bytes(32)

    def state(self) -> State:
        """The memory, and the counters that are no part of it."""
        return super().state() | {"counter": self.counter, "failed_passwords": self.failed_passwords}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.counter = state["counter"]
        self.failed_passwords = state["failed_passwords"]

    def _set_delivery_state(self) -> None:
        last = self.model.dynamic_lock_page
        contents: dict[int, str] = {
            CC_PAGE: self.model.capability + self.model.delivered,
            last: f"000000{_LOCK_RFUI:02X}",
            last + 1: "040000FF",  # STRG_MOD_EN, no mirror, AUTH0 behind the memory
            last + 2: "00050000",  # byte 1 is reserved and reads 05 in chips as delivered
            last + 3: "FFFFFFFF",
            last + 4: "00000000",
        }
        for page, content in contents.items():
            raw = bytes.fromhex(content)
            self.memory[page * PAGE_SIZE : page * PAGE_SIZE + len(raw)] = raw

    @property
    def _password(self) -> bytes:
        return self.page(self.model.dynamic_lock_page + 3)

    @property
    def _pack(self) -> bytes:
        return self.page(self.model.dynamic_lock_page + 4)[:2]

    def _power_on(self) -> None:
        super()._power_on()
        self._has_counted = False
        self._auth0 = self.page(self.model.dynamic_lock_page + 1)[3]
        self._access = self.page(self.model.dynamic_lock_page + 2)[0]

    def _go_idle(self) -> None:
        super()._go_idle()
        self._is_authenticated = False

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {
            0x60: (1, self._get_version),
            0x3A: (3, self._fast_read),
            0x39: (2, self._read_counter),
            0x1B: (5, self._authenticate),
            0x3C: (2, self._read_signature),
        }

    def _get_version(self, _frame: bytes) -> bytes:
        return bytes.fromhex(self.model.version)

    def _read(self, frame: bytes) -> bytes:
        return self._counted(super()._read(frame))

    def _fast_read(self, frame: bytes) -> bytes:
        first, last = frame[1], frame[2]
        if first > last or last >= self._end_of_reading():
            return NAK_ARGUMENT
        return self._counted(b"".join(map(self._shown_page, range(first, last + 1))))

    def _counted(self, reply: bytes) -> bytes:
        """Count the first read after power-up that succeeds (8.7)."""
        is_first = not self._has_counted and reply != NAK_ARGUMENT
        if is_first and self._access & _NFC_CNT_EN and self.counter < _COUNTER_LIMIT:
            self.counter += 1
            self.changes += 1
        self._has_counted = self._has_counted or is_first
        return reply

    def _read_counter(self, frame: bytes) -> bytes:
        is_closed = self._access & _NFC_CNT_PWD_PROT and not self._is_authenticated
        if frame[1] != 0x02 or not self._access & _NFC_CNT_EN or is_closed:
            return NAK_ARGUMENT
        return self.counter.to_bytes(3, "little")

    def _read_signature(self, frame: bytes) -> bytes:
        return self.signature if frame[1] == 0x00 else NAK_ARGUMENT

    def _authenticate(self, frame: bytes) -> bytes:
        limit = self._access & _AUTHLIM
        if limit and self.failed_passwords >= limit:
            return NAK_COUNTER
        if frame[1:] == self._password:
            self._set_failed_passwords(0)
            self._is_authenticated = True
            return self._pack
        if limit:
            self._set_failed_passwords(self.failed_passwords + 1)
        return NAK_ARGUMENT

    def _set_failed_passwords(self, count: int) -> None:
        if count != self.failed_passwords:
            self.failed_passwords = count
            self.changes += 1

    def _end_of_reading(self) -> int:
        is_closed = self._access & _PROT and not self._is_authenticated
        return min(self._auth0, self.pages) if is_closed else self.pages

    def _shown_page(self, number: int) -> bytes:
        """PWD and PACK are never shown (8.8.1)."""
        hidden = {self.model.dynamic_lock_page + 3: 4, self.model.dynamic_lock_page + 4: 2}.get(number, 0)
        return bytes(hidden) + self.page(number)[hidden:]

    def _refusal(self, page: int) -> bytes:
        config = range(self.model.dynamic_lock_page + 1, self.model.dynamic_lock_page + 3)
        is_closed = page >= self._auth0 and not self._is_authenticated
        if is_closed or (self._access & _CFGLCK and page in config):
            return NAK_ARGUMENT
        return super()._refusal(page)

    def _locked_pages(self) -> set[int]:
        bits = int.from_bytes(self.page(self.model.dynamic_lock_page)[:3], "little")
        areas = (area for number, area in enumerate(self.model.lock_areas) if bits & 1 << number)
        return super()._locked_pages().union(*areas)

    def _is_one_way(self, page: int) -> bool:
        return page == self.model.dynamic_lock_page or super()._is_one_way(page)

    def _content_after(self, page: int, data: bytes) -> bytes:
        if page != self.model.dynamic_lock_page:
            return super()._content_after(page, data)
        freezes = self.model.lock_freezes
        existing = self.model.lock_bits | sum(1 << block_bit for block_bit, _ in freezes)
        wanted = (int.from_bytes(data[:3], "little") & existing).to_bytes(3, "little")
        return add_locks(self.page(page)[:3], wanted, freezes) + bytes([_LOCK_RFUI])
