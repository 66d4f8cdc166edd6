"""MIFARE Classic, and MIFARE Plus in security level 1 that behaves like one.

From the NXP data sheets MF1S50yyX (1K), MF1S70yyX (4K), MF1ICS20 (Mini) and MF1SPLUSx0y1. A reader's chip
speaks Crypto1, so that what arrives here is a login and plain blocks: see `simulator.card`. Value blocks are
not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfid_station.simulator.card import State, Tear, TornMode, VirtualCard
from rfid_station.simulator.memory.classic_access import TRAILER, SectorAccess, parse_access

BLOCK_SIZE = 16
FACTORY_KEY = bytes.fromhex("FFFFFFFFFFFF")
_FACTORY_TRAILER = FACTORY_KEY + bytes.fromhex("FF078069") + FACTORY_KEY
_FIRST_LARGE_BLOCK = 128
"""From here on a sector has 16 blocks instead of 4."""
_SMALL, _LARGE, _LARGE_AREA = 4, 16, 5

_ACK, _NAK_NOT_ALLOWED = b"\x0a", b"\x04"
_LOGIN_A, _LOGIN_B, _READ, _WRITE = 0x60, 0x61, 0x30, 0xA0
_MAGIC_WAKE_UP, _MAGIC_OPEN = b"\x40", b"\x43"
_NONCE = bytes.fromhex("01200145")


@dataclass(frozen=True, slots=True)
class _Login:
    """The sector that is open, and the key that opened it."""

    sector: int
    key: str


class VirtualClassic(VirtualCard):
    """One MIFARE Classic. Whatever it refuses ends the login, and it is silent until it is selected again.

    `worn` blocks refuse every write. `weak` bits (block to 32-bit mask, for each four bytes) stay 0 although
    the write is acknowledged. A `fragile` card wears out the block that is torn. A `magic` one is a copy that
    answers the Gen1a wake-up `40` and `43` and then obeys without any key, even in block 0.
    """

    full_name: ClassVar[str]
    """The name on the data sheet."""
    blocks: ClassVar[int]

    def __init__(self, chip: str, uid: bytes) -> None:
        super().__init__(chip, uid)
        self.memory = bytearray(self.blocks * BLOCK_SIZE)
        self._put(0, _manufacturer_block(uid, self.sak, self.atqa))
        for sector in range(self.sectors):
            self._put(trailer_of(sector), _FACTORY_TRAILER)
        self.worn: set[int] = set()
        self.weak: dict[int, int] = {}
        self.is_fragile = False
        self.is_magic = False
        self._is_active = False
        self._login: _Login | None = None
        self._is_woken = self._is_open = False

    @property
    def name(self) -> str:
        """The name on the data sheet."""
        return self.full_name

    @property
    def sectors(self) -> int:
        """How many sectors there are."""
        return sector_of(self.blocks - 1) + 1

    def block(self, number: int) -> bytes:
        """What the cells of a block really hold, keys included."""
        return bytes(self.memory[number * BLOCK_SIZE : (number + 1) * BLOCK_SIZE])

    def set_block(self, number: int, content: bytes) -> None:
        """Put something into the cells, as only the maker of the chip can."""
        self._put(number, content)
        self.changes += 1

    def select(self) -> bytes:
        """Power and select the card, with no sector open."""
        self._fall_silent()
        self._is_active = True
        return self.uid

    def power_off(self) -> None:
        """Forget all but the memory."""
        self._fall_silent()

    def answer(self, frame: bytes) -> bytes:
        """Carry out a command, or fall silent."""
        if self.is_magic and frame in (_MAGIC_WAKE_UP, _MAGIC_OPEN):
            return self._magic(frame)
        if not self._is_active:
            return b""
        reply = self._obey(frame)
        if not reply or reply == _NAK_NOT_ALLOWED:
            self._fall_silent()
        return reply

    def tear(self, frame: bytes, tear: Tear) -> None:
        """Lose power in a command. A block is erased and programmed as a whole; nothing saves a trailer."""
        if self._is_active and tear.mode is TornMode.AFTER:
            self.answer(frame)
        elif self._is_active and tear.mode is not TornMode.BEFORE:
            self._tear_write(frame, tear)
        self.power_off()

    def state(self) -> State:
        """Chip, UID, memory and defects."""
        return {
            "chip": self.chip,
            "uid": self._uid.hex(),
            "memory": self.memory.hex(),
            "worn": sorted(self.worn),
            "weak": {str(block): mask for block, mask in sorted(self.weak.items())},
            "fragile": self.is_fragile,
            "magic": self.is_magic,
        }

    def restore(self, state: State) -> None:
        """Take the state of before."""
        self.memory[:] = bytes.fromhex(state["memory"])
        self.worn = set(state["worn"])
        self.weak = {int(block): mask for block, mask in state["weak"].items()}
        self.is_fragile = state["fragile"]
        self.is_magic = state["magic"]

    def _put(self, number: int, content: bytes) -> None:
        self.memory[number * BLOCK_SIZE : (number + 1) * BLOCK_SIZE] = content

    def _fall_silent(self) -> None:
        self._is_active = False
        self._login = None
        self._is_woken = self._is_open = False

    def _magic(self, frame: bytes) -> bytes:
        if frame == _MAGIC_OPEN and not self._is_woken:
            return b""
        self._is_active = True
        self._is_woken, self._is_open = True, frame == _MAGIC_OPEN
        return _ACK

    def _obey(self, frame: bytes) -> bytes:
        if len(frame) < 2 or frame[1] >= self.blocks:
            return b""
        command, block = frame[:2]
        if command in (_LOGIN_A, _LOGIN_B):
            return self._log_in("A" if command == _LOGIN_A else "B", block, frame[2:])
        if command == _READ and len(frame) == 2:
            return self._read(block)
        if command == _WRITE and len(frame) == 2 + BLOCK_SIZE:
            return self._write(block, frame[2:])
        return _NAK_NOT_ALLOWED if command == _WRITE and len(frame) == 2 else b""

    def _log_in(self, key: str, block: int, secret: bytes) -> bytes:
        """A whole login; or the nonce for a reader that begins Crypto1 by itself, and cannot get further."""
        if not secret:
            self._is_active = False
            return _NONCE
        trailer = self.block(trailer_of(sector_of(block)))
        right = trailer[:6] if key == "A" else trailer[10:]
        if secret != right + self._uid[-4:] or parse_access(trailer) is None:
            return b""
        self._login = _Login(sector_of(block), key)
        return _ACK

    def _access(self, block: int) -> tuple[SectorAccess, str] | None:
        """The conditions of the block's sector and the key in use; None if it is shut, for now or for ever.

        The data sheet (8.7.2) lets one log in with a key B that can be read, and then refuses everything.
        """
        login = self._login
        access = parse_access(self.block(trailer_of(sector_of(block))))
        if login is None or access is None or login.sector != sector_of(block):
            return None
        return None if login.key == "B" and access.is_key_b_data else (access, login.key)

    def _read(self, block: int) -> bytes:
        content = self.block(block)
        if self._is_open:
            return content
        known = self._access(block)
        if known is None:
            return b"" if self._login else _NAK_NOT_ALLOWED
        access, key = known
        area = area_of(block)
        if area != TRAILER:
            return content if key in access.data(area).read else b""
        key_b = content[10:] if key in access.trailer.read_key_b else bytes(6)
        return bytes(6) + content[6:10] + key_b

    def _write(self, block: int, data: bytes) -> bytes:
        content = self._content_after(block, data)
        if content is None or block in self.worn:
            return b""
        strong = ~self.weak.get(block, 0)
        self.set_block(block, _masked(content, strong))
        return _ACK

    def _content_after(self, block: int, data: bytes) -> bytes | None:
        """What a block holds after a write that came to its end; None if it is refused."""
        if self._is_open:
            return data
        known = self._access(block)
        if known is None or block == 0:
            return None
        access, key = known
        area = area_of(block)
        if area != TRAILER:
            return data if key in access.data(area).write else None
        return _trailer_after(self.block(block), data, access, key)

    def _tear_write(self, frame: bytes, tear: Tear) -> None:
        if len(frame) != 2 + BLOCK_SIZE or frame[0] != _WRITE or frame[1] >= self.blocks:
            return
        block = frame[1]
        content = self._content_after(block, frame[2:])
        if content is None or block in self.worn:
            return
        self.set_block(block, _masked(content, tear.mask if tear.mode is TornMode.PARTIAL else 0))
        if self.is_fragile:
            self.worn.add(block)


class VirtualMini(VirtualClassic):
    """320 bytes in 5 sectors."""

    full_name = "MIFARE Mini"
    blocks = 20
    sak = 0x09
    atqa = bytes.fromhex("0004")


class VirtualClassic1k(VirtualClassic):
    """16 sectors, and a UID of four bytes that is not unique."""

    full_name = "MIFARE Classic 1K"
    blocks = 64
    sak = 0x08
    atqa = bytes.fromhex("0004")


class VirtualClassic1k7(VirtualClassic1k):
    """The same with a UID of seven bytes."""

    atqa = bytes.fromhex("0044")


class VirtualClassic4k(VirtualClassic):
    """32 sectors of 4 blocks and 8 of 16."""

    full_name = "MIFARE Classic 4K"
    blocks = 256
    sak = 0x18
    atqa = bytes.fromhex("0002")


class VirtualPlus2k(VirtualClassic):
    """A MIFARE Plus S or X, which a reader takes for a Classic 1K until it asks for more."""

    full_name = "MIFARE Plus 2K in security level 1"
    blocks = 128
    sak = 0x08
    atqa = bytes.fromhex("0044")


def sector_of(block: int) -> int:
    """The sector a block lies in."""
    beyond = max(0, block - _FIRST_LARGE_BLOCK)
    return min(block, _FIRST_LARGE_BLOCK) // _SMALL + beyond // _LARGE


def trailer_of(sector: int) -> int:
    """The last block of a sector."""
    small = _FIRST_LARGE_BLOCK // _SMALL
    if sector < small:
        return sector * _SMALL + _SMALL - 1
    return _FIRST_LARGE_BLOCK + (sector - small) * _LARGE + _LARGE - 1


def area_of(block: int) -> int:
    """Which of the four areas of its sector a block belongs to."""
    return block % _SMALL if block < _FIRST_LARGE_BLOCK else block % _LARGE // _LARGE_AREA


def _trailer_after(now: bytes, data: bytes, access: SectorAccess, key: str) -> bytes | None:
    """Each part is replaced if the key may write it; None if it may write none."""
    rights = access.trailer
    parts = (
        (slice(0, 6), rights.write_key_a),
        (slice(6, 10), rights.write_access),
        (slice(10, 16), rights.write_key_b),
    )
    if not any(key in keys for _, keys in parts):
        return None
    return b"".join((data if key in keys else now)[part] for part, keys in parts)


def _manufacturer_block(uid: bytes, sak: int, atqa: bytes) -> bytes:
    """Block 0: UID, its check byte if it has four bytes, SAK and ATQA, and what only the maker knows."""
    check = bytes([uid[0] ^ uid[1] ^ uid[2] ^ uid[3]]) if len(uid) == 4 else b""
    return (uid + check + bytes([sak]) + atqa[::-1]).ljust(BLOCK_SIZE, b"\x62")


def _masked(content: bytes, mask: int) -> bytes:
    repeated = (mask & 0xFFFFFFFF).to_bytes(4) * (BLOCK_SIZE // 4)
    return bytes(value & bits for value, bits in zip(content, repeated, strict=True))
