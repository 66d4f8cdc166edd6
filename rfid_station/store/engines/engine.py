"""The database: two kinds of transactions, one for reading and one for writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from rfid_station.domain.lease import Leasing
from rfid_station.store.engines.gate import Gate
from rfid_station.store.engines.place import PURPOSE, Place, Purpose
from rfid_station.store.engines.snapshot import Snapshots

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of this machine, in UTC."""
    return datetime.now(UTC)


class Database:
    """An existing store. May be used from several threads; each transaction has its own connection."""

    def __init__(self, place: Place, clock: Clock = utc_now, leasing: Leasing | None = None) -> None:
        """Take a place where a store is.

        :param leasing: which desk this is, and how it leases numbers; without it each is counted off
        """
        self.place = place
        self.clock = clock
        self.leasing = leasing
        self._engine = place.engine()
        self._gate = Gate()

    @property
    def path(self) -> Path | None:
        """The store's file, if it is one."""
        return self.place.path

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store, in which nothing can be changed.

        A server refuses to; in a file it ends by a rollback.

        :raises StoreError: the store cannot be used
        """
        with self.place.explained(), self._gate.inside(), self._engine.connect() as connection:
            connection.begin()
            yield connection
            if self.path is None:
                # At a rollback the driver forgets all statements that it has prepared.
                connection.commit()

    def write(self) -> AbstractContextManager[Connection]:
        """One change: all of it is committed at the end, or nothing if anything is raised inside.

        Whoever is inside is the only writer.

        :raises DiskFull: there was no room; nothing was changed
        :raises StoreError: the store cannot be used; nothing was changed
        """
        return self._change(Purpose.WRITE)

    def note(self) -> AbstractContextManager[Connection]:
        """Change one row by one statement, without waiting for the disk: for what is found out again.

        All see it at once, and no end of a process undoes it; the power may fail before it is on the disk.
        On a server whoever is inside is not the only writer, and keeps nobody waiting: what the statement
        asks of its row is all that it may rely on.

        :raises StoreError: the store cannot be used; nothing was changed
        """
        return self._change(Purpose.NOTE)

    @contextmanager
    def _change(self, purpose: Purpose) -> Iterator[Connection]:
        with (
            self.place.explained(),
            self._gate.inside(),
            self._engine.connect() as connection,
            self.place.turn(),
        ):
            connection.info[PURPOSE] = purpose
            with connection.begin():
                yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """Write like `write` where tables are made or altered: when a store is made, and for migrations."""
        with (
            self.place.explained(),
            self._engine.connect() as connection,
            self.place.rebuilding(connection),
        ):
            connection.info[PURPOSE] = Purpose.REBUILD
            with connection.begin():
                yield connection

    def snapshots(self) -> Snapshots:
        """A connection for reading without ceremony, of its own.

        :raises StoreError: the store cannot be used
        """
        return self.place.snapshots()

    def close(self) -> None:
        """Let go of the store."""
        self._engine.dispose()
