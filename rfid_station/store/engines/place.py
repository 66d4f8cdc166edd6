"""What a store lies on: a file of SQLite, or a database of a PostgreSQL server.

Everything that the two do differently is behind `Place`, and in `spelling` where it is only said
differently. The rest of the package speaks portable SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine

from rfid_station.store.engines.snapshot import Snapshots

PURPOSE = "rfid_station_purpose"
"""Under this name a connection's `info` says what its next transaction is for; it is taken out then."""


class Purpose(Enum):
    """What a transaction is for."""

    READ = "read"
    """It sees one moment, and changes nothing."""
    WRITE = "write"
    """Whoever is inside is the only writer."""
    NOTE = "note"
    """One row of something that is found out again: a power failure may undo the newest, each as a whole.

    It waits neither for the disk nor, on a server, for other writers: it is one statement."""
    REBUILD = "rebuild"
    """As `WRITE`, but the tables need not be there, or change."""


class Locks(Protocol):
    """Locks by name, held by this process until it gives them back or ends."""

    def try_take(self, what: str) -> bool:
        """Take a lock if nobody has it."""

    def give_back(self, what: str) -> None:
        """Let go of a lock."""

    def has(self, what: str) -> bool:
        """Whether this process has a lock still."""

    def holder(self, what: str) -> str | None:
        """Who has a lock."""

    def close(self) -> None:
        """Let go of every lock."""


class Place(Protocol):
    """A place for one store. As text, it is how messages name it: without a password."""

    @property
    def path(self) -> Path | None:
        """The file, if it is one."""

    def engine(self) -> Engine:
        """An engine whose transactions begin by their `Purpose`."""

    def explained(self) -> AbstractContextManager[None]:
        """Tell database errors in the words of the desk.

        :raises DiskFull: there was no room to write
        :raises Conflict: a rule of the tables forbids it
        :raises StoreError: the store cannot be used
        """

    def turn(self) -> AbstractContextManager[None]:
        """What a writer has to be in before it begins, so that nobody waits for ever.

        :raises StoreError: the store is locked
        """

    def rebuilding(self, connection: Connection) -> AbstractContextManager[None]:
        """What has to be around a transaction that rebuilds tables."""

    def keep_others_out(self, connection: Connection) -> None:
        """Let nobody who came before see half of a migration, or write into its end, by what he knew before.

        :raises DBAPIError: somebody stays inside for too long
        """

    def prepare(self) -> None:
        """See to it that a store can be made here.

        :raises StoreError: it cannot
        """

    def table_names(self) -> set[str]:
        """The tables that are here. Changes nothing.

        :raises StoreError: there is no such place, or it cannot be read
        """

    def engine_version(self) -> str:
        """Which version of SQLite or PostgreSQL this is.

        :raises StoreError: it cannot be reached
        """

    def copy_aside(self, version: str, at: datetime) -> Path | None:
        """Keep a copy of the store before it is migrated, where that is up to us."""

    def snapshots(self) -> Snapshots:
        """A connection for reading without ceremony."""

    def locks(self) -> Locks | None:
        """Locks among all who use the store; None where those of this machine's files will do."""

    def listening(self, hear: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `hear`, from another thread, when others have changed a token. A hint, and where one comes."""

    def after_copy(self, connection: Connection) -> None:
        """Let what counts rows go on behind those that were copied."""

    def damages(self, connection: Connection) -> list[str]:
        """What the engine itself finds wrong. Nothing else in the store can be believed then."""

    def broken_references(self, connection: Connection) -> list[str]:
        """Rows that point to a row which does not exist."""

    def weaknesses(self, connection: Connection) -> list[str]:
        """Rows that point nowhere, and protections that are missing."""

    def overwrite_deleted(self, connection: Connection) -> None:
        """Let what a transaction deletes be gone, and not only be free to be overwritten."""

    def settle_deleted(self) -> None:
        """Be sure that it is gone, after the commit."""
