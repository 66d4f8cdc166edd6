"""The reader sim:, as the desk sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from rfid_station.errors import CardLost, CardRefused, WrongCall
from rfid_station.reader.opening import open_reader
from rfid_station.reader.sim import SimLink, open_sim, parse_sim
from rfid_station.simulator.faults import Fault
from rfid_station.simulator.memory.ntag21x import VirtualNtag21x

NEVER_STOP = bool
GET_VERSION, READ_CC = b"\x60", b"\x30\x03"
ACK, NAK_EEPROM = b"\x0a", b"\x05"


def taps(uri: str, most: int = 10) -> list[SimLink]:
    """All cards of a reader, each left before the next comes."""
    reader = open_sim(uri)
    links = list(islice(reader.cards(NEVER_STOP), most))
    reader.close()
    return [link for link in links if isinstance(link, SimLink)]


def first(uri: str) -> SimLink:
    link = next(open_sim(uri).cards(NEVER_STOP))
    assert isinstance(link, SimLink)
    return link


def write(link: SimLink, page: int, content: bytes) -> bytes:
    return link.transceive(bytes([0xA2, page]) + content)


def page(link: SimLink, number: int) -> bytes:
    card = link.card
    assert isinstance(card, VirtualNtag21x)
    return card.page(number)


def test_each_card_comes_once_and_then_the_pile_is_empty() -> None:
    uids = [link.card.uid for link in taps("sim:ntag213?count=4&seed=1")]

    assert len(set(uids)) == 4


def test_one_card_comes_if_nothing_else_is_said() -> None:
    assert len(taps("sim:ntag215")) == 1


def test_an_empty_pile_can_wait_for_stop() -> None:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    started = time.monotonic()
    assert len(list(open_sim("sim:ntag213?end=wait").cards(stop))) == 1
    assert asked == 5
    assert time.monotonic() - started < 5


def test_stop_is_asked_before_each_card() -> None:
    assert list(open_sim("sim:ntag213?count=3").cards(lambda: True)) == []


def test_frames_go_to_the_chip_and_are_counted() -> None:
    link = first("sim:ntag213?uid=04E10CDA993C80")

    assert link.raw
    assert link.uid().hex().upper() == "04E10CDA993C80"
    assert link.seen.atr.hex().upper() == "3B8F8001804F0CA0000003060300030000000068"
    assert link.transceive(GET_VERSION).hex().upper() == "0004040201000F03"
    assert write(link, 4, b"mine") == ACK
    assert link.transceive(b"\x30\x2d") == b"\x00"
    assert link.transceive(READ_CC) == b""
    assert link.restart_field() == link.uid()
    assert link.transceive(READ_CC)[:8] == b"\xe1\x10\x12\x00mine"
    assert (link.exchanges, link.field_restarts) == (5, 1)


def test_a_field_restart_takes_the_authentication_away() -> None:
    link = first("sim:ntag213")
    write(link, 0x29, bytes.fromhex("04000004"))
    link.restart_field()
    assert link.transceive(bytes.fromhex("1BFFFFFFFF")) == b"\x00\x00"
    assert write(link, 4, b"mine") == ACK

    link.restart_field()

    assert write(link, 4, b"mine") != ACK


def test_a_link_is_dead_once_the_next_is_asked_for() -> None:
    cards = open_sim("sim:ntag213?count=2").cards(NEVER_STOP)
    before = next(cards)
    next(cards)

    for ask in (before.uid, before.restart_field, lambda: before.transceive(GET_VERSION)):
        with pytest.raises(CardLost):
            ask()


def test_the_reader_counts_what_all_its_cards_were_asked() -> None:
    reader = open_sim("sim:ntag213?count=2")
    for link in reader.cards(NEVER_STOP):
        link.transceive(GET_VERSION)
        link.restart_field()

    assert reader.exchanges == 4


# what the card holds in page 4 after a write of FFFFFFFF was torn; 0103A00C before
TORN = [
    ("before", "0103A00C"),
    ("erased", "00000000"),
    ("partial:F0F0F0F0", "F0F0F0F0"),
    ("after", "FFFFFFFF"),
]


@pytest.mark.parametrize(("mode", "left"), TORN)
def test_a_card_torn_away_comes_again_with_what_it_has(mode: str, left: str) -> None:
    cards = open_sim(f"sim:ntag213?uid=04E10CDA993C80&tear=3:{mode}").cards(NEVER_STOP)
    link = next(cards)
    link.transceive(GET_VERSION)
    link.restart_field()

    with pytest.raises(CardLost, match=r"card 04…3C80 left reader sim:ntag213$") as lost:
        link.transceive(bytes.fromhex("A204FFFFFFFF"))
    assert lost.value.hint
    with pytest.raises(CardLost):
        link.uid()

    again = next(cards)
    assert isinstance(again, SimLink)
    assert again.uid() == link.card.uid
    assert page(again, 4).hex().upper() == left
    assert again.transceive(READ_CC) != b""
    assert list(cards) == []


def test_a_card_can_leave_at_a_field_restart() -> None:
    link = first("sim:ntag213?tear=2")
    link.transceive(GET_VERSION)

    with pytest.raises(CardLost):
        link.restart_field()


def test_only_the_first_card_is_torn() -> None:
    lost = 0
    for link in open_sim("sim:ntag213?count=3&tear=1").cards(NEVER_STOP):
        try:
            link.transceive(GET_VERSION)
        except CardLost:
            lost += 1

    assert lost == 1


def test_torn_bits_are_drawn_from_the_seed() -> None:
    contents = []
    for seed in (1, 1, 2):
        cards = open_sim(f"sim:ntag213?seed={seed}&tear=1:partial").cards(NEVER_STOP)
        with pytest.raises(CardLost):
            write(next(cards), 4, b"\xff\xff\xff\xff")
        contents.append(page(next(cards), 4))

    assert contents[0] == contents[1] != contents[2]
    assert contents[0] not in (bytes(4), b"\xff\xff\xff\xff")


def test_the_deck_gives_each_process_the_next_blank(tmp_path: Path) -> None:
    uri = f"sim:ntag213?seed=1&deck={tmp_path}/deck.json"

    uids = [taps(uri)[0].card.uid for _ in range(3)]

    assert len(set(uids)) == 3


def test_the_deck_gives_the_torn_card_first(tmp_path: Path) -> None:
    uri = f"sim:ntag213?deck={tmp_path}/deck.json"
    cards = open_sim(f"{uri}&tear=1:after").cards(NEVER_STOP)
    link = next(cards)
    with pytest.raises(CardLost):
        write(link, 5, b"half")
    cards.close()

    (again, other) = taps(f"{uri}&count=2")

    assert again.card.uid == link.card.uid != other.card.uid
    assert page(again, 5) == b"half"


def test_a_finished_card_can_be_laid_there_again_by_its_number(tmp_path: Path) -> None:
    uri = f"sim:ntag213?deck={tmp_path}/deck.json"
    finished = taps(f"{uri}&count=2")

    assert [link.card.uid for link in taps(f"{uri}&start=1")] == [finished[1].card.uid]
    with pytest.raises(WrongCall, match="no card 7"):
        taps(f"{uri}&start=7")


def test_a_deck_may_have_any_name(tmp_path: Path) -> None:
    taps(f"sim:ntag213?deck={tmp_path}/a+b%20c%26d.json")

    assert [path.name for path in tmp_path.iterdir()] == ["a+b c&d.json"]


KILLED = """
import sys
from rfid_station.reader.opening import open_reader

for link in open_reader(sys.argv[1]).cards(bool):
    for page in range(4, 8):
        link.transceive(bytes([0xA2, page]) + b"DONE")
    link.restart_field()
    print("survived", flush=True)
"""


@pytest.mark.parametrize(
    ("kill", "left"), [("1", ""), ("3", "DONEDONE"), ("3:after", "DONEDONEDONE"), ("5", "DONEDONEDONEDONE")]
)
def test_sigkill_leaves_in_the_deck_what_the_chip_had(tmp_path: Path, kill: str, left: str) -> None:
    deck = tmp_path / "deck.json"
    uri = f"sim:ntag215?deck={deck}"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, f"{uri}&kill={kill}"], capture_output=True, timeout=30
    )
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"")

    (place,) = json.loads(deck.read_text())["cards"]
    assert place["mark"] == "in_hand"
    written = bytes.fromhex(place["state"]["memory"])[16:32]
    assert written.startswith(left.encode())
    assert b"DONE" not in written[len(left) :]
    assert taps(uri)[0].card.uid.hex() == place["state"]["uid"]


def test_kill_counts_over_all_cards(tmp_path: Path) -> None:
    uri = f"sim:ntag215?deck={tmp_path}/deck.json&count=3&kill=8"
    killed = subprocess.run([sys.executable, "-c", KILLED, uri], capture_output=True, timeout=60)

    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, b"survived\n")


def test_fault_vanish_takes_the_card_away_for_good() -> None:
    seen = []
    for link in open_sim("sim:ntag213?count=2&fault=vanish").cards(NEVER_STOP):
        seen.append(link.uid())
        try:
            for _ in range(3):
                link.transceive(GET_VERSION)
        except CardLost:
            seen.append(b"")

    assert len(seen) == 3
    assert seen[1] == b""
    assert seen[0] != seen[2]


def test_fault_duplicate_lays_the_card_there_twice() -> None:
    first_time, second_time, other = taps("sim:ntag213?count=2&fault=duplicate")

    assert first_time.card is second_time.card is not other.card


def test_fault_two_cards_is_refused_and_then_the_card_comes_alone() -> None:
    cards = open_sim("sim:ntag213?fault=two-cards").cards(NEVER_STOP)
    link = next(cards)
    for ask in (link.uid, link.restart_field, lambda: link.transceive(GET_VERSION)):
        with pytest.raises(CardRefused, match="two cards lie on reader sim:ntag213"):
            ask()

    assert next(cards).transceive(GET_VERSION) != b""


def test_fault_random_uid_is_another_card_after_each_field_restart() -> None:
    link = first("sim:ntag213?fault=random-uid")

    assert link.uid()[0] == 0x08
    assert len(link.uid()) == 4
    for ask in (link.restart_field, link.uid, lambda: link.transceive(GET_VERSION)):
        with pytest.raises(CardLost, match=r"now holds card 08…\w{4} instead of 08…\w{4}"):
            ask()


@pytest.mark.parametrize(
    ("fault", "start"), [("foreign", b"\x03\x26\xd1\x01\x22U\x04charge"), ("used", b"\x03\x00\xfe")]
)
def test_fault_foreign_and_used_are_cards_with_content(fault: str, start: bytes) -> None:
    link = first(f"sim:ntag213?fault={fault}")

    memory = link.transceive(b"\x3a\x04\x27")
    assert memory.startswith(start)
    assert b"example/" in memory


@pytest.mark.parametrize("fault", ["locked", "protected"])
def test_fault_locked_and_protected_cannot_be_written(fault: str) -> None:
    link = first(f"sim:ntag213?fault={fault}")

    for number in (4, 16, 39):
        assert write(link, number, b"mine") == b"\x00"
        link.restart_field()
    assert link.transceive(b"\x1b\xff\xff\xff\xff") in (b"\x00\x00", b"\x00")
    if fault == "locked":
        assert link.transceive(READ_CC)[3] == 0x0F


def test_fault_stuck_refuses_one_page() -> None:
    link = first("sim:ntag213?fault=stuck")

    assert write(link, 5, b"mine") == ACK
    assert write(link, 6, b"mine") == NAK_EEPROM


def test_fault_stuck_with_a_tear_refuses_the_torn_page_for_ever() -> None:
    cards = open_sim("sim:ntag213?fault=stuck&tear=1").cards(NEVER_STOP)
    with pytest.raises(CardLost):
        next(cards).transceive(b"\xa2\x07mine")
    again = next(cards)

    assert again.transceive(b"\xa2\x06mine") == ACK
    assert again.transceive(b"\xa2\x07mine") == NAK_EEPROM


def test_fault_weak_acknowledges_and_does_not_keep() -> None:
    link = first("sim:ntag213?fault=weak")

    assert write(link, 6, b"mine") == ACK
    assert page(link, 6) == bytes(value & 0x9F for value in b"mine")


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_strikes_the_first_card_only_and_only_while_it_is_new(tmp_path: Path, fault: Fault) -> None:
    uri = f"sim:ntag213?deck={tmp_path}/deck.json"
    reader = open_sim(uri)
    next(reader.cards(NEVER_STOP)).transceive(b"\xa2\x04mine")
    reader.close()

    (again,) = taps(f"{uri}&start=0&fault={fault}")
    assert page(again, 4) == b"mine"
    *_, last = taps(f"{uri}&count=2&fault={fault}")
    assert last.card.state() == VirtualNtag21x("ntag213", last.card.uid).state()


@pytest.mark.parametrize("chip", ["ultralight", "classic1k", "desfire", "random"])
def test_cards_that_a_desk_refuses_can_be_laid_there(chip: str) -> None:
    link = first(f"sim:{chip}")

    assert link.seen.atr
    assert link.uid()
    assert link.transceive(GET_VERSION) == b""


WRONG = [
    ("sim:", "there is no virtual chip ''"),
    ("sim:ntag999", "there is no virtual chip 'ntag999'"),
    ("sim:ntag213?cuont=3", "sim: knows no option 'cuont'"),
    ("sim:ntag213?count=-1", "count=-1 cannot be used"),
    ("sim:ntag213?count=", "count= cannot be used"),
    ("sim:ntag213?count", "count= cannot be used"),
    ("sim:ntag213?count=²", "count=² cannot be used"),
    ("sim:ntag213?uid=04E1", "uid=04E1 has 2 bytes"),
    ("sim:classic1k?uid=04E10CDA993C80", "uid=04E10CDA993C80 has 7 bytes"),
    ("sim:ntag213?uid=nohex", "uid=nohex cannot be used"),
    ("sim:ntag213?deck=", "deck= cannot be used"),
    ("sim:ntag213?tear=0", "tear=0 cannot be used"),
    ("sim:ntag213?tear=3:gone", "tear=3:gone cannot be used"),
    ("sim:ntag213?tear=3:partial:FF", "tear=3:partial:FF cannot be used"),
    ("sim:ntag213?tear=3:partial:FFFFFFFF:1", "cannot be used"),
    ("sim:ntag213?kill=x", "kill=x cannot be used"),
    ("sim:ntag213?end=never", "end=never cannot be used"),
    ("sim:ntag213?fault=broken", "fault=broken cannot be used"),
    ("sim:desfire?fault=locked", "fault=locked is not for desfire"),
]


@pytest.mark.parametrize(("uri", "message"), WRONG)
def test_a_wrong_uri_is_refused_with_what_is_wrong_and_what_is_right(uri: str, message: str) -> None:
    with pytest.raises(WrongCall) as refused:
        open_reader(uri)

    assert message in refused.value.message
    assert refused.value.hint


def test_every_fault_and_option_of_the_documentation_can_be_read() -> None:
    for fault in Fault:
        assert parse_sim(f"sim:ntag213?fault={fault}").fault is fault
    options = parse_sim(
        "sim:ntag213?count=2&seed=3&start=4&end=wait&tear=5:after&kill=6:partial:0F0F0F0F&deck=x"
    )
    assert options.tear is not None
    assert options.kill is not None
    assert (options.count, options.seed, options.start, options.end) == (2, 3, 4, "wait")
    assert (options.tear.at, options.tear.mode, options.kill.mask) == (5, "after", 0x0F0F0F0F)
