"""What goes through the air between a reader and a card, from the first request on (ISO/IEC 14443-3 and -4).

Frames have no CRC; parity and timing are left out. Selecting a card costs no exchange here: readers do it
by themselves, and they are compared by what their hosts make them do.
"""

from __future__ import annotations

from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.atr import atqb
from rfid_station.simulator.readers.iso_dep_blocks import BlockLayer, frame_size

_REQUESTS = (b"\x26", b"\x52")
_SELECT_CODES = (0x93, 0x95, 0x97)
_ANTICOLLISION, _SELECT = 0x20, 0x70
_CASCADE_TAG, _UID_NOT_COMPLETE = 0x88, 0x04
_ISO_DEP_BIT = 0x20
_HALT = b"\x50\x00"
_MAGIC_WAKE_UPS = (b"\x40", b"\x43")
_RATS, _ATTRIB, _REQUEST_B = 0xE0, 0x1D, 0x05
_LARGEST = 8
_PLAIN_PMM = bytes.fromhex("0120220427674EFF")
"""Manufacture parameters of a FeliCa card."""


class Air:
    """One card in a field, and how far it has come: nothing, selected, or in the block protocol.

    :raises CardGone: by every method, once the card has left
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.is_selected = False
        self._blocks: BlockLayer | None = None

    @property
    def card(self) -> VirtualCard:
        """The card itself."""
        return self.field.card

    @property
    def is_iso_dep(self) -> bool:
        """Whether the card is in the block protocol."""
        return self._blocks is not None and self._blocks.is_open

    def select(self) -> bytes:
        """Select the card as a reader does it by itself, and return its UID."""
        self._blocks = None
        uid = self.field.select()
        self.is_selected = True
        return uid

    def activate(self, parameter: int = _LARGEST << 4) -> bytes:
        """Send RATS to a selected card, and return its ATS; empty if it is none of ISO/IEC 14443-4."""
        ats = self.card.ats
        if ats:
            own = ats[1] & 0x0F if len(ats) > 1 else 2
            self._blocks = BlockLayer(self.field, frame_size(parameter >> 4), frame_size(own))
        return ats

    def deselect(self) -> None:
        """Send the card to sleep. It keeps its power."""
        self.is_selected = False
        self._blocks = None

    def switch_off(self) -> None:
        """Take the field away."""
        self.deselect()
        self.field.switch_off()

    def frame(self, frame: bytes) -> bytes:
        """Answer a frame; empty when the card stays silent."""
        by_standard = {"A": self._frame_a, "B": self._frame_b, "F": self._frame_f}
        return by_standard.get(self.card.standard, _stay_silent)(frame)

    def _frame_a(self, frame: bytes) -> bytes:
        if frame in _REQUESTS:
            self.deselect()
            return self.card.atqa[::-1]
        if len(frame) > 1 and frame[0] in _SELECT_CODES and frame[1] in (_ANTICOLLISION, _SELECT):
            return self._cascade(frame)
        if frame in _MAGIC_WAKE_UPS:
            return self._wake_magic(frame)
        if not self.is_selected:
            return b""
        if frame == _HALT:
            self.card.answer(frame)
            self.deselect()
            return b""
        if self._blocks is None and frame[:1] == bytes([_RATS]) and self.card.sak & _ISO_DEP_BIT:
            return self.activate(frame[1]) if len(frame) == 2 else b""
        return self._in_layer_4(frame) if self._blocks else self.field.exchange(frame)

    def _wake_magic(self, frame: bytes) -> bytes:
        """What a copied MIFARE Classic answers without having been selected, and a genuine one does not."""
        answer = self.field.exchange(frame)
        self.is_selected = bool(answer)
        return answer

    def _cascade(self, frame: bytes) -> bytes:
        """One level of anticollision: a part of the UID with its check byte, or the SAK for it."""
        parts = cascade(self.card.uid)
        level = _SELECT_CODES.index(frame[0])
        if level >= len(parts):
            return b""
        if frame[1] == _ANTICOLLISION:
            return parts[level] if len(frame) == 2 else b""
        if frame[2:] != parts[level]:
            return b""
        if level < len(parts) - 1:
            return bytes([_UID_NOT_COMPLETE])
        self.select()
        return bytes([self.card.sak & ~_UID_NOT_COMPLETE])

    def _frame_b(self, frame: bytes) -> bytes:
        if len(frame) == 3 and frame[0] == _REQUEST_B:
            self.select()
            return atqb(self.card)
        if not self.is_selected:
            return b""
        if self._blocks is None and frame[:1] == bytes([_ATTRIB]) and len(frame) > 8:
            return self._attribute(frame)
        return self._in_layer_4(frame) if self._blocks else b""

    def _attribute(self, frame: bytes) -> bytes:
        """ATTRIB of ISO/IEC 14443-3, 7.10: the host's frame size, and which channel it wants to speak in."""
        answered = atqb(self.card)
        if frame[1:5] != answered[1:5]:
            return b""
        self._blocks = BlockLayer(self.field, frame_size(frame[6] & 0x0F), frame_size(answered[10] >> 4))
        return bytes([frame[8] & 0x0F])

    def _frame_f(self, frame: bytes) -> bytes:
        """FeliCa frames begin with their length. Polling selects, and every frame names its card."""
        if frame[:1] != bytes([len(frame)]):
            return b""
        if not self.is_selected:
            self.select()
        is_polling = frame[1:2] == b"\x00"
        return sensf_response(self.card, frame) if is_polling else self.field.exchange(frame)

    def _in_layer_4(self, frame: bytes) -> bytes:
        if self._blocks is None or not self._blocks.is_open:
            return b""
        return self._blocks.answer(frame)


def cascade(uid: bytes) -> list[bytes]:
    """The parts of a UID as anticollision asks for them, with check bytes (ISO/IEC 14443-3, 6.5.4)."""
    tag = bytes([_CASCADE_TAG])
    parts = {4: [uid], 7: [tag + uid[:3], uid[3:]], 10: [tag + uid[:3], tag + uid[3:6], uid[6:]]}[len(uid)]
    return [part + bytes([part[0] ^ part[1] ^ part[2] ^ part[3]]) for part in parts]


def sensf_response(card: VirtualCard, polling: bytes) -> bytes:
    """What a FeliCa card answers to polling; something usual for one that only has a number (IDm)."""
    return card.answer(polling) or b"\x12\x01" + card.uid[:8] + _PLAIN_PMM


def _stay_silent(_frame: bytes) -> bytes:
    return b""
