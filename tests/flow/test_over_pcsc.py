"""The desk on a real pcscd: cards laid, pulled and laid again by another process; the station killed.

Frames are counted with the two that find out whether the reader passes raw frames on: 5 is the first write.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pcsc_fixtures import HandProcess
from stations import CLERK
from warm_program import WarmProgram

from rfid_station.desk.station import open_station
from rfid_station.domain.card import CardState
from rfid_station.simulator.readers.pcscd import PrivatePcscd

PATIENCE_S = 60


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    return tmp_path / "deck.json"


@pytest.fixture
def hand(start_hand: Callable[..., HandProcess], deck: Path) -> HandProcess:
    return start_hand("--deck", str(deck))


@pytest.fixture
def desk(folder: Path, pcscd: PrivatePcscd) -> Iterator[Callable[..., WarmProgram]]:
    """Start `card issue` as a clerk does, in a process of its own."""
    started: list[WarmProgram] = []

    def start(*options: str) -> WarmProgram:
        command = ["--station", str(folder), "card", "issue", "--reader", f"pcsc:{pcscd.reader}", *options]
        started.append(WarmProgram(*command))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def heard(process: WarmProgram, pattern: str) -> str:
    """Read what the station says until it says this."""
    for line in process.stderr:
        if re.search(pattern, line):
            return line
    raise AssertionError(f"the station ended with {process.wait(PATIENCE_S)} and never said {pattern}")


def cards(folder: Path) -> list[tuple[CardState, str]]:
    with open_station(folder, CLERK) as station:
        assert station.store.audit.check().is_sound
        return [(card.state, card.contract_id.compact) for card in station.store.cards.listing()]


ONE_CARD = [(CardState.ACTIVE, "NLEXMC00000001")]


def test_a_card_left_lying_is_made_once_and_the_next_one_is_another(
    hand: HandProcess, desk: Callable[..., WarmProgram], folder: Path
) -> None:
    station = desk("--count", "2", "--json")
    heard(station, "tap the next card")
    first = hand.tell("next").removeprefix("laid ")
    heard(station, "ok    1/2")
    second = hand.tell("next").removeprefix("laid ")
    heard(station, "ok    2/2")
    out, _ = station.communicate(timeout=PATIENCE_S)
    assert station.returncode == 0
    assert [json.loads(line)["uid"] for line in out.splitlines()] == [first, second]
    assert [state for state, _ in cards(folder)] == [CardState.ACTIVE, CardState.ACTIVE]


@pytest.mark.parametrize("strike", ["8:partial", "15:after"])
def test_a_card_pulled_away_is_finished_when_it_is_laid_again(
    hand: HandProcess, desk: Callable[..., WarmProgram], folder: Path, strike: str
) -> None:
    station = desk("--count", "1")
    heard(station, "tap the next card")
    hand.tell(f"next tear={strike}")
    heard(station, "fail ")
    hand.tell("again")
    heard(station, "ok    1/1")
    station.communicate(timeout=PATIENCE_S)
    assert station.returncode == 0
    assert cards(folder) == ONE_CARD


@pytest.mark.parametrize("strike", ["5:after", "10:partial"])
def test_a_station_that_is_killed_goes_on_with_the_card_that_still_lies_there(
    hand: HandProcess, desk: Callable[..., WarmProgram], folder: Path, strike: str
) -> None:
    station = desk("--count", "1")
    heard(station, "tap the next card")
    hand.tell(f"next kill={strike}:{station.pid}")
    assert station.wait(PATIENCE_S) == -signal.SIGKILL
    hand.tell("again")
    second = desk("--count", "1")
    heard(second, "finished from before")
    second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0
    assert cards(folder) == ONE_CARD


def test_ctrl_c_while_waiting_ends_with_130(desk: Callable[..., WarmProgram], folder: Path) -> None:
    station = desk()
    heard(station, "tap the next card")
    station.send_signal(signal.SIGINT)
    station.communicate(timeout=PATIENCE_S)
    assert station.returncode == 130
    assert cards(folder) == []


def test_a_reader_that_another_program_holds_is_said_with_a_hint(
    hand: HandProcess, desk: Callable[..., WarmProgram], pcscd: PrivatePcscd, folder: Path
) -> None:
    hand.tell("next")
    holder = "from smartcard import scard as s, System; import sys, time\n" + (
        "c = s.SCardEstablishContext(s.SCARD_SCOPE_USER)[1]\n"
        f"card = (c, {pcscd.reader!r}, s.SCARD_SHARE_EXCLUSIVE, s.SCARD_PROTOCOL_T1)\n"
        "while s.SCardConnect(*card)[0]: time.sleep(.05)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        station = desk("--count", "1")
        _, said = station.communicate(timeout=PATIENCE_S)
        other.communicate("")
    assert station.returncode == 3
    assert "error: another program holds reader Virtual PICC 00 00" in said
    assert "\nhint: " in said
    assert cards(folder) == []
