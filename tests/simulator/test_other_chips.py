"""The cards a desk has to refuse, and what a reader says about each."""

from __future__ import annotations

import json

import pytest

from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import CHIPS, card_from, is_blank, new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.readers.atr import contactless_atr, historical_bytes

UID = bytes.fromhex("04E10CDA993C80")
NUID = bytes.fromhex("04A2B3C4")
SPELLED_OUT = {"ntag213": UID, "ultralight": UID, "desfire": UID, "random": UID, "classic1k": NUID}

ATRS = [
    ("ntag213", "3B8F8001804F0CA0000003060300030000000068"),
    ("ntag216", "3B8F8001804F0CA0000003060300030000000068"),
    ("ultralight", "3B8F8001804F0CA0000003060300030000000068"),
    ("classic1k", "3B8F8001804F0CA000000306030001000000006A"),
    ("desfire", "3B8180018080"),
    ("random", "3B8180018080"),
]


def selected(chip: str) -> VirtualCard:
    card = new_card(chip, blank_uid(chip, 1, 0) if chip not in SPELLED_OUT else SPELLED_OUT[chip])
    card.select()
    return card


def send(card: VirtualCard, frame: str) -> str:
    return card.answer(bytes.fromhex(frame)).hex().upper()


@pytest.mark.parametrize(("chip", "atr"), ATRS)
def test_the_reader_makes_up_the_atr_that_all_cards_of_a_kind_share(chip: str, atr: str) -> None:
    assert contactless_atr(selected(chip)).hex().upper() == atr


@pytest.mark.parametrize("chip", CHIPS)
def test_no_card_says_anything_without_power(chip: str) -> None:
    card = new_card(chip, blank_uid(chip, 1, 0))

    for frame in ("60", "3000", "E080", "6000"):
        assert send(card, frame) == ""
    assert card.apdu(bytes.fromhex("9060000000")) == b""


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("mode", TornMode)
def test_every_card_can_be_pulled_away_and_comes_back(chip: str, mode: TornMode) -> None:
    card = selected(chip)

    card.tear(bytes.fromhex("3000"), Tear(mode))

    assert send(card, "3000") == ""
    assert len(card.select()) == len(card.uid)


@pytest.mark.parametrize("chip", CHIPS)
def test_every_card_can_be_made_again_from_its_state(chip: str) -> None:
    card = selected(chip)
    card.power_off()

    twin = card_from(json.loads(json.dumps(card.state())))

    assert (twin.state(), twin.uid, twin.name) == (card.state(), card.uid, card.name)


def test_an_ultralight_is_a_type_2_tag_of_16_pages_that_falls_mute_on_get_version() -> None:
    card = selected("ultralight")
    assert send(card, "3000") == "04E10C61" + "DA993C80" + "FF480000" + "00000000"
    assert send(card, "300F") == "00000000" + "04E10C61" + "DA993C80" + "FF480000"

    assert send(card, "60") == ""
    assert send(card, "3000") == ""
    card.select()
    assert send(card, "A20401020304") == "0A"
    assert send(card, "A203E1100600") == "0A"
    assert send(card, "A20300000000") == "0A"
    assert send(card, "3003")[:16] == "E1100600" + "01020304"
    assert send(card, "3010") == "00"


def test_a_classic_wants_a_key_for_everything() -> None:
    card = selected("classic1k")
    assert (card.uid, card.sak) == (NUID, 0x08)
    assert send(card, "3004") == "04"
    assert send(card, "3004") == ""

    card.select()
    assert len(send(card, "6004")) == 8
    assert send(card, "3004") == ""
    card.select()
    assert send(card, "60") == ""


def test_a_desfire_speaks_iso_14443_4_and_tells_its_version_in_three_parts() -> None:
    card = selected("desfire")

    assert send(card, "E080") == "067577810280"
    assert historical_bytes(card).hex() == "80"
    parts = [
        card.apdu(bytes.fromhex(apdu)).hex().upper() for apdu in ["9060000000", "90AF000000", "90AF000000"]
    ]
    assert [part[-4:] for part in parts] == ["91AF", "91AF", "9100"]
    assert parts[0].startswith("040101330016")
    assert parts[2].startswith("04E10CDA993C80")
    assert card.apdu(bytes.fromhex("90AF000000")).hex().upper() == "911C"


def test_a_desfire_sleeps_after_a_frame_of_a_type_2_tag() -> None:
    card = selected("desfire")

    assert send(card, "60") == ""
    assert send(card, "E080") == ""


def test_a_random_uid_is_new_at_every_field_restart_and_never_comes_twice() -> None:
    card = selected("random")
    seen = set()
    for _ in range(20):
        assert (card.select(), card.select()) == (card.uid, card.uid)
        assert len(card.uid) == 4
        assert card.uid[0] == 0x08
        seen.add(card.uid)
        card.power_off()
        card = card_from(card.state())

    assert len(seen) == 20


def test_a_random_uid_hides_the_real_one() -> None:
    card = selected("random")

    for apdu in ["9060000000", "90AF000000"]:
        card.apdu(bytes.fromhex(apdu))
    assert card.apdu(bytes.fromhex("90AF000000"))[:7] == bytes(7)


def test_a_blank_is_told_from_a_card_that_was_written() -> None:
    card = selected("ntag213")
    assert is_blank(card)

    send(card, "A20401020304")

    assert not is_blank(card)
