"""One request at a time per partner, whoever makes it: another thread, or another process.

A lane reads a token again, sends it and notes the result within one turn. So a stale state can never
overtake a newer one that another desk just sent (R3, R4), and each lane has one owner at a time (R7).
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from rfid_station.errors import StoreError

_LOOK_AGAIN_S = 0.002
_ASK_AGAIN_S = 0.02


class Turns:
    """Turns among the threads of this process."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._guard = threading.Lock()

    @contextmanager
    def take(self, partner: str, timeout_s: float) -> Iterator[bool]:
        """Hold the turn of a partner within the block; False when it was not free in time.

        Who waits stands at the gate alone, so that nobody who comes later gets the turn before.
        """
        end = time.monotonic() + timeout_s
        gate, turn = self._lock(partner, "gate"), self._lock(partner, "turn")
        if not gate.acquire(timeout=max(0.0, timeout_s)):
            yield False
            return
        try:
            is_ours = turn.acquire(timeout=max(0.0, end - time.monotonic()))
        finally:
            gate.release()
        try:
            yield is_ours
        finally:
            if is_ours:
                turn.release()

    def is_wanted(self, partner: str) -> bool:
        """Whether somebody waits for the turn of a partner."""
        return self._lock(partner, "gate").locked()

    def _lock(self, partner: str, name: str) -> _Lock:
        with self._guard:
            return self._locks.setdefault((partner, name), threading.Lock())


class FileTurns(Turns):
    """Turns among all processes of this machine that name the same folder.

    The locks are the operating system's: they end with the process that holds them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._paths: dict[tuple[str, str], Path] = {}

    def _lock(self, partner: str, name: str) -> _Lock:
        path = self._paths.get((partner, name))
        if path is None:
            path = self._paths[partner, name] = self._folder / f"{quote(partner, safe='')}.{name}"
        return _FileLock(path)


class Locks(Protocol):
    """Locks by name among all machines, each free again when the process ends that holds it."""

    def try_take(self, what: str) -> bool:
        """Take a lock if nobody has it."""

    def give_back(self, what: str) -> None:
        """Let go of a lock."""

    def has(self, what: str) -> bool:
        """Whether this process has a lock still."""


class SharedTurns(Turns):
    """Turns among all processes on any machine that share these locks."""

    def __init__(self, locks: Locks) -> None:
        super().__init__()
        self._shared = locks
        self._wanted: dict[str, tuple[float, bool]] = {}

    def is_wanted(self, partner: str) -> bool:
        """Whether somebody waits, or may have it already: the server was away.

        Asked of the server every now and then, and not before every request.
        """
        if not self._shared.has(_named("turn", partner)):
            return True
        now = time.monotonic()
        asked, is_wanted = self._wanted.get(partner, (-1.0, False))
        if now - asked > _ASK_AGAIN_S:
            is_wanted = super().is_wanted(partner)
            self._wanted[partner] = (now, is_wanted)
        return is_wanted

    def _lock(self, partner: str, name: str) -> _Lock:
        return _SharedLock(super()._lock(partner, name), self._shared, _named(name, partner))


def _named(name: str, partner: str) -> str:
    return f"{name} {partner}"


class _SharedLock:
    """A lock among the threads of this process first, then among all processes."""

    def __init__(self, own: _Lock, shared: Locks, what: str) -> None:
        self._own = own
        self._shared = shared
        self._what = what

    def acquire(self, *, timeout: float) -> bool:
        end = time.monotonic() + timeout
        if not self._own.acquire(timeout=timeout):
            return False
        try:
            while not self._shared.try_take(self._what):
                if time.monotonic() >= end:
                    self._own.release()
                    return False
                time.sleep(_ASK_AGAIN_S)
        except BaseException:
            self._own.release()
            raise
        return True

    def release(self) -> None:
        try:
            self._shared.give_back(self._what)
        finally:
            self._own.release()

    def locked(self) -> bool:
        is_free = self.acquire(timeout=0.0)
        if is_free:
            self.release()
        return not is_free


class _Lock(Protocol):
    def acquire(self, *, timeout: float) -> bool: ...

    def release(self) -> None: ...

    def locked(self) -> bool: ...


class _FileLock:
    """An advisory lock on a file (flock), which also stands between threads that open it anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def acquire(self, *, timeout: float) -> bool:
        end = time.monotonic() + timeout
        self._file = self._open()
        while not self._try():
            if time.monotonic() >= end:
                self.release()
                return False
            time.sleep(_LOOK_AGAIN_S)
        return True

    def release(self) -> None:
        os.close(self._file)

    def locked(self) -> bool:
        """Looked up many times a second: it writes nothing, and stands in the way of no other look."""
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _open(self) -> int:
        with suppress(OSError):
            return self._open_in_folder()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._open_in_folder()
        except OSError as trouble:
            raise StoreError(
                f"{self._path} cannot be opened: {trouble.strerror}",
                hint=f"let the account of the station write into {self._path.parent}",
            ) from trouble

    def _open_in_folder(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # For whoever asks who speaks to the partner; the lock is what counts.
        os.pwrite(self._file, f"{os.getpid():<10}\n".encode(), 0)
        return True
