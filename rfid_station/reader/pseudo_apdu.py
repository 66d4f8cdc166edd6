"""What a contactless PC/SC reader is told, and what its answers mean. Bytes to bytes, no reader needed.

PC/SC part 3, 3.2.2 (pseudo-APDUs of class FF) and its supplement (transparent session, FF C2); for the
PN532 inside an ACR122U the ACR122U API 2.04, 5.4, and the PN532 user manual, 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass

GET_UID = bytes.fromhex("FFCA000000")
START_SESSION = bytes.fromhex("FFC20000028100")
END_SESSION = bytes.fromhex("FFC20000028200")
TO_ISO_14443_A_3 = bytes.fromhex("FFC20002048F020003")

ASK_ACR122U = bytes.fromhex("FF00480000")
"""Firmware version of an ACR122U: plain text without a status word (API 2.04, 6.1). Harmless elsewhere."""

READ_FIRST_PAGES = bytes.fromhex("3000")
"""READ of page 0, the frame that shows whether a raw path works."""

DONE = 0x9000

_TIMER = bytes.fromhex("5F460400010100")
"""How long the reader listens: 00010100h = 66 ms. Readers disagree on the byte order of this
object, so the number is one that reads the same from both ends. A write takes a chip 10 ms."""

_MEANINGS = {
    0x6300: "the card refused, or moved",
    0x6386: "the card asks for authentication",
    0x6401: "the card does not answer",
    0x6581: "the card could not store it",
    0x6700: "the reader rejects the length",
    0x6800: "the reader cannot do that",
    0x6981: "the card does not know this command",
    0x6982: "the card asks for authentication",
    0x6983: "the reader has no such key",
    0x6986: "the card does not allow that",
    0x6988: "the reader rejects the key",
    0x6A81: "the reader cannot do that",
    0x6A82: "the card has no such page",
    0x6D00: "the reader does not know this command",
    0x6E00: "the reader does not know this class of commands",
}

ACR122U_NAME = b"ACR122U"

_PN532_QUESTION, _PN532_ANSWER = 0xD4, 0xD5
_PN532_WORKED = 0x00

_FRAME = b"\x95"
_STATUS, _VALID_BITS, _RF_STATUS, _ANSWER = "C0", "92", "96", "97"
"""Tags of data objects: what is sent to the card, and what the reader answers with."""


@dataclass(frozen=True, slots=True)
class Response:
    """What a reader answered: data and status word."""

    data: bytes
    status: int

    @property
    def is_done(self) -> bool:
        """Whether the reader did what it was told."""
        return self.status == DONE

    @property
    def words(self) -> str:
        """The status word, and what it means to an operator."""
        if self.status >> 8 == 0x6C:
            return f"{self.status:04X}: the reader wants another length"
        return f"{self.status:04X}: {_MEANINGS.get(self.status, 'no known meaning')}"


def parse_response(raw: bytes) -> Response | None:
    """Split data from status word; None if there is not even one, which a lost card looks like."""
    if len(raw) < 2:
        return None
    return Response(raw[:-2], int.from_bytes(raw[-2:]))


def read_pages(page: int) -> bytes:
    """Read four pages."""
    return bytes([0xFF, 0xB0, 0x00, page, 0x10])


def write_page(page: int, content: bytes) -> bytes:
    """Write one page of four bytes."""
    return bytes([0xFF, 0xD6, 0x00, page, 0x04]) + content


def read_block(block: int) -> bytes:
    """Read a MIFARE Classic block of 16 bytes."""
    return bytes([0xFF, 0xB0, 0x00, block, 0x10])


def write_block(block: int, data: bytes) -> bytes:
    """Write a MIFARE Classic block of 16 bytes."""
    return bytes([0xFF, 0xD6, 0x00, block, len(data)]) + data


def load_key(structure: int, slot: int, key: bytes) -> bytes:
    """Put a key into a slot of the reader: structure 00 forgets it without power, 20 keeps it."""
    return bytes([0xFF, 0x82, structure, slot, len(key)]) + key


def authenticate(block: int, slot: int, *, is_key_b: bool) -> bytes:
    """Log in to the sector of a block with the key in a slot."""
    return bytes([0xFF, 0x86, 0x00, 0x00, 0x05, 0x01, 0x00, block, 0x61 if is_key_b else 0x60, slot])


def authenticate_formerly(block: int, slot: int, *, is_key_b: bool) -> bytes:
    """The same in the form of PC/SC 2.01, which some readers know only."""
    return bytes([0xFF, 0x88, 0x00, block, 0x61 if is_key_b else 0x60, slot])


def to_pn532(command: int, data: bytes) -> bytes:
    """Hand a command to the PN532 inside an ACR122U.

    Only for a reader that answered `ASK_ACR122U`: others write keys with these bytes.
    """
    return bytes([0xFF, 0x00, 0x00, 0x00, 2 + len(data), _PN532_QUESTION, command]) + data


def answer_of_pn532(command: int, raw: bytes) -> bytes | None:
    """What the PN532 answered to that command; None if it did not."""
    if not raw.endswith(b"\x90\x00") or raw[:2] != bytes([_PN532_ANSWER, command + 1]):
        return None
    return raw[2:-2]


def answer_through_pn532(command: int, raw: bytes) -> bytes | None:
    """What the card answered to InCommunicateThru or InDataExchange; None if the status byte is an error."""
    answer = answer_of_pn532(command, raw)
    if not answer or answer[0] & 0x3F != _PN532_WORKED:
        return None
    return answer[1:]


def exchange(frame: bytes) -> bytes:
    """Send a frame to the card as it is; the reader adds and checks the CRC."""
    objects = _TIMER + _FRAME + _length(len(frame)) + frame
    return bytes([0xFF, 0xC2, 0x00, 0x01, len(objects)]) + objects + b"\x00"


def is_accepted(response: Response) -> bool:
    """Whether the reader did what a session command said: status word and status object agree."""
    objects = parse_objects(response.data)
    return response.is_done and objects is not None and _status_of(objects) == DONE


def answer_of_card(response: Response) -> bytes:
    """The frame the card answered; empty when it was silent or could not be understood.

    Two places say that something went wrong, and readers fill in either: the status object
    (C0) and the RF status (96). An answer of four bits has no CRC, so its RF status means nothing.
    """
    objects = parse_objects(response.data)
    if not response.is_done or objects is None or _status_of(objects) != DONE:
        return b""
    answer = objects.get(_ANSWER, b"")
    is_four_bits = objects.get(_VALID_BITS) == b"\x04" and len(answer) == 1
    if is_four_bits:
        return bytes([answer[0] & 0x0F])
    return b"" if any(objects.get(_RF_STATUS, b"")) else answer


def parse_objects(raw: bytes) -> dict[str, bytes] | None:
    """Take data objects apart (BER-TLV), keyed by tag in upper-case hexadecimal; None if they are broken."""
    objects: dict[str, bytes] = {}
    position = 0
    while position < len(raw):
        tag_size = 2 if raw[position] & 0x1F == 0x1F else 1
        tag = raw[position : position + tag_size].hex().upper()
        length, start = _read_length(raw, position + tag_size)
        if length < 0 or start + length > len(raw):
            return None
        objects.setdefault(tag, raw[start : start + length])
        position = start + length
    return objects


def _status_of(objects: dict[str, bytes]) -> int:
    """The status word in object C0. Readers that leave the object out mean that all is well."""
    status = objects.get(_STATUS, bytes.fromhex("009000"))
    return int.from_bytes(status[1:3]) if len(status) == 3 else 0


def _length(length: int) -> bytes:
    return bytes([length]) if length < 0x80 else bytes([0x82]) + length.to_bytes(2)


def _read_length(raw: bytes, position: int) -> tuple[int, int]:
    """Length and where the value starts; a length below 0 if there is none that makes sense."""
    first = raw[position] if position < len(raw) else 0xFF
    if first < 0x80:
        return first, position + 1
    size = first & 0x7F
    if size not in (1, 2) or position + 1 + size > len(raw):
        return -1, position
    return int.from_bytes(raw[position + 1 : position + 1 + size]), position + 1 + size
