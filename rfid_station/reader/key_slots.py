"""MIFARE Classic by the pseudo-APDUs of PC/SC: Crypto1 is inside the reader, and keys go into its slots.

Which slots there are differs from maker to maker. A slot that forgets its key without power is tried
first; one that keeps it is used only by readers that have no other, and overwritten afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.exchange import ACK, SectorLogin
from rfid_station.errors import ReaderLimit
from rfid_station.reader import pseudo_apdu
from rfid_station.reader.pseudo_apdu import Response
from rfid_station.reader.raw_path import Transmit

_PUBLIC_KEY = bytes.fromhex("FFFFFFFFFFFF")
_NOT_THAT_SLOT = frozenset({0x6386, 0x6983, 0x6986, 0x6988})
_NOT_THAT_FORM = frozenset({0x6800, 0x6A81, 0x6A86, 0x6D00, 0x6E00})


@dataclass(frozen=True, slots=True)
class KeySlot:
    """A place for a key in the reader."""

    structure: int
    number: int

    @property
    def keeps(self) -> bool:
        """Whether the key stays there without power."""
        return self.structure == 0x20


SLOTS = (KeySlot(0x00, 0x00), KeySlot(0x00, 0x20), KeySlot(0x00, 0x60), KeySlot(0x20, 0x00))
"""ACR122U and most others; ACR1281 and its relatives; Identiv; OMNIKEY, which keeps keys only."""


@dataclass(slots=True)
class KeyHabits:
    """What was learned of a reader: the slot that worked, and how it wants to be told to log in."""

    slot: KeySlot | None = None
    is_old_form: bool = False

    def slots(self) -> list[KeySlot]:
        """All slots, the one that worked first."""
        return sorted(SLOTS, key=lambda slot: slot != self.slot)


class ClassicByReader:
    """A MIFARE Classic card, through one reader whose habits outlive the card."""

    def __init__(self, transmit: Transmit, habits: KeyHabits, reader: str) -> None:
        self._transmit = transmit
        self._habits = habits
        self._reader = reader
        self._kept: set[KeySlot] = set()

    def login(self, login: SectorLogin) -> bytes:
        """Load the key and log in: one command each on a reader whose habits are known.

        :raises ReaderLimit: the reader takes no keys
        """
        last: Response | None = None
        has_key = False
        for slot in self._habits.slots():
            last = self._load(slot, login.key)
            if last is None or not last.is_done:
                continue
            has_key = True
            last = self._authenticate(slot, login)
            if last is not None and last.status in _NOT_THAT_SLOT:
                continue
            if last is None or not last.is_done:
                return b""
            self._habits.slot = slot
            return ACK
        if has_key:
            return b""
        raise ReaderLimit(
            f"reader {self._reader} takes no keys for MIFARE Classic ({last.words if last else 'silent'})",
            hint="use a reader that loads keys (PC/SC part 3, 3.2.2.1.4), as the ACS ACR1552U",
        )

    def read(self, block: int) -> bytes:
        """16 bytes of a block; empty if they are refused."""
        response = self._ask(pseudo_apdu.read_block(block))
        return response.data if response and response.is_done else b""

    def write(self, block: int, data: bytes) -> bytes:
        """ACK, or empty if the block was not written."""
        response = self._ask(pseudo_apdu.write_block(block, data))
        return ACK if response and response.is_done else b""

    def end(self) -> None:
        """Leave no secret in slots that keep what they have."""
        while self._kept:
            self._load(self._kept.pop(), _PUBLIC_KEY, note=False)

    def _load(self, slot: KeySlot, key: bytes, *, note: bool = True) -> Response | None:
        response = self._ask(pseudo_apdu.load_key(slot.structure, slot.number, bytes(key)))
        if note and slot.keeps and response is not None and response.is_done:
            self._kept.add(slot)
        return response

    def _authenticate(self, slot: KeySlot, login: SectorLogin) -> Response | None:
        forms = [pseudo_apdu.authenticate, pseudo_apdu.authenticate_formerly]
        if self._habits.is_old_form:
            forms.reverse()
        response = self._ask(forms[0](login.block, slot.number, is_key_b=login.is_key_b))
        if response is not None and response.status in _NOT_THAT_FORM:
            response = self._ask(forms[1](login.block, slot.number, is_key_b=login.is_key_b))
            if response is not None and response.is_done:
                self._habits.is_old_form = not self._habits.is_old_form
        return response

    def _ask(self, apdu: bytes) -> Response | None:
        return pseudo_apdu.parse_response(self._transmit(apdu))
