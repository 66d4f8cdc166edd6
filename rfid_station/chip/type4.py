"""The NDEF message of a Type 4 tag, as a phone finds it: no keys, plain APDUs.

Select the NDEF application, read the capability container, follow it to the NDEF file, whose first two bytes
are the message's length (NFC Forum Type 4 Tag 2.0, 5.1 to 5.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.iso_dep import SELECT_NDEF, Answer, transmit
from rfid_station.chip.messaging import CardStatus, check

CC_FILE, NDEF_FILE = bytes.fromhex("E103"), bytes.fromhex("E104")
"""File identifiers: the first is fixed, the second is what everybody takes."""

LENGTH_SIZE = 2
"""Bytes of the length in front of the message (NLEN)."""

CC_SIZE = 15
_NDEF_CONTROL, _CONTROL_SIZE = 0x04, 0x06
_FREE, _NEVER = 0x00, 0xFF
_MOST_AT_ONCE = 0xF0
"""Bytes that every reader takes in one short APDU."""
_LONGEST_MESSAGE = 0x2000


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a capability container says of the NDEF file."""

    ndef_file: bytes
    """Two bytes, as they go through the air."""
    size: int
    """Of the NDEF file in bytes, its length field included."""
    read_most: int
    """Bytes in one answer (MLe)."""
    write_most: int
    """Bytes of data in one command (MLc)."""
    is_readable: bool = True
    is_writable: bool = True

    def to_bytes(self) -> bytes:
        """The 15 bytes of a container with mapping version 2.0."""
        return (
            CC_SIZE.to_bytes(2)
            + b"\x20"
            + self.read_most.to_bytes(2)
            + self.write_most.to_bytes(2)
            + bytes([_NDEF_CONTROL, _CONTROL_SIZE])
            + self.ndef_file
            + self.size.to_bytes(2)
            + bytes([_FREE if self.is_readable else _NEVER, _FREE if self.is_writable else _NEVER])
        )


VECTORS = [
    ("000F20003B00340406E10408000000", ("E104", 0x0800, 0x3B, 0x34, True, True)),
    ("001720010000FF0406E104010000000506E10500808283", ("E104", 0x0100, 0x100, 0xFF, True, True)),
    ("000F20003A00340406E104010000FF", ("E104", 0x0100, 0x3A, 0x34, True, False)),
]
"""(container, (file, size, MLe, MLc, readable, writable)): of an EV1, of a blank NTAG 424 DNA, of ours"""


def parse_capabilities(container: bytes) -> Capabilities | None:
    """Read a capability container; None where it names no NDEF file."""
    control = container[7:CC_SIZE]
    if len(control) < _CONTROL_SIZE + 2 or control[0] != _NDEF_CONTROL or control[1] < _CONTROL_SIZE:
        return None
    return Capabilities(
        ndef_file=control[2:4],
        size=int.from_bytes(control[4:6]),
        read_most=int.from_bytes(container[3:5]),
        write_most=int.from_bytes(container[5:7]),
        is_readable=control[6] == _FREE,
        is_writable=control[7] == _FREE,
    )


@dataclass(frozen=True, slots=True)
class NdefFile:
    """The selected NDEF file of a tag, and its container."""

    container: bytes
    capabilities: Capabilities


def open_ndef() -> Dialogue[NdefFile | None]:
    """Select application and NDEF file; None where there is none. Any session with the card ends.

    :raises CardLost: silence
    """
    if not (yield from _is_there(SELECT_NDEF, "selecting the NDEF application")):
        return None
    if not (yield from _is_there(_select_file(CC_FILE), "selecting the capability container")):
        return None
    answer = yield from _ask(_read(0, CC_SIZE), "reading the capability container")
    capabilities = parse_capabilities(answer.data) if answer.status == CardStatus.ISO_OK else None
    if capabilities is None or not capabilities.is_readable:
        return None
    if not (yield from _is_there(_select_file(capabilities.ndef_file), "selecting the NDEF file")):
        return None
    return NdefFile(answer.data, capabilities)


def read_ndef() -> Dialogue[bytes | None]:
    """The NDEF message without its length; None where there is no NDEF file, or none that can be read.

    :raises CardLost: silence
    """
    file = yield from open_ndef()
    if file is None:
        return None
    answer = yield from _ask(_read(0, LENGTH_SIZE), "reading the NDEF length")
    length = int.from_bytes(answer.data)
    room = min(file.capabilities.size, _LONGEST_MESSAGE) - LENGTH_SIZE
    if answer.status != CardStatus.ISO_OK or len(answer.data) != LENGTH_SIZE or length > room:
        return None
    return (yield from read_binary(LENGTH_SIZE, length, file.capabilities.read_most))


def read_binary(offset: int, length: int, most: int) -> Dialogue[bytes | None]:
    """Read from the selected file in parts; None where the card does not give it.

    :raises CardLost: silence
    """
    step = min(max(most, 1), _MOST_AT_ONCE)
    data = b""
    while len(data) < length:
        wanted = min(step, length - len(data))
        answer = yield from _ask(_read(offset + len(data), wanted), "reading the NDEF file")
        if answer.status != CardStatus.ISO_OK or len(answer.data) != wanted:
            return None
        data += answer.data
    return data


def update_binary(offset: int, data: bytes) -> Dialogue[None]:
    """Write to the selected file.

    :raises CommandRefused: it cannot be written
    :raises CardLost: silence
    """
    apdu = bytes.fromhex("00D6") + offset.to_bytes(2) + bytes([len(data)]) + data
    check((yield from transmit(apdu)), "a write to the NDEF file")


def _select_file(identifier: bytes) -> bytes:
    return bytes.fromhex("00A4000C02") + identifier


def _read(offset: int, length: int) -> bytes:
    return bytes.fromhex("00B0") + offset.to_bytes(2) + bytes([length])


def _is_there(apdu: bytes, what: str) -> Dialogue[bool]:
    answer = yield from _ask(apdu, what)
    return answer.status == CardStatus.ISO_OK


def _ask(apdu: bytes, what: str) -> Dialogue[Answer]:
    """Send an APDU that the card may refuse, but not leave without an answer."""
    answer = yield from transmit(apdu)
    if answer.status == CardStatus.NONE:
        check(answer, what)
    return answer
