"""Keys and scanned lines from a pseudo-terminal or a pipe, and the terminal given back whatever happens."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.cli.issue_screen import Clock, ScreenView
from rfid_station.cli.keyboard import KEYS, Keyboard, single_keys
from rfid_station.cli.screen import Screen, printable, wrapped
from rfid_station.desk.clerk import Command, Scanned
from rfid_station.desk.tally import Phase, Tally
from rfid_station.domain.card import Driver
from rfid_station.domain.order import OrderLine
from rfid_station.errors import CardRefused

Said = Command | Scanned | None


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ours, theirs = os.pipe()
    yield ours, theirs
    os.close(ours)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    hand, tty = pty.openpty()
    yield hand, tty
    os.close(hand)
    os.close(tty)


def all_said(keyboard: Keyboard, *, scan: bool = True) -> list[Said]:
    said = []
    while (word := keyboard.hear(0, scan=scan)) is not None:
        said.append(word)
    return said


def test_a_terminal_hands_over_each_key_and_is_given_back(terminal: tuple[int, int]) -> None:
    hand, tty = terminal
    before = termios.tcgetattr(tty)
    with single_keys(tty):
        os.write(hand, b"uZ\r")
        assert all_said(Keyboard(tty), scan=False) == [Command.UNDO, Command.OTHER, Command.GO_ON]
        assert termios.tcgetattr(tty) != before
    assert termios.tcgetattr(tty) == before


def test_a_crash_gives_it_back_too(terminal: tuple[int, int]) -> None:
    before = termios.tcgetattr(terminal[1])
    with pytest.raises(ZeroDivisionError), single_keys(terminal[1]):
        _ = 1 / 0
    assert termios.tcgetattr(terminal[1]) == before


@pytest.mark.parametrize("sequence", [b"\x1b[D", b"\x1bOP", b"\x1b[15;2~", b"\x1bd"])
def test_an_arrow_or_a_function_key_is_no_letter(pipe: tuple[int, int], sequence: bytes) -> None:
    os.write(pipe[1], sequence)
    assert all_said(Keyboard(pipe[0])) == [Command.OTHER]


def test_where_numbers_are_scanned_a_key_is_a_line_of_one_letter(pipe: tuple[int, int]) -> None:
    typed: list[str] = []
    keyboard = Keyboard(pipe[0], lines=True, typed_so_far=typed.append)
    os.write(pipe[1], "EXM-0001 ü".encode())
    assert all_said(keyboard) == []
    assert typed == ["EXM-0001 ü"]
    os.write(pipe[1], b"\x7f\x7f\r\nP\n\n")
    said = all_said(keyboard)
    assert said == [Scanned("EXM-0001"), Command.GO_ON, Command.PAUSE, Command.GO_ON]


def test_numbers_from_a_file_wait_until_one_is_asked_for(pipe: tuple[int, int]) -> None:
    keyboard = Keyboard(pipe[0], lines=True, waits_its_turn=True)
    os.write(pipe[1], b"P-1\nP-2")
    os.close(pipe[1])
    assert keyboard.hear(0, scan=False) is None
    keyboard.forget()
    assert keyboard.hear(0, scan=True) == Scanned("P-1")
    assert keyboard.hear(0, scan=True) == Scanned("P-2")
    assert keyboard.is_there
    assert keyboard.hear(0, scan=True) is None
    assert not keyboard.is_there


def test_what_was_typed_ahead_is_forgotten(terminal: tuple[int, int]) -> None:
    hand, tty = terminal
    keyboard = Keyboard(tty)
    with single_keys(tty):
        os.write(hand, b"uu")
        assert keyboard.hear(1, scan=False) is Command.UNDO
        os.write(hand, b"u")
        keyboard.forget()
        assert all_said(keyboard) == []


@given(st.binary(max_size=60))
def test_any_bytes_are_heard_without_harm(data: bytes) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, data)
    os.close(theirs)
    for word in all_said(Keyboard(ours, lines=bool(len(data) % 2))):
        assert isinstance(word, (Command, Scanned))


def test_every_key_has_one_meaning() -> None:
    assert len(set(KEYS.values())) == len(KEYS)


# ── what is drawn ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def drawn(tmp_path: Path) -> Iterator[tuple[ScreenView, Path]]:
    path = tmp_path / "drawn"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    view = ScreenView("fleet.csv", Screen(fd))
    yield view, path
    os.close(fd)


def test_nothing_that_comes_from_outside_moves_the_cursor(drawn: tuple[ScreenView, Path]) -> None:
    view, path = drawn
    view.screen.colours = False
    view.screen.enter()
    name = "\x1b[2J\x07\u202eEve\x9b31m"
    tally = Tally(wanted=1, open_lines={"1": OrderLine("1", Driver(name, "\x1b]0;x\x07"))})
    view.turned(tally)
    view.failed(CardRefused(name), tally)
    view.turned(tally)
    text = path.read_text("utf-8")
    without_ours = text.replace("\x1b[?1049h\x1b[?25l\x1b[2J", "").replace("\a\a", "")
    assert "\u202e" not in text
    assert "\x9b" not in text
    assert "\a" not in without_ours
    assert all(part[:2].rstrip("0123456789;") != "2J" for part in without_ours.split("\x1b[")[1:])


def test_the_bell_rings_once_for_good_and_twice_for_bad_unless_it_is_off(
    drawn: tuple[ScreenView, Path],
) -> None:
    view, path = drawn
    view.failed(CardRefused("no"), Tally())
    assert path.read_bytes() == b"\a\a"
    view.bell = False
    view.failed(CardRefused("no"), Tally())
    assert path.read_bytes() == b"\a\a"


def test_only_lines_that_changed_are_sent(drawn: tuple[ScreenView, Path]) -> None:
    view, path = drawn
    view.screen.enter()
    view.turned(Tally(wanted=3))
    before = path.stat().st_size
    view.turned(Tally(wanted=3))
    assert path.stat().st_size == before
    view.turned(Tally(wanted=4))
    assert 0 < path.stat().st_size - before < 150


@given(st.sampled_from(Phase), st.integers(20, 120), st.integers(5, 40), st.booleans())
def test_every_size_shows_what_to_do_and_the_keys(
    phase: Phase, columns: int, rows: int, has_failed: bool
) -> None:
    view = ScreenView("a title that is long enough to be cut", Screen(-1))
    tally = Tally(wanted=9, phase=Phase.WAITING, open_lines={"1": OrderLine("1", Driver("漢字 Name", "7"))})
    if has_failed:
        for _ in range(3):
            error = CardRefused("card 04…5581 is no blank " * 3, hint="put it aside " * 6)
            tally.failures.append(error)
            view.failed(error, tally)
    view.turned(tally)
    if phase not in (Phase.UNDOING, Phase.SPOILING, Phase.IN_HAND):
        tally.phase = phase
        view.turned(tally)
    picture = view.picture(columns, rows)
    assert len(picture) <= rows
    text = "\n".join("".join(span for span, _ in line) for line in picture)
    if rows >= 8 and tally.phase is not Phase.ENDED:
        assert "q quit" in text
        assert any(word in text for word in ("TAP", "SCAN", "NOT DONE", "PAUSED", "STOPPED"))


@given(st.text(max_size=80), st.integers(5, 40), st.integers(1, 4))
def test_wrapped_text_keeps_its_words(text: str, width: int, most: int) -> None:
    lines = wrapped(text, width, most)
    assert 1 <= len(lines) <= most
    assert [word for line in lines for word in line.split(" ") if word] == [
        word for word in printable(text).split(" ") if word
    ]


def test_a_pause_is_not_counted_as_work() -> None:
    times = iter([0.0, 10.0, 50.0, 60.0])
    clock = Clock(lambda: next(times))
    for is_work in (True, False, True, False):
        clock.run(is_work=is_work)
    assert clock.worked_s == 20
