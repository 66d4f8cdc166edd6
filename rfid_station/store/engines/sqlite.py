"""All that holds for SQLite only: how connections behave, how errors read, what keeps events fixed.

The rest of the package speaks portable SQL.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from rfid_station.errors import Conflict, DiskFull, StationError, StoreError
from rfid_station.store import migrations
from rfid_station.store.engines.place import PURPOSE, Purpose

BUSY_TIMEOUT_S = 10.0
"""How long a writer waits for the others."""

EVENT_TRIGGERS = frozenset({"event_is_never_updated", "event_is_never_deleted"})
"""They stand on the table `event` and refuse to change history."""

_NO_ROOM_BYTES = 1 << 20
_OUT_OF_ROOM_CODES = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
_WAL_RETRY_S = 0.01
_DURABLE = "PRAGMA synchronous = FULL"
_WAITS = "rfid_station_waits_for_disk"
_LIGHT = "PRAGMA synchronous = NORMAL"
"""With a write-ahead log: the disk is waited for when the log is brought into the file, and at no commit."""
_VERSION = f"SELECT version_num FROM {migrations.VERSION_TABLE}"  # noqa: S608 - no input


def file_uri(path: Path, mode: str = "rw") -> str:
    """The URI SQLite opens a file by. Mode `rw` never creates one."""
    return f"file:{quote(str(path))}?mode={mode}"


def sqlite_engine(path: Path) -> Engine:
    """An engine on an existing file, whose transactions begin and end where SQLAlchemy says."""
    url = URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False},
        max_overflow=-1,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare)
    dialect: Any = engine.dialect
    dialect.do_begin = _begin
    return engine


def unchanging_engine(path: Path) -> Engine:
    """An engine on a file that nobody changes: it is not locked, nothing is written there."""
    query = {"mode": "ro", "immutable": "1", "uri": "true"}
    return create_engine(
        URL.create("sqlite", database=f"file:{quote(str(path))}", query=query),
        connect_args={"isolation_level": None, "check_same_thread": False},
        hide_parameters=True,
    )


def _prepare(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(_DURABLE)
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, and wait while another connection does: SQLite itself does not."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_WAL_RETRY_S)
        else:
            return


def _begin(connection: PoolProxiedConnection) -> None:
    """Begin for the driver, which in this mode never begins by itself.

    A writer takes its lock at once: a read transaction that becomes a writer later can be refused. In place
    of the dialect's own and not a listener, which would be paid for with every statement.

    :raises StoreTooNew: the store was migrated by a newer program since it was opened
    """
    purpose = connection.info.pop(PURPOSE, Purpose.READ)
    if purpose is not Purpose.READ:
        _wait_for_disk(connection, does_wait=purpose is not Purpose.NOTE)
    cursor: Any = connection.cursor()
    cursor.execute("BEGIN" if purpose is Purpose.READ else "BEGIN IMMEDIATE")
    if purpose in (Purpose.WRITE, Purpose.NOTE):
        found = cursor.execute(_VERSION).fetchone()
        migrations.check_version(found[0] if found else None)


def _wait_for_disk(connection: PoolProxiedConnection, *, does_wait: bool) -> None:
    """Let commits of this connection wait until they are on the disk, or not: each writer says it anew."""
    if connection.info.get(_WAITS, True) != does_wait:
        cursor: Any = connection.cursor()
        cursor.execute(_DURABLE if does_wait else _LIGHT)
        connection.info[_WAITS] = does_wait


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let tables be rebuilt inside: SQLite alters most things by copying a table and dropping the old one.

    To be entered before a transaction begins; whoever uses it checks the keys before committing.
    """
    beside_transactions = connection.connection.cursor()
    beside_transactions.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        beside_transactions.execute("PRAGMA foreign_keys = ON")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell database errors in the words of the desk.

    :raises DiskFull: there was no room to write
    :raises Conflict: a rule of the tables forbids it
    :raises StoreError: the store is locked, damaged, or no store
    """
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        raise explain(error.orig, path) from error
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: Path) -> StationError:
    """The desk's error for one of SQLite's."""
    code = primary_code(error)
    if code == sqlite3.SQLITE_FULL or _lacks_room(error, path):
        return _no_room(path)
    if code == sqlite3.SQLITE_CONSTRAINT:
        return Conflict(f"the store {path} refuses this: {error}", hint="rfid-station store check")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return locked(path)
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(
            f"{path} is damaged, or not a store: {error}",
            hint=f"restore the newest backup; `ls {path.parent}` may show one",
        )
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return StoreError(f"the store {path} cannot be opened: {error}", hint=f"ls -l {path.parent}")
    return StoreError(f"the store {path} cannot be used: {error}", hint="rfid-station doctor")


def locked(path: Path) -> StoreError:
    """The desk's error for a writer that others kept waiting for too long."""
    return StoreError(
        f"the store {path} is locked: another program has been writing for {BUSY_TIMEOUT_S:g} s",
        hint="close the other rfid-station, or try again when it is done",
    )


def _no_room(path: Path) -> DiskFull:
    return DiskFull(f"there is no room left for {path}", hint=f"make room: df -h {path.parent}")


def primary_code(error: sqlite3.Error) -> int:
    """Which kind of error it is, without what SQLite says more exactly."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _lacks_room(error: sqlite3.Error, path: Path) -> bool:
    """Some file systems report a full disk as a failed write."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code in _OUT_OF_ROOM_CODES and shutil.disk_usage(path.parent).free < _NO_ROOM_BYTES


def create_file(path: Path) -> None:
    """Make an empty file that only its owner can read, or leave the one that is there.

    :raises StoreError: it cannot be made
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        sync_folder(path.parent)


def table_names(path: Path) -> set[str]:
    """The tables of a file, which is not changed in any way.

    :raises StoreError: it cannot be read
    """
    with explained(path), closing(sqlite3.connect(file_uri(path), uri=True, timeout=BUSY_TIMEOUT_S)) as file:
        return {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def copy_into(path: Path, copy: Path) -> None:
    """Write a consistent copy of a store into a new file, and be sure that it is on the disk.

    :raises DiskFull: there was no room; no half copy stays behind
    :raises StoreError: the store cannot be read, or the copy not be written
    """
    with told(copy):
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with (
            explained(path),
            closing(sqlite3.connect(file_uri(path), uri=True, isolation_level=None)) as file,
        ):
            file.execute("VACUUM INTO ?", (str(copy),))
        with told(copy):
            _sync(copy, os.O_RDWR)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Tell what the file system refuses in the words of the desk."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(path) from error
        raise StoreError(f"{path} cannot be made: {error.strerror}", hint=f"ls -ld {path.parent}") from error


def sync_folder(folder: Path) -> None:
    """Be sure that the names in a folder are on the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def make_one_file(path: Path) -> None:
    """Bring what is in the log into the file, which nobody else uses, and keep no log any more."""
    with explained(path), closing(sqlite3.connect(file_uri(path), uri=True)) as file:
        file.execute("PRAGMA journal_mode = DELETE")


def empty_log(path: Path) -> None:
    """Bring what is in the log into the file, as far as nobody reads it, and cut the log."""
    with closing(sqlite3.connect(file_uri(path), uri=True, timeout=BUSY_TIMEOUT_S)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def damages(connection: Connection) -> list[str]:
    """What SQLite itself finds wrong with the file. Nothing else in it can be believed then."""
    try:
        checked = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    except DatabaseError as error:
        checked = [str(error.orig)]
    return [f"the file is damaged: {line}" for line in checked if line != "ok"]


def weaknesses(connection: Connection) -> list[str]:
    """Rows that point nowhere, and triggers of the audit log that are missing."""
    standing = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
    missing: list[str] = sorted(EVENT_TRIGGERS - set(standing))
    return broken_references(connection) + [
        f"the audit log is not protected: trigger {name} is missing" for name in missing
    ]


def broken_references(connection: Connection) -> list[str]:
    """Rows that point to a row which does not exist."""
    rows: Any = connection.exec_driver_sql("PRAGMA foreign_key_check")
    return [f"row {row[1]} of table {row[0]} points to a {row[2]} that does not exist" for row in rows]
