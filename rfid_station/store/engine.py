"""The database: two kinds of transactions, one for reading and one for writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from rfid_station.store.sqlite import WRITES, explained, foreign_keys_off, sqlite_engine

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of this machine, in UTC."""
    return datetime.now(UTC)


class Database:
    """An existing store's file. May be used from several threads; each transaction has its own connection."""

    def __init__(self, path: Path, clock: Clock = utc_now) -> None:
        self.path = path
        self.clock = clock
        self._engine = sqlite_engine(path)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store. It ends by a rollback: nothing can be changed in it.

        :raises StoreError: the store cannot be used
        """
        with explained(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One change: all of it is committed at the end, or nothing if anything is raised inside.

        Whoever is inside is the only writer.

        :raises DiskFull: there was no room; nothing was changed
        :raises StoreError: the store cannot be used; nothing was changed
        """
        with explained(self.path), self._engine.connect() as connection:
            connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """Write like `write`, with foreign keys not enforced meanwhile: for migrations."""
        with explained(self.path), self._engine.connect() as connection, foreign_keys_off(connection):
            connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()
