"""MIFARE Classic: the link as NDEF with a directory, and keys of the card's own for every sector.

    data ─► block with the length ─► keys of the sector ─► … ─► directory ─► keys of sector 0

A phone finds nothing before the very last write. The keys of a sector are written once, last of all in it: a
tear in the middle of that one write can shut the sector for ever, and then the card is spoiled and says why.
Whatever else is torn is finished by the next tap: each sector opens with the factory's keys or with ours.
"""

from __future__ import annotations

from collections.abc import Iterator

from rfid_station.chip import mad
from rfid_station.chip.classic import (
    FACTORY_KEY,
    KEY_B_MAY_WRITE,
    KEY_B_RULES,
    PUBLIC_KEYS_B,
    TRANSPORT_RIGHTS,
)
from rfid_station.chip.classic_state import ClassicState, Opens, SectorState, Survey
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.domain.key import KeyRef
from rfid_station.encode.classic_plan import ClassicPlan, Login, WriteData, WriteTrailer
from rfid_station.encode.classic_sectors import (
    CLOSED,
    FACTORY,
    CardKeys,
    SectorKey,
    WantedSector,
    blank_sector,
    classic_state,
    header_block,
    own_key_b,
    wanted_sectors,
)
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardRefused

_OTHER_BLANK = "put this card aside and take another blank"


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:
    """Open every sector that the plan touches, and read what it will write.

    Without keys, sectors that only ours open are left unasked.

    :raises CardRefused: a sector belongs to somebody else, or the link does not fit
    """
    state = classic_state(identity)
    survey = Survey(identity.uid, state)
    latest = Opens.FACTORY
    for sector in wanted_sectors(identity, target):
        missing = [block for block in sector.data if block not in survey.blocks]
        if missing or not _opens(survey.state, sector, Opens.FACTORY):
            chances = _chances(sector, state, target, keys)
            chances.sort(key=lambda opens: opens is not latest)
            latest = yield from _open(survey, sector, chances, CardKeys(identity.uid, target.key, keys))
            yield from survey.read(missing)
        if not target.is_begun:
            _check_nobodys(identity, sector.number, survey.sectors[sector.number])
    return survey.state


def plan(identity: Identity, target: Target) -> Plan:
    """Plan how an examined card comes to carry the link, and keys of its own.

    :raises CardRefused: the link does not fit, or this kind of card cannot become that
    """
    state, wanted = classic_state(identity), wanted_sectors(identity, target)
    steps = tuple(_steps(state, wanted, target.key))
    if _shows_a_mixture(state, steps):
        login = _login(1, state.sectors[1])
        closing = WriteData(header_block(state.layout), CLOSED, "length 0: phones find nothing", login)
        steps = (closing, *steps)
    return ClassicPlan(identity.uid, target.key, steps, wanted, _shut(state, wanted))


def recycle(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how every sector that was examined gets the factory's keys back, the directory first.

    :raises CardRefused: a sector is dead
    """
    state = classic_state(identity)
    wanted = tuple(blank_sector(state, number) for number in sorted(state.sectors))
    shut = _shut(state, wanted)
    if shut:
        raise CardRefused(
            f"card {identity.uid.masked} cannot be made blank: sector {shut[0]} opens with no key any more",
            hint="put it aside for good",
        )
    return ClassicPlan(identity.uid, key, tuple(_steps(state, wanted, key)), wanted)


def _chances(
    sector: WantedSector, state: ClassicState, target: Target, keys: KeySource | None
) -> list[Opens]:
    """What may open a sector, the likeliest first, by what identifying found out."""
    known = state.sectors.get(sector.number)
    if known is None:
        chances = [Opens.OPEN, Opens.FACTORY] if sector.key_a.public else [Opens.FACTORY]
    else:
        chances = {Opens.FACTORY: [Opens.FACTORY], Opens.PUBLIC: [Opens.OPEN]}.get(known.opens, [])
    is_as_delivered = known is not None and known.opens is Opens.FACTORY
    if not target.is_begun or sector.opens is Opens.OPEN or is_as_delivered:
        return chances
    if keys is None:
        return [Opens.PUBLIC] if sector.key_a.public else []
    return [Opens.OURS, *chances]


def _open(survey: Survey, sector: WantedSector, chances: list[Opens], keys: CardKeys) -> Dialogue[Opens]:
    """Try what may open a sector, and say what did."""
    for opens in chances:
        if (yield from _try(survey, sector, opens, keys)):
            return opens
    # Without a ring nobody can tell a sector of ours from a dead one.
    may_be_ours = keys.ring is None and sector.opens is Opens.OURS
    opens = Opens.UNASKED if may_be_ours else Opens.NOTHING
    survey.sectors[sector.number] = SectorState(opens)
    return opens


def _try(survey: Survey, sector: WantedSector, opens: Opens, keys: CardKeys) -> Dialogue[bool]:
    number = sector.number
    if opens is Opens.FACTORY:
        return (yield from survey.try_key(number, FACTORY_KEY, opens))
    if opens is Opens.OURS:
        return (yield from survey.try_key(number, keys.value(own_key_b(number)), opens, is_key_b=True))
    is_public = _opens(survey.state, sector, Opens.PUBLIC)
    if not is_public or opens is Opens.PUBLIC:
        is_public = yield from survey.try_key(number, keys.value(sector.key_a), Opens.PUBLIC)
    if not is_public or opens is Opens.PUBLIC:
        return is_public
    # As delivered, the factory's key B logs in as well, and then may do nothing: so key A comes first.
    for key in PUBLIC_KEYS_B:
        if (yield from survey.try_key(number, key, opens, is_key_b=True)):
            return True
    return False


def _opens(state: ClassicState, sector: WantedSector, opens: Opens) -> bool:
    known = state.sectors.get(sector.number)
    return known is not None and known.opens is opens


def _check_nobodys(identity: Identity, number: int, sector: SectorState) -> None:
    """Let a sector of a new card pass that everybody may change."""
    if sector.opens is Opens.NOTHING:
        raise CardRefused(
            f"card {identity.uid.masked} belongs to somebody else: no public key opens sector {number}",
            hint=_OTHER_BLANK,
        )
    if not _is_changeable(sector):
        raise CardRefused(
            f"card {identity.uid.masked} has unusual rights in sector {number}: "
            + sector.access[:3].hex(" ").upper(),
            hint=_OTHER_BLANK,
        )


def _is_changeable(sector: SectorState) -> bool:
    if sector.opens is Opens.FACTORY or sector.rights is None:
        return sector.rights == TRANSPORT_RIGHTS
    *data, trailer = sector.rights
    return trailer == KEY_B_RULES and all(group in KEY_B_MAY_WRITE for group in data)


def _steps(
    state: ClassicState, wanted: tuple[WantedSector, ...], ref: KeyRef | None
) -> Iterator[WriteData | WriteTrailer]:
    for sector in wanted:
        known = state.sectors[sector.number]
        if known.opens is Opens.UNASKED:
            continue
        login = _login(sector.number, known)
        for block, data in sector.data.items():
            if state.blocks.get(block) != data:
                yield WriteData(block, data, _purpose(sector.number, data), login)
        is_kept = known.opens is sector.opens or known.opens is Opens.PUBLIC
        if not is_kept or known.access != sector.access or known.key_b not in (b"", sector.key_b.public):
            yield WriteTrailer(sector, ref, login)


def _purpose(number: int, data: bytes) -> str:
    if number in (mad.MAD1_SECTOR, mad.MAD2_SECTOR):
        return "directory" if any(data) else "directory: empty"
    return "link" if any(data) else "empty"


def _login(number: int, known: SectorState) -> Login:
    """What lets us change a sector now."""
    keys = {Opens.FACTORY: FACTORY, Opens.OPEN: SectorKey(public=known.key_b)}
    return Login(number, keys.get(known.opens, own_key_b(number)), known.opens)


def _shut(state: ClassicState, wanted: tuple[WantedSector, ...]) -> tuple[int, ...]:
    return tuple(sector.number for sector in wanted if _opens(state, sector, Opens.NOTHING))


def _shows_a_mixture(state: ClassicState, steps: tuple[WriteData | WriteTrailer, ...]) -> bool:
    """Whether phones would find a new link under an older length while these steps are done."""
    header = header_block(state.layout)
    is_body = any(isinstance(step, WriteData) and step.block > header for step in steps)
    return state.is_formatted and is_body and state.blocks.get(header) != CLOSED
