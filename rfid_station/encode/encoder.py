"""Which module of this package encodes a card, and what every card passes before it gets there."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from rfid_station.chip.classic_state import ClassicState
from rfid_station.chip.desfire_state import DesfireState
from rfid_station.chip.duox import DuoxState
from rfid_station.chip.exchange import Dialogue
from rfid_station.chip.identity import ChipState, Identity, Originality
from rfid_station.chip.ntag424 import Ntag424State
from rfid_station.chip.type2_state import Type2State
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Profile, Protection
from rfid_station.encode import classic, desfire, duox, ntag424, type2
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import NothingToWrite, Plan, Target
from rfid_station.errors import CardRefused, WrongCall


class Encoder(Protocol):
    """What the module of each family of chips provides."""

    def examine(self, identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[ChipState]:
        """Read what planning needs beyond what identifying read; keys are tried, nothing is changed.

        :raises CardRefused: the card is locked against us: keys of somebody else, for one
        """

    def plan(self, identity: Identity, target: Target) -> Plan:
        """Plan how an examined card becomes what is wanted. Pure.

        :raises CardRefused: the card cannot become that: too small, locked
        """

    def recycle(self, identity: Identity, key: KeyRef | None) -> Plan:
        """Plan how a card of ours, examined with its key, becomes blank again. Pure.

        :raises CardRefused: the chip does not allow it
        """


_ENCODERS: dict[type, Encoder] = {
    Type2State: type2,
    ClassicState: classic,
    Ntag424State: ntag424,
    DesfireState: desfire,
    DuoxState: duox,
}


_MOST_NAMED = 4
"""Chips that a message lists."""


def examine_card(identity: Identity, target: Target, keys: KeySource | None) -> Dialogue[Identity]:
    """Let a card pass that its profile takes, and read all that planning needs. Changes nothing.

    :raises CardRefused: the chip is not one of the profile's, not genuine, or locked against us
    """
    _check_profile(identity, target.profile)
    if _is_only_uid_wanted(identity, target.profile):
        return identity
    state = yield from _encoder(identity).examine(identity, target, keys)
    return replace(identity, state=state)


def plan_card(identity: Identity, target: Target) -> Plan:
    """Plan how an examined card becomes what is wanted. Pure.

    :raises CardRefused: the card cannot become that
    :raises WrongCall: the plan holds steps that nobody can undo, and the profile does not allow them
    """
    if _is_only_uid_wanted(identity, target.profile):
        return NothingToWrite(identity.uid)
    plan = _encoder(identity).plan(identity, target)
    final = next((step for step in plan.steps if step.is_irreversible), None)
    if final is not None and not target.profile.irreversible:
        raise WrongCall(
            f"profile {target.profile.name} would do what nobody can undo: {final}",
            hint="add irreversible = true to the profile if that is meant",
        )
    return plan


def plan_recycling(identity: Identity, key: KeyRef | None) -> Plan:
    """Plan how a card of ours becomes blank again. Pure.

    :raises CardRefused: the chip does not allow it
    """
    if identity.state is None:
        return NothingToWrite(identity.uid)
    return _encoder(identity).recycle(identity, key)


def _is_only_uid_wanted(identity: Identity, profile: Profile) -> bool:
    """Whether there is nothing to do. A card that proves itself is asked to, though nothing is written."""
    is_proven_card = profile.genuine and isinstance(identity.state, DuoxState)
    return profile.content is Content.NOTHING and profile.protection is Protection.OPEN and not is_proven_card


def _encoder(identity: Identity) -> Encoder:
    encoder = _ENCODERS.get(type(identity.state))
    if encoder is None:
        raise CardRefused(
            f"card {identity.uid.masked} is a {identity.name}, and only its UID can be used",
            hint="take the profile plain, or another blank",
        )
    return encoder


def _check_profile(identity: Identity, profile: Profile) -> None:
    uid = identity.uid.masked
    if identity.refusal:
        raise CardRefused(
            f"card {uid} ({identity.name}) cannot become a charging card: {identity.refusal}",
            hint="put it aside and take a blank",
        )
    if not profile.takes(identity.name):
        known = f"{identity.notes[0]}; " if identity.state is None and identity.notes else ""
        raise CardRefused(
            f"card {uid} is a {identity.name}; profile {profile.name} takes {_some(profile.chips)}",
            hint=f"{known}take a blank with one of these chips, or another profile with --profile",
        )
    if profile.genuine and identity.originality is not Originality.GENUINE:
        raise CardRefused(
            f"card {uid} is not proven to be genuine: {identity.originality}",
            hint="put it aside; `rfid-station card read` tells more, and so does its supplier",
        )


def _some(chips: frozenset[str]) -> str:
    """A few names, and how many more there are."""
    names = sorted(chips)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
