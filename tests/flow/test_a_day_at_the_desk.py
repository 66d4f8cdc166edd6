"""A whole day at a desk where people sign in, typed at a terminal: from a box of blanks to a report."""

from __future__ import annotations

import csv
import shlex
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pypdfium2
import pytest
from people import PINS
from stations import new_station
from tmux_terminal import Terminal, a_terminal

from rfid_station.desk.people.person import Claim
from rfid_station.desk.station import open_station
from rfid_station.domain.card import Card, CardState

SHELL = Path(__file__).parents[1] / "warm_shell.py"
FLEET = "reference;name;fleet;language\nE1;Anna Bos;Delta;nl\nE2;Bram Dijk;Delta;nl\n"


class Day:
    """What Tess and Sue type, and what lies on the reader."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.folder = terminal, folder
        self._numbers = count(1)
        self._loads = count(1)

    def type(self, *words: str) -> str:
        """Type a command; the words by which its end is known."""
        self.terminal.wipe()
        self.terminal.run(shlex.join(["--station", str(self.folder), *words]))
        return rf"(?m)^{next(self._numbers)}:rc=(\d+)"

    def do(self, *words: str) -> str:
        """Run a command that has to succeed; the screen then."""
        screen = self.terminal.until(self.type(*words))
        assert ":rc=0" in screen, screen
        return screen

    def fails(self, *words: str) -> str:
        screen = self.terminal.until(self.type(*words))
        assert ":rc=0" not in screen, screen
        return screen

    def answer(self, question: str, *typed: str) -> None:
        self.terminal.until(question)
        self.terminal.keys(*typed, "Enter")

    def cards(self) -> list[Card]:
        with open_station(self.folder, Claim(), to_look=True) as station:
            return station.store.cards.listing()


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    folder = new_station(tmp_path / "station")
    (tmp_path / "delta.csv").write_text(FLEET)
    with a_terminal(tmp_path, 150, 50, shell=(sys.executable, str(SHELL))) as terminal:
        yield Day(terminal, folder)


def test_from_the_box_of_blanks_to_the_signed_report(day: Day) -> None:
    sign_in(day)
    blanks_come_in(day)
    make_the_cards(day)
    print_and_pack(day)
    close_the_order(day)
    count_and_report(day)


def sign_in(day: Day) -> None:
    """Sue adds herself and Tess, who begins her shift; before that nothing can be changed."""
    for name, role, by in (("Sue", "supervisor", None), ("Tess", "clerk", "Sue")):
        before = ("--operator", by) if by else ()
        end = day.type(*before, "operator", "add", name, "--role", role)
        if by:
            day.answer(f"PIN of {by}", PINS[by])
        day.answer(f"new PIN of {name}:", PINS[name])
        day.answer(f"new PIN of {name}, again", PINS[name])
        assert "recovery code" in day.terminal.until(end)
    refused = day.fails("order", "create", "delta.csv")
    assert "error: nobody is signed in at desk-1" in refused
    end = day.type("shift", "start", "--operator", "Tess")
    day.answer("PIN of Tess", PINS["Tess"])
    assert "Tess" in day.terminal.until(end)


def blanks_come_in(day: Day) -> None:
    """A lot of twelve, two of which are looked at."""
    receive = ("stock", "receive", "L1", "--supplier", "Maker", "--chip", "NTAG203", "--quantity", "12")
    screen = day.do(*receive, "--reader", "sim:ntag203?count=2&seed=9")
    assert "tap 2 blanks of lot L1" in screen
    assert "ISO 2859-1" in screen
    assert "lot L1 is released" in screen


def make_the_cards(day: Day) -> None:
    """Two cards tapped one by one; the first is taken back, and its line made again."""
    day.do("order", "create", "delta.csv")
    taps = day.folder / "taps"
    reader = f"sim:ntag203?seed=1&deck={day.folder / 'deck.json'}&taps={taps}"
    end = day.type("card", "issue", "--order", "delta", "--reader", reader)
    for number, name in enumerate(("Anna Bos", "Anna Bos", "Bram Dijk"), start=1):
        day.terminal.until(rf"(?i)tap the next card[^\n]* for {name}")
        with taps.open("a") as file:
            file.write("\n")
        if number == 1:
            day.terminal.until(rf"DONE, TAKE IT AWAY[\s\S]*for {name}")
            day.terminal.keys("u")
            day.terminal.until("would be taken back")
            day.terminal.keys("u")
            day.terminal.until("put its plastic aside")
    assert "=0" in day.terminal.until(end)


def print_and_pack(day: Day) -> None:
    """Sheets and letters; a card is tapped, its letter scanned, and a wrong pair is refused."""
    day.do("sheet", "print")
    day.do("letter", "print")
    first, second = (card for card in day.cards() if card.state is CardState.ACTIVE)
    wrong = pack(day, first, second)
    assert f"wrong pair: the card is {first.visual_number}" in wrong
    for card in (first, second):
        assert f"{card.visual_number}  packed" in pack(day, card, card)


def pack(day: Day, card: Card, letter: Card) -> str:
    """Tap a card and scan the letter of one."""
    reader = f"sim:ntag203?uid={card.uid.hex}"
    end = day.type("packing", "run", "--order", "delta", "--reader", reader)
    day.answer("scan its letter", letter.visual_number)
    return day.terminal.until(end)


def close_the_order(day: Day) -> None:
    day.do("order", "dispatch", "delta", "--tracking", "3SDELTA1")
    assert "closed" in day.do("order", "close", "delta")
    assert "found_by" in day.do("card", "find", "3SDELTA1")
    assert "there are no orders" in day.do("order", "list", "--open")


def count_and_report(day: Day) -> None:
    """A blind count finds one missing, which takes Sue; the report says so and is signed by both."""
    end = day.type("stock", "count", "--witness", "Sue")
    day.answer("count: blanks of lot L1", "8")
    day.answer("count once more", "8")
    day.answer("PIN of Sue", PINS["Sue"])
    assert "1 blank missing, seen by Sue" in day.terminal.until(end)
    day.do("shift", "end")
    (table,) = (day.folder / "prints").glob("shift-*.csv")
    lines = csv.DictReader(table.read_text().splitlines())
    rows = {(row["part"], row["name"]): row["value"] for row in lines}
    wanted = {"received": "12", "issued": "3", "missing": "1", "counted": "8"}
    assert {name: rows["lot L1", name] for name in wanted} == wanted
    assert rows["work", "cards packed"] == "2"
    assert rows["balance", "DOES NOT ADD UP"] == "Lot L1: 9 expected, 8 counted: 1 missing."
    (pdf,) = (day.folder / "prints").glob("shift-*.pdf")
    text = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()
    assert "Supervisor, date" in text
    with open_station(day.folder, Claim(), to_look=True) as station:
        assert station.store.audit.check().is_sound
