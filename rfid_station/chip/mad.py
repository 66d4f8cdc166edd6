"""The directory of a MIFARE Classic card: which sector belongs to which application (NXP AN10787, AN1304).

Sector 0 tells of sectors 1 to 15 (MAD1); on a card with more, sector 16 tells of 17 to 39 (MAD2). An entry is
two bytes; NDEF has `03 E1`, and 0000 is a free sector. In front of them stand a CRC and an info byte.
"""

from __future__ import annotations

from collections.abc import Collection

MAD1_SECTOR, MAD2_SECTOR = 0, 16
NDEF_AID = bytes.fromhex("03E1")
GPB_MAD1, GPB_MAD2 = 0xC1, 0xC2
"""General purpose byte of sector 0: a directory is there (80), for several applications (40), its version."""

INFO = 0x01
"""The info byte points to the publisher's sector, and that is the first one with NDEF."""

_AID_SIZE = 2
_FIRST_OF_MAD2 = 17
_SECTORS = {MAD1_SECTOR: range(1, 16), MAD2_SECTOR: range(_FIRST_OF_MAD2, 40)}

VECTORS = [
    ("01010801080108000000000000040003100310021002100000000000001130", 0x89),
    ("01" + 15 * "03E1", 0x14),
    ("01" + 5 * "03E1" + 10 * "0000", 0xC4),
]
"""(info byte and entries, CRC): the example of NXP AN10787, and two formatted cards."""


def crc(data: bytes) -> int:
    """CRC-8 of the directory: polynomial 1D, from C7 on (AN10787, 3.7)."""
    register = 0xC7
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register << 1 ^ (0x1D if register & 0x80 else 0)) & 0xFF
    return register


def build_directory(sector: int, ndef_sectors: Collection[int], info: int = INFO) -> bytes:
    """The directory in sector 0 (32 bytes) or 16 (48): these sectors hold NDEF, the others nothing."""
    entries = b"".join(
        NDEF_AID if number in ndef_sectors else bytes(_AID_SIZE) for number in _SECTORS[sector]
    )
    body = bytes([info]) + entries
    return bytes([crc(body)]) + body


def ndef_sectors(sector: int, directory: bytes) -> list[int] | None:
    """The sectors that hold NDEF by the directory in sector 0 or 16; None where there is no right one."""
    numbers = _SECTORS[sector]
    if len(directory) != (len(numbers) + 1) * _AID_SIZE or crc(directory[1:]) != directory[0]:
        return None
    entries = [directory[at : at + _AID_SIZE] for at in range(_AID_SIZE, len(directory), _AID_SIZE)]
    return [number for number, entry in zip(numbers, entries, strict=True) if entry == NDEF_AID]
