"""CRC_A of ISO/IEC 14443-3, Annex B, for readers that leave it to us."""

from __future__ import annotations

VECTORS = [
    ("0000", "A01E"),
    ("1234", "26CF"),
]
"""(data, CRC in the order of transmission): the two examples of Annex B."""


def crc_a(data: bytes) -> bytes:
    """The two check bytes behind `data`, in the order of transmission."""
    register = 0x6363
    for byte in data:
        mixed = byte ^ register & 0xFF
        mixed = (mixed ^ mixed << 4) & 0xFF
        register = register >> 8 ^ mixed << 8 ^ mixed << 3 ^ mixed >> 4
    return register.to_bytes(2, "little")


def without_crc(answer: bytes) -> bytes:
    """An answer without its check bytes; empty if they are wrong. ACK and NAK have none."""
    if len(answer) <= 1:
        return answer
    content, check = answer[:-2], answer[-2:]
    return content if crc_a(content) == check else b""
