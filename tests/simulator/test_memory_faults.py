"""Every fault on every virtual memory chip, as somebody with a reader would notice it."""

from __future__ import annotations

import pytest

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import CHIPS, is_blank, new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.faults import Fault, can_have, chip_with, prepare
from rfid_station.simulator.memory.chips import MEMORY_CHIPS
from rfid_station.simulator.memory.classic import VirtualClassic, sector_of
from rfid_station.simulator.memory.type2 import VirtualType2

ACK, NAK, NAK_EEPROM = b"\x0a", b"\x00", (b"\x05", b"\x02")
CLASSICS = ["mini", "classic1k", "classic1k7", "classic4k", "plus2k"]
TAGS = [chip for chip in MEMORY_CHIPS if chip not in CLASSICS]
tags = pytest.mark.parametrize("chip", TAGS)
classics = pytest.mark.parametrize("chip", CLASSICS)
FOREIGN = b"\x03\x26\xd1\x01\x22U\x04charge.other-msp.example/c/7Q2M9X\xfe"
USED = b"\x03\x00\xfe"


def with_fault(chip: str, fault: Fault, *, is_torn: bool = False) -> VirtualCard:
    card = new_card(chip, blank_uid(chip, 1, 0))
    prepare(card, fault, is_torn=is_torn)
    return card


def write(card: VirtualCard, page: int, content: bytes = b"mine") -> bytes:
    card.select()
    return card.answer(bytes([0xA2, page]) + content)


def read(card: VirtualCard, page: int) -> bytes:
    card.select()
    return card.answer(bytes([0x30, page]))


def on_block(card: VirtualCard, block: int, key: str, frame: bytes, *, with_b: bool = False) -> bytes:
    card.select()
    login = bytes([0x61 if with_b else 0x60, block]) + bytes.fromhex(key) + card.uid[-4:]
    return card.answer(frame) if card.answer(login) == ACK else b"no login"


@tags
@pytest.mark.parametrize(("fault", "start"), [(Fault.FOREIGN, FOREIGN), (Fault.USED, USED)])
def test_a_tag_with_content(chip: str, fault: Fault, start: bytes) -> None:
    card = with_fault(chip, fault)

    assert read(card, 3)[:2] == b"\xe1\x10"
    memory = b"".join(read(card, page)[:4] for page in range(4, 16))
    assert memory.startswith(start)
    assert b"example/" in memory
    assert write(card, 4) == ACK


@tags
def test_a_locked_tag_can_never_be_written(chip: str) -> None:
    card = with_fault(chip, Fault.LOCKED)
    assert isinstance(card, VirtualType2)
    last = min([card.pages, *card.lock_pages]) if card.lock_pages else 16

    assert {write(card, page) for page in range(3, last)} == {NAK}
    assert read(card, 3)[3] in (0x0F, 0x00)


@pytest.mark.parametrize(
    ("chip", "page"), [("ultralightc", 0x2C), ("ultralightaes", 0x30), ("ntag203", 0x29)]
)
def test_locked_means_the_user_memory_and_not_keys_or_counters(chip: str, page: int) -> None:
    assert write(with_fault(chip, Fault.LOCKED), page, bytes(4)) == ACK


@pytest.mark.parametrize("chip", [chip for chip in TAGS if chip not in ("ultralight", "ntag203")])
def test_a_protected_tag_can_be_read_and_not_written(chip: str) -> None:
    card = with_fault(chip, Fault.PROTECTED)

    assert write(card, 4) == NAK
    assert len(read(card, 4)) == 16
    card.select()
    assert card.answer(bytes.fromhex("1BFFFFFFFF")) in (NAK, b"")


@tags
def test_a_stuck_page(chip: str) -> None:
    card = with_fault(chip, Fault.STUCK)
    assert write(card, 5) == ACK
    assert write(card, 6) in NAK_EEPROM

    torn = with_fault(chip, Fault.STUCK, is_torn=True)
    torn.select()
    torn.tear(b"\xa2\x07mine", Tear(TornMode.ERASED))
    assert write(torn, 6) == ACK
    assert write(torn, 7) in NAK_EEPROM


@tags
def test_a_weak_page(chip: str) -> None:
    card = with_fault(chip, Fault.WEAK)

    assert write(card, 6) == ACK
    assert read(card, 6)[:4] == bytes(value & 0x9F for value in b"mine")


@classics
@pytest.mark.parametrize(("fault", "start"), [(Fault.FOREIGN, FOREIGN), (Fault.USED, USED)])
def test_a_classic_with_content_is_formatted_for_ndef(chip: str, fault: Fault, start: bytes) -> None:
    card = with_fault(chip, fault)
    sectors = 4 if chip == "mini" else 15

    directory = b"".join(on_block(card, 1, "A0A1A2A3A4A5", bytes([0x30, block])) for block in (1, 2))
    assert directory[1:] == b"\x01" + (b"\x03\xe1" * sectors).ljust(30, b"\x00")
    if sectors == 15:
        assert directory[0] == 0x14
    content = b"".join(on_block(card, 4, "D3F7D3F7D3F7", bytes([0x30, block])) for block in (4, 5, 6))
    assert content.startswith(start)
    assert on_block(card, 4, "FFFFFFFFFFFF", b"\xa0\x04" + bytes(16), with_b=True) == ACK


@classics
def test_a_locked_classic_can_be_read_and_never_written(chip: str) -> None:
    card = with_fault(chip, Fault.LOCKED)
    assert isinstance(card, VirtualClassic)
    keys = {on_block(card, 4, "FFFFFFFFFFFF", bytes([0x30, 4]), with_b=with_b) for with_b in (False, True)}
    assert keys == {bytes(16)}

    for block in range(card.blocks):
        for with_b in (False, True):
            assert (
                on_block(card, block, "FFFFFFFFFFFF", bytes([0xA0, block]) + bytes(16), with_b=with_b) == b""
            )


@classics
def test_a_protected_classic_has_keys_that_nobody_knows(chip: str) -> None:
    card = with_fault(chip, Fault.PROTECTED)
    assert isinstance(card, VirtualClassic)

    shut = {
        sector_of(block)
        for block in range(card.blocks)
        if on_block(card, block, "FFFFFFFFFFFF", bytes([0x30, block])) == b"no login"
    }
    assert shut == set(range(1, card.sectors))


@classics
def test_a_stuck_and_a_weak_block(chip: str) -> None:
    stuck, weak = with_fault(chip, Fault.STUCK), with_fault(chip, Fault.WEAK)
    key = "FFFFFFFFFFFF"

    assert on_block(stuck, 4, key, b"\xa0\x04" + bytes(16)) == b""
    assert on_block(stuck, 4, key, b"\xa0\x05" + bytes(16)) == ACK
    assert on_block(weak, 4, key, b"\xa0\x04" + 16 * b"\xff") == ACK
    assert on_block(weak, 4, key, b"\x30\x04") == 16 * b"\x9f"

    torn = with_fault(chip, Fault.STUCK, is_torn=True)
    on_block(torn, 4, key, b"\x30\x05")
    torn.tear(b"\xa0\x05" + bytes(16), Tear(TornMode.ERASED))
    assert on_block(torn, 4, key, b"\xa0\x05" + bytes(16)) == b""


def test_a_copied_classic_obeys_the_wake_up_of_copies() -> None:
    card = with_fault("classic1k", Fault.CLONE)

    card.select()
    assert card.answer(b"\x40") == ACK


@pytest.mark.parametrize("chip", CHIPS)
def test_what_lies_in_the_hand_can_happen_to_every_card(chip: str) -> None:
    for fault in (Fault.VANISH, Fault.SWAP, Fault.SLOW, Fault.DUPLICATE, Fault.TWO_CARDS):
        assert can_have(chip, fault)
        assert chip_with(chip, fault) == chip
        assert is_blank(with_fault(chip, fault))


@pytest.mark.parametrize(
    ("chip", "fault"),
    [
        ("desfire", Fault.LOCKED),
        ("ultralight", Fault.PROTECTED),
        ("ntag203", Fault.PROTECTED),
        ("ntag216", Fault.CLONE),
        ("random", Fault.CLONE),
    ],
)
def test_what_makes_no_sense_is_refused(chip: str, fault: Fault) -> None:
    assert not can_have(chip, fault)


@pytest.mark.parametrize("chip", MEMORY_CHIPS)
@pytest.mark.parametrize("fault", Fault)
def test_a_fault_that_lies_in_the_card_is_none_that_a_blank_has(chip: str, fault: Fault) -> None:
    lies_in_the_card = fault in (
        Fault.FOREIGN,
        Fault.USED,
        Fault.LOCKED,
        Fault.PROTECTED,
        Fault.STUCK,
        Fault.WEAK,
    )
    if can_have(chip, fault) and lies_in_the_card:
        assert not is_blank(with_fault(chip, fault))
    if fault is Fault.RANDOM_UID:
        assert chip_with(chip, fault) == "random"
