"""A chip that acknowledges a write and keeps something else: reading back finds it, whichever write it was.

Each write of each shipped profile is lost once, and once it keeps one bit as it was; all others are kept.
Making a card blank again is tried in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import taps
from lying_chips import Liar, blank

from rfid_station.chip.exchange import run
from rfid_station.chip.identify import identify
from rfid_station.desk.station import all_profiles
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardDefective, ReadBackDiffers
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import VirtualCard

LINK = "https://cards.example.com/c/ABCDEFGHJKMN"
PROFILES = {profile.name: profile for profile in all_profiles(Path("/nowhere"))}
CASES = [
    *(("link", chip) for chip in ("ntag213", "ultralight", "ultralightaes")),
    *(("link-password", chip) for chip in ("ntag213", "mf0ul11", "ultralightc", "ultralightaes")),
    *(("link-locked", chip) for chip in ("ntag213", "ntag203", "mf0ul21", "ultralight", "ultralightaes")),
    *((name, chip) for name in ("classic-link", "classic-keys") for chip in ("mini", "classic1k7")),
    *((name, "ntag424") for name in ("ntag424-link", "sun")),
    *((name, chip) for name in ("desfire-link", "desfire") for chip in ("desfire-ev1", "desfire-ev2")),
]
"""Every profile that writes, on a chip of each kind that its encoder treats in its own way."""


def target_of(profile: str) -> tuple[Target, taps.OpenKeys]:
    keys = taps.OpenKeys()
    wanted = PROFILES[profile]
    return Target(wanted, LINK, keys.newest(wanted.key) if wanted.key else None), keys


def write_and_verify(field: Liar, target: Target, keys: taps.OpenKeys, *, to_blank: bool = False) -> Plan:
    link = SimLink(field, "sim:test")
    identity = run(link, examine_card(run(link, identify(link.seen)), target, keys))
    plan = plan_recycling(identity, target.key) if to_blank else plan_card(identity, target)
    field.is_being_written = True
    run(link, plan.write(keys))
    field.is_being_written = False
    run(link, plan.verify(keys))
    return plan


def every_lie(
    make: Callable[[Liar], object],
    new: Callable[[], VirtualCard],
    is_harmless: Callable[[VirtualCard], bool] = lambda _: False,
) -> None:
    sound = Liar(new())
    make(sound)
    assert sound.lies
    for at, lies in enumerate(sound.lies, 1):
        for which in range(len(lies)):
            lying = Liar(new(), at, which)
            try:
                make(lying)
            except (ReadBackDiffers, CardDefective):
                continue
            assert is_harmless(lying.card), f"write {at} kept otherwise, in way {which}, is not noticed"


@pytest.mark.parametrize(("profile", "chip"), CASES)
def test_a_card_that_keeps_something_else_is_not_called_made(profile: str, chip: str) -> None:
    target, keys = target_of(profile)
    every_lie(lambda field: write_and_verify(field, target, keys), lambda: blank(chip))


@pytest.mark.parametrize(("profile", "chip"), [case for case in CASES if case[0] != "link-locked"])
def test_a_card_that_keeps_something_of_ours_is_not_called_blank(profile: str, chip: str) -> None:
    target, keys = target_of(profile)
    begun, made = replace(target, is_begun=True), blank(chip)
    write_and_verify(Liar(made), target, keys)

    def made_before() -> VirtualCard:
        card = blank(chip)
        card.restore(deepcopy(made.state()))
        return card

    def becomes_the_same(card: VirtualCard) -> bool:
        """A password that guards nothing any more cannot be read back, and is written over."""
        write_and_verify(Liar(card), target, keys)
        return profile == "link-password" and card.state() == made.state()

    every_lie(
        lambda field: write_and_verify(field, begun, keys, to_blank=True), made_before, becomes_the_same
    )
