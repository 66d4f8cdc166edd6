"""Where the station loop meets its clerk: which view there is, and where commands come from.

A terminal that can be drawn on gets the screen, anything else a line a card. Keys are read where standard
input is a terminal that is ours to read; from anywhere else only numbers are, and those only if they are
asked for: a script's input is left alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TextIO

from rfid_station.cli.issue_screen import ScreenView
from rfid_station.cli.issue_view import PlainView
from rfid_station.cli.keyboard import Keyboard, is_ours, single_keys
from rfid_station.cli.output import talk
from rfid_station.cli.screen import Screen, can_be_drawn_on
from rfid_station.desk.clerk import Clerk, Command, Nobody, Scanned
from rfid_station.desk.loop import View

LAST_SHOWN = 10
"""Cards that stay to be read in the terminal when the screen has gone."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was chosen about how the loop looks and is spoken to."""

    title: str
    bell: bool
    scans: bool
    """Whether numbers are scanned."""
    plain: bool
    """Whether lines are wanted, even on a terminal."""


@contextmanager
def desk_terminal(look: Look) -> Iterator[tuple[View, Clerk]]:
    """The view and the clerk for a run; the terminal is given back as it was found."""
    fd = _fd(sys.stdin)
    keys = Keyboard(fd, lines=look.scans) if is_ours(fd) else None
    clerk = keys or (Keyboard(fd, lines=True, waits_its_turn=True) if look.scans else Nobody())
    screen = Screen(_fd(sys.stderr), "NO_COLOR" not in os.environ, sys.stderr.encoding or "ascii")
    if look.plain or not can_be_drawn_on(screen.fd, os.environ):
        with single_keys(fd) if keys else nullcontext():
            rings = look.bell and os.isatty(screen.fd)
            yield PlainView(screen.ring if rings else _not_at_all, has_keys=keys is not None), clerk
        return
    view = ScreenView(look.title, screen, look.bell, has_keys=keys is not None)
    if keys:
        keys.typed_so_far = view.typed
    drawn_on = single_keys(fd, leave=screen.leave, back=screen.enter) if keys else screen.entered()
    with screen.noting_its_size(), drawn_on:
        yield view, _BeforeTheScreen(clerk, screen)
    for outcome in list(view.history)[-LAST_SHOWN:]:
        talk(f" {outcome.kind.value} {outcome.words}{outcome.aside}")


@dataclass(frozen=True, slots=True)
class _BeforeTheScreen:
    """A clerk whose screen is drawn anew, between two looks at the keys, if its size has changed."""

    keys: Clerk
    screen: Screen

    @property
    def is_there(self) -> bool:
        return self.keys.is_there

    def hear(self, wait_s: float, *, scan: bool) -> Command | Scanned | None:
        self.screen.refresh()
        return self.keys.hear(wait_s, scan=scan)

    def forget(self) -> None:
        self.keys.forget()


def _fd(stream: TextIO) -> int:
    """The file behind a stream; -1 where there is none."""
    try:
        return stream.fileno()
    except (OSError, AttributeError, ValueError):
        return -1


def _not_at_all(_times: int) -> None:
    """Make no sound."""
