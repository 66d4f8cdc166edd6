"""MIFARE DESFire EV1, EV2 and EV3: a charging application, the link for phones, keys of the card's own.

What a finished card with keys carries:

| where | what | keys |
|---|---|---|
| card (PICC) | anybody may list applications, only its key creates and deletes | `desfire.picc` |
| application of the profile | three AES keys: 0 master, 1 reads, 2 writes | `desfire.<AID>.0` to `.2` |
| its file 1 | the card reference, enciphered on the air: 01, length, link | read 1, write 2, both 0 |
| application 010000 (NDEF) | the link, readable by every phone | `desfire.010000.0` |

The reference is what the card shows anyway (its link has no UID and no name in it), so that a charge point
with key 1 can tell a card of ours from a copy of its UID.

The order survives a tear at every exchange: applications with the factory's keys, files, content, then the
keys of each application with its master key last, and the card's own key at the very end. So what a key of
ours guards is complete, and whatever is not, still opens with the factory's keys. Each key's version, which
the chip tells anybody and changes together with the key, says which of the two it is. Nothing here is final:
the card's key can delete all (`recycle`), and SetConfiguration is never sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rfid_station.chip import desfire, type4
from rfid_station.chip.desfire import CLOSED, DELIVERED, NDEF_AID, PICC, STRANGER, KeyType
from rfid_station.chip.desfire_state import ApplicationFound, DesfireState, Findings
from rfid_station.chip.exchange import AskUid, Dialogue, Restart, Result
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.chip.messaging import CommandRefused, Session, WrongKey
from rfid_station.chip.type4 import LENGTH_SIZE
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode.desfire_layout import (
    BLOCK,
    MASTER,
    PICC_SLOT,
    READING,
    WRITING,
    Application,
    File,
    charging_application,
    in_blocks,
    ndef_application,
)
from rfid_station.encode.desfire_steps import (
    ChangeSettings,
    CreateApplication,
    CreateFile,
    DeleteApplication,
    FactoryPiccKey,
    Format,
    Login,
    Messaging,
    NewKey,
    RunningStep,
    Select,
    Work,
    WriteFile,
    hex_of,
    key_name,
    run_steps,
)
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Plan, Target, check_same_card, digest_of
from rfid_station.errors import CardDefective, CardRefused, ReadBackDiffers, WrongCall

_APPLICATION_OVERHEAD = 5 * BLOCK


@dataclass(frozen=True, slots=True)
class DesfirePlan:
    """What will be done to one card, and what it is to be in the end."""

    uid: CardUid
    steps: tuple[RunningStep, ...]
    applications: tuple[Application, ...]
    key: KeyRef | None
    """Without one, every key on the card is the factory's."""
    messaging: Messaging

    @property
    def digest(self) -> str:
        """Names the wanted end state."""
        state = [f"picc={self.key or 'factory'}"]
        for application in self.applications:
            state.append(f"{CreateApplication(application)} {self.key or 'factory'}")
            state += [f"{CreateFile(file)} {hex_of(file.content)}" for file in application.files]
        return digest_of(self.uid, state)

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Do every step. See `encode.plan.Plan`."""
        if self.steps:
            check_same_card(self.uid, (yield AskUid()))
            yield from run_steps(self.steps, Work(self.uid, keys))

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Field off and on; then as a stranger, and with every key unless `keys` is None."""
        check_same_card(self.uid, (yield Restart()))
        work = None if keys is None or self.key is None else Work(self.uid, keys)
        yield from self._verify_card(work)
        for application in self.applications:
            if application.df_name:
                yield from self._verify_ndef(application, work)
            else:
                yield from self._verify_charging(application, work)
        if work is not None:
            yield from desfire.select_application(PICC)  # leaves no session behind

    def _verify_card(self, work: Work | None) -> Dialogue[None]:
        listed = yield from self._expected(desfire.application_ids(), "lists its applications")
        missing = next((made.name for made in self.applications if made.aid not in listed), None)
        if missing is not None:
            raise self._differs(f"has no application {missing}")
        if self.key is not None:
            ring = yield from self._expected(desfire.key_slots(), "tells its settings")
            if ring.settings != CLOSED:
                raise self._differs(f"lets strangers do what settings {ring.settings:02X} say")
        yield from self._log_in(work, PICC_SLOT, 0)

    def _verify_ndef(self, application: Application, work: Work | None) -> Dialogue[None]:
        """Read the link as a phone does, and try to overwrite its length with itself."""
        container, message = (file.content for file in application.files)
        found = yield from type4.open_ndef()
        if found is None or found.container != container:
            raise self._differs("does not offer its link to phones")
        read = yield from type4.read_binary(0, len(message), found.capabilities.read_most)
        if read != message:
            raise self._differs(f"has {hex_of(read or b'')} as link, and {hex_of(message)} was written")
        if self.key is None:
            return
        attempt = type4.update_binary(0, message[:LENGTH_SIZE])
        yield from self._must_be_refused(attempt, "overwrites its link")
        yield from self._log_in(work, application.slot(MASTER), MASTER)

    def _verify_charging(self, application: Application, work: Work | None) -> Dialogue[None]:
        yield from self._expected(desfire.select_application(application.aid), "opens its application")
        for file in application.files:
            settings = yield from self._expected(desfire.file_settings(file.number), f"has {file.purpose}")
            if settings != file.settings:
                raise self._differs(f"has other settings at its {file.purpose}")
            attempt = desfire.read_data(STRANGER, file.number, 0, 1, file.settings.mode)
            yield from self._must_be_refused(attempt, f"reads its {file.purpose}")
        if work is None:
            return
        for number in (MASTER, WRITING, READING):
            yield from self._log_in(work, application.slot(number), number)
        for file in application.files:
            reading = desfire.read_data(work.session, file.number, 0, len(file.content), file.settings.mode)
            if (yield from self._expected(reading, f"gives its {file.purpose}")) != file.content:
                raise self._differs(f"has another {file.purpose} than was written")

    def _log_in(self, work: Work | None, slot: str, number: int) -> Dialogue[None]:
        if work is not None:
            login = Login(slot, number, self.key, self.messaging)
            yield from self._expected(login.run(work), f"takes the {key_name(slot, self.key)}")

    def _expected(self, dialogue: Dialogue[Result], what: str) -> Dialogue[Result]:
        """Let through what a finished card answers; its refusal is a difference."""
        try:
            return (yield from dialogue)
        except CommandRefused as refused:
            raise self._differs(f"no longer {what} ({refused.status:04X})") from refused

    def _must_be_refused(self, dialogue: Dialogue[object], what: str) -> Dialogue[None]:
        try:
            yield from dialogue
        except CommandRefused:
            return
        raise self._differs(f"is open: anybody {what}")

    def _differs(self, how: str) -> ReadBackDiffers:
        return ReadBackDiffers(
            f"card {self.uid.masked} {how}",
            hint="tap the card again to write it once more, or take another blank",
        )


@dataclass(frozen=True, slots=True)
class BlankingPlan:
    """How a card loses what we wrote. `removed` are the applications that must be gone."""

    uid: CardUid
    steps: tuple[RunningStep, ...]
    removed: frozenset[bytes]
    factory: Messaging = Messaging.DES

    @property
    def digest(self) -> str:
        """Names the wanted end state: as delivered."""
        return digest_of(self.uid, ["picc=factory", *sorted(aid.hex() for aid in self.removed)])

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Do every step."""
        if self.steps:
            check_same_card(self.uid, (yield AskUid()))
            yield from run_steps(self.steps, Work(self.uid, keys))

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Field off and on; the applications are gone, and the card's key is the factory's again."""
        check_same_card(self.uid, (yield Restart()))
        try:
            left = self.removed & set((yield from desfire.application_ids()))
            ring = yield from desfire.key_slots()
            yield from Login(PICC_SLOT, 0, None, self.factory).run(Work(self.uid, keys))
            yield from desfire.select_application(PICC)  # leaves no session behind
        except CommandRefused as refused:
            raise self._differs(f"is not as delivered: {refused}") from refused
        if left or ring.settings != DELIVERED:
            still = ", ".join(aid.hex().upper() for aid in sorted(left)) or f"settings {ring.settings:02X}"
            raise self._differs(f"still has {still}")

    def _differs(self, how: str) -> ReadBackDiffers:
        return ReadBackDiffers(f"card {self.uid.masked} {how}", hint="tap the card again to finish it")


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:  # noqa: ARG001
    """Find out which keys the card has, and how far we came with it. Changes nothing.

    Our own keys are not tried here: a key's version tells it, and `Plan.verify` proves it.

    :raises CardRefused: its keys are somebody else's, or it has applications where ours would go
    """
    state = _state(identity)
    wanted = _wanted(identity, target)
    if state.applications is None:
        raise _foreign(identity.uid, target, "it tells its applications to the holder of its key only")
    present = [made for made in wanted if made.aid in state.applications]
    if present and not target.is_begun:
        raise _refused(identity.uid, f"it has an application {present[0].name} already")
    if target.profile.content is Content.LINK and state.ndef and NDEF_AID not in state.applications:
        raise _refused(identity.uid, "it has a link in an application of somebody else")
    found = {}
    for application in present:
        found[application.aid] = yield from _examine_application(
            identity.uid, application, target, _messaging(state)
        )
    has_our_picc_key = None
    if target.key is not None or not state.lets_anybody_create:
        has_our_picc_key = yield from _examine_picc(identity.uid, state, target)
    return replace(state, findings=Findings(has_our_picc_key, found))


def plan(identity: Identity, target: Target) -> Plan:
    """Plan how the card gets its applications and keys. Pure; it must have been examined.

    :raises CardRefused: it cannot: too small, or the profile wants what no DESFire can do
    """
    state = _state(identity)
    findings = _findings(state)
    wanted = _wanted(identity, target)
    _check_room(identity, state, wanted)
    messaging = _messaging(state)
    steps: list[RunningStep] = _creating_steps(state, target, wanted)
    for application in wanted:
        found = findings.applications.get(application.aid)
        steps += _application_steps(application, found, target.key, messaging)
    if target.key is not None:
        steps += _picc_steps(state, target.key)
    return DesfirePlan(identity.uid, tuple(steps), wanted, target.key, messaging)


def recycle(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how the card becomes as delivered: our applications gone, its own key DES and all zero.

    FormatPICC gives the memory back, so it is taken whenever nobody else has an application on the card. The
    card's key goes back last: until then, the same key opens it again. EV1, EV2 and EV3 come with a DES key
    in that slot, and ChangeKey lets it become one again (EV1 data sheet, 9.3.5: bits 7 and 6 of the number).

    :raises CardRefused: it was not examined with its key, or hides what it has
    """
    state = _state(identity)
    findings = _findings(state)
    ours = frozenset(findings.applications)
    others = frozenset(state.applications or ()) - ours
    is_keyed = bool(findings.has_our_picc_key)
    settings = state.ring.settings if state.ring else DELIVERED
    if not ours and not is_keyed and settings == DELIVERED:
        return BlankingPlan(identity.uid, (), ours, _factory_messaging(state))
    opening: list[RunningStep] = [Select(PICC, "the card itself"), _picc_login(state, key, Messaging.EV1)]
    removing: list[RunningStep] = []
    if ours:
        removing += [DeleteApplication(aid) for aid in sorted(ours)] if others else [Format()]
    closing: list[RunningStep] = [ChangeSettings(DELIVERED)] if settings != DELIVERED else []
    if is_keyed:
        closing.append(FactoryPiccKey())
    reopening = opening if closing and Format() in removing else []
    steps = [*opening, *removing, *reopening, *closing]
    factory = Messaging.DES if is_keyed else _factory_messaging(state)
    return BlankingPlan(identity.uid, tuple(steps), ours, factory)


def _wanted(identity: Identity, target: Target) -> tuple[Application, ...]:
    """The applications that a card of this profile has, in the order they are made."""
    profile = target.profile
    _check_profile(identity, profile)
    applications = []
    if profile.application is not None:
        applications.append(charging_application(profile.application, target.link))
    if profile.content is Content.LINK:
        applications.append(ndef_application(target.link, is_open=target.key is None))
    return tuple(applications)


def _check_profile(identity: Identity, profile: Profile) -> None:
    if profile.protection is Protection.LOCKED:
        raise _refused(
            identity.uid, "a DESFire is closed by keys and not by lock bits", 'protection = "keys"'
        )
    if profile.content is Content.SUN or profile.counter:
        raise _refused(
            identity.uid, "a link that proves itself is made on NTAG 424 DNA only", 'content = "link"'
        )
    if profile.application is not None and profile.protection is not Protection.KEYS:
        raise WrongCall(
            f"profile {profile.name} makes an application, and leaves it the keys that anybody knows",
            hint='add protection = "keys" and a key to the profile',
        )
    if profile.application == NDEF_AID:
        raise WrongCall(
            f"profile {profile.name} takes {NDEF_AID.hex()} for its application, where the link belongs",
            hint='write another one, as application = "F51CC1"',
        )


def _examine_application(
    uid: CardUid, application: Application, target: Target, messaging: Messaging
) -> Dialogue[ApplicationFound]:
    yield from desfire.select_application(application.aid)
    ours = []
    if application.gets_keys:
        for number in range(application.keys):
            version = yield from desfire.key_version(number)
            ours.append(_is_ours(uid, version, target, application.slot(number)))
        if ours[MASTER]:
            return ApplicationFound(tuple(ours))
        work = Work(uid, None)
        yield from _try(target, Login(application.slot(MASTER), MASTER, None, messaging), work)
        session: Session = work.session
    else:
        session = STRANGER
    files = {}
    there = yield from desfire.file_ids(session)
    for file in application.files:
        if file.number in there:
            files[file.number] = yield from desfire.read_data(
                session, file.number, 0, len(file.content), file.settings.mode
            )
    return ApplicationFound(tuple(ours), files)


def _examine_picc(uid: CardUid, state: DesfireState, target: Target) -> Dialogue[bool]:
    yield from desfire.select_application(PICC)
    if target.is_begun and _is_ours(uid, (yield from desfire.key_version(0)), target, PICC_SLOT):
        return True
    yield from _try(target, Login(PICC_SLOT, 0, None, _factory_messaging(state)), Work(uid, None))
    return False


def _try(target: Target, login: Login, work: Work) -> Dialogue[None]:
    """Log in with a factory key.

    :raises CardRefused: it is another key
    """
    try:
        yield from login.run(work)
    except WrongKey:
        raise _foreign(work.uid, target, f"its key {login.slot} is neither the factory's nor ours") from None


def _is_ours(uid: CardUid, version: int, target: Target, slot: str) -> bool:
    """Tell our key from the factory's by its version; ours never have version 0."""
    if version == 0:
        return False
    if target.key is None or version != target.key.version:
        wanted = target.key or "as delivered"
        raise _foreign(uid, target, f"its key {slot} has version {version:02X} and is not {wanted}")
    return True


def _foreign(uid: CardUid, target: Target, why: str) -> CardRefused:
    """A card that we began with cannot go back to its pile: it is spoiled."""
    kind = CardDefective if target.is_begun else CardRefused
    return kind(f"card {uid.masked} cannot be written: {why}", hint="put it aside and take another blank")


def _creating_steps(state: DesfireState, target: Target, wanted: Sequence[Application]) -> list[RunningStep]:
    missing = [made for made in wanted if made.aid not in _findings(state).applications]
    if not missing:
        return []
    steps: list[RunningStep] = [Select(PICC, "the card itself")]
    if not state.lets_anybody_create:
        steps.append(_picc_login(state, target.key, _messaging(state)))
    return steps + [CreateApplication(application) for application in missing]


def _application_steps(
    application: Application, found: ApplicationFound | None, key: KeyRef | None, messaging: Messaging
) -> list[RunningStep]:
    """What is left to do in one application: files, content, keys 1 to n, the master key."""
    found = found or ApplicationFound((False,) * application.keys)
    if application.gets_keys and found.has_our_key[MASTER]:
        return []
    steps: list[RunningStep] = []
    for file in application.files:
        steps += _file_steps(file, found.files.get(file.number))
    if application.gets_keys and key is not None:
        steps.insert(0, Login(application.slot(MASTER), MASTER, None, messaging))
        for number in (*range(1, application.keys), MASTER):
            if not found.has_our_key[number]:
                steps.append(NewKey(application.slot(number), number, key, is_own=number == MASTER))
    return [Select(application.aid, application.purpose), *steps] if steps else []


def _file_steps(file: File, found: bytes | None) -> list[RunningStep]:
    """Make a file if it is not there, and write what differs; the front says that all is there."""
    steps: list[RunningStep] = [CreateFile(file)] if found is None else []
    found = found or bytes(len(file.content))
    front, body = file.content[: file.late], file.content[file.late :]
    if found == file.content:
        return steps
    if found[file.late :] != body:
        if any(found[: file.late]):
            steps.append(WriteFile(file, 0, bytes(file.late), "length 0: phones find nothing"))
            found = bytes(len(found))
        steps.append(WriteFile(file, file.late, body, file.purpose))
    if found[: file.late] != front:
        steps.append(WriteFile(file, 0, front, "length: the link is there"))
    return steps


def _picc_steps(state: DesfireState, key: KeyRef) -> list[RunningStep]:
    """Close the card, then change its own key: the last thing that is done to it."""
    is_ours = bool(_findings(state).has_our_picc_key)
    is_closed = state.ring is not None and state.ring.settings == CLOSED
    if is_ours and is_closed:
        return []
    steps: list[RunningStep] = [Select(PICC, "the card itself"), _picc_login(state, key, _messaging(state))]
    if not is_closed:
        steps.append(ChangeSettings(CLOSED))
    if not is_ours:
        steps.append(NewKey(PICC_SLOT, KeyType.AES, key, is_own=True))
    return steps


def _picc_login(state: DesfireState, key: KeyRef | None, messaging: Messaging) -> Login:
    """Log in with the key that the card has now."""
    if _findings(state).has_our_picc_key:
        return Login(PICC_SLOT, 0, key, messaging)
    return Login(PICC_SLOT, 0, None, _factory_messaging(state))


def _messaging(state: DesfireState) -> Messaging:
    return Messaging.EV2 if state.generation.speaks_ev2 else Messaging.EV1


def _factory_messaging(state: DesfireState) -> Messaging:
    """A card comes with a DES key; one that was made blank elsewhere may have an AES key that is all zero."""
    return Messaging.EV1 if state.ring is not None and state.ring.type is KeyType.AES else Messaging.DES


def _check_room(identity: Identity, state: DesfireState, wanted: Sequence[Application]) -> None:
    needed = sum(
        _APPLICATION_OVERHEAD + sum(in_blocks(file.settings.size) for file in made.files)
        for made in wanted
        if made.aid not in _findings(state).applications
    )
    if state.free is not None and state.free < needed:
        raise _refused(identity.uid, f"it has {state.free} bytes left, and {needed} are needed")


def _state(identity: Identity) -> DesfireState:
    if not isinstance(identity.state, DesfireState):
        raise TypeError(f"{identity.name} has no applications")
    return identity.state


def _findings(state: DesfireState) -> Findings:
    return state.findings or Findings(None, {})


def _refused(uid: CardUid, why: str, instead: str = "") -> CardRefused:
    hint = f"write {instead} in the profile" if instead else "put this card aside and take another blank"
    return CardRefused(f"card {uid.masked} cannot be written: {why}", hint=hint)
