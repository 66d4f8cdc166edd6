"""Reading a SQLite file without ceremony."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rfid_station.store.engines.sqlite import BUSY_TIMEOUT_S, explain, explained, file_uri

CACHE_KIB = 16 * 1024
"""How much of the store a connection keeps in memory."""


class FileSnapshots:
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

    def numbers(self, query: str, *values: object) -> list[int]:
        """The whole numbers of a query's one column.

        They come as one text, since a row for each costs three times as much; a LIMIT in the query makes
        SQLite read it in order.

        :raises StoreError: the store cannot be used
        """
        (found,) = self.rows(f"SELECT group_concat(number) FROM (SELECT {query})", *values)  # noqa: S608 - no input
        numbers: list[int] = json.loads(f"[{found[0] or ''}]")
        return numbers

    def rows_among(self, statement: str, numbers: Sequence[int]) -> list[Any]:
        """What a statement finds that ends by asking for a column among some whole numbers.

        :raises StoreError: the store cannot be used
        """
        among = f"{statement} IN (SELECT value FROM json_each(?))"  # noqa: S608 - no input
        return self.rows(among, json.dumps(list(numbers)))

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

    def hold(self) -> None:
        """Let what follows see one state until `let_go`: each statement would else lock the file anew.

        :raises StoreError: the store cannot be used
        """
        self.rows("BEGIN")

    def let_go(self) -> None:
        """See the newest state again.

        :raises StoreError: the store cannot be used
        """
        if self._connection.in_transaction:
            self.rows("ROLLBACK")

    def age(self) -> int:
        """A number that changes whenever somebody else commits."""
        return int(self.rows("PRAGMA data_version")[0][0])

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._connection.close()
