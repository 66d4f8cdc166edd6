"""Type 2 tags: a link for phones, a password or key of the card's own, a counter, and locks for ever.

What keeps us out comes last: the link, the counter, the password or key, then the byte that asks for it.
Locks come at the very end, the static ones after the dynamic ones, and only when what they keep was read
back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from rfid_station.chip.catalogue import Guard
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import ChipState, Identity
from rfid_station.chip.type2 import read_pages, split_pages
from rfid_station.chip.type2_state import (
    CAPABILITY,
    READ_ONLY,
    STATIC_BLOCK_BITS,
    STATIC_LOCK_BITS,
    STATIC_LOCKS,
    Type2State,
)
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Plan, Target
from rfid_station.encode.type2_guard import (
    COUNTS,
    Setting,
    access,
    counter,
    guard_from,
    missing,
    no_mirror,
    words_of,
)
from rfid_station.encode.type2_link import capability_for, closing_steps, link_pages, link_steps
from rfid_station.encode.type2_plan import Type2Plan, opens
from rfid_station.encode.type2_steps import (
    Expected,
    Step,
    WritePage,
    byte_at,
    factory_secret_steps,
    joined,
    secret_steps,
)
from rfid_station.errors import CardDefective, CardRefused

_FIRST_GUARDED = 3
"""From the capability container on: what is before it cannot be guarded on every chip (MF0ICU2, 7.5.8)."""

_TAKE_ANOTHER = "put this card aside and take another blank"


def examine(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:
    """Read all that the link will cover, and try whether a card that we began with opens with its key.

    A new card is not tried: it has no key of ours.

    :raises CardRefused: it is new, and asks for a password or key that is not ours
    :raises CardDefective: it was begun, is closed, and its key does not open it
    :raises CardLost: the card left
    """
    state = yield from _with_link_pages(_state(identity), target)
    if target.key is None or target.profile.protection is not Protection.KEYS or state.chip.guard is None:
        return state
    if not target.is_begun:
        _check_guard_is_off(identity.uid, state)
        return state
    if keys is None:
        return state
    is_ours = yield from opens(identity.uid, state.chip, target.key, keys)
    if state.first_protected is not None and not is_ours:
        raise CardDefective(
            f"card {identity.uid.masked} is closed, and its key {target.key} does not open it",
            hint=_TAKE_ANOTHER,
        )
    return replace(state, opens=is_ours)


def _with_link_pages(state: Type2State, target: Target) -> Dialogue[Type2State]:
    """Read what the link will cover beyond what identifying read."""
    if target.profile.content is not Content.LINK or not state.pages or not state.chip.is_mapped:
        return state
    rest = [page for page in link_pages(state.chip, target.link) if page not in state.pages]
    return replace(state, pages=state.pages | (yield from read_pages(state.chip, rest)))


def plan(identity: Identity, target: Target) -> Plan:
    """Plan how the tag comes to be what the profile says.

    :raises CardRefused: it is too small, locked, guarded by somebody else, or cannot do it
    :raises CardDefective: it was begun, and cannot be finished
    """
    draft = _Draft(identity.uid, _state(identity), target)
    draft.check_can_be_written()
    if target.profile.content is Content.LINK:
        draft.want_link()
    draft.want_configuration()
    if target.profile.protection is Protection.KEYS:
        draft.want_guard()
    if target.profile.protection is Protection.LOCKED:
        draft.want_locks()
    return draft.plan()


def recycle(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how the tag becomes blank again. Its capability container stays: that is one-time programmable.

    :raises CardRefused: pages are locked for ever, or it asks for a password or key that we do not have
    """
    state = _state(identity)
    _check_recyclable(identity.uid, state, key)
    steps: list[Step] = []
    expected: list[Expected] = []
    guard = state.chip.guard
    if guard is not None and (key is not None or guard.kind == "password"):
        settings = [guard_from(guard, guard.off), access(guard, guard.access_as_delivered[guard.access.at])]
        expected += [setting.expected for setting in settings]
        steps += missing(state, settings, is_begun=True)
        steps += factory_secret_steps(guard) if key is not None else []
    empty = split_pages(state.chip.user_first, state.chip.empty)
    empty = {page: data for page, data in empty.items() if page in state.pages}
    steps += _wiping_steps(state, empty)
    expected += [Expected(page, data) for page, data in empty.items()]
    login = key if state.first_protected is not None else None
    return Type2Plan(identity.uid, state.chip, tuple(steps), tuple(expected), login=login)


@dataclass
class _Draft:
    """A plan that is being made: steps in order, and what the pages read in the end."""

    uid: CardUid
    state: Type2State
    target: Target
    steps: list[Step] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)
    content: list[Expected] = field(default_factory=list)

    def plan(self) -> Type2Plan:
        """All of it, frozen."""
        state, protection = self.state, self.target.profile.protection
        guarded_by = self.target.key if protection is Protection.KEYS else None
        return Type2Plan(
            self.uid,
            state.chip,
            tuple(self.steps),
            tuple(self.expected),
            content=tuple(self.content),
            key=guarded_by,
            login=guarded_by if state.first_protected is not None else None,
            closed_page=None if protection is Protection.OPEN else state.chip.user_first,
        )

    def refused(self, reason: str) -> CardRefused:
        """A begun card has a number already, so that it is spoiled; a new one is only the wrong blank."""
        kind = CardDefective if self.target.is_begun else CardRefused
        return kind(f"card {self.uid.masked} cannot be written: {reason}", hint=_TAKE_ANOTHER)

    def check_can_be_written(self) -> None:
        """Refuse what no profile can be written to."""
        if not self.state.chip.is_mapped:
            raise self.refused("its memory map is not known here")
        if not self.state.pages:
            raise self.refused("it does not let itself be read")

    def want_link(self) -> None:
        """The link, and a capability container without which phones do not look for it."""
        pages = link_pages(self.state.chip, self.target.link)
        capability = self._capability(0)
        steps = link_steps(self.state, pages, capability)
        self._check_writable(step.page for step in steps)
        self.steps += steps
        formatted = Expected(CAPABILITY, capability, b"\xff\xff\xff\x00")
        self.expected += [formatted, *(Expected(page, data) for page, data in pages.items())]
        written = {step.page for step in steps}
        self.content = [page for page in self.expected if page is not formatted or CAPABILITY in written]

    def want_configuration(self) -> None:
        """The counter as the profile says; no mirror, which would hide what stands in the memory.

        With a guard or locks the byte that switches the counter on is written with theirs.
        """
        chip, guard, protection = self.state.chip, self.state.chip.guard, self.target.profile.protection
        if self._counting and not chip.counter:
            raise self.refused(f"a {chip.name} has no counter")
        if guard is None or protection is Protection.KEYS:
            return
        if self._counting and protection is Protection.OPEN:
            self._want_configured([counter(guard)])
        if self.state.is_mirrored:
            self._configure([no_mirror(guard)])

    def want_guard(self) -> None:
        """The card's own password or key, and last of all the byte that asks for it."""
        guard, key = self.state.chip.guard, self.target.key
        if guard is None or key is None:
            raise self.refused(f"a {self.state.chip.name} has neither password nor key")
        is_closed = self.state.first_protected is not None
        if not self.state.opens and not (is_closed and self.target.is_begun):
            self.steps += secret_steps(guard, key)
        self._want_configured(
            [access(guard, guard.write_only | self._counting), guard_from(guard, _FIRST_GUARDED)]
        )

    def want_locks(self) -> None:
        """Read-only for ever: for phones, then for everybody, with all lock bits and none that freezes."""
        state, chip = self.state, self.state.chip
        if state.first_protected is not None:
            raise self.refused(f"pages from {state.first_protected:02X} on ask for a {words_of(chip)}")
        capability = self._capability(READ_ONLY)
        wanted = [(Expected(CAPABILITY, capability), capability, "read-only for phones, for ever")]
        if chip.guard is not None and chip.guard.freeze:
            wanted.append(self._frozen_guard(chip.guard))
        if chip.lock_page is not None:
            locks = chip.lock_bits.to_bytes(4, "little")
            wanted.append((Expected(chip.lock_page, locks, locks), locks, "dynamic locks, for ever"))
        static = bytes(2) + STATIC_LOCK_BITS.to_bytes(2, "little")
        wanted.append((Expected(STATIC_LOCKS, static, static), static, "static locks, for ever"))
        for page, data, purpose in wanted:
            if not page.holds(state.pages[page.page]):
                self._check_not_frozen(page.page)
                self.steps.append(WritePage(page.page, data, purpose, is_irreversible=True))
            self.expected.append(page)

    def _frozen_guard(self, guard: Guard) -> tuple[Expected, bytes, str]:
        """No guard for ever: else a stranger could set one, and hide behind it what is locked."""
        bits = byte_at(guard.access.at, guard.freeze | self._counting)
        is_torn = self.target.is_begun and not self.state.access & guard.freeze
        kept = guard.access_as_delivered if is_torn else self.state.pages[guard.access.page]
        return Expected(guard.access.page, bits, bits), joined(kept, bits), "no password or key, for ever"

    @property
    def _counting(self) -> int:
        return COUNTS if self.target.profile.counter else 0

    def _want_configured(self, settings: list[Setting]) -> None:
        """Set bytes of configuration pages, in this order, and make sure of them in the end."""
        self._configure(settings)
        self.expected += [setting.expected for setting in settings]

    def _configure(self, settings: list[Setting]) -> None:
        guard = self.state.chip.guard
        steps = missing(self.state, settings, is_begun=self.target.is_begun)
        if steps and guard is not None and self.state.access & guard.freeze:
            raise self.refused("its configuration is locked for ever")
        self._check_writable(step.page for step in steps)
        self.steps += steps

    def _capability(self, access: int) -> bytes:
        allowed = READ_ONLY if self._may_be_locked else access
        capability = capability_for(self.state, allowed)
        if capability is None:
            found, wanted = self.state.pages[CAPABILITY], self.state.chip.capability
            raise self.refused(
                f"its capability container reads {found.hex(' ').upper()}, says read-only or nothing that "
                f"phones know, and can never become {wanted.hex(' ').upper()}"
            )
        return capability[:3] + bytes([access])

    @property
    def _may_be_locked(self) -> bool:
        """Whether what is locked on the card may have been locked by us."""
        return self.target.profile.protection is Protection.LOCKED and self.target.is_begun

    def _check_writable(self, pages: Iterable[int]) -> None:
        state = self.state
        if self._may_be_locked:
            capability = state.pages[CAPABILITY][:3] + b"\x00"
            state = replace(state, pages=state.pages | {CAPABILITY: capability})
        for page in pages:
            reason = state.why_not_writable(page)
            if reason:
                raise self.refused(reason)

    def _check_not_frozen(self, page: int) -> None:
        state, guard = self.state, self.state.chip.guard
        frozen: dict[int | None, int] = {
            STATIC_LOCKS: state.static_locks & STATIC_BLOCK_BITS,
            state.chip.lock_page: state.dynamic_locks & state.chip.block_bits,
            CAPABILITY: state.is_locked(CAPABILITY),
        }
        if guard is not None:
            frozen[guard.access.page] = state.access & guard.freeze
        if frozen.get(page):
            raise self.refused(f"page {page:02X} is frozen, so that what is missing can never be locked")


def _wiping_steps(state: Type2State, empty: dict[int, bytes]) -> list[Step]:
    """Empty the user memory as far as it was read: first what makes a phone find something."""
    dirty = [page for page, data in empty.items() if state.pages[page] != data]
    wipe = [WritePage(page, empty[page], "empty") for page in dirty if page != state.chip.length_page]
    return [*(closing_steps(state) if dirty else []), *wipe]


def _check_recyclable(uid: CardUid, state: Type2State, key: KeyRef | None) -> None:
    user = range(state.chip.user_first, state.chip.user_last + 1)
    reason = None
    if not state.chip.is_mapped:
        reason = "its memory map is not known here"
    elif not state.pages:
        reason = "it does not let itself be read"
    elif state.first_protected is not None and (key is None or state.opens is False):
        first, words = state.first_protected, words_of(state.chip)
        reason = f"its pages from {first:02X} on ask for a {words} that we do not have"
    elif state.pages[CAPABILITY][3] & READ_ONLY or any(map(state.is_locked, user)):
        reason = "it is locked, and nobody can undo that"
    if reason:
        raise CardRefused(
            f"card {uid.masked} cannot become blank again: {reason}", hint="put it aside for good"
        )


def _check_guard_is_off(uid: CardUid, state: Type2State) -> None:
    if state.first_protected is not None:
        raise CardRefused(
            f"card {uid.masked} cannot be written: pages from {state.first_protected:02X} on ask for a "
            f"{words_of(state.chip)} that is not ours",
            hint=_TAKE_ANOTHER,
        )


def _state(identity: Identity) -> Type2State:
    if not isinstance(identity.state, Type2State):
        raise TypeError(f"{identity.name} is no Type 2 tag")
    return identity.state
