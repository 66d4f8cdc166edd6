"""A store in a database of a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError

from rfid_station.errors import StoreError, WrongCall
from rfid_station.store.engines import postgresql
from rfid_station.store.engines.address import without_password
from rfid_station.store.engines.postgresql_locks import ServerLocks, listening
from rfid_station.store.engines.postgresql_snapshot import ServerSnapshots
from rfid_station.store.engines.snapshot import Snapshots

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"


class PostgresqlDatabase:
    """The database: a `place.Place`."""

    path: Path | None = None

    def __init__(self, url: str, password: str | None = None) -> None:
        """Take an address without a password, and the password. Nothing is connected yet.

        :raises WrongCall: it is no address
        """
        self._name = without_password(url)
        self._password = password
        try:
            self._url = make_url(url)
        except (ArgumentError, ValueError) as error:
            raise WrongCall(f"{self._name} is no address: {error}", hint="correct store.url") from None

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"PostgresqlDatabase({self._name!r})"

    def engine(self) -> Engine:
        """An engine on the database."""
        return postgresql.postgresql_engine(self._url, self._password)

    def explained(self) -> AbstractContextManager[None]:
        """Tell PostgreSQL's errors in the words of the desk."""
        return postgresql.explained(self._name)

    def turn(self) -> AbstractContextManager[None]:
        """Nothing: the server itself queues those who wait for a row."""
        return nullcontext()

    def rebuilding(self, connection: Connection) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nothing: tables are altered where they are, and references hold meanwhile."""
        return nullcontext()

    def keep_others_out(self, connection: Connection) -> None:
        """Lock every table: the server would let others in between two that are altered."""
        postgresql.keep_others_out(connection)

    def prepare(self) -> None:
        """See to it that the database keeps text as we write it.

        :raises StoreError: it does not
        """
        with self._asked() as connection:
            encoding = connection.execute("SHOW server_encoding").fetchone()
        if encoding != ("UTF8",):
            raise StoreError(
                f"{self} keeps text as {encoding[0] if encoding else 'nothing'}, and has to as UTF8",
                hint="createdb --encoding=UTF8 --template=template0, on the server",
            )

    def table_names(self) -> set[str]:
        """The tables of the schema that comes first for our account."""
        with self._asked() as connection:
            return {name for (name,) in connection.execute(_TABLES)}

    def copy_aside(self, version: str, at: datetime) -> None:  # noqa: ARG002
        """Nothing: a migration is one transaction here, and backups are made where the server is."""
        return

    def snapshots(self) -> Snapshots:
        """A read-only connection of its own."""
        return ServerSnapshots(self._name, self._connect)

    def locks(self) -> ServerLocks:
        """Advisory locks of the server."""
        return ServerLocks(self._name, self._connect)

    def listening(self, hear: Callable[[], None]) -> AbstractContextManager[None]:
        """Listen to what the others notify."""
        return listening(self._connect, hear)

    def after_copy(self, connection: Connection) -> None:
        """Let sequences go on behind the rows that were copied."""
        postgresql.advance_sequences(connection)

    def damages(self, connection: Connection) -> list[str]:  # noqa: ARG002
        """Nothing: what is damaged is refused by the server where it is read."""
        return []

    def broken_references(self, connection: Connection) -> list[str]:  # noqa: ARG002
        """None: the server refuses them at once, in migrations as well."""
        return []

    def weaknesses(self, connection: Connection) -> list[str]:
        """Rules that are not in force, text in another order, triggers that are missing."""
        return postgresql.weaknesses(connection)

    def overwrite_deleted(self, connection: Connection) -> None:
        """Nothing before the commit: others may still read it."""

    def settle_deleted(self) -> None:
        """Write the table of drivers anew; the server lets go of the file with the old rows."""
        with self._asked() as connection:
            connection.execute("VACUUM (FULL) driver")

    def engine_version(self) -> str:
        """The version of the server.

        :raises StoreError: it cannot be reached
        """
        with self._asked() as connection:
            row = connection.execute("SHOW server_version").fetchone()
            return str(row[0]) if row else ""

    @contextmanager
    def _asked(self) -> Iterator[psycopg.Connection[Any]]:
        with self.explained(), self._connect() as connection:
            yield connection

    def _connect(self) -> psycopg.Connection[Any]:
        url = self._url.translate_connect_args(username="user", database="dbname")
        arguments = {**url, **self._url.query, **postgresql.connect_arguments(self._password)}
        return psycopg.connect(**arguments)
