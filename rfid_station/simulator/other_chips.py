"""Cards that a desk for NTAG21x is handed by mistake: just enough of each to be refused for the right reason.

From the data sheets MF0ICU1 (Ultralight), MF1S50 (Classic) and MF3D (DESFire EV3), in extracts.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

from rfid_station.simulator.card import State, Tear, VirtualCard
from rfid_station.simulator.type2 import VirtualType2


class VirtualUltralight(VirtualType2):
    """A plain MIFARE Ultralight: 16 pages, no GET_VERSION, its OTP page (3) delivered empty."""

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid, pages=16)

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return "MIFARE Ultralight"


class _SelectOnly(VirtualCard):
    """A card whose memory nobody gets at without a key: it can be selected, and hardly more."""

    full_name: ClassVar[str]

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self._is_active = False

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return self.full_name

    def select(self) -> bytes:
        """Power and select the card."""
        self._is_active = True
        return self.uid

    def power_off(self) -> None:
        """Forget everything."""
        self._is_active = False

    def tear(self, _frame: bytes, _tear: Tear) -> None:
        """Nothing that can be sent without a key leaves a trace."""
        self.power_off()

    def state(self) -> State:
        """Chip and UID."""
        return {"chip": self.chip, "uid": self._uid.hex()}

    def restore(self, state: State) -> None:
        """There is nothing to restore."""


class VirtualClassic1k(_SelectOnly):
    """MIFARE Classic EV1 1K with a 4-byte NUID. Its sectors are closed: no key is modelled."""

    full_name = "MIFARE Classic 1K"
    sak = 0x08
    _NONCE = bytes.fromhex("01200145")

    def answer(self, frame: bytes) -> bytes:
        """Offer a nonce to whoever wants to authenticate, refuse to read or write before that."""
        if not self._is_active:
            return b""
        self._is_active = False
        if len(frame) == 2 and frame[0] in (0x60, 0x61):
            return self._NONCE
        return b"\x04" if len(frame) == 2 and frame[0] in (0x30, 0xA0) else b""


class VirtualDesfire(_SelectOnly):
    """MIFARE DESFire EV3 as delivered. GetVersion answers; everything else is an illegal command."""

    full_name = "MIFARE DESFire EV3"
    sak = 0x20
    ats = bytes.fromhex("067577810280")
    _VERSION = (bytes.fromhex("04010133001605"), bytes.fromhex("04010103001605"))
    _PRODUCTION = bytes.fromhex("CF41F05A202424")
    """Batch number, calendar week and year."""

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self._version_parts: list[bytes] = []

    def answer(self, frame: bytes) -> bytes:
        """Answer RATS (ISO/IEC 14443-4, 5.6.1); other frames of layer 3 send the card to sleep."""
        if self._is_active and len(frame) == 2 and frame[0] == 0xE0:
            return self.ats
        self._is_active = False
        return b""

    def apdu(self, command: bytes) -> bytes:
        """GetVersion in its three parts, wrapped as ISO/IEC 7816-4."""
        if not self._is_active:
            return b""
        if command == bytes.fromhex("9060000000"):
            self._version_parts = [*self._VERSION, self._shown_uid() + self._PRODUCTION]
        elif command != bytes.fromhex("90AF000000") or not self._version_parts:
            self._version_parts = []
            return bytes.fromhex("911C")
        part = self._version_parts.pop(0)
        return part + bytes.fromhex("91AF" if self._version_parts else "9100")

    def _shown_uid(self) -> bytes:
        return self._uid


class VirtualRandomUid(VirtualDesfire):
    """A DESFire with random ID switched on: 08 and three bytes that are new at every field restart."""

    full_name = "MIFARE DESFire EV3 with random ID"

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self._draws = 0

    @property
    def uid(self) -> bytes:
        """The UID of this time."""
        return b"\x08" + hashlib.sha256(self._uid + self._draws.to_bytes(4)).digest()[:3]

    def power_off(self) -> None:
        """Make up a new UID for the next time."""
        super().power_off()
        self._draws += 1
        self.changes += 1

    def state(self) -> State:
        """How many UIDs were made up so far is part of it, so that none comes twice."""
        return super().state() | {"draws": self._draws}

    def restore(self, state: State) -> None:
        """Take the state of before."""
        self._draws = state["draws"]

    def _shown_uid(self) -> bytes:
        return bytes(7)
