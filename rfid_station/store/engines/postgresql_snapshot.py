"""Reading a PostgreSQL database without ceremony."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg

from rfid_station.store.engines.postgresql import explained

_SESSION = "SET default_transaction_read_only = on"


class ServerSnapshots:
    """A read-only connection. May be used from several threads, which take turns."""

    def __init__(self, name: str, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._name = name
        self._connect = connect
        self._turn = threading.RLock()
        self._is_in_view = False
        with explained(name):
            self._connection = self._connected()

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What a statement finds in the newest state.

        :raises StoreError: the store cannot be used
        """
        with explained(self._name), self._turn:
            return self._found(_for_the_driver(statement), values)

    def numbers(self, query: str, *values: object) -> list[int]:
        """The whole numbers of a query's one column.

        :raises StoreError: the store cannot be used
        """
        return [row[0] for row in self.rows(f"SELECT {query}", *values)]

    def rows_among(self, statement: str, numbers: Sequence[int]) -> list[Any]:
        """What a statement finds that ends by asking for a column among some whole numbers.

        :raises StoreError: the store cannot be used
        """
        return self.rows(f"{statement} = ANY(?)", list(numbers))

    @contextmanager
    def view(self) -> Iterator[None]:
        """Let the statements of a block see one and the same state.

        :raises StoreError: the store cannot be used
        """
        with explained(self._name), self._turn:
            self._found("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", ())
            self._is_in_view = True
            try:
                yield
            finally:
                self._is_in_view = False
                self._connection.rollback()

    def hold(self) -> None:
        """Do nothing: a transaction costs a round trip more than it saves."""

    def let_go(self) -> None:
        """Do nothing: nothing is held."""

    def age(self) -> str:
        """Which transactions are over: it stays the same as long as nobody begins or ends one that writes."""
        return str(self.rows("SELECT pg_current_snapshot()::text")[0][0])

    def close(self) -> None:
        """Let go of the server."""
        with self._turn:
            self._connection.close()

    def _connected(self) -> psycopg.Connection[Any]:
        connection = self._connect()
        connection.row_factory = _rows_by_name
        connection.execute(_SESSION)
        return connection

    def _found(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        """What a statement finds. Asked once more when the server had ended the connection meanwhile."""
        try:
            cursor = self._connection.execute(statement, values or None)
        except psycopg.OperationalError:
            if self._is_in_view or not self._connection.closed:
                raise
            self._connection = self._connected()
            cursor = self._connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@lru_cache(maxsize=256)
def _for_the_driver(statement: str) -> str:
    """`?` as psycopg writes it, but not between quotes; a percent sign stands for itself."""
    pieces = statement.replace("%", "%%").split("'")
    pieces[::2] = [piece.replace("?", "%s") for piece in pieces[::2]]
    return "'".join(pieces)


def _rows_by_name(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], Any]:
    """Rows that are read by place or by name, as those of SQLite."""
    places = {column.name: place for place, column in enumerate(cursor.description or ())}

    class Row(tuple[Any, ...]):
        __slots__ = ()

        def __getitem__(self, key: Any) -> Any:  # noqa: ANN401
            return tuple.__getitem__(self, places[key] if type(key) is str else key)

    return Row
