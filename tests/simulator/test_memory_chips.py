"""What all virtual memory cards have in common, chip by chip, against figures of the data sheets."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import card_from, is_blank, new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.memory.type2 import VirtualType2

ACK, NAK, SILENCE = b"\x0a", b"\x00", b""

# word, name, pages, first page that READ refuses, GET_VERSION, page 3
MAPS = [
    ("ultralight", "MIFARE Ultralight", 0x10, 0x10, "", "00000000"),
    ("mf0ul11", "MF0UL11", 0x14, 0x14, "0004030101000B03", "00000000"),
    ("mf0ul21", "MF0UL21", 0x29, 0x29, "0004030101000E03", "00000000"),
    ("ultralightc", "MIFARE Ultralight C", 0x30, 0x2C, "00", "00000000"),
    ("ultralightaes", "MIFARE Ultralight AES", 0x3C, 0x38, "0004030104000F03", "00000000"),
    ("ntag203", "NTAG203", 0x2A, 0x2A, "00", "E1101200"),
    ("ntag210", "NTAG210", 0x14, 0x14, "0004040101000B03", "E1100600"),
    ("ntag212", "NTAG212", 0x29, 0x29, "0004040101000E03", "E1101000"),
    ("ntag213", "NTAG213", 0x2D, 0x2D, "0004040201000F03", "E1101200"),
    ("ntag213c", "NTAG213C", 0x2D, 0x2D, "0004040201010F03", "E1101200"),
    ("ntag213tt", "NTAG213TT", 0x2D, 0x2D, "0004040203000F03", "E1101200"),
    ("ntag213f", "NTAG213F", 0x2D, 0x2D, "0004040401000F03", "E1101200"),
    ("ntag215", "NTAG215", 0x87, 0x87, "0004040201001103", "E1103E00"),
    ("ntag216", "NTAG216", 0xE7, 0xE7, "0004040201001303", "E1106D00"),
    ("ntag216f", "NTAG216F", 0xE7, 0xE7, "0004040401001303", "E1106D00"),
    ("feiju213", "NTAG213 clone by Feiju", 0x2D, 0x2D, "0053040201000F03", "E1101200"),
]
TAGS = [row[0] for row in MAPS]
tags = pytest.mark.parametrize("chip", TAGS)
four_bytes = st.binary(min_size=4, max_size=4)


def blank(chip: str) -> VirtualType2:
    card = new_card(chip, blank_uid(chip, 1, 0))
    assert isinstance(card, VirtualType2)
    return card


def selected(chip: str) -> VirtualType2:
    card = blank(chip)
    card.select()
    return card


def send(card: VirtualCard, frame: str) -> str:
    return card.answer(bytes.fromhex(frame)).hex().upper()


def write(card: VirtualCard, page: int, content: str) -> bytes:
    card.select()
    return card.answer(bytes([0xA2, page]) + bytes.fromhex(content))


def page(card: VirtualCard, number: int) -> str:
    card.select()
    return card.answer(bytes([0x30, number]))[:4].hex().upper()


def test_every_memory_chip_is_in_a_test() -> None:
    classics = {"mini", "classic1k", "classic1k7", "classic4k", "plus2k"}

    assert set(MEMORY_CHIPS) == set(TAGS) | classics


@pytest.mark.parametrize(("chip", "name", "pages", "end", "version", "page_3"), MAPS)
def test_it_is_delivered_as_the_data_sheet_says(
    chip: str, name: str, pages: int, end: int, version: str, page_3: str
) -> None:
    card = selected(chip)

    assert (card.name, card.pages, card.sak, card.atqa.hex()) == (name, pages, 0x00, "0044")
    assert send(card, "60") == version
    assert page(card, 3) == page_3
    assert page(card, 2)[4:] == "0000"
    serial = card.page(0) + card.page(1)
    assert serial[:3] + serial[4:] == card.uid
    assert serial[3] == 0x88 ^ serial[0] ^ serial[1] ^ serial[2]
    card.select()
    assert card.answer(bytes([0x30, end - 1]))[4:] == bytes(card.memory[:12])
    assert card.answer(bytes([0x30, end])) == NAK
    assert card.answer(bytes([0x30, 0])) == SILENCE


@pytest.mark.parametrize(("chip", "knows"), [(row[0], len(row[4]) == 16) for row in MAPS])
def test_fast_read_and_signature_come_with_get_version(chip: str, knows: bool) -> None:
    card = selected(chip)
    assert (len(card.answer(bytes.fromhex("3A0004"))) == 20) == knows

    card.select()
    size = 48 if chip == "ultralightaes" else 32
    assert (len(card.answer(bytes.fromhex("3C00"))) == size) == knows


# word, lock page, lock bytes, first and last page that become read-only
DYNAMIC = [
    ("mf0ul21", 0x24, "010000", 16, 17),
    ("mf0ul21", 0x24, "000200", 34, 35),
    ("ntag212", 0x24, "000100", 32, 33),
    ("ultralightc", 0x28, "0200", 16, 19),
    ("ultralightc", 0x28, "8000", 36, 39),
    ("ultralightc", 0x28, "0010", 0x29, 0x29),
    ("ultralightc", 0x28, "0080", 0x2C, 0x2F),
    ("ntag203", 0x28, "0200", 16, 19),
    ("ntag203", 0x28, "E000", 28, 39),
    ("ntag203", 0x28, "0010", 0x29, 0x29),
    ("ultralightaes", 0x28, "010000", 16, 17),
    ("ultralightaes", 0x28, "000800", 38, 39),
    ("ultralightaes", 0x2D, "400000", 0x30, 0x33),
    ("ultralightaes", 0x2D, "800000", 0x34, 0x37),
]


@pytest.mark.parametrize(("chip", "lock_page", "bits", "first", "last"), DYNAMIC)
def test_each_dynamic_lock_bit_locks_its_pages(
    chip: str, lock_page: int, bits: str, first: int, last: int
) -> None:
    card = selected(chip)
    end = 0x38 if chip == "ultralightaes" else card.pages

    assert write(card, lock_page, bits.ljust(8, "0")) == ACK

    refused = [number for number in range(4, end) if write(card, number, card.page(number).hex()) != ACK]
    assert refused == list(range(first, last + 1))


# word, lock page, block-locking bits, lock bits that can be set after that
BLOCKED = [
    ("mf0ul21", 0x24, "000001", "FC0300"),
    ("mf0ul21", 0x24, "000010", "FF0000"),
    ("ultralightc", 0x28, "0100", "F0FF"),
    ("ultralightc", 0x28, "1000", "0FFF"),
    ("ultralightc", 0x28, "0008", "FF7F"),
    ("ntag203", 0x28, "0100", "F011"),
    ("ntag203", 0x28, "0001", "FF01"),
    ("ultralightaes", 0x2D, "20", "20"),
]


@pytest.mark.parametrize(("chip", "lock_page", "block", "after"), BLOCKED)
def test_a_block_locking_bit_freezes_its_lock_bits(chip: str, lock_page: int, block: str, after: str) -> None:
    card = selected(chip)
    size = len(after) // 2

    assert write(card, lock_page, block.ljust(8, "0")) == ACK
    assert write(card, lock_page, ("FF" * size if len(block) < 6 else "FFFF00").ljust(8, "0")) == ACK

    now = int.from_bytes(card.page(lock_page)[:size])
    assert now == int(after, 16) | int(block, 16)


@pytest.mark.parametrize(
    ("chip", "lock_page", "shown"),
    [
        ("mf0ul21", 0x24, "FF031FBD"),
        ("ntag212", 0x24, "FF031FBD"),
        ("ultralightc", 0x28, "FFFF0000"),
        ("ntag203", 0x28, "FF110000"),
        ("ultralightaes", 0x2D, "E0000000"),
    ],
)
def test_reserved_lock_bits_stay_0(chip: str, lock_page: int, shown: str) -> None:
    card = selected(chip)

    assert write(card, lock_page, "FFFFFFFF") == ACK
    assert card.page(lock_page).hex().upper() == shown


@pytest.mark.parametrize(
    ("chip", "at_once"),
    [("ultralight", False), ("ultralightc", False), ("ntag203", False), ("mf0ul11", True), ("ntag213", True)],
)
def test_lock_bits_count_at_once_or_from_the_next_selection_on(chip: str, at_once: bool) -> None:
    card = selected(chip)

    assert send(card, "A20200001000") == "0A"
    assert (send(card, "A20401020304") == "00") == at_once
    assert write(card, 4, "01020304") == NAK


@tags
@settings(max_examples=20, deadline=None)
@given(
    writes=st.lists(st.tuples(st.integers(2, 3), four_bytes, st.sampled_from(TornMode)), max_size=5),
    mask=st.integers(0, 0xFFFFFFFF),
)
def test_no_bit_of_a_one_way_page_ever_goes_back(
    chip: str, writes: list[tuple[int, bytes, TornMode]], mask: int
) -> None:
    card = blank(chip)
    places = [2, 3, *card.lock_pages]

    for index, content, mode in writes:
        before = [int.from_bytes(card.page(number)) for number in places]
        for number in places[index - 2 :]:
            card.select()
            card.tear(bytes([0xA2, number]) + content, Tear(mode, mask))
        for number, bits in zip(places, before, strict=True):
            assert int.from_bytes(card.page(number)) & bits == bits


@tags
@pytest.mark.parametrize(
    ("mode", "left"),
    [
        (TornMode.BEFORE, "11223344"),
        (TornMode.ERASED, "00000000"),
        (TornMode.PARTIAL, "F000000F"),
        (TornMode.AFTER, "FFFFFFFF"),
    ],
)
def test_a_torn_page_is_as_the_moment_says(chip: str, mode: TornMode, left: str) -> None:
    card = selected(chip)
    assert write(card, 6, "11223344") == ACK

    card.tear(bytes.fromhex("A206FFFFFFFF"), Tear(mode, 0xF000000F))

    assert page(card, 6) == left


@tags
@settings(max_examples=25, deadline=None)
@given(
    frames=st.lists(st.binary(max_size=36) | st.binary(min_size=4, max_size=4).map(lambda d: b"\xa2\x05" + d))
)
def test_nothing_that_is_sent_breaks_it_and_its_state_is_all_of_it(chip: str, frames: list[bytes]) -> None:
    card = selected(chip)
    for frame in frames:
        if not card.answer(frame):
            card.select()
    card.power_off()

    twin = card_from(json.loads(json.dumps(card.state())))

    assert twin.state() == card.state()
    assert twin.uid == card.uid
    assert is_blank(card) == (card.state() == blank(chip).state())


def test_the_clone_is_told_by_its_uid_and_its_signature() -> None:
    card = selected("feiju213")

    assert card.uid[0] == 0x1D
    assert card.answer(bytes.fromhex("3C00")) == (card.page(0) + card.page(1)) * 4


@pytest.mark.parametrize("chip", ["ntag210", "ntag212"])
def test_ntag210_has_a_password_and_no_counter(chip: str) -> None:
    card = selected(chip)
    assert send(card, "1BFFFFFFFF") == "0000"
    assert send(card, "3902") == ""

    assert write(card, card.pages - 4, "00000004") == ACK
    card.power_off()
    assert write(card, 4, "01020304") == NAK
    card.select()
    assert send(card, "1BFFFFFFFF") == "0000"
    assert send(card, "A20401020304") == "0A"
