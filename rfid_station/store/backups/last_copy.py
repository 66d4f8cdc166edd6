"""A desk's own copy of a store on a server, to look into while the server cannot be reached.

It is made beside its name and takes it when it is whole, so whoever looks finds a whole one or none. What
nobody can use in a copy is left out: hashes of PINs and codes are not checked there, only tried by a thief.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, text, update

from rfid_station.errors import Conflict, StoreError
from rfid_station.store import migrations
from rfid_station.store.backups.backing_up import remove_store_file
from rfid_station.store.backups.copying import fill
from rfid_station.store.engines import sqlite
from rfid_station.store.engines.engine import Clock, Database, utc_now
from rfid_station.store.engines.kept_copy import KeptCopy
from rfid_station.store.engines.sqlite_file import SqliteFile
from rfid_station.store.opening import Store
from rfid_station.store.tables import card, moment_text, operator

NOTHING = "-"
"""In the place of a hash: no secret has it."""


@dataclass(frozen=True, slots=True)
class LastCopy:
    """A copy, and what it says of itself."""

    file: Path
    store: str
    """What it is a copy of, as messages name it."""
    at: datetime
    """The moment that it shows, by the clock of the desk that made it."""


def keep_copy(source: Database, file: Path) -> LastCopy:
    """Replace a desk's copy by one of what the store holds now. Others go on reading and writing meanwhile.

    :raises Conflict: another program is making it
    :raises DiskFull: there was no room; the copy that was there is there still
    :raises StoreError: the store cannot be read, or the file not be written
    """
    made = LastCopy(file, str(source.place), source.clock())
    partial = file.with_name(f".{file.name}.part")
    with _alone(file):
        remove_store_file(partial)
        try:
            _write(source, partial, made)
            with sqlite.told(file):
                partial.replace(file)
                sqlite.sync_folder(file.parent)
        finally:
            remove_store_file(partial)
    return made


def last_copy(file: Path, store: str) -> LastCopy | None:
    """The copy of a store that there is, if this version of the program can read it."""
    if not file.is_file():
        return None
    database = Database(KeptCopy(file))
    try:
        with database.read() as connection:
            (version,) = connection.execute(text(f"SELECT version_num FROM {migrations.VERSION_TABLE}")).one()  # noqa: S608
            of, at = connection.execute(text("SELECT store, at FROM copied")).one()
    except StoreError:
        return None
    finally:
        database.close()
    is_ours = of == store and version == migrations.REVISIONS[-1]
    return LastCopy(file, of, datetime.fromisoformat(at)) if is_ours else None


def open_copy(copy: LastCopy, clock: Clock = utc_now) -> Store:
    """Open a copy to look into it. What would change anything is refused."""
    return Store(Database(KeptCopy(copy.file), clock))


def _write(source: Database, partial: Path, made: LastCopy) -> None:
    place = SqliteFile(partial)
    place.prepare()
    target = Database(place, source.clock)
    try:
        with source.read() as here, target.rebuild() as there:
            fill(here, there)
            place.overwrite_deleted(there)
            _leave_out_hashes(there)
            there.execute(text("CREATE TABLE copied (store TEXT NOT NULL, at TEXT NOT NULL)"))
            values = {"store": made.store, "at": moment_text(made.at)}
            there.execute(text("INSERT INTO copied VALUES (:store, :at)"), values)
    finally:
        target.close()
    sqlite.make_one_file(partial)


def _leave_out_hashes(copy: Connection) -> None:
    """Short PINs can be found from their hashes by trying."""
    copy.execute(update(operator).values(pin_hash=NOTHING, recovery_hash=NOTHING))
    copy.execute(update(card).where(card.c.claim_hash.is_not(None)).values(claim_hash=NOTHING))


def forget_copy(file: Path) -> bool:
    """Take a copy away, also one that is being made just now; whether there was one."""
    with _alone(file, waits=True):
        was_there = file.exists()
        remove_store_file(file)
    return was_there


@contextmanager
def _alone(file: Path, *, waits: bool = False) -> Iterator[None]:
    """Be the only one who makes a copy; whoever is killed is no longer in the way.

    :raises Conflict: somebody is at it, and nobody wants to wait
    """
    with sqlite.told(file):
        lock = os.open(file.with_name(f".{file.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except OSError:
            raise Conflict(
                "another program is making the copy just now", hint="it is there in a moment"
            ) from None
        yield
    finally:
        os.close(lock)
