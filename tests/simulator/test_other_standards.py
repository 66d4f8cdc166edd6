"""Phones, bank cards, Java cards, and what no reader of type A can select."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import card_from, new_card, uid_size
from rfid_station.simulator.deck import Deck
from rfid_station.simulator.native.chips import ISO_DEP_CHIPS

GET_VERSION = bytes.fromhex("9060000000")
SELECT_NDEF = bytes.fromhex("00A4040007D276000085010100")
SELECT_PAYMENT = bytes.fromhex("00A404000E325041592E5359532E444446303100")


def selected(chip: str) -> VirtualCard:
    card = new_card(chip, bytes.fromhex("04E10CDA993C8002")[: uid_size(chip)])
    card.select()
    return card


def test_a_phone_has_another_uid_each_time_and_no_application() -> None:
    card = selected("phone")
    seen = set()
    for _ in range(5):
        assert (len(card.uid), card.uid[0], card.sak, card.atqa.hex()) == (4, 0x08, 0x20, "0304")
        seen.add(card.uid)
        card.power_off()
        card.select()
    assert len(seen) == 5
    assert card.apdu(SELECT_NDEF).hex() == "6a82"
    assert card.apdu(SELECT_PAYMENT).hex() == "6a82"
    assert card.apdu(GET_VERSION).hex() == "6e00"
    assert card.apdu(b"\x60").hex() == "6700"


def test_a_bank_card_names_its_payment_application() -> None:
    card = selected("bankcard")

    answer = card.apdu(SELECT_PAYMENT)

    assert answer[-2:] == b"\x90\x00"
    assert answer[0] == 0x6F
    assert answer[1] == len(answer) - 4
    assert b"2PAY.SYS.DDF01" in answer
    payment = bytes.fromhex("A0000000041010")
    assert b"\x4f\x07" + payment in answer
    assert card.apdu(b"\x00\xa4\x04\x00\x07" + payment + b"\x00")[-2:] == b"\x90\x00"
    assert card.apdu(SELECT_NDEF).hex() == "6a82"
    assert card.apdu(bytes.fromhex("00B0000000")).hex() == "6d00"
    assert len(card.uid) == 4


def test_a_java_card_does_not_know_native_commands() -> None:
    card = selected("jcop")

    assert card.apdu(GET_VERSION).hex() == "6d00"
    assert card.apdu(SELECT_NDEF).hex() == "6a82"
    assert card.ats[0] == len(card.ats)


@pytest.mark.parametrize(
    ("chip", "standard", "size"), [("typeb", "B", 4), ("felica", "F", 8), ("iso15693", "V", 8)]
)
def test_cards_of_other_standards_have_a_number_and_no_answer(chip: str, standard: str, size: int) -> None:
    card = selected(chip)

    assert (card.standard, len(card.uid)) == (standard, size)
    assert card.answer(b"\x30\x00") == b""
    assert card.apdu(GET_VERSION) == b""


@pytest.mark.parametrize("chip", ["desfire-light"])
def test_a_desfire_light_says_what_it_is_and_no_more(chip: str) -> None:
    card = selected(chip)

    assert card.apdu(GET_VERSION).hex() == "0408013000130591af"
    assert card.apdu(bytes.fromhex("90AF000000"))[-2:].hex() == "91af"
    assert card.apdu(bytes.fromhex("90AF000000"))[-2:].hex() == "9100"
    assert card.apdu(bytes.fromhex("903C0000010000"))[-2:].hex() == "9190"
    assert card.apdu(bytes.fromhex("00A4040010A00000039656434103F015400000000B00")).hex() == "9000"
    assert card.apdu(SELECT_NDEF).hex() == "6a82"
    assert card.apdu(bytes.fromhex("9071000002000000")).hex() == "911c"
    assert card.apdu(bytes.fromhex("90AD0000070000000000000000")).hex() == "911c"


@pytest.mark.parametrize("chip", ISO_DEP_CHIPS)
@pytest.mark.parametrize("mode", TornMode)
def test_every_card_survives_a_tear_and_the_deck(chip: str, mode: TornMode) -> None:
    card = selected(chip)
    for command in (GET_VERSION, SELECT_NDEF, b"\x60", b"\x90", b"\x00", b"\xff\xff\xff\xff\xff", b""):
        card.apdu(command)
        card.tear_apdu(command, Tear(mode))
        assert card.apdu(GET_VERSION) == b""
        card.select()
    card.power_off()

    twin = card_from(json.loads(json.dumps(card.state())))

    assert (twin.state(), twin.uid, twin.name) == (card.state(), card.uid, card.name)


@pytest.mark.parametrize("chip", ISO_DEP_CHIPS)
def test_the_deck_makes_a_blank_of_every_chip(chip: str) -> None:
    card = Deck(1).take(chip)

    assert len(card.select()) == (4 if chip in ("random", "phone") else uid_size(chip))


_INSTRUCTIONS = "0A1A713C3D45515A5C5F606164676A6D6E6F777D8DADAFBDC4C7CACBCDDADFF5F6FCA4B0D6"


@given(
    st.sampled_from(sorted(ISO_DEP_CHIPS)),
    st.lists(
        st.one_of(
            st.binary(max_size=70),
            st.tuples(st.sampled_from(bytes.fromhex(_INSTRUCTIONS)), st.binary(max_size=24)),
        ),
        max_size=12,
    ),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_sent_a_card_answers_and_lives(
    chip: str, commands: list[bytes | tuple[int, bytes]]
) -> None:
    card = selected(chip)
    for command in commands:
        if isinstance(command, tuple):
            instruction, data = command
            head = b"\x00" if instruction in (0xA4, 0xB0, 0xD6) else b"\x90"
            body = bytes([len(data)]) + data if data else b""
            command = head + bytes([instruction, 0, 0]) + body + b"\x00"
        answer = card.apdu(command)
        assert bool(answer) == (bool(command) and card.standard == "A")
    card.power_off()

    assert card_from(json.loads(json.dumps(card.state()))).state() == card.state()
