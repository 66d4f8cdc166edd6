"""A MIFARE Classic as it was read: which keys open its sectors, what they hold, and the link in it.

Identifying tries the public keys only, and looks at two sectors: the directory and the first with NDEF. A
wrong key costs a field restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from rfid_station.chip import mad
from rfid_station.chip.classic import (
    FACTORY_KEY,
    LAYOUTS,
    MAD_KEY,
    NDEF_KEY,
    Layout,
    decode_access,
    log_in,
    read_block,
)
from rfid_station.chip.exchange import Dialogue, SecretFrame
from rfid_station.chip.identity import Fact, Identity
from rfid_station.chip.ndef import find_ndef, uri_of_message
from rfid_station.chip.sighting import Kind
from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid

NOT_UNIQUE = "its UID of 4 bytes is not unique: another card may carry the same one"
"""NXP AN10927."""

_ACCESS = slice(6, 10)
_HAS_DIRECTORY = 0x80
_MOST_NDEF_BLOCKS = 32
"""How far into a message is read: its first record is all that is wanted of it."""


class Opens(StrEnum):
    """What opens a sector."""

    FACTORY = "factory key"
    PUBLIC = "public key"
    """Key A that everybody knows; which key B it has was not asked."""
    OPEN = "public keys"
    """Both keys are such that everybody knows."""
    OURS = "our key"
    NOTHING = "no key that it may have"
    UNASKED = "not asked"


@dataclass(frozen=True, slots=True)
class SectorState:
    """What was found out about a sector. `access` is three access bytes and the general purpose byte."""

    opens: Opens
    access: bytes = b""
    key_b: bytes = b""
    """Key B, where everybody knows it."""

    @property
    def rights(self) -> tuple[int, int, int, int] | None:
        """C1 C2 C3 of its three groups of data blocks and its trailer."""
        return decode_access(self.access) if self.access else None

    @property
    def has_directory(self) -> bool:
        """Whether this, as sector 0, says that a directory is there."""
        return self.opens is not Opens.FACTORY and bool(self.access[3:]) and self.access[3] >= _HAS_DIRECTORY


@dataclass(frozen=True, slots=True)
class ClassicState:
    """A MIFARE Classic, as far as its sectors were looked at."""

    layout: Layout
    sectors: dict[int, SectorState]
    blocks: dict[int, bytes] = field(repr=False)
    """Data blocks that were read; none of them holds a key."""

    @property
    def is_formatted(self) -> bool:
        """Whether a directory is there that phones find."""
        sector = self.sectors.get(mad.MAD1_SECTOR)
        return sector is not None and sector.has_directory and self._directory is not None

    @property
    def ndef_sectors(self) -> list[int]:
        """The sectors that hold NDEF by the directory of the first fifteen."""
        return (self._directory or []) if self.is_formatted else []

    @property
    def ndef_memory(self) -> bytes:
        """What stands in the NDEF sectors, as far as it was read without a gap."""
        memory = b""
        for block in _blocks_of(self.layout, self.ndef_sectors):
            if block not in self.blocks:
                break
            memory += self.blocks[block]
        return memory

    @property
    def link(self) -> str | None:
        """The URI a phone would open, if it can read such cards at all."""
        area = find_ndef(self.ndef_memory)
        return uri_of_message(area.message) if area else None

    @property
    def _directory(self) -> list[int] | None:
        blocks = [self.blocks.get(block, b"") for block in self.layout.data_blocks(mad.MAD1_SECTOR)]
        return mad.ndef_sectors(mad.MAD1_SECTOR, b"".join(blocks))

    @property
    def freshness(self) -> Freshness:
        """Whether all that was seen is as delivered, or formatted and empty."""
        if self.link:
            return Freshness.LINK
        if self.is_formatted:
            area = find_ndef(self.ndef_memory)
            has_data = bool(area.message) if area else any(self.ndef_memory)
            return Freshness.OTHER_DATA if has_data else Freshness.BLANK
        is_delivered = all(sector.opens is Opens.FACTORY for sector in self.sectors.values())
        has_data = any(any(data) for data in self.blocks.values())
        return Freshness.BLANK if is_delivered and not has_data else Freshness.OTHER_DATA

    def facts(self) -> dict[str, Fact]:
        """Its size, and what opens the sectors that were looked at."""
        by_key: dict[str, list[str]] = {}
        for number, sector in sorted(self.sectors.items()):
            by_key.setdefault(f"{sector.opens}", []).append(f"{number}")
        keys = "; ".join(f"sector {', '.join(numbers)}: {opens}" for opens, numbers in by_key.items())
        return {"size": f"{self.layout.size} bytes in {self.layout.sectors} sectors", "keys": keys}


class Survey:
    """What is found out about a card, sector by sector."""

    def __init__(self, uid: CardUid, state: ClassicState) -> None:
        self._uid = uid
        self._layout = state.layout
        self._open_sector: int | None = None
        self.sectors = dict(state.sectors)
        self.blocks = dict(state.blocks)

    @property
    def state(self) -> ClassicState:
        """All that is known by now."""
        return ClassicState(self._layout, dict(self.sectors), dict(self.blocks))

    def try_key(
        self, sector: int, key: SecretFrame, opens: Opens, *, is_key_b: bool = False
    ) -> Dialogue[bool]:
        """Open a sector and read once what its trailer allows; True when the key is right.

        A sector that opens, and whose access bits are broken, is one that nothing opens.
        """
        self._open_sector = None
        trailer = self._layout.trailer(sector)
        if not (yield from log_in(self._uid, trailer, key, is_key_b=is_key_b)):
            return False
        known = self.sectors.get(sector)
        if known is not None and known.opens is opens:
            self._open_sector = sector
            return True
        block = yield from read_block(self._uid, trailer)
        if block is None or decode_access(block[_ACCESS]) is None:
            self.sectors[sector] = SectorState(Opens.NOTHING)
            return True
        public_b = bytes(key) if is_key_b and opens is Opens.OPEN else b""
        self.sectors[sector] = SectorState(opens, block[_ACCESS], public_b)
        self._open_sector = sector
        return True

    def try_keys(self, sector: int, keys: Iterable[tuple[SecretFrame, Opens]]) -> Dialogue[None]:
        """Try one key A after the other until one is right."""
        for key, opens in keys:
            if (yield from self.try_key(sector, key, opens)):
                return
        self.sectors[sector] = SectorState(Opens.NOTHING)

    def is_open(self, sector: int) -> bool:
        """Whether a sector's blocks can be read at once."""
        return self._open_sector == sector

    def read(self, blocks: Iterable[int]) -> Dialogue[None]:
        """Read blocks of the sector that is open; one that cannot be read is left out, with all behind it."""
        for block in blocks:
            if self._open_sector != self._layout.sector_of(block):
                return
            data = yield from read_block(self._uid, block)
            if data is None:
                self._open_sector = None
                return
            self.blocks[block] = data


def identify_classic(uid: CardUid, kind: Kind) -> Dialogue[Identity]:
    """Find out whether a MIFARE Classic is fresh, or which link it carries, with public keys only.

    :raises CardLost: the card left
    """
    notes = (NOT_UNIQUE,) if uid.may_repeat else ()
    layout = LAYOUTS.get(kind.name)
    if layout is None:
        return Identity(uid, kind.name, refusal=kind.refusal, notes=notes)
    survey = Survey(uid, ClassicState(layout, {}, {}))
    yield from survey.try_keys(0, [(FACTORY_KEY, Opens.FACTORY), (MAD_KEY, Opens.PUBLIC)])
    if survey.is_open(0):
        yield from survey.read(layout.data_blocks(0))
        yield from _look_for_ndef(survey)
    return Identity(uid, kind.name, survey.state, refusal=kind.refusal, notes=notes)


def _look_for_ndef(survey: Survey) -> Dialogue[None]:
    """Read a message as far as it goes, or see that where one would begin there is nothing."""
    state = survey.state
    sectors = state.ndef_sectors or [1]
    factory, public = (FACTORY_KEY, Opens.FACTORY), (NDEF_KEY, Opens.PUBLIC)
    keys = [public, factory] if state.is_formatted else [factory, public]
    for block in _blocks_of(state.layout, sectors)[:_MOST_NDEF_BLOCKS]:
        sector = state.layout.sector_of(block)
        if sector not in survey.sectors:
            yield from survey.try_keys(sector, keys)
        yield from survey.read([block])
        if block not in survey.blocks or not _goes_on(survey.state):
            return


def _goes_on(state: ClassicState) -> bool:
    """Whether what was read so far is the beginning of a message."""
    memory = state.ndef_memory
    return any(memory) and find_ndef(memory) is None


def _blocks_of(layout: Layout, sectors: Iterable[int]) -> list[int]:
    return [block for sector in sectors for block in layout.data_blocks(sector)]
