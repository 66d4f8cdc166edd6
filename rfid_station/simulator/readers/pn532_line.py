"""How a host and a PN532 frame what they say on a serial line (UM0701-02, 6.2): bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Iterator

from rfid_station.simulator.readers.pn532 import Pn532, UnknownCommand

ACK = bytes.fromhex("0000FF00FF00")
_NACK = bytes.fromhex("0000FFFF0000")
_ERROR = bytes.fromhex("0000FF01FF7F8100")
_START = b"\x00\xff"
_TO_CHIP, _FROM_CHIP = 0xD4, 0xD5
_LARGEST_NORMAL = 255
_EXTENDED = b"\xff\xff"
_LARGEST = 265
"""TFI and data of a frame, at most."""


class Pn532Line:
    """The chip's end of the line. Keeps what has arrived until it is a whole frame."""

    def __init__(self, chip: Pn532) -> None:
        self._chip = chip
        self._received = bytearray()
        self._waiting: bytes | None = None
        self._last = b""

    @property
    def is_waiting(self) -> bool:
        """Whether the chip looks for a card and has not answered yet."""
        return self._waiting is not None

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the host, and return what the chip sends."""
        self._received += data
        return b"".join(self._obey(frame) for frame in self._frames())

    def look_again(self) -> bytes:
        """Let the chip look for a card again, if it was told to until one comes."""
        if self._waiting is None:
            return b""
        command, self._waiting = self._waiting, None
        return self._execute(command)

    def _frames(self) -> Iterator[bytes]:
        """Each whole frame from its start code on; what is none is thrown away."""
        while (start := self._received.find(_START)) >= 0:
            del self._received[:start]
            size = _frame_size(bytes(self._received[:8]))
            if size is None or size > len(self._received):
                return
            if size == 0:
                del self._received[:1]
                continue
            frame = bytes(self._received[:size])
            del self._received[:size]
            yield frame

    def _obey(self, frame: bytes) -> bytes:
        if frame == ACK[1:5]:
            self._waiting = None
            return b""
        if frame == _NACK[1:5]:
            return self._last
        content = frame[7:] if frame[2:4] == _EXTENDED else frame[4:]
        if sum(content) & 0xFF or content[0] != _TO_CHIP:
            return b""
        return ACK + self._execute(content[1:-1])

    def _execute(self, command: bytes) -> bytes:
        try:
            answer = self._chip.execute(command)
        except UnknownCommand:
            return _ERROR
        if answer is None:
            self._waiting = command
            return b""
        self._last = frame_of(bytes([_FROM_CHIP]) + answer)
        return self._last


def frame_of(content: bytes) -> bytes:
    """A frame around TFI, code and data: a normal one if it fits, else an extended one."""
    size = len(content)
    if size <= _LARGEST_NORMAL:
        length = bytes([size, -size & 0xFF])
    else:
        length = _EXTENDED + size.to_bytes(2) + bytes([-sum(size.to_bytes(2)) & 0xFF])
    return b"\x00" + _START + length + content + bytes([-sum(content) & 0xFF, 0x00])


def _frame_size(start: bytes) -> int | None:
    """How many bytes up to the data's check byte; None if that is not known yet, 0 if this is no frame."""
    if len(start) < 4:
        return None
    if start[2:4] in (ACK[3:5], _NACK[3:5]):
        return 4
    if start[2:4] != _EXTENDED:
        return 5 + start[2] if not sum(start[2:4]) & 0xFF and start[2] else 0
    if len(start) < 7:
        return None
    size = int.from_bytes(start[4:6])
    return 8 + size if not sum(start[4:7]) & 0xFF and 0 < size <= _LARGEST else 0
