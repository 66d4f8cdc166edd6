"""MIFARE Ultralight and NTAG203: pages, locks and a one-way counter, no password and no version.

From the NXP data sheets MF0ICU1, NTAG203 and MF0ICU2 (rev. 3.3, whose first 48 pages NTAG203 has in common).
Lock bits count from the next selection on (MF0ICU2, 7.5.3).
"""

from __future__ import annotations

from typing import ClassVar

from rfid_station.simulator.memory.type2 import (
    CC_PAGE,
    NAK_ARGUMENT,
    DynamicLocks,
    Nak,
    VirtualType2,
)

LOCK_PAGE = 0x28
COUNTER_PAGE = 0x29
_COUNTER_LIMIT = 0xFFFF
_LARGEST_STEP = 0x0F

USER_LOCKS = {
    1: range(16, 20),
    2: range(20, 24),
    3: range(24, 28),
    5: range(28, 32),
    6: range(32, 36),
    7: range(36, 40),
}
"""Lock byte 2: one bit for four pages."""
USER_FREEZES = ((0, 0x000E), (4, 0x00E0))
COUNTER_LOCK, COUNTER_FREEZE = {12: range(COUNTER_PAGE, COUNTER_PAGE + 1)}, (8, 0x1000)


class VirtualUltralight(VirtualType2):
    """A plain MIFARE Ultralight: 16 pages, no GET_VERSION, its OTP page (3) delivered empty."""

    locks_at_once: ClassVar[bool] = False

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid, pages=16)

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return "MIFARE Ultralight"


class VirtualCounterTag(VirtualType2):
    """A tag with two lock bytes in page 28 and a counter of 16 bits in page 29, low byte first.

    What it does not know it refuses with NAK 0, where NTAG21x says nothing: MF0ICU2, table 15, has that code
    "for any other error", and nfcpy tells NTAG203 from Ultralight by it.
    """

    locks_at_once: ClassVar[bool] = False
    answer_to_unknown: ClassVar[bytes] = NAK_ARGUMENT
    nak_eeprom: ClassVar[Nak] = Nak(b"\x02")

    def _content_after(self, page: int, data: bytes) -> bytes:
        if page != COUNTER_PAGE:
            return super()._content_after(page, data)
        return self._counter_after(data).to_bytes(2, "little") + self.page(page)[2:]

    def _write_page(self, page: int, data: bytes) -> bytes:
        is_too_much = page == COUNTER_PAGE and self._counter_after(data) > _COUNTER_LIMIT
        return NAK_ARGUMENT if is_too_much else super()._write_page(page, data)

    def _torn_content(self, page: int, programmed: bytes) -> bytes:
        """The counter survives a tear whole (NXP AN12265): it was not counted."""
        return self.page(page) if page == COUNTER_PAGE else super()._torn_content(page, programmed)

    def _counter_after(self, data: bytes) -> int:
        """The first write sets it to any value, every later one adds 0 to 15 (7.5.11)."""
        now, written = (int.from_bytes(value[:2], "little") for value in (self.page(COUNTER_PAGE), data))
        return now + (written & _LARGEST_STEP) if now else written


class VirtualNtag203(VirtualCounterTag):
    """An NTAG203: an Ultralight C without authentication, delivered formatted for NDEF."""

    def __init__(self, chip: str, uid: bytes) -> None:
        locks = DynamicLocks(LOCK_PAGE, USER_LOCKS | COUNTER_LOCK, (*USER_FREEZES, COUNTER_FREEZE), bytes(2))
        super().__init__(chip, uid, 0x2A, locks)
        self._deliver({CC_PAGE: bytes.fromhex("E1101200 0103A010 440300FE")})

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return "NTAG203"
