"""The block protocol, against cards written by heart and against the virtual card's side of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.reader.iso_dep_blocks import Ats, BlockError, IsoDepBlocks, parse_ats, rats
from rfid_station.simulator.card import State, Tear, VirtualCard
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.iso_dep_blocks import BlockLayer


class Echo(VirtualCard):
    """A card that answers with what it was asked, turned round, and remembers each command."""

    def __init__(self) -> None:
        super().__init__("echo", bytes(7))
        self.asked: list[bytes] = []

    @property
    def name(self) -> str:
        return "Echo"

    def select(self) -> bytes:
        return self.uid

    def power_off(self) -> None:
        """It remembers nothing."""

    def answer(self, frame: bytes) -> bytes:
        return b""

    def apdu(self, command: bytes) -> bytes:
        self.asked.append(command)
        return command[::-1] + b"\x90\x00"

    def tear(self, frame: bytes, tear: Tear) -> None:
        """It has nothing to tear."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """It has no state."""


class Card:
    """A card that is asked exactly these blocks and answers these; None is silence."""

    def __init__(self, *exchanges: tuple[str, str]) -> None:
        self.left = list(exchanges)
        self.waits: list[float] = []

    def __call__(self, block: bytes, wait_s: float) -> bytes:
        assert self.left, f"nothing more was to be sent, and then {block.hex()}"
        asked, answer = self.left.pop(0)
        assert block.hex().upper() == asked.replace(" ", "")
        self.waits.append(wait_s)
        return bytes.fromhex(answer)


SMALL = Ats(frame_size=16, wait_s=0.01)
FIVE = "0102030405"


def test_blocks_are_numbered_in_turn() -> None:
    card = Card((f"02 {FIVE}", "02 9000"), (f"03 {FIVE}", "03 9100"), (f"02 {FIVE}", "02 9000"))
    blocks = IsoDepBlocks(card, SMALL, 100)

    assert [blocks.transmit(bytes.fromhex(FIVE)).hex() for _ in range(3)] == ["9000", "9100", "9000"]


def test_a_long_command_goes_in_parts_and_a_long_answer_comes_in_parts() -> None:
    command = "00112233445566778899AABBCCDDEEFF"
    card = Card(
        ("12 00112233445566778899AABBCC", "A2"),
        ("03 DDEEFF", "13 0102"),
        ("A2", "12 0304"),
        ("A3", "03 9000"),
        ("02 AA", "02 9000"),
    )
    blocks = IsoDepBlocks(card, SMALL, 100)

    assert blocks.transmit(bytes.fromhex(command)).hex() == "010203049000"
    assert blocks.transmit(b"\xaa").hex() == "9000"


def test_the_reader_may_be_smaller_than_the_card() -> None:
    card = Card(("12 0102", "A2"), ("13 0304", "A3"), ("02 05", "02 9000"))

    assert IsoDepBlocks(card, Ats(frame_size=256), 3).transmit(bytes.fromhex(FIVE)).hex() == "9000"


def test_a_lost_answer_is_asked_for_again() -> None:
    card = Card((f"02 {FIVE}", ""), ("B2", "02 9000"))

    assert IsoDepBlocks(card, SMALL, 100).transmit(bytes.fromhex(FIVE)).hex() == "9000"


def test_a_lost_command_is_sent_again_when_the_card_says_it_never_came() -> None:
    card = Card((f"02 {FIVE}", ""), ("B2", "A3"), (f"02 {FIVE}", "02 9000"))

    assert IsoDepBlocks(card, SMALL, 100).transmit(bytes.fromhex(FIVE)).hex() == "9000"


def test_a_lost_part_of_an_answer_is_asked_for_by_the_same_acknowledgement() -> None:
    card = Card((f"02 {FIVE}", "12 01"), ("A3", ""), ("A3", "03 9000"))

    assert IsoDepBlocks(card, SMALL, 100).transmit(bytes.fromhex(FIVE)).hex() == "019000"


def test_a_card_gets_the_time_it_asks_for() -> None:
    card = Card((f"02 {FIVE}", "F2 C3"), ("F2 03", "F2 01"), ("F2 01", "02 9000"))

    assert IsoDepBlocks(card, SMALL, 100).transmit(bytes.fromhex(FIVE)).hex() == "9000"
    assert card.waits == [0.01, 0.03, 0.01]


@pytest.mark.parametrize(
    "answer",
    ["", "00", "0A 00 9000", "06 00 9000", "C2", "F2", "E2", "FF", "A2 00", "B2", "03 9000"],
    ids=lambda answer: answer or "silence",
)
def test_a_card_that_answers_nonsense_ends_in_an_error(answer: str) -> None:
    sent = 0

    def card(_block: bytes, _wait_s: float) -> bytes:
        nonlocal sent
        sent += 1
        return bytes.fromhex(answer)

    with pytest.raises(BlockError):
        IsoDepBlocks(card, SMALL, 100).transmit(bytes.fromhex(FIVE))
    assert sent <= (3 if not answer else 6)


@pytest.mark.parametrize(("answer", "most"), [("F2 3B", 15), ("F2 01", 205)])
def test_a_card_that_asks_for_more_and_more_time_is_not_waited_for(answer: str, most: int) -> None:
    waits: list[float] = []

    def card(_block: bytes, wait_s: float) -> bytes:
        waits.append(wait_s)
        return bytes.fromhex(answer)

    with pytest.raises(BlockError, match="more and more time"):
        IsoDepBlocks(card, Ats(wait_s=0.3), 100).transmit(b"\x00")
    assert len(waits) <= most
    assert sum(waits) < 65


def test_an_answer_without_end_is_cut_off() -> None:
    blocks = 0

    def card(_block: bytes, _wait_s: float) -> bytes:
        nonlocal blocks
        blocks += 1
        return bytes([0x12 | (blocks & 1 ^ 1)]) + bytes(200)

    with pytest.raises(BlockError, match="no end"):
        IsoDepBlocks(card, SMALL, 100).transmit(b"\x00")
    assert blocks < 400


@pytest.mark.parametrize(
    ("ats", "frame_size", "wait_ms", "guard_ms"),
    [
        ("067577810280", 64, 77.3, 0.604),
        ("06777771 0280", 128, 38.7, 0.604),
        ("0578807002", 256, 38.7, 0),
        ("01", 32, 4.83, 0),
        ("0120", 32, 4.83, 0),
        ("027500", 64, 4.83, 0),
        ("0275", 64, 4.83, 0),
        ("0320F0", 16, 4.83, 0),
        ("032FEF", 256, 4949, 0),
        ("0310AA", 16, 4.83, 0),
        ("0445AABB", 64, 4.83, 0),
    ],
)
def test_an_ats_of_any_length_is_read(ats: str, frame_size: int, wait_ms: float, guard_ms: float) -> None:
    read = parse_ats(bytes.fromhex(ats))

    assert read is not None
    assert read.frame_size == frame_size
    assert read.wait_s * 1000 == pytest.approx(wait_ms, rel=0.01)
    assert read.guard_s * 1000 == pytest.approx(guard_ms, rel=0.01)


@pytest.mark.parametrize("ats", ["", "00", "0275"[:2], "FF"])
def test_what_is_no_ats_is_none(ats: str) -> None:
    assert parse_ats(bytes.fromhex(ats)) is None


@given(st.binary(max_size=40))
@settings(max_examples=200)
def test_any_bytes_are_an_ats_or_none(raw: bytes) -> None:
    read = parse_ats(raw)

    assert read is None or (16 <= read.frame_size <= 256 and 0 < read.wait_s < 5 and 0 <= read.guard_s < 5)


@pytest.mark.parametrize(
    ("room", "command"), [(300, "E080"), (256, "E080"), (255, "E070"), (64, "E050"), (3, "E000")]
)
def test_frames_are_asked_for_no_longer_than_they_can_be_received(room: int, command: str) -> None:
    assert rats(room).hex().upper() == command


class Noise:
    """The air between reader and card: now and then a command or its answer is lost."""

    def __init__(self, layer: BlockLayer, seed: int, losses: int) -> None:
        self._layer = layer
        self._random = random.Random(seed)
        self._losses = losses

    def __call__(self, block: bytes, _wait_s: float) -> bytes:
        chance = self._random.random()
        if self._losses and chance < 0.15:
            self._losses -= 1
            return b""
        answer = self._layer.answer(block)
        if self._losses and chance > 0.85:
            self._losses -= 1
            return b""
        return answer


@given(
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4),
    st.sampled_from((16, 24, 32, 64, 128, 256)),
    st.sampled_from((16, 40, 256)),
    st.integers(0, 2),
    st.integers(0, 1 << 30),
)
@settings(max_examples=200, deadline=None)
def test_each_command_comes_to_the_card_once_and_each_answer_back(
    commands: list[bytes], card_frames: int, our_frames: int, losses: int, seed: int
) -> None:
    """The other side was written by somebody else, from the same standard. Two losses are always mended."""
    card = Echo()
    layer = BlockLayer(Field(card), our_frames, card_frames)
    blocks = IsoDepBlocks(Noise(layer, seed, losses), Ats(card_frames), 400)

    answers = [blocks.transmit(command) for command in commands]

    assert card.asked == commands
    assert answers == [command[::-1] + b"\x90\x00" for command in commands]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=30), st.binary(min_size=1, max_size=60))
@settings(max_examples=200)
def test_no_card_makes_it_crash_or_hang(answers: list[bytes], command: bytes) -> None:
    told = iter(answers * 3)

    try:
        answer = IsoDepBlocks(lambda *_: next(told, b""), SMALL, 100).transmit(command)
    except BlockError:
        return
    assert isinstance(answer, bytes)
