"""The card's side of the block protocol of ISO/IEC 14443-4, clause 7: some readers leave it to their host.

Frames have no CRC here. Rules are those of 7.5.4.3; time is never asked for (no S(WTX)).
"""

from __future__ import annotations

from rfid_station.simulator.field import Field

_FRAME_SIZES = (16, 24, 32, 40, 48, 64, 96, 128, 256)
_CRC_SIZE = 2

_KIND = 0xE2
_I_BLOCK, _R_BLOCK = 0x02, 0xA2
_DESELECT, _DESELECT_KIND = 0xC2, 0xF7
_CHAINING, _NAK = 0x10, 0x10
_CID, _NAD = 0x08, 0x04
_PPS = 0xD0


class BlockLayer:
    """Takes blocks, hands APDUs to the card, and cuts answers into blocks.

    :raises CardGone: by `answer`, when the card leaves
    """

    def __init__(self, field: Field, frame_size: int, own_frame_size: int) -> None:
        self._field = field
        self._frame_size = frame_size
        self._own_frame_size = own_frame_size
        self._number = 1
        self._command = b""
        self._rest: list[bytes] = []
        self._last = b""
        self.is_open = True
        """Until the host deselects the card."""

    def answer(self, block: bytes) -> bytes:
        """Answer one block; empty when the card stays silent."""
        if not block or len(block) + _CRC_SIZE > self._own_frame_size:
            return b""
        pcb = block[0]
        if pcb & 0xF0 == _PPS:
            return block[:1]
        header = 2 if pcb & _CID else 1
        if pcb & _DESELECT_KIND == _DESELECT:
            return self._deselect(block, header)
        if pcb & _KIND == _I_BLOCK and not pcb & _NAD:
            return self._information(block[:header], block[header:])
        if pcb & 0xE6 == _R_BLOCK:
            return self._acknowledgement(block[:header])
        return b""

    def _deselect(self, block: bytes, header: int) -> bytes:
        """Say yes with the same block: it has no information field, and one with it is not answered (7.1)."""
        if len(block) != header:
            return b""
        self.is_open = False
        return block

    def _information(self, header: bytes, content: bytes) -> bytes:
        self._number ^= 1
        self._command += content
        if header[0] & _CHAINING:
            return self._send(_R_BLOCK, header, b"")
        command, self._command = self._command, b""
        reply = self._field.apdu(command)
        if not reply:
            # The host repeats what was never answered, and the number must not have moved then.
            self._number ^= 1
            return b""
        room = self._frame_size - _CRC_SIZE - len(header)
        self._rest = [reply[start : start + room] for start in range(0, len(reply), room)]
        return self._send_next(header)

    def _acknowledgement(self, header: bytes) -> bytes:
        is_nak = bool(header[0] & _NAK)
        if header[0] & 1 == self._number:
            return self._last
        if is_nak:
            return self._send(_R_BLOCK, header, b"", keep=False)
        if not self._rest:
            return b""
        self._number ^= 1
        return self._send_next(header)

    def _send_next(self, header: bytes) -> bytes:
        part = self._rest.pop(0)
        return self._send(_I_BLOCK | (_CHAINING if self._rest else 0), header, part)

    def _send(self, kind: int, header: bytes, content: bytes, *, keep: bool = True) -> bytes:
        block = bytes([kind | header[0] & _CID | self._number]) + header[1:] + content
        if keep:
            self._last = block
        return block


def frame_size(code: int) -> int:
    """How many bytes a frame has, for the code in RATS, ATS or ATQB. Reserved codes mean the largest."""
    return _FRAME_SIZES[min(code, len(_FRAME_SIZES) - 1)]
