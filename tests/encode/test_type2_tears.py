"""Every Type 2 chip under every protection, pulled away at every exchange in every way, and tapped again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

import pytest
import taps
from hypothesis import given, settings
from hypothesis import strategies as st
from phone import links_seen_by_a_phone
from type2_cards import CHIPS, LINK, made, new_card, target, was_made

from rfid_station.chip.exchange import run
from rfid_station.chip.identify import identify
from rfid_station.chip.type2_state import Type2State
from rfid_station.domain.profile import Freshness, Protection
from rfid_station.encode.encoder import examine_card, plan_recycling
from rfid_station.encode.plan import Target
from rfid_station.errors import CardDefective, CardLost
from rfid_station.reader.sim import SimLink
from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.memory.type2 import VirtualType2

OLDER = "https://older.example.org/abc"
FOREIGN = bytes.fromhex("03 16 D1 01 12 55 04") + b"parking.example/t" + b"\xfe"
CASES = [(chip, protection) for chip in CHIPS for protection in Protection if was_made(chip, protection)]
ONE_OF_A_KIND = (
    "ntag213",
    "ntag215",
    "ntag203",
    "mf0ul11",
    "mf0ul21",
    "ultralight",
    "ultralightc",
    "ultralightaes",
)
ONE_BY_ONE = [(chip, protection) for chip, protection in CASES if chip in ONE_OF_A_KIND]
TEARS = st.builds(Tear, st.sampled_from(TornMode), st.integers(0, 0xFFFFFFFF))


def tear_off(card: VirtualType2, wanted: Target, keys: taps.OpenKeys, at: int, tear: Tear) -> bool:
    """Tap a card that is pulled away at an exchange; False if it was finished before."""
    try:
        taps.tap(taps.link_to(card, Mishap(at, tear, leaves=True)), wanted, keys)
    except CardLost:
        return True
    return False


def finish(card: VirtualType2, protection: Protection, keys: taps.OpenKeys) -> None:
    """Tap a begun card undisturbed: it must be whole then, and need nothing more."""
    begun = target(protection, is_begun=True)
    taps.tap(taps.link_to(card), begun, keys)
    assert links_seen_by_a_phone(card) == [LINK]
    assert taps.tap(taps.link_to(card), begun, keys).steps == ()


def fill(card: VirtualType2, content: bytes) -> None:
    padded = content.ljust(-(-len(content) // 4) * 4, b"\x00")
    for offset in range(0, len(padded), 4):
        card.set_page(4 + offset // 4, padded[offset : offset + 4])


def kept(card: VirtualType2, protection: Protection) -> bytes:
    """All its memory, without reserved bytes that a tear may have frozen beside the bit that freezes."""
    state = taps.identified(card).state
    assert isinstance(state, Type2State)
    memory, guard = bytearray(card.memory), state.chip.guard
    if guard is not None and protection is Protection.LOCKED:
        memory[guard.access.page * 4 + 1 : guard.access.page * 4 + 4] = bytes(3)
    return bytes(memory)


def kinds_of_tear(at: int, *case: str) -> list[TornMode]:
    """One of the four, another for each exchange and each case; all of them in `make soak`."""
    kinds = list(TornMode)
    if os.environ.get("SOAK"):
        return kinds
    return [kinds[(at + crc32(" ".join(case).encode())) % len(kinds)]]


def exchanges(chip: str, protection: Protection) -> range:
    whole = taps.exchanges_of_a_tap(new_card(chip), target(protection), taps.OpenKeys())
    return range(1, whole + 1)


def recycle_on(link: SimLink, wanted: Target, keys: taps.OpenKeys) -> None:
    identity = run(link, identify(link.seen))
    plan = plan_recycling(run(link, examine_card(identity, wanted, keys)), wanted.key)
    run(link, plan.write(keys))
    run(link, plan.verify(keys))


@pytest.mark.parametrize(("chip", "protection"), ONE_BY_ONE)
def test_torn_at_every_exchange(chip: str, protection: Protection) -> None:
    undisturbed, _ = made(chip, protection)
    for at in exchanges(chip, protection):
        for mode in kinds_of_tear(at, chip, protection):
            card, keys = new_card(chip), taps.OpenKeys()
            assert tear_off(card, target(protection), keys, at, Tear(mode))
            assert links_seen_by_a_phone(card) in ([], [LINK]), f"{at} {mode}"
            finish(card, protection, keys)
            assert kept(card, protection) == kept(undisturbed, protection), f"{at} {mode}"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CASES),
    st.lists(st.tuples(st.integers(1, 48), TEARS), min_size=1, max_size=4),
    st.booleans(),
)
def test_torn_again_and_again(
    case: tuple[str, Protection], tears: list[tuple[int, Tear]], counter: bool
) -> None:
    chip, protection = case
    counter = counter and chip in ("ntag213", "ntag215", "ntag216")
    card, keys = new_card(chip), taps.OpenKeys()
    for number, (at, tear) in enumerate(tears):
        begun = target(protection, is_begun=number > 0, counter=counter)
        with spoiling_allowed(protection, counter):
            tear_off(card, begun, keys, at, tear)
        assert links_seen_by_a_phone(card) in ([], [LINK])
    with spoiling_allowed(protection, counter):
        taps.tap(taps.link_to(card), target(protection, is_begun=True, counter=counter), keys)
    assert links_seen_by_a_phone(card) == [LINK]


@contextmanager
def spoiling_allowed(protection: Protection, counter: bool) -> Iterator[None]:
    """The bit that freezes the configuration may come through in the same write as the counter's does not."""
    spoils = protection is Protection.LOCKED and counter
    try:
        yield
    except CardDefective as spoiled:
        if not spoils or "cannot be written" not in spoiled.message:
            raise


def test_formatting_never_shows_what_lay_there_unseen() -> None:
    """Somebody's message in a chip without a capability container: phones have never looked at it."""

    def used() -> VirtualType2:
        card = new_card("ultralight")
        fill(card, FOREIGN)
        return card

    assert links_seen_by_a_phone(used()) == []
    for at in range(1, taps.exchanges_of_a_tap(used(), target(Protection.OPEN)) + 1):
        for mode in kinds_of_tear(at):
            card = used()
            assert tear_off(card, target(Protection.OPEN), taps.OpenKeys(), at, Tear(mode))
            assert links_seen_by_a_phone(card) in ([], [LINK]), f"{at} {mode}"
            finish(card, Protection.OPEN, taps.OpenKeys())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CASES), st.integers(1, 30), TEARS, st.sampled_from(["ours", "foreign", "noise"]))
def test_writing_over_what_was_there_never_shows_a_mixture(
    case: tuple[str, Protection], at: int, tear: Tear, before: str
) -> None:
    chip, protection = case
    card, keys = new_card(chip), taps.OpenKeys()
    if before == "ours":
        taps.tap(taps.link_to(card), target(Protection.OPEN, link=OLDER), keys)
    else:
        fill(card, FOREIGN if before == "foreign" else b"\x5a\x03\x00\xd1" * 6)
    at_first = links_seen_by_a_phone(card)
    if tear_off(card, target(protection), keys, at, tear):
        assert links_seen_by_a_phone(card) in ([], at_first, [LINK])
    finish(card, protection, keys)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([case for case in CASES if case[1] is not Protection.LOCKED]), st.integers(1, 50), TEARS
)
def test_recycling_is_finished_after_a_tear(case: tuple[str, Protection], at: int, tear: Tear) -> None:
    chip, protection = case
    card, keys = made(chip, protection)
    begun = target(protection, is_begun=True)
    link = taps.link_to(card, Mishap(at, tear, leaves=True))
    try:
        recycle_on(link, begun, keys)
    except CardLost:
        assert links_seen_by_a_phone(card) in ([], [LINK])
    recycle_on(taps.link_to(card), begun, keys)
    assert links_seen_by_a_phone(card) == []
    state = taps.identified(card).state
    assert state is not None
    assert state.freshness is Freshness.BLANK
    taps.tap(taps.link_to(card), target(protection), keys)
    assert links_seen_by_a_phone(card) == [LINK]


@pytest.mark.parametrize(("chip", "protection"), ONE_BY_ONE)
def test_a_moment_of_silence_never_spoils_a_card(chip: str, protection: Protection) -> None:
    """A frame that the card does not hear while it stays there: lost at worst, and finished next time."""
    for at in exchanges(chip, protection):
        card, keys = new_card(chip), taps.OpenKeys()
        link = taps.link_to(card, Mishap(at, Tear(TornMode.BEFORE)))
        try:
            taps.tap(link, target(protection), keys)
        except CardLost:
            finish(card, protection, keys)
        assert links_seen_by_a_phone(card) == [LINK], at


@pytest.mark.parametrize("chip", ["ntag213", "ultralightc", "ultralightaes"])
def test_silence_never_spoils_a_closed_card_that_is_tapped_again(chip: str) -> None:
    begun = target(Protection.KEYS, is_begun=True)
    card, keys = made(chip, Protection.KEYS)
    for at in range(1, taps.exchanges_of_a_tap(card, begun, keys) + 1):
        try:
            taps.tap(taps.link_to(card, Mishap(at, Tear(TornMode.BEFORE))), begun, keys)
        except CardLost:
            assert taps.tap(taps.link_to(card), begun, keys).steps == ()
