"""Reading without ceremony: a connection that is kept open, for what a server asks a thousand times a second.

A transaction of `Database.read` costs ten times the lookup in it. Here each statement sees the newest commit,
and what was read before is known to hold as long as no other connection has committed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from rfid_station.store.sqlite import BUSY_TIMEOUT_S, explain, explained, file_uri

CACHE_KIB = 16 * 1024
"""How much of the store a connection keeps in memory."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class Snapshots:
    """A read-only connection. May be used from several threads, which take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.RLock()
        with explained(path):
            self._connection = sqlite3.connect(
                file_uri(path, "ro"),
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What a statement finds in the newest state.

        :raises StoreError: the store cannot be used
        """
        try:
            with self._turn:
                return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise explain(error, self._path) from error

    @contextmanager
    def view(self) -> Iterator[None]:
        """Let the statements of a block see one and the same state.

        :raises StoreError: the store cannot be used
        """
        with explained(self._path), self._turn:
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def age(self) -> int:
        """A number that changes whenever somebody else commits."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._connection.close()


class Remembered(Generic[Key, Value]):
    """Answers that are kept until the store changes, up to a number."""

    def __init__(self, snapshots: Snapshots, most: int = 1024) -> None:
        self._snapshots = snapshots
        self._most = most
        self._age: int | None = None
        self._kept: dict[Key, Value] = {}

    def get(self, key: Key, load: Callable[[], Value]) -> Value:
        """The answer that is kept, or the one that `load` gives.

        :raises StoreError: the store cannot be used
        """
        kept = self._current()
        if key not in kept:
            kept[key] = load()
        return kept[key]

    def kept(self, key: Key) -> Value | None:
        """The answer that is kept, if there is one.

        :raises StoreError: the store cannot be used
        """
        return self._current().get(key)

    def _current(self) -> dict[Key, Value]:
        """What is kept and holds still.

        The age is read before an answer is: a change in between makes the answer forgotten, and never kept
        too long.
        """
        age = self._snapshots.age()
        if age != self._age or len(self._kept) >= self._most:
            self._kept, self._age = {}, age
        return self._kept
