"""What every sector of a MIFARE Classic holds in the end: data, rights, and which keys.

Key A of the directory and of NDEF is public, since phones read with it. With protection `open` key B is the
factory's; with `keys` every sector gets a key B of its own, sectors without a public key A one of those too,
and only key B writes (NXP AN1304, AN1305).
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.chip import mad
from rfid_station.chip.classic import (
    BLOCK_SIZE,
    FACTORY_KEY,
    KEY_SIZE,
    MAD_KEY,
    NDEF_KEY,
    TRANSPORT_ACCESS,
    Layout,
)
from rfid_station.chip.classic_state import ClassicState, Opens
from rfid_station.chip.exchange import SecretFrame
from rfid_station.chip.identity import Identity
from rfid_station.chip.ndef import NDEF, TERMINATOR, uri_message
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource, card_key
from rfid_station.encode.plan import Target
from rfid_station.errors import CardRefused, KeyUnavailable

B_WRITES = bytes.fromhex("787788")
"""Data: read with key A or B, write with key B. Trailer: only key B changes it."""
ALL_WRITE = bytes.fromhex("7F0788")
"""Data: all with key A or B. Trailer: only key B changes it."""

NDEF_WRITABLE, NDEF_READ_ONLY, NO_NDEF = b"\x40", b"\x43", b"\x00"
"""General purpose byte of a sector: mapping version 1, and whether everybody may write (AN1304, 6.1)."""

_LONGEST_LINK = 250


@dataclass(frozen=True, slots=True)
class SectorKey:
    """A key of a sector: one that everybody knows, or the name of the slot that ours is derived for."""

    public: bytes = b""
    slot: str = ""

    def shown(self, ref: KeyRef | None) -> str:
        """The key as a plan may show it."""
        return self.public.hex().upper() if self.public else f"key {ref}/{self.slot}"


@dataclass(frozen=True, slots=True)
class CardKeys:
    """Where the keys of one card come from."""

    uid: CardUid
    ref: KeyRef | None
    ring: KeySource | None

    def value(self, key: SectorKey) -> SecretFrame:
        """The six bytes of a key.

        :raises KeyUnavailable: it is not in the ring, or there is no ring
        """
        if key.public:
            return SecretFrame(key.public)
        if self.ref is None or self.ring is None:
            raise KeyUnavailable(
                f"card {self.uid.masked} has keys of its own, and no key ring is open",
                hint="`rfid-station key list` shows which keys there are",
            )
        return SecretFrame(card_key(self.ring, self.ref, self.uid, key.slot).reveal()[:KEY_SIZE])


FACTORY = SectorKey(public=FACTORY_KEY)
_MAD_A = SectorKey(public=MAD_KEY)
_NDEF_A = SectorKey(public=NDEF_KEY)


@dataclass(frozen=True, slots=True)
class WantedSector:
    """What a sector holds in the end: data blocks in the order they are written in, keys and rights."""

    number: int
    trailer: int
    """The block that the keys lie in."""
    data: dict[int, bytes]
    key_a: SectorKey
    access: bytes
    key_b: SectorKey

    @property
    def opens(self) -> Opens:
        """What opens it then."""
        if self.access == TRANSPORT_ACCESS:
            return Opens.FACTORY
        return Opens.OURS if self.key_b.slot else Opens.OPEN

    def lines(self, ref: KeyRef | None) -> list[str]:
        """Its end state in words, for the digest."""
        data = [f"{block:02X}={content.hex()}" for block, content in sorted(self.data.items())]
        return [*data, f"{self.trailer:02X}={self.trailer_shown(ref)}"]

    def trailer_shown(self, ref: KeyRef | None) -> str:
        """Key A, access and key B, as a plan may show them."""
        return f"{self.key_a.shown(ref)} {self.access.hex().upper()} {self.key_b.shown(ref)}"


CLOSED = bytes([NDEF, 0, TERMINATOR]).ljust(BLOCK_SIZE, b"\x00")
"""The first block with NDEF while nothing is to be found in it."""


def classic_state(identity: Identity) -> ClassicState:
    """What was read from a MIFARE Classic; anything else has no business here."""
    if not isinstance(identity.state, ClassicState):
        raise TypeError(f"{identity.name} is no MIFARE Classic")
    return identity.state


def wanted_sectors(identity: Identity, target: Target) -> tuple[WantedSector, ...]:
    """The end state of every sector that is touched, in the order of writing.

    :raises CardRefused: the link does not fit, or this kind of card cannot become that
    """
    layout, profile = classic_state(identity).layout, target.profile
    if profile.content is Content.SUN or profile.protection is Protection.LOCKED:
        raise CardRefused(
            f"a {identity.name} cannot become what profile {profile.name} wants: it has no lock bits and "
            "makes no proofs",
            hint="take a profile with content nothing or link, and protection open or keys",
        )
    is_keyed = profile.protection is Protection.KEYS
    has_link = profile.content is Content.LINK
    ndef = _ndef_sectors(identity, layout, target.link, is_keyed) if has_link else []
    directory = _directory_sectors(layout, len(ndef), is_keyed) if has_link else []
    taken = {sector.number for sector in [*ndef, *directory]}
    rest = [number for number in range(layout.sectors) if is_keyed and number not in taken]
    return (*ndef, *(_private_sector(layout, number) for number in rest), *directory)


def _ndef_sectors(identity: Identity, layout: Layout, link: str, is_keyed: bool) -> list[WantedSector]:
    """The sectors from 1 on that the link needs, the one with its length last, and the length last in it."""
    message = uri_message(link) if len(link) < _LONGEST_LINK else bytes(_LONGEST_LINK)
    memory = bytes([NDEF, len(message)]) + message + bytes([TERMINATOR])
    contents = _in_blocks(memory)
    numbers = range(1, min(layout.sectors, mad.MAD2_SECTOR))
    blocks = [block for number in numbers for block in layout.data_blocks(number)]
    if len(contents) > len(blocks) or len(link) >= _LONGEST_LINK:
        raise CardRefused(
            f"a link of {len(link)} characters does not fit on a {identity.name}",
            hint="shorten desk.link in station.toml, or take a larger chip",
        )
    sectors: dict[int, dict[int, bytes]] = {}
    for block, content in reversed(list(zip(blocks, contents, strict=False))):
        sectors.setdefault(layout.sector_of(block), {})[block] = content.ljust(BLOCK_SIZE, b"\x00")
    rights = B_WRITES + NDEF_READ_ONLY if is_keyed else ALL_WRITE + NDEF_WRITABLE
    return [
        WantedSector(number, layout.trailer(number), data, _NDEF_A, rights, _key_b(number, is_keyed))
        for number, data in sectors.items()
    ]


def _directory_sectors(layout: Layout, ndef_count: int, is_keyed: bool) -> list[WantedSector]:
    """The directory: sector 0 last, since it says that there is one."""
    ndef = range(1, 1 + ndef_count)
    gpb = {mad.MAD2_SECTOR: NO_NDEF, mad.MAD1_SECTOR: bytes([mad.GPB_MAD1])}
    if layout.has_mad2:
        gpb[mad.MAD1_SECTOR] = bytes([mad.GPB_MAD2])
    numbers = [mad.MAD2_SECTOR, mad.MAD1_SECTOR] if layout.has_mad2 else [mad.MAD1_SECTOR]
    return [
        WantedSector(
            number,
            layout.trailer(number),
            dict(zip(layout.data_blocks(number), _in_blocks(mad.build_directory(number, ndef)), strict=True)),
            _MAD_A,
            B_WRITES + gpb[number],
            _key_b(number, is_keyed),
        )
        for number in numbers
    ]


def _private_sector(layout: Layout, number: int) -> WantedSector:
    own = SectorKey(slot=f"classic.{number}.a")
    return WantedSector(
        number, layout.trailer(number), {}, own, B_WRITES + NO_NDEF, _key_b(number, is_keyed=True)
    )


def blank_sector(state: ClassicState, number: int) -> WantedSector:
    """A sector as delivered. Its data is emptied where any of it was read: elsewhere we never wrote any."""
    blocks = state.layout.data_blocks(number)
    data = {block: bytes(BLOCK_SIZE) for block in blocks} if state.blocks.keys() & set(blocks) else {}
    return WantedSector(number, state.layout.trailer(number), data, FACTORY, TRANSPORT_ACCESS, FACTORY)


def _key_b(number: int, is_keyed: bool) -> SectorKey:
    return own_key_b(number) if is_keyed else FACTORY


def _in_blocks(memory: bytes) -> list[bytes]:
    return [memory[at : at + BLOCK_SIZE] for at in range(0, len(memory), BLOCK_SIZE)]


def header_block(layout: Layout) -> int:
    """The block with the length of the message."""
    return layout.data_blocks(1)[0]


def own_key_b(number: int) -> SectorKey:
    """The card's own key B of a sector."""
    return SectorKey(slot=f"classic.{number}.b")
