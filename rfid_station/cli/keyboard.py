"""A clerk's keys: single ones on a terminal, lines where a number may be scanned or nothing is a terminal.

A barcode scanner is a keyboard that types a number and presses Enter, so where numbers are scanned a key
is a line of one letter. The terminal is given back as it was found, whatever ends the block, and lent
out again while the program is stopped by Ctrl-Z.
"""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import termios
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from rfid_station.desk.clerk import Command, Scanned

KEYS = {
    "u": Command.UNDO,
    "s": Command.SKIP,
    "x": Command.SPOIL,
    "p": Command.PAUSE,
    "q": Command.QUIT,
    "d": Command.DAMAGED,
    "m": Command.MISPRINT,
    "e": Command.ENCODE_FAILED,
}

_ENDS = "\r\n"
_GO_ON = " " + _ENDS
_RUBOUTS = "\x7f\b"
_END_OF_INPUT = "\x04"
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What an arrow or a function key sends: one key, whose letters mean nothing."""
_LONGEST = 500
"""Characters in a line: more than any code that a scanner reads."""


def is_ours(fd: int) -> bool:
    """Whether this is a terminal, and we are in front: another program's terminal is left alone."""
    try:
        return os.isatty(fd) and os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


@dataclass(slots=True)
class Keyboard:
    """Keys and lines from a file descriptor, one word at a time. Never waits longer than it is told to."""

    fd: int
    lines: bool = False
    """Whether a key is a line of one letter, and any other line a number."""
    waits_its_turn: bool = False
    """Whether a line stays where it is until a number is asked for, as in a file of numbers."""
    typed_so_far: Callable[[str], None] = lambda _text: None
    """Told of the line that is being typed, where nobody else shows it."""
    is_there: bool = True
    _said: deque[Command | Scanned] = field(default_factory=deque)
    _line: str = ""
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def hear(self, wait_s: float, *, scan: bool) -> Command | Scanned | None:
        """What was said next, if anything is within this time."""
        if self.waits_its_turn and not scan:
            return None
        if not self._said:
            self._read(wait_s)
        said = self._said.popleft() if self._said else None
        if said is None and not self._can_read:
            self.is_there = False
        return said

    def forget(self) -> None:
        """Leave what was typed ahead; a file of numbers is not typed."""
        if not self.waits_its_turn and self._can_read:
            self._said.clear()
            self._line = ""
            with suppress(termios.error):
                termios.tcflush(self.fd, termios.TCIFLUSH)

    @property
    def _can_read(self) -> bool:
        return self.fd >= 0

    def _read(self, wait_s: float) -> None:
        if not self._can_read or not select.select([self.fd], [], [], wait_s)[0]:
            return
        data = b""
        with suppress(OSError):  # a terminal that hung up
            data = os.read(self.fd, 4096)
        if not data:
            self._end()
            return
        for sign in _SEQUENCE.sub("\0", self._decoder.decode(data)):
            self._take(sign)
        if self.lines:
            self.typed_so_far(self._line)

    def _end(self) -> None:
        self.fd = -1
        self._finish_line()

    def _take(self, sign: str) -> None:
        if not self.lines:
            self._said.append(Command.GO_ON if sign in _GO_ON else KEYS.get(sign.lower(), Command.OTHER))
        elif sign in _ENDS:
            self._finish_line(is_key=True)
        elif sign in _RUBOUTS:
            self._line = self._line[:-1]
        elif sign == _END_OF_INPUT:
            self._end()
        elif sign.isprintable() and len(self._line) < _LONGEST:
            self._line += sign

    def _finish_line(self, *, is_key: bool = False) -> None:
        line, self._line = self._line.strip(), ""
        if line:
            self._said.append(KEYS.get(line.lower()) or Scanned(line))
        elif is_key:
            self._said.append(Command.GO_ON)


@contextmanager
def single_keys(
    fd: int, *, leave: Callable[[], None] = lambda: None, back: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Let the terminal hand over each key at once, unseen, while the block runs.

    :param leave: called before the terminal is given back
    :param back: called when the program has it again
    """
    before = termios.tcgetattr(fd)

    def take() -> None:
        mode = termios.tcgetattr(fd)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        termios.tcsetattr(fd, termios.TCSADRAIN, mode)
        back()

    def give_back() -> None:
        leave()
        with suppress(termios.error):  # it hung up: nobody is there to give it back to
            termios.tcsetattr(fd, termios.TCSADRAIN, before)

    def stopped(number: int, _frame: FrameType | None) -> None:
        give_back()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def continued(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTSTP, stopped)
        if is_ours(fd):
            take()

    handlers = {
        signal.SIGTSTP: signal.signal(signal.SIGTSTP, stopped),
        signal.SIGCONT: signal.signal(signal.SIGCONT, continued),
    }
    take()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        give_back()
