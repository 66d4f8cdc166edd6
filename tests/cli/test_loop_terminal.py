"""The station loop as a clerk sees it: real terminals, real keys, virtual cards tapped one by one."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from station_captures import captures, documented, normal
from stations import CLERK
from tmux_terminal import Terminal, a_terminal, station_command

from rfid_station.desk.station import open_station
from rfid_station.domain.card import Card, CardState, Reason

FLEET = "reference,name,fleet,language\n1,Anna Bos,F,nl\n2,Bram Dijk,F,nl\n3,Chloé Roy,F,fr\n4,Dirk Vos,F,\n"
SHELL = Path(__file__).parents[1] / "warm_shell.py"
SAME = 'stty -g > before; {}; echo rc $?; stty -g > after; cmp before after && echo as it w""as'


class Desk:
    """A clerk's terminal, a hand that taps cards, and the store behind it."""

    def __init__(self, terminal: Terminal, folder: Path, **environment: str) -> None:
        self.terminal, self.folder, self._environment = terminal, folder, environment
        self.fleet = folder / "fleet.csv"
        self.fleet.write_text(FLEET)
        self._taps = folder / "taps"

    @property
    def reader(self) -> str:
        return f"sim:ntag213?seed=1&deck={self.folder / 'deck.json'}&taps={self._taps}"

    def issue(self) -> None:
        """Begin the run; where the terminal is in the same modes after it, `as it was` is said."""
        given = [f"{name}={value}" for name, value in self._environment.items()]
        self.terminal.run(shlex.join([*given, "--station", str(self.folder), *self.run]))

    @property
    def run(self) -> list[str]:
        return ["card", "issue", str(self.fleet), "--reader", self.reader]

    def tap(self, what: str = "") -> None:
        with self._taps.open("a") as file:
            file.write(f"{what}\n")

    def cards(self) -> list[Card]:
        with open_station(self.folder, CLERK) as station:
            assert station.store.audit.check().is_sound
            return station.store.cards.listing()

    def states(self) -> list[tuple[str | None, CardState, Reason | None]]:
        return [(card.order_line, card.state, card.reason) for card in self.cards()]


class DeskWithSh(Desk):
    """The program is started by the system's shell, as a process that begins at the beginning."""

    def issue(self) -> None:
        self.terminal.run(SAME.format(station_command(self.folder, *self.run)))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal at which one test after the other sits down: its shell has read in the program."""
    with a_terminal(tmp_path_factory.mktemp("warm"), shell=(sys.executable, str(SHELL))) as terminal:
        yield terminal


@pytest.fixture
def rising(folder: Path) -> Path:
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('order = "random"', 'order = "rising"'))
    return folder


@pytest.fixture
def desk_at(warm: Terminal, rising: Path) -> Iterator[Callable[..., Desk]]:
    def sit_down(columns: int = 80, rows: int = 24, **environment: str) -> Desk:
        warm.resize(columns, rows)
        warm.wipe()
        return Desk(warm, rising, **environment)

    yield sit_down
    warm.kill_what_runs()


@pytest.fixture
def desk_with_sh(rising: Path, tmp_path: Path) -> Iterator[Desk]:
    with a_terminal(tmp_path) as terminal:
        yield DeskWithSh(terminal, rising)


def by_hand(folder: Path) -> None:
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))


def test_a_run_from_tap_to_tap_with_every_key(desk_at: Callable[..., Desk]) -> None:
    desk = desk_at()
    by_hand(desk.folder)
    terminal = desk.terminal
    desk.issue()
    first = terminal.until("TAP THE NEXT CARD")
    assert "tap the next card: EXM-0000-0001-3 for Anna Bos (1)" in first
    assert "0/4 made · 4 left" in first
    terminal.keys("s")
    terminal.until(r"tap the next card: EXM-0000-0001-3 for Bram Dijk \(2\)")
    desk.tap()
    done = terminal.until("DONE, TAKE IT AWAY")
    assert "EXM-0000-0001-3 for Bram Dijk (2)" in done
    assert "1/4 made · 3 left" in done
    assert re.search(r"identify \d+ ms → reserve \d+ ms → plan \d+ ms → write \d+ ms", done)

    desk.tap("again")
    terminal.until("EXM-0000-0001-3 is made already: take it away")
    terminal.keys("u")
    terminal.until("EXM-0000-0001-3 for Bram Dijk .2. would be taken back")
    terminal.keys("n")
    terminal.until("nothing was changed")
    terminal.keys("u")
    terminal.until("would be taken back")
    terminal.keys("u")
    terminal.until(r"EXM-0000-0001-3 is spoiled: put its plastic aside[\s\S]*0002-1 for Bram Dijk")

    terminal.keys("p")
    terminal.until("PAUSED: TAPS DO NOTHING")
    desk.tap("tear=9:before")
    terminal.keys("p")
    terminal.until("NOT DONE[\\s\\S]*left reader[\\s\\S]*lay the same card")
    terminal.keys("x")
    terminal.until("EXM-0000-0002-1 for Bram Dijk .2. would be given up")
    terminal.keys("d")
    terminal.until(r"EXM-0000-0002-1 is spoiled[\s\S]*0003-7 for Bram Dijk")
    terminal.keys("q")
    terminal.until(r"rc=\d+, terminal as it was")
    assert desk.states() == [
        ("fleet:2", CardState.SPOILED, Reason.MISPRINT),
        ("fleet:2", CardState.SPOILED, Reason.DAMAGED),
    ]


def test_an_active_card_that_is_taken_back_is_replaced_by_the_next_blank(
    desk_at: Callable[..., Desk],
) -> None:
    desk = desk_at()
    desk.issue()
    desk.terminal.until("TAP THE NEXT")
    desk.tap()
    desk.terminal.until("DONE, TAKE IT AWAY")
    desk.terminal.keys("u")
    desk.terminal.until("TAKE THE LAST CARD BACK")
    desk.terminal.keys("u")
    desk.terminal.until("is replaced: put its plastic aside")
    desk.tap()
    desk.terminal.until("✓ EXM-0000-0002-1 for Anna Bos")
    desk.terminal.keys("q")
    desk.terminal.until("as it was")
    old, new = desk.cards()
    assert (old.state, old.reason, new.state) == (CardState.REPLACED, Reason.DAMAGED, CardState.ACTIVE)
    assert (old.contract_id, new.replaces) == (new.contract_id, old.id)


def test_a_small_terminal_without_colour_says_it_all_and_may_grow(desk_at: Callable[..., Desk]) -> None:
    desk = desk_at(40, 12, NO_COLOR="1")
    desk.issue()
    desk.terminal.until("TAP THE NEXT CARD")
    for number in (1, 2):
        desk.tap()
        desk.terminal.until(f"{number}/4")
    desk.tap("fault=foreign")
    small = desk.terminal.until("NOT DONE")
    assert re.search(r"2/4 · 2 left · \d+/h · 1 fail", small.splitlines()[0])
    assert "is no blank: it carries" in small
    assert "u undo s skip x spoil p pause q quit" in small.splitlines()[11]
    assert "\x1b[" not in desk.terminal.tell("capture-pane", "-p", "-e")
    desk.terminal.resize(100, 30)
    large = desk.terminal.until(r"(?s)2/4 made · 2 left · \d+/h · 1 failed.*q quit\s*$")
    assert "u undo   s skip" in large.splitlines()[29]
    desk.terminal.resize(30, 8)
    desk.terminal.until(r"(?s)^2/4 · 2 left")
    desk.terminal.keys("q")
    desk.terminal.until("as it was")


def test_three_failures_stop_the_loop_and_a_key_goes_on(desk_at: Callable[..., Desk]) -> None:
    desk = desk_at()
    desk.issue()
    desk.terminal.until("TAP THE NEXT")
    for fault in ("foreign", "locked", "used"):
        desk.tap(f"fault={fault}")
    braked = desk.terminal.until("STOPPED: THREE FAILURES IN A ROW")
    assert "other-msp" in braked
    assert "cannot be written" in braked
    assert "data of somebody else" in braked
    desk.tap()
    desk.terminal.keys("Enter")
    desk.terminal.until("1/4 made")
    desk.terminal.keys("q")
    desk.terminal.until("as it was")


def test_a_station_killed_with_a_card_in_hand_finishes_it_by_the_same_command(desk_with_sh: Desk) -> None:
    desk = desk_with_sh
    desk.issue()
    desk.terminal.until("TAP THE NEXT")
    desk.tap("kill=9:after")
    desk.terminal.until("rc 137")
    (begun,) = desk.cards()
    assert begun.state is CardState.ENCODING
    desk._taps.write_text("")
    desk.terminal.run("stty sane; reset; clear")
    desk.issue()
    desk.terminal.until("TAP THE NEXT")
    desk.tap()
    desk.terminal.until("finished from before")
    desk.terminal.keys("q")
    desk.terminal.until("as it was")
    (made,) = desk.cards()
    assert (made.id, made.state) == (begun.id, CardState.ACTIVE)


def test_ctrl_c_finishes_the_card_in_hand_and_ctrl_z_lends_the_terminal(desk_with_sh: Desk) -> None:
    desk = desk_with_sh
    terminal = desk.terminal
    terminal.run("stty -g > before")
    terminal.run(station_command(desk.folder, *desk.run))
    terminal.until("TAP THE NEXT")
    terminal.keys("C-z")
    terminal.until("Stopped")
    terminal.run('stty -g > after; cmp before after && echo as it w""as')
    terminal.until("as it was")
    terminal.run("fg")
    terminal.until("TAP THE NEXT")
    desk.tap("fault=slow")
    terminal.until("LEAVE THE CARD WHERE IT IS")
    terminal.keys("C-c")
    terminal.until("1 card made")
    terminal.run('echo rc $?; stty -g > after; cmp before after && echo it is ag""ain')
    terminal.until("rc 130[\\s\\S]*it is again")
    assert [state for _, state, _ in desk.states()] == [CardState.ACTIVE]


def test_a_terminal_that_is_dumb_gets_lines_and_takes_keys(desk_at: Callable[..., Desk]) -> None:
    desk = desk_at(80, 40, TERM="dumb")
    desk.issue()
    desk.terminal.until("tap the next card: EXM-0000-0001-3 for Anna Bos")
    desk.tap()
    desk.terminal.until("ok    1/4  EXM-0000-0001-3")
    desk.terminal.keys("p")
    desk.terminal.until("paused: taps do nothing .p go on")
    desk.terminal.keys("q")
    desk.terminal.until("as it was")


def test_a_crash_gives_the_terminal_back(desk_at: Callable[..., Desk]) -> None:
    desk = desk_at()
    desk.issue()
    desk.terminal.until("TAP THE NEXT")
    desk.tap("no-such-option=1")
    desk.terminal.until(r"knows no option[\s\S]*rc=2, terminal as it was")


def test_a_log_gets_plain_lines_and_the_input_of_a_script_is_left_alone(folder: Path) -> None:
    script = (
        station_command(folder, "card", "issue", "--reader", "sim:ntag213?count=2")
        + '; read line; echo "$line is left"'
    )
    done = subprocess.run(["sh", "-c", script], input="q\n", capture_output=True, text=True, timeout=60)
    assert done.stdout == "q is left\n"
    assert "\x1b" not in done.stderr
    assert "\a" not in done.stderr
    assert [line[:4] for line in done.stderr.splitlines()] == [
        "the ",
        "tap ",
        "ok  ",
        "tap ",
        "ok  ",
        "tap ",
        "2 ca",
    ]


def test_the_screens_in_the_docs_are_what_is_seen(tmp_path: Path) -> None:
    seen = captures(tmp_path)
    shown = documented()
    assert shown.keys() == seen.keys()
    for name, screen in seen.items():
        assert normal(shown[name]) == normal(screen), name
