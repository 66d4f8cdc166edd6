"""Three passes by which a Type 2 tag and a reader prove to each other that they know the same key.

| pass | frame |
|---|---|
| 1 | `1A NN` asks for key NN; the tag answers `AF` and its number B, enciphered |
| 2 | `AF` and the reader's number A with B rotated by a byte, enciphered; the tag answers `00` |
| 3 | and A rotated by a byte, enciphered |

NXP data sheets MF0ICU2 (7.5.5) and MF0AES(H)20 (8.6.1).
"""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from rfid_station.simulator.memory.type2 import NAK_ARGUMENT, DynamicLocks, Handler, VirtualType2
from rfid_station.simulator.native.cipher import Cipher, rotated

_FIRST, _MORE, _DONE = 0x1A, 0xAF, b"\x00"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the tag remembers between the first pass and the second."""

    key_number: int
    number: bytes = field(repr=False)
    ciphertext: bytes


class VirtualThreePassTag(VirtualType2):
    """A tag that authenticates. It forgets that when it goes idle or loses power.

    Key and configuration count from the next selection on (MF0ICU2, 7.5.7).
    """

    block: ClassVar[int]
    """How many bytes a random number has: a block of the cipher."""
    is_chained: ClassVar[bool]
    """Whether the initial vector is the last block that went over the air, or zero each time."""

    def __init__(self, chip: str, uid: bytes, pages: int, *locks: DynamicLocks) -> None:
        super().__init__(chip, uid, pages, *locks)
        self.random: Callable[[int], bytes] = secrets.token_bytes
        """Where the tag's number comes from: published vectors have their own."""
        self._challenge: Challenge | None = None
        self._due: Challenge | None = None
        self._key_number: int | None = None

    @abstractmethod
    def key(self, number: int) -> Cipher | None:
        """The key of a number that counts now; None if the tag has no such key, or keeps it to itself."""

    def _failed(self) -> None:
        """Somebody did not know the key."""

    def _succeeded(self, _key: Cipher, _number_of_tag: bytes, _number_of_reader: bytes) -> None:
        """The reader knew the key."""

    def _go_idle(self) -> None:
        super()._go_idle()
        self._challenge = None
        self._key_number = None

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {
            _FIRST: (2, self._first_pass),
            _MORE: (1 + 2 * self.block, self._second_pass),
        }

    def _obey(self, frame: bytes) -> bytes:
        self._due, self._challenge = self._challenge, None
        return super()._obey(frame)

    def _first_pass(self, frame: bytes) -> bytes:
        self._key_number = None
        key = self.key(frame[1])
        if key is None:
            return NAK_ARGUMENT
        number = self.random(self.block)
        ciphertext = key.encrypt(number)
        self._challenge = Challenge(frame[1], number, ciphertext)
        return bytes([_MORE]) + ciphertext

    def _second_pass(self, frame: bytes) -> bytes:
        due = self._due
        key = None if due is None else self.key(due.key_number)
        if due is None or key is None:
            return NAK_ARGUMENT
        plain = key.decrypt(frame[1:], self._vector(due.ciphertext))
        number, proof = plain[: self.block], plain[self.block :]
        if proof != rotated(due.number):
            self._failed()
            return NAK_ARGUMENT
        self._key_number = due.key_number
        self._succeeded(key, due.number, number)
        return _DONE + key.encrypt(rotated(number), self._vector(frame[-self.block :]))

    def _vector(self, last_block: bytes) -> bytes:
        return last_block if self.is_chained else b""
