"""Which Type 2 chip lies there, what it says of itself, and what a card that says anything can do to us."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import taps
from hypothesis import given, settings
from hypothesis import strategies as st
from type2_cards import CHIPS, CLONE, LINK, UID, made, new_card, target

from rfid_station.chip.catalogue import type2_chip, type2_chips
from rfid_station.chip.exchange import AskUid, Command, Dialogue, Restart, converse, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.chip.sighting import Sighting
from rfid_station.chip.type2_state import Type2State
from rfid_station.chip.ultralight_keys import VECTORS_3DES, prove_3des, prove_aes
from rfid_station.domain.profile import Freshness, Protection
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.errors import CardLost, CardRefused, StationError
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.memory.type2 import NAK_ARGUMENT, Handler
from rfid_station.simulator.memory.ultralight import VirtualUltralight

NAMES = {
    "ultralight": "MIFARE Ultralight",
    "mf0ul11": "MIFARE Ultralight EV1 MF0UL11",
    "mf0ul21": "MIFARE Ultralight EV1 MF0UL21",
    "ultralightc": "MIFARE Ultralight C",
    "ultralightaes": "MIFARE Ultralight AES",
}
"""All others are called as their product is."""

EXCHANGES_TO_NAME = {
    "ultralight": 12,
    "ntag203": 9,
    "ultralightc": 9,
    "ntag215": 3,
    "ntag216": 3,
    "ntag216f": 3,
}
"""2 for all others: GET_VERSION and one read. Older chips are told apart by what they do not know."""


@pytest.mark.parametrize("chip", CHIPS)
def test_every_chip_is_named_in_the_fewest_exchanges(chip: str) -> None:
    link = taps.link_to(new_card(chip))
    identity = run(link, identify(link.seen))
    assert identity.name == NAMES.get(chip, chip.upper())
    assert identity.notes == ()
    assert link.exchanges + link.field_restarts == EXCHANGES_TO_NAME.get(chip, 2)
    assert isinstance(identity.state, Type2State)
    assert identity.state.facts()["locked"] == f"0 of {identity.state.chip.user_size // 4} pages"


@pytest.mark.parametrize(("key", "ours", "frames"), VECTORS_3DES)
def test_the_example_of_the_data_sheet(key: str, ours: str, frames: list[tuple[str, str]]) -> None:
    script = {bytes.fromhex(command): bytes.fromhex(answer) for command, answer in frames}
    asked = prove_3des(bytes.fromhex(key), bytes.fromhex(ours))
    assert converse(asked, lambda command: script[bytes(command)])  # type: ignore[arg-type]
    wrong = dict.fromkeys(script, bytes(9)) | {b"\x1a\x00": script[b"\x1a\x00"]}
    asked = prove_3des(bytes.fromhex(key), bytes.fromhex(ours))
    assert not converse(asked, lambda command: wrong[bytes(command)])  # type: ignore[arg-type]


def test_the_factory_keys_open_what_comes_from_the_factory() -> None:
    for chip, prove in (("MIFARE Ultralight C", prove_3des), ("MIFARE Ultralight AES", prove_aes)):
        guard = type2_chip(chip).guard
        assert guard is not None
        word = chip.removeprefix("MIFARE ").replace(" ", "").lower()
        assert run(taps.link_to(new_card(word)), prove(guard.secret_as_delivered))
        assert not run(taps.link_to(new_card(word)), prove(b"0123456789abcdef"))


@pytest.mark.parametrize(("prove", "size"), [(prove_3des, 8), (prove_aes, 16)])
def test_a_card_without_the_key_cannot_pretend_to_have_it(
    prove: Callable[[bytes], Dialogue[bool]], size: int
) -> None:
    answers = [b"\xaf" + bytes(size), b"\x00" + bytes(size)]
    assert not converse(prove(b"0123456789abcdef"), lambda _: answers.pop(0))


def test_a_clone_is_named_with_its_maker_and_only_read() -> None:
    card = MEMORY_CHIPS[CLONE].make(CLONE, b"\x1d" + UID[1:])
    identity = taps.identified(card)
    assert identity.name == "NTAG213 clone by Feiju"
    assert identity.notes == (
        "its memory map is not known here, so that it can only be read; its UID is of Shanghai Fudan",
    )
    with pytest.raises(CardRefused, match="profile test takes"):
        taps.tap(taps.link_to(card), target(Protection.OPEN))
    with pytest.raises(CardRefused, match="its memory map is not known"):
        plan_card(identity, target(Protection.OPEN))
    with pytest.raises(CardRefused, match="its memory map is not known"):
        plan_recycling(identity, None)


@pytest.mark.parametrize(("first", "words"), [(0x1D, "Shanghai Fudan"), (0x42, "no known maker")])
def test_a_copy_gives_itself_away_by_its_uid(first: int, words: str) -> None:
    card = MEMORY_CHIPS["ntag213"].make("ntag213", bytes([first]) + UID[1:])
    identity = taps.identified(card)
    assert identity.name == "NTAG213"
    assert identity.notes == (f"it says that it is a chip of NXP, and its UID is of {words}: a copy",)


class VirtualOther(VirtualUltralight):
    """A tag with a version that nobody knows, or a known one without FAST_READ."""

    def __init__(self, version: str) -> None:
        super().__init__("ultralight", UID)
        self.set_page(3, bytes.fromhex("E1100600"))
        self.version = bytes.fromhex(version)

    def _commands(self) -> dict[int, tuple[int, Handler]]:
        return super()._commands() | {0x60: (1, lambda _: self.version)}


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("00FF040201000F03", "Type 2 tag (version 00FF040201000F03)"),
        ("0004030102000B03", "MIFARE Ultralight Nano"),
        ("0004040502021503", "NTAG I2C plus 2K"),
    ],
)
def test_a_version_without_a_memory_map_is_named_and_read(version: str, name: str) -> None:
    identity = taps.identified(VirtualOther(version))
    assert identity.name == name
    assert identity.state is not None
    assert identity.state.facts()["size"] == "48 bytes"


def test_a_small_ntag_without_fast_read_is_read_page_by_page() -> None:
    card = VirtualOther("0004040102000B03")
    taps.tap(taps.link_to(card), target(Protection.LOCKED))
    identity = taps.identified(card)
    assert identity.name == "NTAG210u"
    assert identity.state is not None
    assert identity.state.link == LINK
    assert identity.state.facts()["locked"] == "12 of 12 pages"


@pytest.mark.parametrize("answer", [b"", NAK_ARGUMENT])
def test_a_card_that_answers_nothing_is_named_as_the_reader_sees_it(answer: bytes) -> None:
    def mute(command: Command) -> bytes:
        return UID if isinstance(command, AskUid | Restart) else bytes(answer)

    identity = converse(identify(Sighting(sak=0)), mute)
    assert identity.state is None


class DeafAt:
    """A link on which the card does not hear one exchange, and hears all others."""

    def __init__(self, chip: str, at: int) -> None:
        self.link = taps.link_to(new_card(chip))
        self.left = at

    def __call__(self, command: Command) -> bytes:
        if isinstance(command, AskUid):
            return self.link.uid()
        self.left -= 1
        if isinstance(command, Restart):
            return self.link.restart_field()
        return self.link.transceive(command) if self.left else b""


@pytest.mark.parametrize("chip", CHIPS)
def test_one_frame_that_is_not_heard_never_makes_it_another_chip(chip: str) -> None:
    whole = taps.link_to(new_card(chip))
    name = run(whole, identify(whole.seen)).name
    for at in range(1, whole.exchanges + whole.field_restarts + 1):
        try:
            assert converse(identify(whole.seen), DeafAt(chip, at)).name == name, at
        except CardLost:
            continue


@pytest.mark.parametrize(
    ("chip", "pages", "fact", "words"),
    [
        ("ntag213", {0x29: "04000010"}, "password", "asked for to write from page 10 on"),
        ("ntag213", {0x2A: "10050000"}, "counter", "on"),
        ("ntag213", {0x2A: "40050000"}, "configuration", "locked for ever"),
        ("ntag213", {0x2A: "03050000"}, "wrong passwords", "3 and it is shut for ever"),
        ("ntag213", {0x29: "540004FF"}, "mirror", "on"),
        ("ntag213", {0x28: "000001BD"}, "lock bits", "some are frozen, so that they can never be set"),
        ("ntag215", {0x82: "010000BD"}, "locked", "16 of 126 pages"),
        ("ultralightc", {0x28: "02000000"}, "locked", "4 of 36 pages"),
        ("ultralightc", {0x28: "01000000"}, "lock bits", "some are frozen, so that they can never be set"),
        ("ultralightc", {0x2A: "04000000", 0x2B: "01000000"}, "key", "asked for to write from page 04 on"),
        (
            "ultralight",
            {3: "11223344"},
            "spoiled",
            "its capability container is none, and cannot be put right",
        ),
        ("ultralight", {3: "E1100600"}, "capability", "E1 10 06 00"),
    ],
)
def test_what_card_read_tells(chip: str, pages: dict[int, str], fact: str, words: str) -> None:
    card = new_card(chip)
    for page, content in pages.items():
        card.set_page(page, bytes.fromhex(content))
    state = taps.identified(card).state
    assert state is not None
    assert state.facts()[fact] == words


@pytest.mark.parametrize(
    ("chip", "memory", "freshness"),
    [
        ("ultralight", "FFFFFFFF", Freshness.BLANK),
        ("ultralight", "FFFFFFFE", Freshness.OTHER_DATA),
        ("ultralightc", "020000100006011011FF0000", Freshness.BLANK),
        ("ultralightc", "0103A010440300FE", Freshness.BLANK),
        ("ntag213", "0300FE00", Freshness.BLANK),
        ("ntag213", "0300FE01", Freshness.OTHER_DATA),
    ],
)
def test_what_a_chip_comes_with_is_no_content(chip: str, memory: str, freshness: Freshness) -> None:
    card = new_card(chip)
    content = bytes.fromhex(memory).ljust(12, b"\x00")
    for offset in range(0, 12, 4):
        card.set_page(4 + offset // 4, content[offset : offset + 4])
    state = taps.identified(card).state
    assert state is not None
    assert state.freshness is freshness
    taps.tap(taps.link_to(card), target(Protection.OPEN))


def test_a_state_holds_no_secret() -> None:
    card, keys = made("ultralightc", Protection.KEYS)
    link = taps.link_to(card)
    identity = run(link, identify(link.seen))
    examined = run(link, examine_card(identity, target(Protection.KEYS, is_begun=True), keys))
    state = examined.state
    assert isinstance(state, Type2State)
    assert max(state.pages) < 0x2C
    assert state.opens is True


ANSWERS = st.one_of(
    st.binary(max_size=3),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=9, max_size=17),
    st.sampled_from([b"\x0a", b"\x00", *(version for chip in type2_chips() for version in chip.versions)]),
    st.sampled_from([12, 16, 18, 39, 43, 60]).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=12), st.sampled_from(list(Protection)), st.booleans())
def test_whatever_a_card_answers_it_ends_in_words(
    answers: list[bytes], protection: Protection, is_begun: bool
) -> None:
    heard = 0

    def answer(command: Command) -> bytes:
        nonlocal heard
        if isinstance(command, AskUid | Restart):
            return UID
        heard += 1
        assert heard < 400
        said = answers[heard % len(answers)]
        # What is asked of the memory is answered in its length, and with the right UID, now and then.
        wanted = (command[2] - command[1] + 1) * 4 if bytes(command)[:1] == b"\x3a" else len(said)  # type: ignore[index]
        if wanted != len(said) and heard % 3:
            said = (said * wanted)[:wanted]
        return UID[:3] + b"\x00" + UID[3:] + said[8:] if len(said) > 15 else said

    keys, wish = taps.OpenKeys(), target(protection, is_begun=is_begun)
    with suppress(StationError):
        identity: Identity = converse(identify(Sighting(sak=0)), answer)
        if identity.state is not None:
            assert identity.state.facts()
            assert identity.state.freshness in Freshness
        examined = converse(examine_card(identity, wish, keys), answer)
        plan = plan_card(examined, wish)
        converse(plan.write(keys), answer)
        converse(plan.verify(keys), answer)
