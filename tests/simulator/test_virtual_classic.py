"""The virtual MIFARE Classic against its data sheet: sectors, keys, and what access bits allow."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.simulator.card import Tear, TornMode
from rfid_station.simulator.chips import card_from, new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.memory.classic import VirtualClassic, area_of, sector_of, trailer_of
from rfid_station.simulator.memory.classic_access import parse_access

ACK, SILENCE = b"\x0a", b""
FACTORY = "FFFFFFFFFFFF"
KEY_A, KEY_B = "A0A1A2A3A4A5", "B0B1B2B3B4B5"

# word, SAK, ATQA, UID size, blocks, sectors
MAPS = [
    ("mini", 0x09, "0004", 4, 20, 5),
    ("classic1k", 0x08, "0004", 4, 64, 16),
    ("classic1k7", 0x08, "0044", 7, 64, 16),
    ("classic4k", 0x18, "0002", 4, 256, 40),
    ("plus2k", 0x08, "0044", 7, 128, 32),
]
CHIPS = [row[0] for row in MAPS]


def selected(chip: str = "classic1k") -> VirtualClassic:
    card = new_card(chip, blank_uid(chip, 1, 0))
    assert isinstance(card, VirtualClassic)
    card.select()
    return card


def log_in(card: VirtualClassic, block: int, key: str = FACTORY, *, with_b: bool = False) -> bytes:
    return card.answer(bytes([0x61 if with_b else 0x60, block]) + bytes.fromhex(key) + card.uid[-4:])


def opened(card: VirtualClassic, block: int, key: str = FACTORY, *, with_b: bool = False) -> VirtualClassic:
    card.select()
    assert log_in(card, block, key, with_b=with_b) == ACK
    return card


def read(card: VirtualClassic, block: int) -> str:
    return card.answer(bytes([0x30, block])).hex().upper()


def write(card: VirtualClassic, block: int, content: str) -> bytes:
    return card.answer(bytes([0xA0, block]) + bytes.fromhex(content))


def access_bytes(conditions: list[int]) -> str:
    """Access bytes from C1 C2 C3 of the four areas, by the table of the data sheet."""
    c1 = sum((condition >> 2 & 1) << area for area, condition in enumerate(conditions))
    c2 = sum((condition >> 1 & 1) << area for area, condition in enumerate(conditions))
    c3 = sum((condition & 1) << area for area, condition in enumerate(conditions))
    raw = [(c2 ^ 0xF) << 4 | (c1 ^ 0xF), c1 << 4 | (c3 ^ 0xF), c3 << 4 | c2]
    return bytes(raw).hex().upper()


def with_trailer(access: str, chip: str = "classic1k", block: int = 7) -> VirtualClassic:
    card = selected(chip)
    assert write(opened(card, block), block, KEY_A + access + "69" + KEY_B) == ACK
    return card


@pytest.mark.parametrize(("chip", "sak", "atqa", "size", "blocks", "sectors"), MAPS)
def test_it_is_delivered_as_the_data_sheet_says(
    chip: str, sak: int, atqa: str, size: int, blocks: int, sectors: int
) -> None:
    card = selected(chip)

    assert (card.sak, card.atqa.hex(), len(card.uid), card.blocks, card.sectors) == (
        sak,
        atqa,
        size,
        blocks,
        sectors,
    )
    for block in range(blocks):
        content = read(opened(card, block), block)
        if area_of(block) == 3:
            assert content == 12 * "0" + "FF078069" + FACTORY
        elif block:
            assert content == 32 * "0"
    assert read(opened(card, 0), 0).startswith(card.uid.hex().upper())
    card.select()
    assert log_in(card, blocks % 256 or 255, "000000000000") == SILENCE


def test_sectors_of_a_4k_have_four_blocks_and_then_sixteen() -> None:
    assert [sector_of(block) for block in (0, 3, 4, 127, 128, 143, 144, 255)] == [0, 0, 1, 31, 32, 32, 33, 39]
    assert [trailer_of(sector) for sector in (0, 1, 31, 32, 39)] == [3, 7, 127, 143, 255]
    assert [area_of(block) for block in (128, 132, 133, 138, 142, 143)] == [0, 0, 1, 2, 2, 3]


def test_a_login_opens_one_sector_until_the_next_one() -> None:
    card = opened(selected(), 4)
    assert write(card, 5, 16 * "AB") == ACK

    assert log_in(card, 8) == ACK
    assert read(card, 8) == 32 * "0"
    assert read(card, 5) == ""
    assert read(card, 8) == ""
    assert read(opened(card, 4), 5) == 16 * "AB"


@pytest.mark.parametrize("forget", ["select", "power", "failure", "halt"])
def test_a_login_does_not_survive(forget: str) -> None:
    card = opened(selected(), 4)
    if forget == "power":
        card.power_off()
    elif forget == "failure":
        assert log_in(card, 4, KEY_A) == SILENCE
        assert log_in(card, 4) == SILENCE
    elif forget == "halt":
        card.answer(bytes.fromhex("5000"))
    card.select()

    assert read(card, 4) == "04"
    assert log_in(card, 4) == SILENCE
    card.select()
    assert log_in(card, 4) == ACK


def test_a_login_for_another_card_fails() -> None:
    card = selected()

    assert card.answer(b"\x60\x04" + bytes.fromhex(FACTORY) + bytes(4)) == SILENCE


def test_with_seven_bytes_the_last_four_of_the_uid_count() -> None:
    card = selected("classic1k7")

    assert card.answer(b"\x60\x04" + bytes.fromhex(FACTORY) + card.uid[:4]) == SILENCE
    card.select()
    assert card.answer(b"\x60\x04" + bytes.fromhex(FACTORY) + card.uid[3:]) == ACK


def test_block_0_cannot_be_written() -> None:
    card = selected()
    before = card.block(0)

    assert write(opened(card, 0), 0, 32 * "0") == SILENCE
    assert card.block(0) == before


A, B, NEVER = "A", "B", ""
# C1 C2 C3, who may read, who may write a data block (table 8 of the data sheet)
DATA_TABLE = [
    (0b000, "AB", "AB"),
    (0b010, "AB", NEVER),
    (0b100, "AB", B),
    (0b110, "AB", B),
    (0b001, "AB", NEVER),
    (0b011, B, B),
    (0b101, B, NEVER),
    (0b111, NEVER, NEVER),
]


@pytest.mark.parametrize(("condition", "readers", "writers"), DATA_TABLE)
@pytest.mark.parametrize("area", [0, 1, 2])
def test_data_access_is_as_the_table_says(condition: int, readers: str, writers: str, area: int) -> None:
    conditions = [0, 0, 0, 0b011]
    conditions[area] = condition
    card = with_trailer(access_bytes(conditions))
    block = 4 + area

    for name, key, with_b in (("A", KEY_A, False), ("B", KEY_B, True)):
        may_write = write(opened(card, block, key, with_b=with_b), block, 32 * "5") == ACK
        may_read = len(read(opened(card, block, key, with_b=with_b), block)) == 32
        assert (may_read, may_write) == (name in readers, name in writers)


# C1 C2 C3, who may write key A, the access bits, read key B, write key B (table 7)
TRAILER_TABLE = [
    (0b000, A, NEVER, A, A),
    (0b010, NEVER, NEVER, A, NEVER),
    (0b100, B, NEVER, NEVER, B),
    (0b110, NEVER, NEVER, NEVER, NEVER),
    (0b001, A, A, A, A),
    (0b011, B, B, NEVER, B),
    (0b101, NEVER, B, NEVER, NEVER),
    (0b111, NEVER, NEVER, NEVER, NEVER),
]
NEW_A, NEW_B = "0A0A0A0A0A0A", "0B0B0B0B0B0B"


@pytest.mark.parametrize(("condition", "key_a", "bits", "shows_b", "key_b"), TRAILER_TABLE)
@pytest.mark.parametrize(("name", "key", "with_b"), [("A", KEY_A, False), ("B", KEY_B, True)])
def test_trailer_access_is_as_the_table_says(
    condition: int, key_a: str, bits: str, shows_b: str, key_b: str, name: str, key: str, with_b: bool
) -> None:
    access = access_bytes([0, 0, 0, condition])
    other = access_bytes([0b010, 0, 0, condition])
    card = with_trailer(access)

    written = write(opened(card, 7, key, with_b=with_b), 7, NEW_A + other + "42" + NEW_B)

    b_is_no_key = name == "B" and bool(shows_b)
    rights = [name in keys and not b_is_no_key for keys in (key_a, bits, key_b)]
    assert (written == ACK) == any(rights)
    now = card.block(7).hex().upper()
    assert now == (
        (NEW_A if rights[0] else KEY_A)
        + (other + "42" if rights[1] else access + "69")
        + (NEW_B if rights[2] else KEY_B)
    )
    still_a = NEW_A if rights[0] else KEY_A
    shown = read(opened(card, 7, still_a), 7)
    assert shown == 12 * "0" + now[12:20] + (now[20:] if shows_b else 12 * "0")


def test_a_key_b_that_can_be_read_opens_nothing() -> None:
    card = selected()

    assert read(opened(card, 4, with_b=True), 4) == ""
    assert write(opened(card, 4, with_b=True), 7, FACTORY + "FF078069" + FACTORY) == SILENCE
    assert write(opened(card, 4, with_b=True), 4, 32 * "1") == SILENCE


def test_in_a_sector_of_sixteen_five_blocks_share_their_bits() -> None:
    card = with_trailer(access_bytes([0b000, 0b010, 0b000, 0b011]), "classic4k", 143)

    allowed = [
        block for block in range(128, 143) if write(opened(card, block, KEY_A), block, 32 * "1") == ACK
    ]
    assert allowed == [*range(128, 133), *range(138, 143)]


@pytest.mark.parametrize("access", ["FF0780", "787788", "7F0788", "08778F"])
def test_access_bytes_in_use_are_accepted(access: str) -> None:
    assert parse_access(bytes(6) + bytes.fromhex(access) + bytes(7)) is not None


@given(st.integers(0, 23), st.sampled_from(["FF0780", "787788", "7F0788", "08778F"]))
def test_one_wrong_bit_is_always_noticed(bit: int, access: str) -> None:
    wrong = (int(access, 16) ^ 1 << bit).to_bytes(3)

    assert parse_access(bytes(6) + wrong + bytes(7)) is None


@pytest.mark.parametrize("access", ["000000", "FFFFFF", "FF0781", "EF0780"])
def test_wrong_access_bytes_kill_the_sector_for_ever(access: str) -> None:
    card = with_trailer(access)

    for key, with_b in ((KEY_A, False), (KEY_B, True), (FACTORY, False)):
        card.select()
        assert log_in(card, 4, key, with_b=with_b) == SILENCE
    assert read(opened(card, 8), 8) == 32 * "0"
    assert card_from(card.state()).state() == card.state()


TORN = [
    (TornMode.BEFORE, 0xFFFFFFFF, "11111111"),
    (TornMode.ERASED, 0xFFFFFFFF, "00000000"),
    (TornMode.PARTIAL, 0xF000000F, "A000000A"),
    (TornMode.AFTER, 0x00000000, "AAAAAAAA"),
]


@pytest.mark.parametrize(("mode", "mask", "left"), TORN)
def test_a_torn_block_is_as_the_moment_says(mode: TornMode, mask: int, left: str) -> None:
    card = opened(selected(), 4)
    write(card, 5, 32 * "1")

    card.tear(b"\xa0\x05" + 16 * b"\xaa", Tear(mode, mask))

    assert log_in(card, 4) == SILENCE
    assert read(opened(card, 4), 5) == 4 * left


@pytest.mark.parametrize(
    ("mode", "mask", "lives"),
    [
        (TornMode.BEFORE, 0, True),
        (TornMode.ERASED, 0, False),
        (TornMode.PARTIAL, 0x0FFFFFFF, False),
        (TornMode.PARTIAL, 0xFFFFFFFF, True),
        (TornMode.AFTER, 0, True),
    ],
)
def test_a_torn_trailer_may_take_the_sector_with_it(mode: TornMode, mask: int, lives: bool) -> None:
    card = opened(selected(), 4)

    card.tear(b"\xa0\x07" + bytes.fromhex(KEY_A + "78778869" + KEY_B), Tear(mode, mask))

    answers = []
    for key in (FACTORY, KEY_A, 12 * "0"):
        card.select()
        answers.append(log_in(card, 4, key))
    assert (ACK in answers) == lives


@pytest.mark.parametrize("mode", TornMode)
def test_a_write_that_would_be_refused_leaves_nothing_when_it_is_torn(mode: TornMode) -> None:
    card = selected()
    before = card.state()

    card.tear(b"\xa0\x05" + 16 * b"\xaa", Tear(mode))
    opened(card, 0).tear(b"\xa0\x00" + 16 * b"\xaa", Tear(mode))

    assert card.state() == before


def test_a_worn_block_refuses_and_a_weak_one_does_not_keep() -> None:
    card = selected()
    card.worn, card.weak = {4}, {5: 0x0F0F0F0F}

    assert write(opened(card, 4), 4, 32 * "1") == SILENCE
    assert write(opened(card, 4), 5, 32 * "F") == ACK
    assert read(card, 5) == 16 * "F0"


def test_a_magic_copy_obeys_without_a_key() -> None:
    card = selected()
    assert card.answer(b"\x40") == SILENCE
    card.select()
    card.is_magic = True

    assert card.answer(b"\x43") == SILENCE
    assert (card.answer(b"\x40"), card.answer(b"\x43")) == (ACK, ACK)
    assert write(card, 0, 32 * "7") == ACK
    assert read(card, 7) == FACTORY + "FF078069" + FACTORY


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=30, deadline=None)
@given(frames=st.lists(st.binary(max_size=20), max_size=10))
def test_nothing_that_is_sent_breaks_it_and_its_state_is_all_of_it(chip: str, frames: list[bytes]) -> None:
    card = opened(selected(chip), 4)
    for frame in frames:
        if not card.answer(frame):
            opened(card, 4)

    twin = card_from(json.loads(json.dumps(card.state())))
    assert twin.state() == card.state()
