"""Access conditions of a MIFARE Classic sector: who may do what with which key.

NXP data sheets MF1S50yyX (8.7) and MF1S70yyX: three bits C1 C2 C3 for each of the four areas of a sector,
stored twice, the second time inverted.
"""

from __future__ import annotations

from dataclasses import dataclass

TRAILER = 3
"""The area of the sector trailer. The other three are its blocks, or five blocks each in a sector of 16."""

_A, _B, _AB = frozenset("A"), frozenset("B"), frozenset("AB")
_NEVER: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DataRights:
    """Which keys may read a data block, and which may write it."""

    read: frozenset[str]
    write: frozenset[str]


@dataclass(frozen=True, slots=True)
class TrailerRights:
    """Which keys may do what with a sector trailer. Key A can never be read, the access bits always."""

    write_key_a: frozenset[str]
    write_access: frozenset[str]
    read_key_b: frozenset[str]
    write_key_b: frozenset[str]


_DATA = {
    0b000: DataRights(_AB, _AB),
    0b010: DataRights(_AB, _NEVER),
    0b100: DataRights(_AB, _B),
    0b110: DataRights(_AB, _B),
    0b001: DataRights(_AB, _NEVER),
    0b011: DataRights(_B, _B),
    0b101: DataRights(_B, _NEVER),
    0b111: DataRights(_NEVER, _NEVER),
}
_TRAILER = {
    0b000: TrailerRights(_A, _NEVER, _A, _A),
    0b010: TrailerRights(_NEVER, _NEVER, _A, _NEVER),
    0b100: TrailerRights(_B, _NEVER, _NEVER, _B),
    0b110: TrailerRights(_NEVER, _NEVER, _NEVER, _NEVER),
    0b001: TrailerRights(_A, _A, _A, _A),
    0b011: TrailerRights(_B, _B, _NEVER, _B),
    0b101: TrailerRights(_NEVER, _B, _NEVER, _NEVER),
    0b111: TrailerRights(_NEVER, _NEVER, _NEVER, _NEVER),
}


@dataclass(frozen=True, slots=True)
class SectorAccess:
    """The conditions C1 C2 C3 of the four areas of a sector, C1 being the highest of three bits."""

    conditions: tuple[int, int, int, int]

    def data(self, area: int) -> DataRights:
        """The rights on a data area, 0 to 2."""
        return _DATA[self.conditions[area]]

    @property
    def trailer(self) -> TrailerRights:
        """The rights on the sector trailer."""
        return _TRAILER[self.conditions[TRAILER]]

    @property
    def is_key_b_data(self) -> bool:
        """Whether key B can be read, and so is no key: nothing may be done with it."""
        return bool(self.trailer.read_key_b)


def parse_access(trailer: bytes) -> SectorAccess | None:
    """The access conditions in a sector trailer; None where the two copies contradict each other."""
    low, middle, high = trailer[6:9]
    c1, c2, c3 = middle >> 4, high & 0x0F, high >> 4
    if (low & 0x0F, low >> 4, middle & 0x0F) != (c1 ^ 0x0F, c2 ^ 0x0F, c3 ^ 0x0F):
        return None
    first, second, third, fourth = (
        (c1 >> area & 1) << 2 | (c2 >> area & 1) << 1 | (c3 >> area & 1) for area in range(4)
    )
    return SectorAccess((first, second, third, fourth))
