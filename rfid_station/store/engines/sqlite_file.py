"""A store in a file of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from rfid_station.store.engines import sqlite
from rfid_station.store.engines.snapshot import Snapshots
from rfid_station.store.engines.sqlite_snapshot import FileSnapshots
from rfid_station.store.engines.sqlite_turn import turn_to_write


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """The file: a `place.Place`."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def engine(self) -> Engine:
        """An engine on the file, which has to exist."""
        return sqlite.sqlite_engine(self.path)

    def explained(self) -> AbstractContextManager[None]:
        """Tell SQLite's errors in the words of the desk."""
        return sqlite.explained(self.path)

    def turn(self) -> AbstractContextManager[None]:
        """Queue with the other writers: SQLite lets them fight for it."""
        return turn_to_write(self.path)

    def rebuilding(self, connection: Connection) -> AbstractContextManager[None]:
        """Enforce no foreign keys meanwhile: SQLite alters tables by copying them."""
        return sqlite.foreign_keys_off(connection)

    def keep_others_out(self, connection: Connection) -> None:
        """Nothing: who writes waits since the transaction began, and who reads has the file as it was."""

    def prepare(self) -> None:
        """Make an empty file that only its owner can read, or leave the one that is there."""
        sqlite.create_file(self.path)

    def table_names(self) -> set[str]:
        """The tables of the file."""
        return sqlite.table_names(self.path)

    def engine_version(self) -> str:
        """The version of the linked library."""
        return sqlite3.sqlite_version

    def copy_aside(self, version: str, at: datetime) -> Path:
        """Write a copy beside the file, named by version and time."""
        backup = self.path.with_name(f"{self.path.name}.{version}.{at:%Y%m%dT%H%M%S%f}.backup")
        sqlite.copy_into(self.path, backup)
        return backup

    def snapshots(self) -> Snapshots:
        """A read-only connection of its own."""
        return FileSnapshots(self.path)

    def locks(self) -> None:
        """None: whoever shares a file shares a machine."""
        return

    def listening(self, hear: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing is heard: whoever waits for others looks."""
        return nullcontext()

    def after_copy(self, connection: Connection) -> None:
        """Nothing: SQLite counts from the last row."""

    def damages(self, connection: Connection) -> list[str]:
        """What an integrity check finds."""
        return sqlite.damages(connection)

    def broken_references(self, connection: Connection) -> list[str]:
        """Rows that point to a row which does not exist."""
        return sqlite.broken_references(connection)

    def weaknesses(self, connection: Connection) -> list[str]:
        """Broken references, and triggers that are missing."""
        return sqlite.weaknesses(connection)

    def overwrite_deleted(self, connection: Connection) -> None:
        """Overwrite what is deleted in this transaction."""
        connection.exec_driver_sql("PRAGMA secure_delete = ON")

    def settle_deleted(self) -> None:
        """Empty the log that SQLite writes ahead: until then the old pages stand in it."""
        with self.explained():
            sqlite.empty_log(self.path)
