"""Virtual Type 2 cards, new ones and ones that we made."""

from __future__ import annotations

import taps

from rfid_station.chip.catalogue import type2_chips
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.encode.plan import Target
from rfid_station.errors import CardRefused
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.memory.type2 import VirtualType2

LINK = "https://cards.example.com/c/ABCDEFGHJKMN"
KEY = KeyRef("cards", 1)
UID = bytes.fromhex("04A1B2C3D4E580")
CLONE = "feiju213"


def new_card(chip: str) -> VirtualType2:
    card = MEMORY_CHIPS[chip].make(chip, UID)
    assert isinstance(card, VirtualType2)
    return card


def _is_type2(chip: str) -> bool:
    maker = MEMORY_CHIPS[chip]
    return maker.uid_size == len(UID) and isinstance(maker.make(chip, UID), VirtualType2)


CHIPS = [chip for chip in MEMORY_CHIPS if _is_type2(chip) and chip != CLONE]
"""All that are in our table."""


def target(
    protection: Protection,
    *,
    link: str = LINK,
    key: KeyRef = KEY,
    is_begun: bool = False,
    counter: bool = False,
) -> Target:
    has_key = protection is Protection.KEYS
    profile = Profile(
        "test",
        "test",
        frozenset(chip.name for chip in type2_chips()),
        Content.LINK,
        protection,
        key=key.id if has_key else None,
        accepts=frozenset(Freshness),
        counter=counter,
        irreversible=protection is Protection.LOCKED,
    )
    return Target(profile, link, key if has_key else None, is_begun)


def made(
    chip: str, protection: Protection, *, key: KeyRef = KEY, counter: bool = False
) -> tuple[VirtualType2, taps.OpenKeys]:
    card, keys = new_card(chip), taps.OpenKeys()
    taps.tap(taps.link_to(card), target(protection, key=key, counter=counter), keys)
    return card, keys


def was_made(chip: str, protection: Protection) -> bool:
    try:
        made(chip, protection)
    except CardRefused:
        return False
    return True
