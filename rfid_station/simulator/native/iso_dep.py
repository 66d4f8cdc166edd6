"""What all cards of ISO/IEC 14443-4 share: answer to select, a UID that may be random, and tears.

Readers keep the block protocol to themselves, so that a card here takes an APDU and answers one.
"""

from __future__ import annotations

import hashlib
import secrets
from abc import abstractmethod
from typing import ClassVar

from rfid_station.simulator.card import State, Tear, TornMode, VirtualCard
from rfid_station.simulator.native.handshake import Draw

_RATS = 0xE0
_RANDOM_ID = 0x08
"""First byte of a UID that was made up (ISO/IEC 14443-3, 6.5.4)."""


class VirtualIsoDep(VirtualCard):
    """A card that is driven by APDUs.

    `draw` gives random numbers, so that a test can put known ones in.
    """

    sak = 0x20
    full_name: ClassVar[str]

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self.draw: Draw = secrets.token_bytes
        self.has_random_id = False
        """Whether the card makes up a UID each time it gets power. It shows from the next time on."""
        self._is_active = False
        self._shows_random_id = False
        self._draws = 0
        self._tear: Tear | None = None
        self._was_torn = False

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return self.full_name

    @property
    def uid(self) -> bytes:
        """The UID of this time."""
        if not self._shows_random_id:
            return self._uid
        return bytes([_RANDOM_ID]) + hashlib.sha256(self._uid + self._draws.to_bytes(4)).digest()[:3]

    @property
    def atqa(self) -> bytes:  # type: ignore[override]
        """A UID of four bytes is announced by another answer than one of seven."""
        return bytes.fromhex("0304" if len(self.uid) == 4 else "0344")

    def select(self) -> bytes:
        """Power and select the card."""
        self._is_active = True
        return self.uid

    def power_off(self) -> None:
        """Forget all but the memory; a random UID is made up anew."""
        self._is_active = False
        self._lose_power()
        if self._shows_random_id:
            self._draws += 1
            self.changes += 1
        self._shows_random_id = self.has_random_id

    def answer(self, frame: bytes) -> bytes:
        """Answer RATS (ISO/IEC 14443-4, 5.6.1); other frames of layer 3 send the card to sleep."""
        if self._is_active and len(frame) == 2 and frame[0] == _RATS:
            return self.ats
        self._is_active = False
        return b""

    def apdu(self, command: bytes) -> bytes:
        """Answer an APDU."""
        return self._obey(command) if self._is_active and command else b""

    def tear(self, _frame: bytes, _tear: Tear) -> None:
        """No frame of layer 3 leaves a trace."""
        self.power_off()

    def tear_apdu(self, command: bytes, tear: Tear) -> None:
        """Carry a command out fully or not at all; only writing file data can stop half way.

        Keys, settings, applications and files change in one stroke (anti-tearing of these chips).
        """
        if tear.mode is TornMode.AFTER:
            self.apdu(command)
        elif tear.mode is not TornMode.BEFORE:
            self._begin_and_lose_power(command, tear)
        self.power_off()

    def state(self) -> State:
        """Chip, UID, and whether it is hidden behind random ones."""
        return {
            "chip": self.chip,
            "uid": self._uid.hex(),
            "random_id": self.has_random_id,
            "draws": self._draws,
        }

    def restore(self, state: State) -> None:
        """Take the state of before. How many UIDs were made up is part of it, so that none comes twice."""
        self.has_random_id = self._shows_random_id = state["random_id"]
        self._draws = state["draws"]

    @abstractmethod
    def _obey(self, command: bytes) -> bytes:
        """Answer an APDU of a card that has power."""

    def _lose_power(self) -> None:
        """Forget whatever is not in the memory."""

    def _begin_and_lose_power(self, command: bytes, tear: Tear) -> None:
        before = self.state()
        self._tear, self._was_torn = tear, False
        self.apdu(command)
        if not self._was_torn:
            self.restore(before)
        self._tear = None

    def _programmed(self, now: bytes, new: bytes) -> bytes:
        """What file memory holds after a write: `new`, or something of it when power went in the middle."""
        if self._tear is None:
            return new
        self._was_torn = True
        if self._tear.mode is TornMode.ERASED:
            return bytes(len(new))
        half = len(new) // 2
        return new[:half] + now[half:]
