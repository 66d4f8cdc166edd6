"""MIFARE Classic: sectors, trailers, and the commands that the reader speaks for us (MF1S50YYX, MF1S70YYX).

A sector opens with one of two keys. Its last block, the trailer, holds them and says what each may do with
which block; a trailer whose access bits do not fit their complements shuts the sector for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip.exchange import ACK, Dialogue, ReadBlock, Restart, SecretFrame, SectorLogin, WriteBlock
from rfid_station.domain.uid import CardUid
from rfid_station.errors import CardLost

BLOCK_SIZE = 16
KEY_SIZE = 6

FACTORY_KEY = SecretFrame(bytes.fromhex("FFFFFFFFFFFF"))
MAD_KEY = SecretFrame(bytes.fromhex("A0A1A2A3A4A5"))
NDEF_KEY = SecretFrame(bytes.fromhex("D3F7D3F7D3F7"))
"""Public keys A of the sectors with the directory and with NDEF (NXP AN1304, 6.2)."""
PUBLIC_KEYS_B = (FACTORY_KEY, NDEF_KEY, SecretFrame(bytes.fromhex("89ECA97F8C2A")))
"""Keys B that programs leave in cards that everybody may write to, as libfreefare does the second."""

TRANSPORT_ACCESS = bytes.fromhex("FF078069")
"""Access bytes as delivered, with the general purpose byte: key A may do everything, key B nothing."""

_SMALL_SECTORS, _SMALL, _LARGE = 32, 4, 16


@dataclass(frozen=True, slots=True)
class Layout:
    """How a chip's memory is divided: up to 32 sectors of 4 blocks, and behind them sectors of 16."""

    sectors: int

    @property
    def has_mad2(self) -> bool:
        """Whether a second directory lies in sector 16."""
        return self.sectors > 16

    @property
    def size(self) -> int:
        """Bytes of memory, trailers counted as well."""
        return (self.trailer(self.sectors - 1) + 1) * BLOCK_SIZE

    def data_blocks(self, sector: int) -> range:
        """The blocks of a sector but its trailer; block 0 of sector 0, the maker's, is left out."""
        first = _first_block(sector)
        return range(max(first, 1), self.trailer(sector))

    def trailer(self, sector: int) -> int:
        """The last block of a sector."""
        return _first_block(sector + 1) - 1

    def sector_of(self, block: int) -> int:
        """The sector that a block lies in."""
        small = _SMALL_SECTORS * _SMALL
        return block // _SMALL if block < small else _SMALL_SECTORS + (block - small) // _LARGE


MINI, CLASSIC_1K, CLASSIC_2K, CLASSIC_4K = Layout(5), Layout(16), Layout(32), Layout(40)

LAYOUTS = {
    "MIFARE Mini": MINI,
    "MIFARE Classic 1K": CLASSIC_1K,
    "MIFARE Classic 1K by Infineon": CLASSIC_1K,
    "MIFARE Classic 2K": CLASSIC_2K,
    "MIFARE Classic 4K": CLASSIC_4K,
    "MIFARE Plus 2K in security level 1": CLASSIC_2K,
    "MIFARE Plus 4K in security level 1": CLASSIC_4K,
}
"""By the names in `data/card_names.toml`."""


TRANSPORT_RIGHTS = (0b000, 0b000, 0b000, 0b001)
"""Key A may do everything, its trailer included; key B can be read, and opens nothing."""
KEY_B_RULES = 0b011
"""C1 C2 C3 of a trailer that only key B changes; neither key can be read."""
KEY_B_MAY_WRITE = (0b000, 0b100)
"""C1 C2 C3 of data blocks that key B may read and write: with key A, or alone (MF1S50YYX, tables 7 and 8)."""

VECTORS = [
    ("FF0780", (0b000, 0b000, 0b000, 0b001)),
    ("787788", (0b100, 0b100, 0b100, 0b011)),
    ("7F0788", (0b000, 0b000, 0b000, 0b011)),
    ("08778F", (0b110, 0b110, 0b110, 0b011)),
    ("078F0F", (0b010, 0b010, 0b010, 0b110)),
]
"""(access bytes, C1 C2 C3 of each of the four groups): NXP AN1304, AN1305 and the data sheet."""


def encode_access(groups: tuple[int, int, int, int]) -> bytes:
    """Three access bytes from C1 C2 C3 of the three groups of data blocks and the trailer."""
    c1, c2, c3 = (sum((group >> bit & 1) << at for at, group in enumerate(groups)) for bit in (2, 1, 0))
    return bytes([(~c2 & 0xF) << 4 | ~c1 & 0xF, c1 << 4 | ~c3 & 0xF, c3 << 4 | c2])


def decode_access(raw: bytes) -> tuple[int, int, int, int] | None:
    """C1 C2 C3 of the four groups; None where the bits do not fit their complements: the sector is dead."""
    c1, c2, c3 = raw[1] >> 4, raw[2] & 0xF, raw[2] >> 4
    groups = [(c1 >> at & 1) << 2 | (c2 >> at & 1) << 1 | c3 >> at & 1 for at in range(4)]
    whole = (groups[0], groups[1], groups[2], groups[3])
    return whole if encode_access(whole) == raw[:3] else None


def trailer_block(key_a: bytes, access: bytes, key_b: bytes) -> SecretFrame:
    """The 16 bytes of a trailer; `access` is four bytes, the last one the general purpose byte.

    :raises ValueError: the access bits would shut the sector for ever, or a key has another length
    """
    if decode_access(access) is None or len(access) != 4:
        raise ValueError(f"access bytes {access.hex().upper()} do not fit their complements")
    if len(key_a) != KEY_SIZE or len(key_b) != KEY_SIZE:
        raise ValueError("a sector key has six bytes")
    return SecretFrame(key_a + access + key_b)


def log_in(uid: CardUid, block: int, key: SecretFrame, *, is_key_b: bool = False) -> Dialogue[bool]:
    """Open the sector of a block; a card that does not take the key is woken up again.

    :raises CardLost: the card is gone, or another one answers
    """
    if (yield SectorLogin(block, key, is_key_b)) == ACK:
        return True
    yield from wake(uid)
    return False


def read_block(uid: CardUid, block: int) -> Dialogue[bytes | None]:
    """Read a block of an open sector; None when the card refuses, and then nothing is open any more.

    :raises CardLost: the card is gone, or another one answers
    """
    answer = yield ReadBlock(block)
    if len(answer) == BLOCK_SIZE:
        return answer
    yield from wake(uid)
    return None


def write_block(uid: CardUid, block: int, data: bytes) -> Dialogue[bool]:
    """Write a block of an open sector; False when the card refuses, and then nothing is open any more.

    :raises CardLost: the card is gone, or another one answers
    """
    if (yield WriteBlock(block, data)) == ACK:
        return True
    yield from wake(uid)
    return False


def wake(uid: CardUid) -> Dialogue[None]:
    """Restart the field, after which nothing is open: a card that refused something sleeps until then.

    :raises CardLost: the card is gone, or another one answers
    """
    if (yield Restart()) != uid.raw:
        raise CardLost(
            f"card {uid.masked} was asked, and another card answers now",
            hint="leave one card on the reader until the station says that it is done",
        )


def _first_block(sector: int) -> int:
    small = min(sector, _SMALL_SECTORS)
    return small * _SMALL + (sector - small) * _LARGE
