"""The plan for a MIFARE Classic: its steps, how they are written, and how the end state is read back."""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.chip.classic import FACTORY_KEY, KEY_SIZE, log_in, read_block, trailer_block, write_block
from rfid_station.chip.classic_state import Opens
from rfid_station.chip.exchange import AskUid, Dialogue, Restart
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.encode.classic_sectors import CardKeys, SectorKey, WantedSector
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import check_same_card, digest_of
from rfid_station.errors import CardDefective, CardLost, ReadBackDiffers

_AGAIN = "tap the card again to write it once more, or take another blank"
_OTHER_BLANK = "put this card aside and take another blank"


@dataclass(frozen=True, slots=True)
class Login:
    """Which key lets us into a sector now."""

    sector: int
    key: SectorKey
    opens: Opens

    @property
    def is_key_b(self) -> bool:
        """Key A of the factory alone may do anything as delivered; everywhere else key B writes."""
        return self.opens is not Opens.FACTORY


@dataclass(frozen=True, slots=True)
class WriteData:
    """One write of one data block, and what it is for."""

    block: int
    data: bytes
    purpose: str
    login: Login
    is_irreversible: bool = False

    def __str__(self) -> str:
        return f"block {self.block:02X} ← {self.data.hex(' ').upper()}  {self.purpose}"


@dataclass(frozen=True, slots=True)
class WriteTrailer:
    """One write of a sector's keys and rights."""

    wanted: WantedSector
    key: KeyRef | None
    login: Login
    is_irreversible: bool = False

    @property
    def block(self) -> int:
        """The block that the keys lie in."""
        return self.wanted.trailer

    def __str__(self) -> str:
        shown = self.wanted.trailer_shown(self.key)
        return f"block {self.wanted.trailer:02X} ← {shown}  keys of sector {self.wanted.number}"


@dataclass(frozen=True, slots=True)
class ClassicPlan:
    """What will be done to one card. `wanted` is in the order of writing; `shut` are its dead sectors."""

    uid: CardUid
    key: KeyRef | None
    steps: tuple[WriteData | WriteTrailer, ...]
    wanted: tuple[WantedSector, ...] = field(repr=False)
    shut: tuple[int, ...] = ()

    @property
    def digest(self) -> str:
        """Names the wanted end state."""
        return digest_of(self.uid, [line for sector in self.wanted for line in sector.lines(self.key)])

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Write every block in order, after making sure that the planned card is still there."""
        if self.shut:
            raise CardDefective(
                f"sector {self.shut[0]} of card {self.uid.masked} opens with no key that it may have: "
                "it was torn while its keys were written",
                hint="put this card aside, it is spoiled; take another blank",
            )
        if not self.steps:
            return
        check_same_card(self.uid, (yield AskUid()))
        writing = _Writing(self.uid, CardKeys(self.uid, self.key, keys))
        for step in self.steps:
            yield from writing.do(step)

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Compare the card with its end state after a field reset; the first difference is named."""
        check_same_card(self.uid, (yield Restart()))
        reading = _Reading(self.uid, CardKeys(self.uid, self.key, keys))
        for sector in self.wanted:
            yield from reading.check_as_stranger(sector)
            if keys is not None:
                yield from reading.check_our_keys(sector)
        ours = [sector for sector in self.wanted if sector.opens is Opens.OURS]
        # Where our key opens, the factory's cannot: with keys in hand one try shows that a stranger fails.
        for sector in ours if keys is None else ours[-1:]:
            yield from reading.check_closed(sector)


class _Writing:
    """Writes block after block, and logs in where another sector begins."""

    def __init__(self, uid: CardUid, keys: CardKeys) -> None:
        self._uid = uid
        self._keys = keys
        self._login: Login | None = None

    def do(self, step: WriteData | WriteTrailer) -> Dialogue[None]:
        """Write a block; one that is not taken is written once more.

        :raises CardDefective: the card does not take it
        :raises CardLost: what was right a moment ago does not log in any more
        """
        data = self._content(step)
        for _ in range(2):
            yield from self._log_in(step)
            if (yield from write_block(self._uid, step.block, data)):
                return
            self._login = None
        raise CardDefective(
            f"block {step.block:02X} of card {self._uid.masked} cannot be written: the card refuses",
            hint=_OTHER_BLANK,
        )

    def _log_in(self, step: WriteData | WriteTrailer) -> Dialogue[None]:
        if self._login == step.login:
            return
        key = self._keys.value(step.login.key)
        if not (yield from log_in(self._uid, step.block, key, is_key_b=step.login.is_key_b)):
            # Keys whose answer was lost may have been taken: the next tap finds out which are there.
            raise CardLost(
                f"sector {step.login.sector} of card {self._uid.masked} stopped answering in the middle",
                hint="hold the card still and tap it again",
            )
        self._login = step.login

    def _content(self, step: WriteData | WriteTrailer) -> bytes:
        if isinstance(step, WriteData):
            return step.data
        wanted = step.wanted
        return trailer_block(self._keys.value(wanted.key_a), wanted.access, self._keys.value(wanted.key_b))


class _Reading:
    """Compares sector after sector with its end state."""

    def __init__(self, uid: CardUid, keys: CardKeys) -> None:
        self._uid = uid
        self._keys = keys

    def check_as_stranger(self, sector: WantedSector) -> Dialogue[None]:
        """Find data and rights with the keys that everybody knows."""
        if not sector.key_a.public:
            return
        yield from self._check_key(sector, sector.key_a, is_key_b=False)
        for block, data in sorted(sector.data.items()):
            found = yield from read_block(self._uid, block)
            self._compare(block, found, data)
        yield from self._check_rights(sector)
        if sector.opens is Opens.OPEN:
            yield from self._check_key(sector, sector.key_b, is_key_b=True)

    def check_our_keys(self, sector: WantedSector) -> Dialogue[None]:
        """Log in with every key that is the card's own."""
        if sector.key_a.slot:
            yield from self._check_key(sector, sector.key_a, is_key_b=False)
            yield from self._check_rights(sector)
        if sector.key_b.slot:
            yield from self._check_key(sector, sector.key_b, is_key_b=True)

    def check_closed(self, sector: WantedSector) -> Dialogue[None]:
        """See that the factory's key does not open a sector of ours."""
        is_key_b = bool(sector.key_a.public)
        if (yield from log_in(self._uid, sector.trailer, FACTORY_KEY, is_key_b=is_key_b)):
            raise ReadBackDiffers(
                f"sector {sector.number} of card {self._uid.masked} opens with the factory's key", hint=_AGAIN
            )

    def _check_key(self, sector: WantedSector, key: SectorKey, *, is_key_b: bool) -> Dialogue[None]:
        value = self._keys.value(key)
        if not (yield from log_in(self._uid, sector.trailer, value, is_key_b=is_key_b)):
            raise ReadBackDiffers(
                f"sector {sector.number} of card {self._uid.masked} does not open with "
                f"key {'B' if is_key_b else 'A'}, {key.shown(self._keys.ref)}",
                hint=_AGAIN,
            )

    def _check_rights(self, sector: WantedSector) -> Dialogue[None]:
        """Compare what can be read of a trailer: the rights, and key B where it is no key yet."""
        found = yield from read_block(self._uid, sector.trailer)
        wanted = sector.access + (sector.key_b.public if sector.opens is Opens.FACTORY else b"")
        self._compare(sector.trailer, found and found[KEY_SIZE : KEY_SIZE + len(wanted)], wanted)

    def _compare(self, block: int, found: bytes | None, wanted: bytes) -> None:
        if found != wanted:
            reads = "cannot be read" if found is None else f"reads {found.hex(' ').upper()}"
            raise ReadBackDiffers(
                f"block {block:02X} of card {self._uid.masked} {reads}, "
                f"and {wanted.hex(' ').upper()} was written",
                hint=_AGAIN,
            )
