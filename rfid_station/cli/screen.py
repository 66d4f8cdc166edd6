"""A whole terminal to draw on: lines of styled text, and of those only what changed is sent.

A picture is a list of lines, each a list of spans. Drawing one that differs in a line from the one before
costs that line, which a slow connection notices. The terminal keeps what it showed before us.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import zip_longest
from types import FrameType

from rich.cells import cell_len, set_cell_size

SMALLEST = (20, 5)
FALLBACK = (80, 24)


class Style(StrEnum):
    """How text looks, as the parameters of ECMA-48's SGR."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    BAD = "31"
    ASKING = "33"
    GOOD_BANNER = "1;30;42"
    BAD_BANNER = "1;37;41"
    ASKING_BANNER = "1;30;43"
    CALM_BANNER = "1;37;44"


Span = tuple[str, Style]
Line = tuple[Span, ...]
Picture = Callable[[int, int], Sequence[Line]]
"""Lines for so many columns and rows."""

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_CONTROLS = re.compile(r"[^ -~\u00a0-\U0010ffff]")
_NARROW = re.compile("[ -~✓✗·→…─▸▏]*")
"""Signs of one column: those that we draw with, and ASCII."""
_SIMPLE = str.maketrans({"✓": "+", "✗": "!", "·": "-", "→": ">", "…": "~", "─": "-", "▸": ">"})


def can_be_drawn_on(fd: int, environment: Mapping[str, str]) -> bool:
    """Whether this is a terminal that can do more than take lines."""
    return os.isatty(fd) and environment.get("TERM", "dumb") not in ("dumb", "unknown", "")


def columns_of(text: str) -> int:
    """How many columns a printable text takes."""
    return len(text) if _NARROW.fullmatch(text) else cell_len(text)


@lru_cache(maxsize=512)
def fitted(text: str, width: int) -> str:
    """Text in exactly so many columns, as far as it fits; nothing in it can move the cursor."""
    clean = printable(text)
    wide = columns_of(clean)
    if wide <= width:
        return clean + " " * (width - wide)
    return set_cell_size(clean, max(0, width - 1)) + ("…" if width else "")


def printable(text: str) -> str:
    """Text without anything that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else "?" for sign in _CONTROLS.sub("?", text))


@lru_cache(maxsize=256)
def wrapped(text: str, width: int, most: int) -> tuple[str, ...]:
    """Text in at most so many lines, broken at spaces that may break where that is possible."""
    words = list(filter(None, printable(text).split(" ")))
    whole = " ".join(words)
    if columns_of(whole) <= width:
        return (whole,)
    lines: list[str] = []
    line, used = "", 0
    for word in words:
        wide = columns_of(word)
        if not line:
            line, used = word, wide
        elif used + 1 + wide <= width:
            line, used = f"{line} {word}", used + 1 + wide
        else:
            lines.append(line)
            line, used = word, wide
    lines.append(line)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return tuple(lines)


@lru_cache(maxsize=512)
def _rendered(spans: Line, columns: int, *, colours: bool) -> str:
    """A line as it is sent: in exactly so many columns. Most lines of a picture were in the one before."""
    parts: list[str] = []
    left = columns
    for text, style in spans:
        clean = printable(text)
        wide = columns_of(clean)
        if wide > left:
            clean, wide = fitted(clean, left), left
        left -= wide
        parts.append(f"\x1b[{style}m{clean}\x1b[0m" if style and colours else clean)
    return "".join(parts) + " " * left


@dataclass(slots=True)
class Screen:
    """One terminal, drawn on between `enter` and `leave`."""

    fd: int
    colours: bool = True
    encoding: str = "utf-8"
    _shown: list[str] = field(default_factory=list)
    _picture: Picture | None = None
    _is_entered: bool = False
    _is_stale: bool = False

    def draw(self, picture: Picture) -> None:
        """Show a picture in the terminal's size of now."""
        self._picture = picture
        if not self._is_entered:
            return
        self._is_stale = False
        columns, rows = self.size()
        lines = [_rendered(line, columns, colours=self.colours) for line in picture(columns, rows)[:rows]]
        lines += [" " * columns] * (rows - len(lines))
        changed = [
            f"\x1b[{row};1H{line}"
            for row, (line, before) in enumerate(zip_longest(lines, self._shown[:rows]), start=1)
            if line != before
        ]
        self._shown = lines
        if changed:
            self._send("".join(changed))

    def ring(self, times: int) -> None:
        """Let the terminal's bell be heard."""
        self._send("\a" * times)

    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        try:
            columns, rows = os.get_terminal_size(self.fd)
        except OSError:
            return FALLBACK
        if not columns or not rows:
            return FALLBACK
        return max(columns, SMALLEST[0]), max(rows, SMALLEST[1])

    def enter(self) -> None:
        """Take the whole terminal and draw what there is to be seen."""
        self._is_entered = True
        self._shown = []
        self._send(_ENTER)
        if self._picture:
            self.draw(self._picture)

    def leave(self) -> None:
        """Give it back with what it showed before."""
        if self._is_entered:
            self._is_entered = False
            self._send(_LEAVE)

    def refresh(self) -> None:
        """Draw anew if the terminal has another size now."""
        if self._is_stale and self._picture and self._is_entered:
            self._shown = []
            self._send("\x1b[2J")
            self.draw(self._picture)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have the terminal while the block runs."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @contextmanager
    def noting_its_size(self) -> Iterator[None]:
        """Remember in the block that the size changed, until the next `refresh`."""

        def resized(_number: int, _frame: FrameType | None) -> None:
            self._is_stale = True

        before = signal.signal(signal.SIGWINCH, resized)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)

    def _send(self, text: str) -> None:
        if not self.encoding.lower().replace("-", "").startswith("utf8"):
            text = text.translate(_SIMPLE)
        rest = text.encode(self.encoding, "replace")
        with suppress(OSError):  # a terminal that hung up
            while rest:
                rest = rest[os.write(self.fd, rest) :]
