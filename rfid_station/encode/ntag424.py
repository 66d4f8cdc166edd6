"""NTAG 424 DNA: a link, or a link with a proof of each tap; five keys of the card's own; closed files.

    NDEF file ─► capability container ─► file settings ─► keys 1 to 4 ─► key 0

Key 0 opens everything, so it is changed last: until then a torn card still has its factory key, and key
versions tell which of the others are ours already. What is right already is not written again.

With a link alone and no protection, the chip stays as it was delivered. A link with proofs is always
protected: on an open card anybody could write another link over it.
"""

from __future__ import annotations

from dataclasses import replace

from rfid_station.chip import ntag424 as chip
from rfid_station.chip.aes import FACTORY_KEY, LocalAesKey
from rfid_station.chip.ev2 import authenticate_first
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.chip.messaging import CardStatus, CommandRefused, CommMode, WrongKey, twice
from rfid_station.chip.ndef import uri_message
from rfid_station.chip.ntag424 import FREE, KEY_COUNT, MASTER, NEVER, FileSettings, Inside, Ntag424State
from rfid_station.chip.sun import LONGEST_SUN_FILE, SunFile, sun_file
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.ntag424_keys import SlotKey
from rfid_station.encode.ntag424_plan import NEW_BLANK, Ntag424Plan
from rfid_station.encode.ntag424_steps import ChangeKey, ChangeSettings, Ntag424Step, WriteFile
from rfid_station.encode.ntag424_verify import EndState
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardDefective, CardRefused

_LONGEST_LINK = 240


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:  # noqa: ARG001
    """Find out which keys the card has, and look at the files that no phone reads.

    A new card is tried with the factory key 0, and with nothing else. A begun one is asked for the versions
    of its keys, which fails no authentication.

    :raises CardRefused: it does not have the factory key
    :raises CardDefective: a begun card has keys that are neither ours nor the factory's
    """
    state = _state(identity)
    if not _is_keyed(target.profile):
        return state
    if target.is_begun:
        try:
            return replace(state, inside=(yield from twice(lambda: _look_at_ours(identity.uid, target.key))))
        except CommandRefused as refused:
            raise CardDefective(f"card {identity.uid.masked}: {refused.message}", hint=NEW_BLANK) from refused
    inside = yield from _look_inside(frozenset())
    yield from _try_factory_key(identity.uid)
    return replace(state, inside=inside)


def plan(identity: Identity, target: Target) -> Plan:
    """Plan how the card comes to carry the link.

    :raises CardRefused: the link is too long, or the settings of its files do not allow it
    """
    state, profile = _state(identity), target.profile
    sun = _sun_file(target.link) if profile.content is Content.SUN else None
    content = sun.content if sun else _link_file(target.link, profile)
    if not _is_keyed(profile):
        return _plan_open(identity.uid, state, content, "link")
    settings = _closed(sun, is_for_ever=profile.protection is Protection.LOCKED)
    end = EndState(content, sun, settings[chip.NDEF], chip.CLOSED_CONTAINER, target.key, is_closed=True)
    return _plan_keyed(identity.uid, state, end, settings, "link")


def recycle(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how the card becomes as it was delivered.

    :raises CardRefused: its settings were closed for ever
    """
    state = _state(identity)
    used = (state.content or b"").rstrip(b"\x00")
    blank = bytes(max(len(used), 2))
    if key is None and state.inside is None:
        return _plan_open(identity.uid, state, blank, "blank")
    settings = chip.FACTORY_SETTINGS
    end = EndState(blank, settings=settings[chip.NDEF], container=chip.CONTAINER_CONTENT)
    return _plan_keyed(identity.uid, state, end, settings, "blank", key)


def _plan_open(uid: CardUid, state: Ntag424State, content: bytes, purpose: str) -> Ntag424Plan:
    """Plan a card that stays open to everybody."""
    steps = _content_steps(state.content, content, CommMode.PLAIN, purpose)
    if steps and (FREE not in state.settings.writers or state.settings.has_sdm):
        raise CardRefused(
            f"card {uid.masked} cannot be written: only keys open its NDEF file", hint=NEW_BLANK
        )
    return Ntag424Plan(uid, tuple(steps), EndState(content), None)


def _plan_keyed(
    uid: CardUid,
    state: Ntag424State,
    end: EndState,
    wanted: dict[int, FileSettings],
    purpose: str,
    key: KeyRef | None = None,
) -> Ntag424Plan:
    """Plan everything that key 0 opens. `key` is what the keys of ours come from, if not from `end.key`."""
    inside = state.inside
    if inside is None:
        raise CardRefused(
            f"card {uid.masked} was not looked at with its key",
            hint="tap it again; `rfid-station card verify` tells what it should be",
        )
    now = {chip.CONTAINER: inside.container, chip.NDEF: state.settings, chip.OWN: inside.own}
    _check_open(uid, now, wanted)
    files: list[Ntag424Step] = []
    files += _content_steps(_static(state, end), end.content, state.settings.write_mode(), purpose)
    if end.container and inside.container_content != end.container:
        mode = inside.container.write_mode()
        files.append(WriteFile(chip.CONTAINER, 0, end.container, "capability container", mode))
    settings = [ChangeSettings(file, now[file], new) for file, new in wanted.items() if now[file] != new]
    ours = inside.our_keys
    slots = [SlotKey(number, key or end.key if number in ours else None) for number in range(KEY_COUNT)]
    changes = [ChangeKey(slot, SlotKey(slot.number, end.key)) for slot in slots if slot.ref != end.key]
    # Key 0 last. What is irreversible comes after all that is not, but needs key 0 as it is.
    others, master = [c for c in changes if c.new.number], [c for c in changes if not c.new.number]
    kept, final = [s for s in settings if not s.is_irreversible], [s for s in settings if s.is_irreversible]
    steps = (*files, *kept, *others, *final, *master)
    return Ntag424Plan(uid, steps, end, slots[MASTER])


def _check_open(uid: CardUid, now: dict[int, FileSettings], wanted: dict[int, FileSettings]) -> None:
    """Let a card pass whose files key 0 can change as wanted."""
    for file, settings in wanted.items():
        if now[file] != settings and now[file].changer not in (MASTER, FREE):
            raise CardRefused(
                f"card {uid.masked} keeps the settings of file {file} for ever ({now[file]})"
                if now[file].changer == NEVER
                else f"card {uid.masked} changes the settings of file {file} with another key ({now[file]})",
                hint=NEW_BLANK,
            )


def _content_steps(now: bytes | None, wanted: bytes, mode: CommMode, purpose: str) -> list[Ntag424Step]:
    """Write the NDEF file; what does not fit into one frame, with the length 0 until all of it is there."""
    if now is not None and now[: len(wanted)] == wanted:
        return []
    if len(wanted) <= chip.ATOMIC_WRITE:
        return [WriteFile(chip.NDEF, 0, wanted, purpose, mode)]
    closed = [] if now and not any(now[:2]) else [bytes(2)]
    steps: list[Ntag424Step] = [
        WriteFile(chip.NDEF, 0, data, "length 0: phones find nothing", mode) for data in closed
    ]
    for at in range(2, len(wanted), chip.LONGEST_WRITE):
        data = wanted[at : at + chip.LONGEST_WRITE]
        steps.append(WriteFile(chip.NDEF, at, data, purpose, mode))
    return [*steps, WriteFile(chip.NDEF, 0, wanted[:2], f"length: the {purpose} is there", mode)]


def _static(state: Ntag424State, end: EndState) -> bytes | None:
    """The NDEF file as it was written: values that the chip fills in are zeros again, where they are ours."""
    filled_in = state.settings.has_sdm and end.sun and state.settings.sdm == end.sun.settings
    if state.content is not None and end.sun and filled_in:
        return end.sun.without_proof(state.content)
    return state.content


def _closed(sun: SunFile | None, *, is_for_ever: bool) -> dict[int, FileSettings]:
    """Settings of files that everybody reads and only key 0 writes, or nobody."""
    rights = 0xEFFF if is_for_ever else 0xE000
    return {
        **chip.FACTORY_SETTINGS,
        chip.CONTAINER: FileSettings(0x00, rights),
        chip.NDEF: FileSettings(0x40, rights, sun.settings) if sun else FileSettings(0x00, rights),
    }


def _sun_file(link: str) -> SunFile:
    _check_link(link)
    made = sun_file(link)
    if len(made.content) > LONGEST_SUN_FILE:
        raise _too_long(link)
    return made


def _link_file(link: str, profile: Profile) -> bytes:
    if profile.content is Content.NOTHING:
        return bytes(2)
    _check_link(link)
    message = uri_message(link)
    if 2 + len(message) > chip.NDEF_SIZE:
        raise _too_long(link)
    return len(message).to_bytes(2) + message


def _check_link(link: str) -> None:
    if len(link.encode()) > _LONGEST_LINK:
        raise _too_long(link)


def _too_long(link: str) -> CardRefused:
    return CardRefused(
        f"a link of {len(link)} characters does not fit into the {chip.NDEF_SIZE} bytes of an NTAG 424 DNA",
        hint="shorten desk.link in station.toml",
    )


def _look_at_ours(uid: CardUid, ref: KeyRef | None) -> Dialogue[Inside]:
    yield from chip.select_application()
    return (yield from _look_inside((yield from _our_keys(uid, ref))))


def _look_inside(ours: frozenset[int]) -> Dialogue[Inside]:
    container = yield from chip.get_file_settings(chip.CONTAINER)
    own = yield from chip.get_file_settings(chip.OWN)
    content = yield from chip.read_data(chip.CONTAINER, 0, len(chip.CONTAINER_CONTENT))
    return Inside(container, content.data if content.status == CardStatus.OK else None, own, ours)


def _our_keys(uid: CardUid, ref: KeyRef | None) -> Dialogue[frozenset[int]]:
    """Ask for the versions of all keys; those with the version of our master key are ours."""
    ours = set()
    for number in range(KEY_COUNT):
        version = yield from chip.get_key_version(number)
        if ref and version == ref.version:
            ours.add(number)
        elif version:
            raise CardDefective(
                f"key {number} of card {uid.masked} has version {version}, which is neither the factory's "
                f"nor that of {ref or 'any key of ours'}",
                hint=NEW_BLANK,
            )
    return frozenset(ours)


def _try_factory_key(uid: CardUid) -> Dialogue[None]:
    try:
        yield from authenticate_first(LocalAesKey(FACTORY_KEY), MASTER)
    except WrongKey as wrong:
        raise CardRefused(
            f"card {uid.masked} does not have the key it was delivered with: somebody made it before",
            hint="take a new blank; a card of ours is made blank by `rfid-station card recycle`",
        ) from wrong
    except CommandRefused as refused:
        raise CardRefused(
            f"card {uid.masked} does not take AES keys, so it may be set to LRP for good: {refused.message}",
            hint=NEW_BLANK,
        ) from refused


def _is_keyed(profile: Profile) -> bool:
    return profile.content is Content.SUN or profile.protection is not Protection.OPEN


def _state(identity: Identity) -> Ntag424State:
    if not isinstance(identity.state, Ntag424State):
        raise TypeError(f"{identity.name} is no NTAG 424 DNA")
    return identity.state
