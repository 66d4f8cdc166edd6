"""MIFARE Ultralight C, from the NXP data sheet MF0ICU2 (rev. 3.3).

Lock bits, key, AUTH0 and AUTH1 count from the next selection on: the data sheet says so of locks (7.5.3) and
key (7.5.7), and nfcpy writes AUTH1 behind an AUTH0 that would forbid it. Of lock byte 3, bits 0 to 3 freeze
and bits 4 to 7 lock the counter, AUTH0, AUTH1 and the key.
"""

from __future__ import annotations

from typing import ClassVar

from rfid_station.simulator.memory.three_pass import VirtualThreePassTag
from rfid_station.simulator.memory.type2 import NAK_ARGUMENT, DynamicLocks
from rfid_station.simulator.memory.ultralight import (
    COUNTER_FREEZE,
    COUNTER_LOCK,
    LOCK_PAGE,
    USER_FREEZES,
    USER_LOCKS,
    VirtualCounterTag,
)
from rfid_station.simulator.native.cipher import Algorithm, Cipher

_PAGES = 0x30
_AUTH0_PAGE, _AUTH1_PAGE, _KEY_PAGE = 0x2A, 0x2B, 0x2C
_OPEN_FROM = bytes([_PAGES])
_DELIVERED_KEY = b"BREAKMEIFYOUCAN!"
"""As the pages hold it: each half backwards."""
_HALF = 8
_WRITE_ONLY = 0x01

_LOCKS = DynamicLocks(
    LOCK_PAGE,
    USER_LOCKS
    | COUNTER_LOCK
    | {
        13: range(_AUTH0_PAGE, _AUTH0_PAGE + 1),
        14: range(_AUTH1_PAGE, _AUTH1_PAGE + 1),
        15: range(_KEY_PAGE, _PAGES),
    },
    (*USER_FREEZES, COUNTER_FREEZE, (9, 0x2000), (10, 0x4000), (11, 0x8000)),
    bytes(2),
)


class VirtualUltralightC(VirtualThreePassTag, VirtualCounterTag):
    """An Ultralight C with its OTP page delivered empty and the key that is printed in the data sheet."""

    block: ClassVar[int] = 8
    is_chained: ClassVar[bool] = True

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid, _PAGES, _LOCKS)
        self._deliver({_AUTH0_PAGE: _OPEN_FROM, _KEY_PAGE: _DELIVERED_KEY})
        self._auth0 = _PAGES
        self._protects_reading = False
        self._key = b""

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return "MIFARE Ultralight C"

    def key(self, number: int) -> Cipher | None:
        """There is one key, number 0."""
        return Cipher(Algorithm.DES, self._key) if number == 0 else None

    def select(self) -> bytes:
        """Take up key and configuration."""
        halves = b"".join(map(self.page, range(_KEY_PAGE, _PAGES)))
        self._key = halves[:_HALF][::-1] + halves[_HALF:][::-1]
        self._auth0 = self.page(_AUTH0_PAGE)[0]
        self._protects_reading = not self.page(_AUTH1_PAGE)[0] & _WRITE_ONLY
        return super().select()

    def _end_of_reading(self) -> int:
        """The key can never be read (7.5.7)."""
        is_closed = self._protects_reading and self._key_number is None
        return min(self._auth0, _KEY_PAGE) if is_closed else _KEY_PAGE

    def _refusal(self, page: int) -> bytes:
        is_closed = page >= self._auth0 and self._key_number is None
        return NAK_ARGUMENT if is_closed else super()._refusal(page)
