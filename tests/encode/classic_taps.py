"""A tap of a MIFARE Classic, and what a stranger finds on it, by rules that are written down here anew."""

from __future__ import annotations

from dataclasses import replace

from taps import OpenKeys, link_to

from rfid_station.chip.classic_state import identify_classic
from rfid_station.chip.exchange import run
from rfid_station.chip.identity import Identity
from rfid_station.chip.sighting import Family, Kind
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Content, Freshness, Profile, Protection
from rfid_station.domain.uid import CardUid
from rfid_station.encode import classic
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardRefused
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.memory.classic import FACTORY_KEY, VirtualClassic

LINK = "https://cards.example.com/c/ABCDEFGHJKMN"
"""45 bytes with what NDEF adds: one sector."""
LONG_LINK = "https://cards.example.com/" + "c" * 90
"""Three sectors."""
UIDS = {4: bytes.fromhex("5A1B2C3D"), 7: bytes.fromhex("04A1B2C3D4E580")}
KEY = KeyRef("cards", 1)
WORDS = ("mini", "classic1k", "classic1k7", "classic4k", "plus2k")
NAMES = frozenset({"MIFARE Mini", "MIFARE Classic 1K", "MIFARE Classic 4K"})

OPEN_LINK = Profile("open", "open", NAMES, Content.LINK)
KEYED_LINK = Profile("keyed", "keyed", NAMES, Content.LINK, Protection.KEYS, key="cards")
KEYED = Profile("closed", "closed", NAMES, Content.NOTHING, Protection.KEYS, key="cards")
PROFILES = (OPEN_LINK, KEYED_LINK, KEYED)

MAD_KEY, NDEF_KEY = bytes.fromhex("A0A1A2A3A4A5"), bytes.fromhex("D3F7D3F7D3F7")


def new_classic(word: str) -> VirtualClassic:
    uid = UIDS[7 if word in ("classic1k7", "plus2k") else 4]
    card = new_card(word, uid)
    assert isinstance(card, VirtualClassic)
    return card


def wanted(profile: Profile, link: str = LINK, *, is_begun: bool = False) -> Target:
    return Target(profile, link, KEY if profile.key else None, is_begun)


def identified(link: SimLink) -> Identity:
    # A Plus in security level 1 looks like a Classic 1K: only what else the reader saw tells it.
    return run(link, identify_classic(CardUid(link.uid()), Kind(link.card.name, Family.CLASSIC)))


def examined(link: SimLink, target: Target, keys: OpenKeys | None) -> Identity:
    identity = identified(link)
    return replace(identity, state=run(link, classic.examine(identity, target, keys)))


def planned(link: SimLink, target: Target, keys: OpenKeys | None) -> Plan:
    """What the desk does before it writes, the freshness check included."""
    identity = examined(link, target, keys)
    fresh = identity.state is not None and identity.state.freshness in target.profile.accepts
    if not target.is_begun and not fresh:
        raise CardRefused("it is no blank")
    return classic.plan(identity, target)


def tap_classic(link: SimLink, target: Target, keys: OpenKeys | None = None) -> Plan:
    plan = planned(link, target, keys or OpenKeys())
    run(link, plan.write(keys or OpenKeys()))
    run(link, plan.verify(keys or OpenKeys()))
    return plan


def recycle_classic(link: SimLink, profile: Profile, recycled: str = LINK) -> Plan:
    identity = examined(link, wanted(profile, recycled, is_begun=True), OpenKeys())
    plan = classic.recycle(identity, KEY)
    run(link, plan.write(OpenKeys()))
    run(link, plan.verify(OpenKeys()))
    return plan


def accepting_links(profile: Profile) -> Profile:
    return replace(profile, accepts=frozenset({Freshness.BLANK, Freshness.LINK}))


def link_of(card: VirtualClassic) -> str | None:
    """What a phone that can read such cards opens, by way of the directory. None: it finds nothing."""
    link = link_to(card)
    if not _login(link, 3, MAD_KEY) or not link.card.answer(b"\x30\x03")[9] & 0x80:
        return None
    directory = link.card.answer(b"\x30\x01") + link.card.answer(b"\x30\x02")
    numbers = [at // 2 for at in range(2, 32, 2) if directory[at : at + 2] == b"\x03\xe1"]
    memory = b""
    for number in numbers:
        if not _login(link, 4 * number, NDEF_KEY):
            return None
        memory += b"".join(link.card.answer(bytes([0x30, 4 * number + at])) for at in range(3))
    if memory[:1] != b"\x03" or not 5 < memory[1] <= len(memory) - 2:
        return None
    message = memory[2 : 2 + memory[1]]
    whole = message[0] == 0xD1 and message[2] == len(message) - 4 and message[3:5] == b"U\x04"
    return "https://" + message[5:].decode("ascii", "replace") if whole else "garbage"


def is_as_delivered(card: VirtualClassic) -> bool:
    fresh = new_classic(card.chip)
    return card.memory == fresh.memory


def opens(card: VirtualClassic, block: int, key: bytes, *, is_key_b: bool = False) -> bool:
    card.power_off()
    card.select()
    command = bytes([0x61 if is_key_b else 0x60, block])
    return card.answer(command + key + card.uid[-4:]) == b"\x0a"


def a_stranger_can_write(card: VirtualClassic, block: int) -> bool:
    """Whether any public key lets one write a block, tried on a copy."""
    for key in (FACTORY_KEY, MAD_KEY, NDEF_KEY, bytes(6), bytes.fromhex("89ECA97F8C2A")):
        for is_key_b in (False, True):
            copy = new_classic(card.chip)
            copy.restore(card.state())
            if opens(copy, block, key, is_key_b=is_key_b):
                content = copy.block(block)
                if copy.answer(bytes([0xA0, block]) + content) == b"\x0a":
                    return True
    return False


def _login(link: SimLink, block: int, key: bytes) -> bool:
    return opens(link.card, block, key)  # type: ignore[arg-type]
