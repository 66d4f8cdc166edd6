"""What every virtual card can do, and how power can be taken from it in the middle of a command.

A card is driven by frames as they go through the air, without CRC. Four-bit answers of a
Type 2 tag (ACK, NAK) are one byte, silence is the empty frame. A card of ISO 14443-4 is driven by APDUs:
readers keep the block protocol of layer 4 to themselves. Crypto1 is inside the reader's chip too, so that a
MIFARE Classic is driven by what is handed to that chip (PN532 user manual, 7.3.8):

| frame | meaning | answer |
|---|---|---|
| `60 BB KEY(6) UID(4)`, `61 …` | log in to the sector of block BB with key A, key B | `0A`, or silence |
| `30 BB` | read the block | 16 bytes |
| `A0 BB DATA(16)` | write the block | `0A`, or silence |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

State = dict[str, Any]
"""All that a card keeps without power, as JSON can hold it."""


class TornMode(StrEnum):
    """At which moment of a command the power goes."""

    BEFORE = "before"
    """The command was not carried out."""
    ERASED = "erased"
    """The page was erased and nothing of the new content is in it: all bytes 00."""
    PARTIAL = "partial"
    """Some of the new 1-bits were programmed."""
    AFTER = "after"
    """The command was carried out and its answer never left the card."""


@dataclass(frozen=True, slots=True)
class Tear:
    """How the power goes. `mask` says which of the 32 bits of a page were programmed (mode `partial`).

    The highest bit of the mask is the highest bit of the page's first byte.
    """

    mode: TornMode
    mask: int = 0x5A5A5A5A


class VirtualCard(ABC):
    """A card that lies in a drawer until it is selected. Made new, or from the `state` it had."""

    standard: ClassVar[str] = "A"
    """How it is polled for: `A`, `B` (ISO 14443), `F` (FeliCa) or `V` (ISO 15693)."""
    atqa: ClassVar[bytes] = bytes.fromhex("0044")
    """Answer to request, as data sheets print it: the high byte first."""
    sak: ClassVar[int] = 0x00
    """Select acknowledge of the last cascade level (ISO/IEC 14443-3, 6.5.3.4; NXP AN10833)."""
    ats: ClassVar[bytes] = b""
    """Answer to select of an ISO 14443-4 card, with its length byte; empty for the others."""

    def __init__(self, chip: str, uid: bytes) -> None:
        self.chip = chip
        self._uid = uid
        self.changes = 0
        """Counts how often something changed that outlives the power. For whoever keeps the state."""

    @property
    def uid(self) -> bytes:
        """The UID the card is selected with, in air order."""
        return self._uid

    @property
    @abstractmethod
    def name(self) -> str:
        """What is written on the chip's data sheet, as `NTAG213`."""

    @abstractmethod
    def select(self) -> bytes:
        """Power the card if it has none, select it, and return its UID."""

    @abstractmethod
    def power_off(self) -> None:
        """Take the field away: whatever is not in its memory is forgotten."""

    @abstractmethod
    def answer(self, frame: bytes) -> bytes:
        """Answer one frame; empty when the card stays silent."""

    @abstractmethod
    def tear(self, frame: bytes, tear: Tear) -> None:
        """Begin to carry out a frame and lose power in the middle. Nothing is answered."""

    @abstractmethod
    def state(self) -> State:
        """All that the card keeps without power."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Take a state that a card of this chip and UID gave before."""

    def apdu(self, _command: bytes) -> bytes:
        """Answer an APDU of ISO/IEC 7816-4 or a native command; empty if this is no card of ISO 14443-4."""
        return b""

    def tear_apdu(self, command: bytes, tear: Tear) -> None:
        """Begin to carry out an APDU and lose power in the middle. Nothing is answered."""
        if tear.mode is TornMode.AFTER:
            self.apdu(command)
        self.power_off()


@dataclass(frozen=True, slots=True)
class ChipMaker:
    """How a chip comes into the world: `make(word, uid)`, and how many bytes its UID has."""

    make: Callable[[str, bytes], VirtualCard]
    uid_size: int = 7
    manufacturer: int = 0x04
    """The first byte of its UID (ISO/IEC 7816-6): NXP, unless it is a clone."""
