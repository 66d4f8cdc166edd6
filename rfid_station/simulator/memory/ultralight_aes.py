"""MIFARE Ultralight AES, MF0AES(H)20, as far as it is known from programs that encode it.

Known: memory map, the two AES keys (stored backwards), AUTH0, ACCESS, AUTH_LIM, the locks of the keys, random
ID, three counters, and frames with a MAC. Taken from MF0ULx1 because nothing was found: the dynamic locks of
two pages a bit, that configuration counts from the next power-up, and that the right key forgives wrong ones.
Not modelled: the originality key (number 2), whose value only NXP knows.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

from rfid_station.simulator.card import State, Tear, TornMode
from rfid_station.simulator.memory.three_pass import VirtualThreePassTag
from rfid_station.simulator.memory.type2 import (
    ACK,
    NAK_ARGUMENT,
    NAK_COUNTER,
    PAGE_SIZE,
    DynamicLocks,
    Handler,
    Nak,
    locks_behind,
)
from rfid_station.simulator.native.cipher import Algorithm, Cipher

_PAGES = 0x3C
_LOCK_PAGE, _CFG0_PAGE, _CFG1_PAGE, _KEY_LOCK_PAGE = 0x28, 0x29, 0x2A, 0x2D
_KEY_PAGES = (range(0x30, 0x34), range(0x34, 0x38))
_END_OF_READING = 0x38
"""Behind it lies the originality key."""
_DATA_KEY = 0

_RANDOM_ID, _SECURE_MESSAGING = 0x01, 0x02
_PROT, _LOCK_CONFIGURATION, _COUNTER_2_STEPS_OPEN, _COUNTER_2_READS_OPEN = 0x80, 0x40, 0x08, 0x04
_COUNTERS, _GUARDED_COUNTER, _COUNTER_LIMIT = 3, 2, 0xFFFFFF
_KEY_LOCKS = DynamicLocks(_KEY_LOCK_PAGE, {6: _KEY_PAGES[0], 7: _KEY_PAGES[1]}, ((5, 0xC0),), bytes(3))

_VERSION = bytes.fromhex("0004030104000F03")
_SESSION_LABEL = bytes.fromhex("5AA500010080")
_MAC_SIZE = 8


class VirtualUltralightAes(VirtualThreePassTag):
    """An Ultralight AES with both keys 00, as delivered."""

    block: ClassVar[int] = 16
    is_chained: ClassVar[bool] = False

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid, _PAGES, locks_behind(_LOCK_PAGE, 2), _KEY_LOCKS)
        self._deliver({_CFG0_PAGE: bytes([0, 0, 0, _PAGES]), _CFG1_PAGE: bytes.fromhex("00050000")})
        self.counters = [0] * _COUNTERS
        self.failed_authentications = 0
        """Since the last one that succeeded, counted while AUTH_LIM is not 0."""
        self._random_ids = 0
        self._cfg0 = self._cfg1 = bytes(PAGE_SIZE)
        self._keys = (b"", b"")
        self._session: Cipher | None = None
        self._messages = 0

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return "MIFARE Ultralight AES"

    @property
    def uid(self) -> bytes:
        """The UID, or the random one of this time."""
        configuration = self._cfg0 if self._is_powered else self.page(_CFG0_PAGE)
        if not configuration[0] & _RANDOM_ID:
            return self._uid
        return b"\x08" + hashlib.sha256(self._uid + self._random_ids.to_bytes(4)).digest()[:3]

    def key(self, number: int) -> Cipher | None:
        """0 protects data, 1 shows the UID behind a random ID."""
        return Cipher(Algorithm.AES, self._keys[number]) if number < len(self._keys) else None

    def select(self) -> bytes:
        """Take up the keys."""
        first, second = (b"".join(map(self.page, pages))[::-1] for pages in _KEY_PAGES)
        self._keys = (first, second)
        return super().select()

    def power_off(self) -> None:
        """Make up a new random ID for the next time."""
        super().power_off()
        if self.uid != self._uid:
            self._random_ids += 1
            self.changes += 1

    def answer(self, frame: bytes) -> bytes:
        """Carry out a command; with secure messaging, only if its MAC is right."""
        if self._session is None or not self._is_active:
            return super().answer(frame)
        session = self._session
        command, mac = frame[:-_MAC_SIZE], frame[-_MAC_SIZE:]
        if mac != self._mac(session, command):
            self._go_idle()
            return NAK_ARGUMENT
        reply = super().answer(command)
        if not reply or isinstance(reply, Nak) or self._session is not session:
            return reply
        data = b"" if reply == ACK else reply
        return data + self._mac(session, data)

    def tear(self, frame: bytes, tear: Tear) -> None:
        """Lose power in a command."""
        is_wrapped = self._session is not None and tear.mode is not TornMode.AFTER
        super().tear(frame[:-_MAC_SIZE] if is_wrapped else frame, tear)

    def state(self) -> State:
        """The memory, and the counters that are no part of it."""
        return super().state() | {
            "counters": list(self.counters),
            "failed_authentications": self.failed_authentications,
            "random_ids": self._random_ids,
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        super().restore(state)
        self.counters = list(state["counters"])
        self.failed_authentications = state["failed_authentications"]
        self._random_ids = state["random_ids"]

    def _power_on(self) -> None:
        super()._power_on()
        self._cfg0, self._cfg1 = self.page(_CFG0_PAGE), self.page(_CFG1_PAGE)

    def _go_idle(self) -> None:
        super()._go_idle()
        self._session = None

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {
            0x60: (1, lambda _: _VERSION),
            0x3A: (3, self._fast_read),
            0x3C: (2, lambda _: bytes(48)),
            0x39: (2, self._read_counter),
            0xA5: (6, self._increment_counter),
            0x4B: (21, lambda _: self._cfg1[1:2]),
        }

    def _fast_read(self, frame: bytes) -> bytes:
        first, last = frame[1], frame[2]
        if first > last or last >= self._end_of_reading():
            return NAK_ARGUMENT
        return b"".join(map(self._shown_page, range(first, last + 1)))

    def _end_of_reading(self) -> int:
        is_closed = self._cfg1[0] & _PROT and self._key_number != _DATA_KEY
        return min(self._cfg0[3], _END_OF_READING) if is_closed else _END_OF_READING

    def _shown_page(self, number: int) -> bytes:
        """Keys read as 00, and the UID too while a random ID stands for it."""
        is_key = any(number in pages for pages in _KEY_PAGES)
        is_hidden_uid = number < 2 and self.uid != self._uid and self._key_number is None
        return bytes(PAGE_SIZE) if is_key or is_hidden_uid else self.page(number)

    def _refusal(self, page: int) -> bytes:
        is_closed = page >= self._cfg0[3] and self._key_number != _DATA_KEY
        is_fixed = self._cfg1[0] & _LOCK_CONFIGURATION and page in (_CFG0_PAGE, _CFG1_PAGE)
        if is_closed or is_fixed or page >= _END_OF_READING:
            return NAK_ARGUMENT
        return super()._refusal(page)

    def _read_counter(self, frame: bytes) -> bytes:
        if frame[1] >= _COUNTERS or self._is_counter_closed(frame[1], _COUNTER_2_READS_OPEN):
            return NAK_ARGUMENT
        return self.counters[frame[1]].to_bytes(3, "little")

    def _increment_counter(self, frame: bytes) -> bytes:
        if frame[1] >= _COUNTERS or self._is_counter_closed(frame[1], _COUNTER_2_STEPS_OPEN):
            return NAK_ARGUMENT
        value = self.counters[frame[1]] + int.from_bytes(frame[2:5], "little")
        if value > _COUNTER_LIMIT:
            return NAK_COUNTER
        self.counters[frame[1]] = value
        self.changes += 1
        return ACK

    def _is_counter_closed(self, number: int, opening: int) -> bool:
        is_open = self._cfg1[0] & opening or self._key_number == _DATA_KEY
        return number == _GUARDED_COUNTER and not is_open

    def _first_pass(self, frame: bytes) -> bytes:
        limit = int.from_bytes(self._cfg1[2:4], "little") & 0x3FF
        self._session = None
        if limit and self.failed_authentications >= limit:
            return NAK_COUNTER
        return super()._first_pass(frame)

    def _failed(self) -> None:
        if int.from_bytes(self._cfg1[2:4], "little") & 0x3FF:
            self.failed_authentications += 1
            self.changes += 1

    def _succeeded(self, key: Cipher, number_of_tag: bytes, number_of_reader: bytes) -> None:
        if self.failed_authentications:
            self.failed_authentications = 0
            self.changes += 1
        if self._cfg0[0] & _SECURE_MESSAGING:
            self._session = _session_key(key, number_of_reader, number_of_tag)
            self._messages = 0

    def _mac(self, session: Cipher, message: bytes) -> bytes:
        """Every second byte of a CMAC over the number of the message, low byte first, and the message."""
        mac = session.cmac(self._messages.to_bytes(2, "little") + message)
        self._messages += 1
        return mac[1::2]


def _session_key(key: Cipher, a: bytes, b: bytes) -> Cipher:
    mixed = bytes(left ^ right for left, right in zip(a[2:8], b[:6], strict=True))
    return Cipher(Algorithm.AES, key.cmac(_SESSION_LABEL + a[:2] + mixed + b[6:] + a[8:]))
