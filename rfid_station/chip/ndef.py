"""NDEF: the link a phone finds on a card (NFC Forum NDEF 1.0, URI RTD 1.0, Type 2 Tag 1.2).

Only what a card of ours carries is written: one short URI record. Reading is tolerant, so
that a card of somebody else can be named instead of breaking the station.
"""

from __future__ import annotations

from dataclasses import dataclass

NULL, LOCK_CONTROL, MEMORY_CONTROL, NDEF, TERMINATOR = 0x00, 0x01, 0x02, 0x03, 0xFE

URI_PREFIXES = (
    "",
    "http://www.",
    "https://www.",
    "http://",
    "https://",
    "tel:",
    "mailto:",
    "ftp://anonymous:anonymous@",
    "ftp://ftp.",
    "ftps://",
    "sftp://",
    "smb://",
    "nfs://",
    "ftp://",
    "dav://",
    "news:",
    "telnet://",
    "imap:",
    "rtsp://",
    "urn:",
    "pop:",
    "sip:",
    "sips:",
    "tftp:",
    "btspp://",
    "btl2cap://",
    "btgoep://",
    "tcpobex://",
    "irdaobex://",
    "file://",
    "urn:epc:id:",
    "urn:epc:tag:",
    "urn:epc:pat:",
    "urn:epc:raw:",
    "urn:epc:",
    "urn:nfc:",
)
"""The identifier codes 00 to 23 of URI RTD 1.0, table 3; higher codes are reserved."""

_LONGEST_FIRST = sorted(enumerate(URI_PREFIXES), key=lambda one: -len(one[1]))

VECTORS = [
    ("https://example.com/a", "D1010E5504" + b"example.com/a".hex().upper()),
    ("https://www.nxp.com", "D101085502" + b"nxp.com".hex().upper()),
    ("urn:nfc:x", "D101025523" + b"x".hex().upper()),
]
"""(URI, NDEF message)"""


def uri_message(uri: str) -> bytes:
    """One NDEF message with one short URI record, the prefix abbreviated where the RTD has a code."""
    code, prefix = next(one for one in _LONGEST_FIRST if uri.startswith(one[1]))
    payload = bytes([code]) + uri[len(prefix) :].encode()
    return bytes([0xD1, 0x01, len(payload)]) + b"U" + payload


def uri_of_message(message: bytes) -> str | None:
    """The URI of a message whose first record is a short URI record, else None."""
    if len(message) < 5 or message[0] & 0x17 != 0x11 or message[1:2] != b"\x01" or message[3:4] != b"U":
        return None
    payload = message[4 : 4 + message[2]]
    if len(payload) != message[2] or not payload:
        return None
    prefix = URI_PREFIXES[payload[0]] if payload[0] < len(URI_PREFIXES) else f"[{payload[0]:02X}]"
    return prefix + payload[1:].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class NdefArea:
    """Where the NDEF TLV stands in user memory, and its message. Offsets in bytes."""

    length_at: int
    message: bytes


def find_ndef(user_memory: bytes) -> NdefArea | None:
    """Walk the TLV blocks to the first NDEF message; None where there is none or it is cut off."""
    found = _find_tlv(user_memory)
    if found is None:
        return None
    at, start, length = found
    message = user_memory[start : start + length]
    return NdefArea(at + 1, message) if len(message) == length else None


def ndef_end(user_memory: bytes) -> int:
    """Where the first NDEF message ends, which may be behind what was read; 0 if there is none."""
    found = _find_tlv(user_memory)
    return 0 if found is None else found[1] + found[2]


def _find_tlv(user_memory: bytes) -> tuple[int, int, int] | None:
    """Where the first NDEF TLV stands, where its message begins, and how long that is."""
    at = 0
    while at < len(user_memory) and user_memory[at] != TERMINATOR:
        if user_memory[at] == NULL:
            at += 1
            continue
        if at + 1 >= len(user_memory):
            return None
        kind, length, start = user_memory[at], user_memory[at + 1], at + 2
        if length == 0xFF:
            length, start = int.from_bytes(user_memory[at + 2 : at + 4]), at + 4
        if kind == NDEF:
            return at, start, length
        at = start + length
    return None
