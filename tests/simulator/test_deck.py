"""The pile of cards, in memory and in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfid_station.errors import WrongCall
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.deck import Mark, blank_uid, open_deck

SAMPLE = bytes.fromhex("04E10CDA993C80")


def write(card: VirtualCard, page: int, content: bytes) -> None:
    card.select()
    assert card.answer(bytes([0xA2, page]) + content) == b"\x0a"


@pytest.mark.parametrize("chip", ["ntag213", "ultralight", "desfire"])
def test_blanks_have_uids_as_nxp_gives_them_out(chip: str) -> None:
    uids = {blank_uid(chip, seed, number) for seed in (1, 2) for number in range(200)}

    assert len(uids) == 400
    for uid in uids:
        assert len(uid) == 7
        assert uid[0] == 0x04
        assert uid[3] != 0x88
        assert uid[6] & 0xFC == 0x80


def test_a_classic_has_four_bytes() -> None:
    assert len(blank_uid("classic1k", 1, 0)) == 4


def test_a_seed_makes_the_same_pile_and_no_seed_makes_another_one() -> None:
    first, again, other = (open_deck(seed=seed).take("ntag213").uid for seed in (7, 7, None))

    assert first == again
    assert other != first


def test_each_card_comes_once() -> None:
    deck = open_deck(seed=1)
    uids = []
    for _ in range(3):
        card = deck.take("ntag213")
        uids.append(card.uid)
        deck.put_aside(card)

    assert uids == [blank_uid("ntag213", 1, number) for number in range(3)]


def test_a_card_that_was_not_put_aside_comes_again_in_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    deck = open_deck(path, seed=1)
    done = deck.take("ntag213")
    deck.put_aside(done)
    in_hand = deck.take("ntag213")
    write(in_hand, 4, b"half")
    deck.save()

    again = open_deck(path).take("ntag213")

    assert again.uid == in_hand.uid != done.uid
    assert again.state()["memory"] == in_hand.state()["memory"]


def test_blanks_go_on_where_the_process_before_stopped(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    deck = open_deck(path, seed=5)
    deck.put_aside(deck.take("ntag213"))

    assert open_deck(path, seed=99).take("ntag215").uid == blank_uid("ntag215", 5, 1)


def test_a_card_can_be_taken_out_again_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    deck = open_deck(path, seed=1)
    first = deck.take("ntag213")
    write(first, 4, b"mine")
    deck.put_aside(first)
    deck.put_aside(deck.take("ntag213"))

    again = open_deck(path).take_again(0)

    assert again.state()["memory"] == first.state()["memory"]
    with pytest.raises(WrongCall, match="no card 2: it holds 2"):
        deck.take_again(2)


def test_a_uid_of_ones_own_is_for_a_new_blank() -> None:
    deck = open_deck(seed=1)

    assert deck.take("ntag213", SAMPLE).uid == SAMPLE


def test_the_file_is_replaced_and_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    deck = open_deck(path, seed=1)
    before = path.stat().st_ino

    deck.take("ntag213")

    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_marks_tell_what_became_of_the_cards(tmp_path: Path) -> None:
    path = tmp_path / "deck.json"
    deck = open_deck(path, seed=1)
    deck.put_aside(deck.take("ntag213"))
    deck.take("ntag213")

    assert [place.mark for place in open_deck(path).cards] == [Mark.DONE, Mark.IN_HAND]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"seed": 1, "cards": [{"mark": "lost", "state": {}}]}']
)
def test_what_is_no_deck_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "deck.json"
    path.write_text(content)

    with pytest.raises(WrongCall, match=r"deck\.json is no deck"):
        open_deck(path)


def test_a_deck_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="cannot be written: No such file or directory"):
        open_deck(tmp_path / "nowhere" / "deck.json")
