"""All that holds for PostgreSQL only: how connections behave, how errors read, what keeps events fixed.

Only this module and `postgresql_snapshot` know the driver, psycopg 3.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import psycopg.types.string
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from rfid_station.errors import Conflict, DiskFull, StationError, StoreError, StoreUnreachable
from rfid_station.store import migrations
from rfid_station.store.engines.gate import AT_ONCE
from rfid_station.store.engines.place import PURPOSE, Purpose
from rfid_station.store.engines.prepared import send

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for another one, and anybody for an answer to a connection."""

SHORT_S = 0.2
"""How long a lock is waited for with others in hand: less than after which the server looks for deadlocks."""

REBUILD_LOCK = 0x52464944
"""The advisory lock of whoever makes or migrates a store."""

EVENT_TRIGGERS = frozenset({"event_is_never_updated", "event_is_never_deleted", "event_is_never_truncated"})
"""They stand on the table `event` and refuse to change history."""

_MANY = 32
"""From so many rows on, COPY is faster than a statement for each."""

_VERSION = "SELECT version_num FROM alembic_version"
_BEGIN = {
    Purpose.READ: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    # The row is locked first and kept to the end, so whoever is inside sees what everybody before committed,
    # and revisions become visible in the order in which they were given out.
    Purpose.WRITE: f"BEGIN; SELECT id FROM meta FOR UPDATE; {_VERSION}",  # noqa: S608 - no input in it
    # Fifty partners are noted for each card: who issues the next one is not to stand in the line with them.
    Purpose.NOTE: f"BEGIN; SET LOCAL synchronous_commit = off; {_VERSION}",
    Purpose.REBUILD: f"BEGIN; SELECT pg_advisory_xact_lock({REBUILD_LOCK})",
}


def connect_arguments(password: str | None) -> dict[str, Any]:
    """What the driver is told beside the URL."""
    arguments: dict[str, Any] = {
        "autocommit": True,
        "connect_timeout": int(BUSY_TIMEOUT_S),
        "application_name": "rfid-station",
    }
    return arguments | ({"password": password} if password else {})


def postgresql_engine(url: URL, password: str | None) -> Engine:
    """An engine on a database, whose transactions begin and end where SQLAlchemy says."""
    engine = create_engine(url, connect_args=connect_arguments(password), pool_size=AT_ONCE, max_overflow=-1)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "checkout", _refuse_dead)
    dialect: Any = engine.dialect
    dialect.do_begin = _begin
    return engine


class _WithoutNul(psycopg.types.string.StrDumperUnknown):
    """A partner may send a NUL, and SQLite keeps it: the one character that PostgreSQL does not take."""

    def dump(self, obj: str) -> Any:  # noqa: ANN401 - a buffer
        """The text, with a mark in place of each NUL."""
        return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))


def _prepare(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's connection
    """Wait for locks no longer than a desk does, and never call a commit done that is not on the disk."""
    connection.adapters.register_dumper(str, _WithoutNul)
    connection.execute(
        f"SET lock_timeout = {int(BUSY_TIMEOUT_S * 1000)}; SET synchronous_commit = on; SET TimeZone = 'UTC'",
        prepare=False,
    )


def _refuse_dead(connection: Any, _: object, __: object) -> None:  # noqa: ANN401
    """Have a new connection made in place of one that the server has ended. Takes no answer of the server.

    :raises DisconnectionError: it was ended: a server says nothing to who did not ask, but good-bye
    """
    if connection.closed or select.select([connection.fileno()], [], [], 0)[0]:
        raise DisconnectionError("the server has ended this connection")


def _begin(connection: PoolProxiedConnection) -> None:
    """Begin for the driver, in one exchange with the server.

    In place of the dialect's own and not a listener, which would be paid for with every statement.

    :raises StoreTooNew: the store was migrated by a newer program since it was opened
    """
    purpose = connection.info.pop(PURPOSE, Purpose.READ)
    cursor: Any = connection.cursor()
    cursor.execute(_BEGIN[purpose], prepare=False)
    if purpose in (Purpose.WRITE, Purpose.NOTE):
        cursor.nextset()
        if purpose is Purpose.WRITE and not cursor.fetchall():
            raise StoreError("the row with the counters is gone", hint="rfid-station store check")
        cursor.nextset()
        (version,) = cursor.fetchone() or (None,)
        migrations.check_version(version)


def insert_many(connection: Connection, table: Table, columns: tuple[str, ...], rows: list[Any]) -> None:
    """Insert rows of what the columns hold: a few by a statement each, many by COPY."""
    constants = {
        column.name: column.default.arg
        for column in table.c
        if column.name not in columns and isinstance(column.default, ScalarElementColumnDefault)
    }
    names = ", ".join([*columns, *constants])
    if constants:
        rows = [(*row, *constants.values()) for row in rows]
    if len(rows) < _MANY:
        places = ", ".join(["%s"] * len(rows[0]))
        send(connection, f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows, is_many=True)  # noqa: S608
        return
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


# Errors


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Tell database errors in the words of the desk.

    :raises DiskFull: there was no room to write
    :raises Conflict: a rule of the tables forbids it
    :raises StoreError: the store cannot be used
    """
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.Error):
            raise
        raise explain(error.orig, name) from error
    except psycopg.Error as error:
        raise explain(error, name) from error


def explain(error: psycopg.Error, name: str) -> StationError:
    """The desk's error for one of PostgreSQL's (its appendix A lists the codes).

    Only the first line is told: the next ones may show what a row holds.
    """
    code, words = error.sqlstate or "", _first_line(error)
    if code == "53100":
        return DiskFull(f"there is no room left on the server of {name}", hint="make room on the server")
    if code.startswith("23"):
        return Conflict(f"the store {name} refuses this: {words}", hint="rfid-station store check")
    if code in ("55P03", "40P01", "40001", "57014"):
        return StoreError(
            f"the store {name} is locked: another program has been writing for {BUSY_TIMEOUT_S:g} s",
            hint="close the other rfid-station, or try again when it is done",
        )
    if code.startswith("28") or "authentication failed" in words or "no password supplied" in words:
        return StoreError(
            f"the server of {name} does not let us in: {words}",
            hint='say in [store] where its password lies, as in password = "file:database"',
        )
    if code == "3D000" or ("database" in words and "does not exist" in words):
        return StoreError(f"there is no database for {name}: {words}", hint="createdb, on the server")
    if code in ("42501", "25006"):
        return StoreError(
            f"the store {name} may not be changed by us: {words}",
            hint="let the account own the database",
        )
    if code.startswith("XX0"):
        return StoreError(f"{name} is damaged: {words}", hint="restore the newest backup of the server")
    if _is_gone(error, code):
        return StoreUnreachable(
            f"the server of {name} cannot be reached: {words}",
            hint="try again when it is back; what was not confirmed may have been done: look before",
        )
    return StoreError(f"the store {name} cannot be used: {words}", hint="rfid-station doctor")


def _is_gone(error: psycopg.Error, code: str) -> bool:
    return code.startswith(("08", "57P", "53")) or (not code and isinstance(error, psycopg.OperationalError))


def _first_line(error: psycopg.Error) -> str:
    text = error.diag.message_primary or str(error)
    return text.strip().split("\n", 1)[0]


# What a store needs


def protect_events(connection: Connection) -> None:
    """Let the audit log refuse to be changed."""
    connection.exec_driver_sql(
        "CREATE FUNCTION event_is_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION USING MESSAGE = 'an event is never ' || TG_ARGV[0],"
        " ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    for done, verb in (("updated", "UPDATE"), ("deleted", "DELETE"), ("truncated", "TRUNCATE")):
        connection.exec_driver_sql(
            f"CREATE TRIGGER event_is_never_{done} BEFORE {verb} ON event"
            f" FOR EACH STATEMENT EXECUTE FUNCTION event_is_never_changed('{done}')"
        )


def keep_others_out(connection: Connection) -> None:
    """Lock every table, until the transaction ends.

    Who waits for an altered table has seen the version before it and goes on as if it were that; who waits
    for its first one has seen nothing yet. Whoever is inside is waited for with empty hands, again and again:
    with a lock in hand, a reader could wait for us while we wait for it.

    :raises DBAPIError: somebody stays inside for too long
    """
    tables = ", ".join(f'"{name}"' for name in connection.exec_driver_sql(_TABLES).scalars())
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(SHORT_S * 1000)}")
                connection.exec_driver_sql(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        except OperationalError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable) or time.monotonic() > deadline:
                raise
        else:
            return


def compare_bytewise(connection: Connection) -> None:
    """Let all text compare by its bytes, as SQLite's does, whatever language the database is made for."""
    altered: dict[str, list[str]] = {}
    for row in connection.exec_driver_sql(_UNSORTED).all():
        length = f"({row.character_maximum_length})" if row.character_maximum_length else ""
        kind = f'{row.data_type}{length} COLLATE "C"'
        altered.setdefault(row.table_name, []).append(f'ALTER COLUMN "{row.column_name}" TYPE {kind}')
    for table, changes in altered.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(changes)}')


def advance_sequences(connection: Connection) -> None:
    """Let the sequences of columns go on behind the greatest number that was written into them."""
    for row in connection.exec_driver_sql(_SEQUENCES).all():
        name = f"pg_get_serial_sequence('{row.table_name}', '{row.column_name}')"
        newest = f'(SELECT max("{row.column_name}") FROM "{row.table_name}")'  # noqa: S608 - names of ours
        connection.exec_driver_sql(f"SELECT setval({name}, coalesce({newest}, 1), {newest} IS NOT NULL)")


_SEQUENCES = (
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%%'"
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
_TRIGGERS = (
    "SELECT tgname FROM pg_trigger WHERE tgrelid = 'event'::regclass"
    " AND NOT tgisinternal AND tgenabled != 'D'"
)
_UNSORTED = (
    "SELECT table_name, column_name, data_type, character_maximum_length FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND data_type IN ('character varying', 'text')"
    " AND table_name != 'alembic_version' AND collation_name IS DISTINCT FROM 'C'"
    " ORDER BY table_name, column_name"
)
_UNBELIEVED = "SELECT conrelid::regclass::text AS name, conname FROM pg_constraint WHERE NOT convalidated"


def weaknesses(connection: Connection) -> list[str]:
    """Rules of the tables that are not in force, text in another order, triggers that are missing."""
    standing = connection.exec_driver_sql(_TRIGGERS).scalars()
    missing: list[str] = sorted(EVENT_TRIGGERS - set(standing))
    return [
        *(
            f"rule {row.conname} of table {row.name} is not in force"
            for row in connection.exec_driver_sql(_UNBELIEVED)
        ),
        *(
            f"column {row.column_name} of table {row.table_name} is not compared bytewise"
            for row in connection.exec_driver_sql(_UNSORTED)
        ),
        *(f"the audit log is not protected: trigger {name} is missing" for name in missing),
    ]
