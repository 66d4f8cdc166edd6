"""The PC/SC driver on a real pcscd with the vpcd driver, and virtual cards on it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pcsc_fixtures import HandProcess

from rfid_station.chip.exchange import CardLink
from rfid_station.errors import CardLost, CardRefused, NoReader, ReaderBusy, WrongCall
from rfid_station.reader.opening import list_readers, open_reader
from rfid_station.reader.pcsc import PcscLink, PcscReader
from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd

FIRST, SECOND = bytes.fromhex("04E10CDA993C80"), bytes.fromhex("04112233445580")
GET_VERSION, READ_CC = b"\x60", b"\x30\x03"
ACK, NAK = b"\x0a", b"\x00"

PATIENCE_S = 60.0

Tap = Callable[[], PcscLink]


@pytest.fixture
def reader(pcscd: PrivatePcscd) -> Iterator[PcscReader]:
    opened = open_reader(f"pcsc:{pcscd.reader}")
    assert isinstance(opened, PcscReader)
    yield opened
    opened.close()


@pytest.fixture
def tap(reader: PcscReader) -> Tap:
    """The next card that comes; fails when none does."""

    def next_card() -> PcscLink:
        deadline = time.monotonic() + PATIENCE_S
        link = next(iter(reader.cards(lambda: time.monotonic() > deadline)), None)
        assert isinstance(link, PcscLink), "no card came"
        return link

    return next_card


def comes_within(reader: PcscReader, seconds: float) -> CardLink | None:
    deadline = time.monotonic() + seconds
    return next(iter(reader.cards(lambda: time.monotonic() > deadline)), None)


def ntag(uid: bytes = FIRST) -> VirtualCard:
    return new_card("ntag213", uid)


def test_readers_are_listed_with_the_string_that_opens_them(pcscd: PrivatePcscd) -> None:
    first, second = list_readers()

    assert (first.uri, first.name, first.trouble) == (f"pcsc:{pcscd.reader}", pcscd.reader, None)
    assert second.name == "Virtual PICC 00 01"
    assert open_reader(first.uri).uri == first.uri


def test_a_part_of_the_name_opens_it_if_no_other_has_it(pcscd: PrivatePcscd) -> None:
    assert open_reader("pcsc: picc 00 01 ").uri == "pcsc:Virtual PICC 00 01"
    with pytest.raises(WrongCall, match="pcsc:PICC may be any of 'Virtual PICC 00 00', 'Virtual PICC 00 01'"):
        open_reader("pcsc:PICC")
    with pytest.raises(WrongCall, match="pcsc: may be any of"):
        open_reader("pcsc:")
    with pytest.raises(NoReader, match="no reader is called ACR122U") as missing:
        open_reader("pcsc:ACR122U")
    assert missing.value.hint is not None
    assert "'pcsc:Virtual PICC 00 00'" in missing.value.hint


def test_slots_for_chip_modules_are_not_for_cards(pcscd: PrivatePcscd) -> None:
    with PrivatePcscd("ACS ACR1252 SAM Reader") as other:
        code = "from rfid_station.reader.opening import *\nfor r in list_readers(): print(r.name, r.trouble)"
        listed = subprocess.run(
            [sys.executable, "-c", code], env=other.environment, capture_output=True, text=True, timeout=30
        )

    assert listed.stdout.splitlines() == [
        f"ACS ACR1252 SAM Reader 00 0{slot} a slot for chip modules: no card is tapped here"
        for slot in (0, 1)
    ]


def test_a_card_that_lies_there_is_read_written_and_restarted(picc: VirtualPcscReader, tap: Tap) -> None:
    card = ntag()
    picc.insert(card)

    link = tap()

    assert link.raw
    assert link.uid() == FIRST
    assert link.seen.atr.hex().upper() == "3B8F8001804F0CA0000003060300030000000068"
    assert link.transceive(GET_VERSION).hex().upper() == "0004040201000F03"
    assert len(link.transceive(b"\x3a\x00\x2c")) == 180
    assert link.transceive(b"\xa2\x04mine") == ACK
    assert link.transceive(b"\xa2\x00mine") == NAK
    assert link.transceive(READ_CC) == b""
    assert link.restart_field() == FIRST
    assert link.transceive(READ_CC)[:8] == b"\xe1\x10\x12\x00mine"
    assert (link.exchanges, link.field_restarts) == (6, 1)


def test_a_field_restart_takes_power_from_the_card(picc: VirtualPcscReader, tap: Tap) -> None:
    picc.insert(ntag())
    link = tap()
    link.transceive(bytes.fromhex("A229040000FF"))
    link.transceive(bytes.fromhex("A22A90050000"))
    link.transceive(bytes.fromhex("A22904000004"))
    assert link.transceive(b"\x30\x04") != NAK

    link.restart_field()

    assert link.transceive(b"\x30\x04") == NAK


def test_a_card_left_lying_is_not_a_new_card_and_the_same_card_laid_there_again_is(
    picc: VirtualPcscReader, tap: Tap, reader: PcscReader
) -> None:
    card = ntag()
    picc.insert(card)
    tap().restart_field()
    assert comes_within(reader, 0.6) is None

    picc.insert(card)

    assert tap().uid() == FIRST


def test_an_exchange_of_cards_of_the_same_type_is_noticed(picc: VirtualPcscReader, tap: Tap) -> None:
    picc.insert(ntag(FIRST))
    before = tap()
    assert before.uid() == FIRST

    picc.insert(ntag(SECOND))
    now = tap()

    assert now.uid() == SECOND
    assert now.seen.atr == before.seen.atr
    with pytest.raises(CardLost):
        before.uid()


def test_a_card_taken_away_in_the_middle_is_lost(picc: VirtualPcscReader, tap: Tap) -> None:
    picc.insert(ntag())
    link = tap()
    assert link.transceive(GET_VERSION)

    picc.remove()

    for ask in (lambda: link.transceive(GET_VERSION), link.uid, link.restart_field):
        with pytest.raises(CardLost, match=r"card 04…3C80 left reader Virtual PICC 00 00") as lost:
            ask()
        assert lost.value.hint


def test_a_card_torn_away_comes_again_with_what_it_has(picc: VirtualPcscReader, tap: Tap) -> None:
    card = ntag()
    # The first card of a reader is read twice to find out whether frames go through.
    picc.insert(card, mishap=Mishap(4, Tear(TornMode.PARTIAL, 0xF0F0F0F0), leaves=True))
    link = tap()
    assert link.transceive(GET_VERSION)
    with pytest.raises(CardLost):
        link.transceive(bytes.fromhex("A204FFFFFFFF"))
    picc.insert(card)

    again = tap()

    assert again.uid() == FIRST
    assert again.transceive(b"\x30\x04")[:4].hex() == "f0f0f0f0"


def test_another_card_after_a_field_restart_is_named(picc: VirtualPcscReader, tap: Tap) -> None:
    picc.insert(new_card("random", FIRST))
    link = tap()

    with pytest.raises(CardLost, match=r"now holds card 08…\w{4} instead of 08…\w{4}"):
        link.restart_field()


@pytest.mark.parametrize("chip", ["classic1k", "desfire"])
def test_cards_that_a_desk_refuses_come_with_uid_and_atr(
    picc: VirtualPcscReader, tap: Tap, chip: str
) -> None:
    card = new_card(chip, FIRST[:4] if chip == "classic1k" else FIRST)
    picc.insert(card)

    link = tap()

    assert link.uid() == card.uid
    assert link.seen.atr
    assert not link.raw


HOLD = """
import sys
from smartcard.scard import *
context = SCardEstablishContext(SCARD_SCOPE_USER)[1]
result, card, protocol = SCardConnect(context, sys.argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_ANY)
print(result, flush=True)
sys.stdin.read()
"""


def test_a_reader_held_by_another_program_is_busy(
    pcscd: PrivatePcscd, picc: VirtualPcscReader, reader: PcscReader
) -> None:
    picc.insert(ntag())
    assert comes_within(reader, PATIENCE_S)
    reader.close()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, pcscd.reader], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "0\n"
        with pytest.raises(ReaderBusy, match="another program holds reader Virtual PICC 00 00") as busy:
            comes_within(PcscReader(pcscd.reader), PATIENCE_S)
        assert busy.value.hint
        other.communicate("")

    with closing(PcscReader(pcscd.reader)) as another:
        assert comes_within(another, PATIENCE_S) is not None


def test_a_restart_of_pcscd_while_waiting_is_survived(
    pcscd: PrivatePcscd, picc: VirtualPcscReader, reader: PcscReader, tap: Tap
) -> None:
    assert comes_within(reader, 0.3) is None

    pcscd.restart()
    picc.insert(ntag())

    assert tap().uid() == FIRST


def test_waiting_goes_on_while_pcscd_is_away(
    pcscd: PrivatePcscd, picc: VirtualPcscReader, reader: PcscReader, tap: Tap
) -> None:
    pcscd.stop()
    picc.insert(ntag())
    assert comes_within(reader, 0.5) is None

    pcscd.start()

    assert tap().uid() == FIRST


def test_a_restart_of_pcscd_makes_no_new_card_of_the_one_that_lies_there(
    pcscd: PrivatePcscd, picc: VirtualPcscReader, reader: PcscReader, tap: Tap
) -> None:
    picc.insert(ntag(FIRST))
    tap()
    pcscd.restart()
    assert comes_within(reader, 1.2) is None

    picc.insert(ntag(SECOND))

    assert tap().uid() == SECOND


def test_a_restart_of_pcscd_in_the_middle_loses_the_card_which_then_comes_again(
    pcscd: PrivatePcscd, picc: VirtualPcscReader, tap: Tap
) -> None:
    picc.insert(ntag())
    link = tap()

    pcscd.restart()

    with pytest.raises(CardLost, match="service not available"):
        link.transceive(GET_VERSION)
    assert tap().uid() == FIRST


def test_a_reader_without_raw_path_reads_and_writes_and_says_what_it_lacks(
    picc: VirtualPcscReader, tap: Tap
) -> None:
    picc.transparent = False
    picc.insert(ntag())
    link = tap()

    assert not link.raw
    assert link.uid() == FIRST
    assert link.transceive(READ_CC)[:4].hex() == "e1101200"
    assert link.transceive(b"\xa2\x04mine") == ACK
    assert link.transceive(b"\xa2\x00mine") == b""
    assert link.transceive(b"\x30\x04")[:4] == b"mine"
    assert link.restart_field() == FIRST
    with pytest.raises(CardRefused, match="reader Virtual PICC 00 00 does not pass on command 60") as refused:
        link.transceive(GET_VERSION)
    assert refused.value.hint


def test_an_exchange_takes_well_under_a_millisecond(picc: VirtualPcscReader, tap: Tap) -> None:
    picc.insert(ntag())
    link = tap()
    took_s = []
    for _ in range(200):
        started = time.perf_counter()
        link.transceive(READ_CC)
        took_s.append(time.perf_counter() - started)

    assert sorted(took_s)[100] < 0.005, "40 ms would be a delayed acknowledgement"


KILLED = """
import sys
from rfid_station.reader.opening import open_reader

print("ready", flush=True)
sys.stdin.readline()
for link in open_reader(sys.argv[1]).cards(bool):
    for page in range(4, 8):
        link.transceive(bytes([0xA2, page]) + b"DONE")
    print("survived", flush=True)
"""


def test_the_card_survives_the_station_that_is_killed(
    pcscd: PrivatePcscd, start_hand: Callable[..., HandProcess], tap: Tap, tmp_path: Path
) -> None:
    deck = tmp_path / "deck.json"
    hand = start_hand("--deck", str(deck), "--seed", "1")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, f"pcsc:{pcscd.reader}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as station:
        assert station.stdout is not None
        assert station.stdout.readline() == "ready\n"
        # Two frames find out about the reader, and the fifth is the third write.
        laid = hand.tell(f"next kill=5:after:{station.pid}")
        assert station.communicate("\n", timeout=PATIENCE_S) == ("", None)
    assert station.returncode == -9
    assert hand.tell("count") == "exchanges 5"
    assert hand.tell("again") == laid

    link = tap()

    assert laid == f"laid {link.uid().hex().upper()}"
    assert link.transceive(b"\x30\x04")[:16] == b"DONEDONEDONE" + bytes(4)
    assert hand.tell("away") == "lifted"
    assert hand.tell("dance") == "unknown: dance"


def test_a_hand_lays_the_next_card_when_the_station_lets_go(
    start_hand: Callable[..., HandProcess], tap: Tap, reader: PcscReader
) -> None:
    hand = start_hand("--hands-free", "--count", "3")
    uids = set()
    for busy_s in (0.0, 0.15, 0.3):
        link = tap()
        link.transceive(GET_VERSION)
        link.restart_field()
        uids.add(link.uid())
        # pcscd looks at the card every 0.4 s: the longer the work, the sooner after it was let go.
        until = time.monotonic() + busy_s
        while time.monotonic() < until:
            link.transceive(READ_CC)

    assert len(uids) == 3
    reader.close()
    assert hand.end() == 0
