"""The block protocol of ISO/IEC 14443-4 at the card's side, led block by block."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rfid_station.simulator.card import State, Tear, VirtualCard
from rfid_station.simulator.field import Field
from rfid_station.simulator.readers.iso_dep_blocks import BlockLayer, frame_size


class Echo(VirtualCard):
    """Answers an APDU with itself and 9000; silent to an empty one."""

    sak = 0x20

    def __init__(self) -> None:
        super().__init__("echo", bytes(7))
        self.heard: list[bytes] = []

    @property
    def name(self) -> str:
        return "echo"

    def select(self) -> bytes:
        return self.uid

    def power_off(self) -> None: ...

    def answer(self, _frame: bytes) -> bytes:
        return b""

    def tear(self, _frame: bytes, _tear: Tear) -> None: ...

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None: ...

    def apdu(self, command: bytes) -> bytes:
        self.heard.append(command)
        return command + b"\x90\x00" if command else b""


def layer(frame: int = 16, own: int = 256) -> tuple[BlockLayer, Echo]:
    card = Echo()
    return BlockLayer(Field(card), frame, own), card


def ask(blocks: BlockLayer, block: str) -> str:
    return blocks.answer(bytes.fromhex(block)).hex().upper()


def test_block_numbers_alternate() -> None:
    blocks, _ = layer()

    assert ask(blocks, "02AA") == "02AA9000"
    assert ask(blocks, "03BB") == "03BB9000"
    assert ask(blocks, "02CC") == "02CC9000"


def test_a_channel_number_comes_back() -> None:
    blocks, _ = layer()

    assert ask(blocks, "0A01AA") == "0A01AA9000"
    assert ask(blocks, "1B01BB") == "AB01"


def test_a_command_in_parts_is_acknowledged_and_carried_out_once() -> None:
    blocks, card = layer()

    assert ask(blocks, "1201") == "A2"
    assert ask(blocks, "1302") == "A3"
    assert ask(blocks, "0203") == "020102039000"
    assert card.heard == [bytes.fromhex("010203")]


def test_an_answer_in_parts_goes_on_when_it_is_acknowledged() -> None:
    blocks, _ = layer()

    assert ask(blocks, "02" + "AA" * 13) == "12" + "AA" * 13
    assert ask(blocks, "A3") == "039000"


def test_what_the_host_did_not_hear_is_said_again_and_not_done_again() -> None:
    blocks, card = layer()
    said = ask(blocks, "02AA")

    assert ask(blocks, "B2") == said
    assert ask(blocks, "B2") == said
    assert card.heard == [b"\xaa"]


def test_what_the_card_did_not_hear_is_asked_for() -> None:
    blocks, card = layer()
    ask(blocks, "02AA")

    assert ask(blocks, "B3") == "A2"
    assert ask(blocks, "03BB") == "03BB9000"
    assert card.heard == [b"\xaa", b"\xbb"]


def test_after_deselect_the_card_says_nothing_more() -> None:
    blocks, _ = layer()

    assert ask(blocks, "C2") == "C2"
    assert not blocks.is_open


def test_deselect_comes_back_with_its_channel_number() -> None:
    blocks, _ = layer()

    assert ask(blocks, "CA05") == "CA05"
    assert not blocks.is_open


def test_deselect_of_a_wrong_length_is_not_heard() -> None:
    blocks, _ = layer()

    assert ask(blocks, "C2" + "00" * 14) == ask(blocks, "CA") == ask(blocks, "CA0500") == ""
    assert blocks.is_open


def test_a_block_longer_than_the_card_takes_is_not_heard() -> None:
    blocks, card = layer(own=16)

    assert ask(blocks, "02" + "AA" * 14) == ""
    assert ask(blocks, "02" + "AA" * 13) != ""
    assert len(card.heard) == 1


def test_a_command_that_was_not_answered_is_repeated_with_the_same_number() -> None:
    blocks, card = layer()

    assert ask(blocks, "02") == ""
    assert ask(blocks, "02AA") == "02AA9000"
    assert card.heard == [b"", b"\xaa"]


def test_rate_requests_are_granted_and_nonsense_is_not_answered() -> None:
    blocks, _ = layer()

    assert ask(blocks, "D01100") == "D0"
    assert ask(blocks, "F201") == ask(blocks, "") == ask(blocks, "FF") == ask(blocks, "0601AA") == ""


def test_codes_of_frame_sizes() -> None:
    assert [frame_size(code) for code in (0, 2, 8, 15)] == [16, 32, 256, 256]


def exchange(blocks: BlockLayer, command: bytes, frame: int, number: int) -> tuple[bytes, int]:
    """What a host does (ISO/IEC 14443-4, 7.5.4): cut, number, acknowledge."""
    room = frame - 3
    parts = [command[start : start + room] for start in range(0, len(command), room)]
    for part in parts[:-1]:
        assert blocks.answer(bytes([0x12 | number]) + part) == bytes([0xA2 | number])
        number ^= 1
    reply = blocks.answer(bytes([0x02 | number]) + parts[-1])
    answer = reply[1:]
    while reply[0] & 0x10:
        assert reply[0] & 1 == number
        number ^= 1
        reply = blocks.answer(bytes([0xA2 | number]))
        answer += reply[1:]
    assert reply[0] & 1 == number
    return answer, number ^ 1


@settings(max_examples=80, deadline=None)
@given(
    commands=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4),
    host=st.sampled_from([16, 32, 64, 256]),
    own=st.sampled_from([16, 64, 256]),
)
def test_commands_of_any_length_get_through(commands: list[bytes], host: int, own: int) -> None:
    blocks, card = layer(host, own)
    number = 0
    for command in commands:
        answer, number = exchange(blocks, command, own, number)
        assert answer == command + b"\x90\x00"
    assert card.heard == commands


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=12))
@example([b"\xc2" + bytes(14)])
def test_no_block_upsets_a_card(frames: list[bytes]) -> None:
    blocks, _ = layer()

    for frame in frames:
        assert len(blocks.answer(frame)) <= 14
