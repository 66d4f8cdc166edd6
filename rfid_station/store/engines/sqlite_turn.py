"""Turns to write to a SQLite file: first come, first served.

SQLite has no queue. Who finds a writer sleeps, longer each time, and who comes while it sleeps goes first: a
desk among workers that write without a pause can wait for as long as they work. So writers queue before they
begin: the threads of a process among themselves, and the processes, one thread of each, by a ticket.

A ticket is a byte of a file beside the store, locked, whose place is the time at which it was drawn. It is
the turn of whoever can lock all that lies before it. Nothing is written there, and the kernel takes the locks
of a process that ends.

Correctness does not rest on this: SQLite's own lock does that, and it is what holds up a program that knows
nothing of turns.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EACCES, EAGAIN
from functools import lru_cache
from pathlib import Path

from rfid_station.store.engines import sqlite

ENDING = "-turn"
"""What the name of the tickets' file ends with, beside the store's. It is always empty.

Its locks are those of POSIX: a forked process has none of them, and all of them go when a process closes the
file, so it is open once at most in each.
"""

_OPEN = os.O_RDWR | os.O_CLOEXEC
_SHORTEST_S, _LONGEST_S, _PART = 0.0001, 0.005, 50
"""Who waits looks again after a part of the time that it has waited."""


@contextmanager
def turn_to_write(path: Path) -> Iterator[None]:
    """Be the only one who may begin to write to a store, among all who ask here.

    Where the folder or its file system allows no locks, the threads of this process still take turns.

    :raises StoreError: it was not our turn for so long that the store counts as locked
    """
    deadline = time.monotonic() + sqlite.BUSY_TIMEOUT_S
    place = _real_place(path)
    line = _line_at(place)
    if not line.enter(deadline):
        raise sqlite.locked(path)
    file = None
    try:
        file = _opened(place)
        if file is not None and not _comes_round(file, deadline):
            raise sqlite.locked(path)
        yield
    finally:
        if file is not None:
            os.close(file)  # and the ticket with it
        line.leave()


# Among threads


class _Line:
    """The threads of this process that want to write to a file, first come first served."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Lock] = deque()

    def enter(self, deadline: float) -> bool:
        """Wait for this thread's turn; whether it came in time."""
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        came = False
        try:
            came = mine.acquire(timeout=max(0.0, deadline - time.monotonic()))
        finally:
            if not came:
                self._give_up(mine)
        return came

    def leave(self) -> None:
        """Hand the turn to whoever waits longest: nobody can get in between."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False

    def _give_up(self, mine: threading.Lock) -> None:
        with self._guard:
            is_still_waiting = mine in self._waiting
            if is_still_waiting:
                self._waiting.remove(mine)
        if not is_still_waiting:
            self.leave()  # The turn came at this very moment.


_lines: dict[str, _Line] = {}
_lines_guard = threading.Lock()


def _line_at(place: str) -> _Line:
    line = _lines.get(place)
    if line is None:
        with _lines_guard:
            line = _lines.setdefault(place, _Line())
    return line


def _forget_lines() -> None:
    """In a process that was just forked, nobody is there who would leave a line."""
    global _lines, _lines_guard
    _lines, _lines_guard = {}, threading.Lock()


os.register_at_fork(after_in_child=_forget_lines)


# Among processes


@lru_cache(maxsize=64)
def _real_place(path: Path) -> str:
    """Where the file lies, whatever links lead to it: SQLite keeps its log there as well."""
    return os.path.realpath(path)


def _opened(place: str) -> int | None:
    """The file of the locks, open for who may write to the store; None if there can be none."""
    try:
        return os.open(place + ENDING, _OPEN)
    except FileNotFoundError:
        return _made(place)
    except OSError:
        return None


def _made(place: str) -> int | None:
    with suppress(OSError):
        mode = os.stat(place).st_mode & 0o666  # noqa: PTH116 - a text, as what this is called with
        made = os.open(place + ENDING, _OPEN | os.O_CREAT, 0o600)
        with suppress(OSError):
            os.fchmod(made, mode)
        return made
    return None


def _comes_round(file: int, deadline: float) -> bool:
    """Draw a ticket and wait until nobody is before it; whether that came in time."""
    drawn = time.monotonic()
    ticket = time.monotonic_ns()
    while not _try_lock(file, ticket, 1):
        ticket = time.monotonic_ns()  # Who writes drew a later one, and locked it sooner.
    while not _try_lock(file, 0, ticket):
        now = time.monotonic()
        if now >= deadline:
            return False
        time.sleep(min(max((now - drawn) / _PART, _SHORTEST_S), _LONGEST_S))
    return True


def _try_lock(file: int, first: int, count: int) -> bool:
    """Lock bytes unless another process has one of them. Where nothing can be locked, nobody has."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, count, first)
    except OSError as error:
        return error.errno not in (EACCES, EAGAIN)
    return True
