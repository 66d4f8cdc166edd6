"""The NDEF file of a Type 4 tag, against a tag of a few lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.chip import type4
from rfid_station.chip.exchange import Apdu, Command, Dialogue, Result, converse
from rfid_station.chip.type4 import Capabilities, parse_capabilities
from rfid_station.errors import CardLost, StationError

MESSAGE = bytes(range(150))


class Tag:
    """Files behind SELECT, READ BINARY and UPDATE BINARY; leaves after `life` commands."""

    def __init__(self, message: bytes = b"", *, most: int = 0x3A, life: int = 999) -> None:
        capabilities = Capabilities(type4.NDEF_FILE, 256, most, 0x34)
        self.files = {
            type4.CC_FILE: bytearray(capabilities.to_bytes()),
            type4.NDEF_FILE: bytearray((len(message).to_bytes(2) + message).ljust(256, b"\xff")),
        }
        self.selected = b""
        self.life = life
        self.reads: list[int] = []

    def __call__(self, command: Command) -> bytes:
        assert isinstance(command, Apdu)
        self.life -= 1
        return self.answer(command.command) if self.life >= 0 else b""

    def answer(self, apdu: bytes) -> bytes:
        if apdu == bytes.fromhex("00A4040007D276000085010100"):
            return b"\x90\x00"
        if apdu[:5] == bytes.fromhex("00A4000C02"):
            self.selected = apdu[5:]
            return b"\x90\x00" if self.selected in self.files else b"\x6a\x82"
        file, at = self.files[self.selected], int.from_bytes(apdu[2:4])
        if apdu[1] == 0xB0:
            self.reads.append(apdu[4])
            return bytes(file[at : at + apdu[4]]) + b"\x90\x00"
        file[at : at + apdu[4]] = apdu[5:]
        return b"\x90\x00"

    def message(self) -> bytes:
        file = self.files[type4.NDEF_FILE]
        return bytes(file[2 : 2 + int.from_bytes(file[:2])])

    def lead(self, dialogue: Dialogue[Result]) -> Result:
        return converse(dialogue, self)


@pytest.mark.parametrize(("container", "said"), type4.VECTORS)
def test_published_containers(container: str, said: tuple[str, int, int, int, bool, bool]) -> None:
    name, size, read_most, write_most, is_readable, is_writable = said
    expected = Capabilities(bytes.fromhex(name), size, read_most, write_most, is_readable, is_writable)
    assert parse_capabilities(bytes.fromhex(container)) == expected


def test_a_container_is_read_as_it_was_made() -> None:
    for text, _ in type4.VECTORS:
        read = parse_capabilities(bytes.fromhex(text))
        assert read is not None
        if len(text) == 2 * type4.CC_SIZE:
            assert read.to_bytes().hex().upper() == text


@pytest.mark.parametrize("most", [1, 15, 0x3A, 0xFF, 0x100, 0xFFFF])
def test_a_message_is_read_in_parts_that_the_tag_allows(most: int) -> None:
    tag = Tag(MESSAGE, most=most)
    assert tag.lead(type4.read_ndef()) == MESSAGE
    assert max(tag.reads[1:]) <= min(most, 0xFF) or most < 2


def test_what_cannot_be_is_no_message() -> None:
    too_long = Tag(MESSAGE)
    too_long.files[type4.NDEF_FILE][:2] = b"\x01\x00"
    assert too_long.lead(type4.read_ndef()) is None
    hidden = Tag(MESSAGE)
    hidden.files[type4.CC_FILE][13] = 0xFF
    assert hidden.lead(type4.read_ndef()) is None
    assert converse(type4.read_ndef(), lambda _: b"\x6a\x82") is None


@pytest.mark.parametrize("life", range(5))
def test_silence_is_a_lost_card(life: int) -> None:
    with pytest.raises(CardLost):
        Tag(MESSAGE, life=life).lead(type4.read_ndef())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_nothing_a_card_says_breaks_the_reading(answers: list[bytes]) -> None:
    left = iter([*answers, b""])
    try:
        read = converse(type4.read_ndef(), lambda _: next(left))
    except StationError:
        return
    assert read is None or len(read) < 40


@given(st.binary(max_size=40))
def test_any_container_is_read_or_refused(container: bytes) -> None:
    read = parse_capabilities(container)
    assert read is None or len(read.ndef_file) == 2
