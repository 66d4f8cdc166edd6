"""A backup put in the place of the store: all of it, or nothing.

The backup is copied, brought to this version and settled (`aftermath`) beside the store. Then the content
of the store's file is replaced in one transaction of SQLite, so that nobody ever sees half of it, and who is
killed leaves the one or the other. A file that SQLite cannot read any more is moved aside instead.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.errors import Conflict, MoveNotAllowed, StoreError
from rfid_station.store.backups import aftermath
from rfid_station.store.backups.aftermath import NUMBERS_LEFT_OUT, Aftermath, Since
from rfid_station.store.backups.backing_up import checked, remove_store_file
from rfid_station.store.backups.copying import copy_everything
from rfid_station.store.engines import sqlite
from rfid_station.store.engines.engine import Clock, Database, utc_now
from rfid_station.store.engines.sqlite_file import SqliteFile
from rfid_station.store.ledger import booking
from rfid_station.store.opening import Store, open_store, place_of, refuse_taken

Prove = Callable[[Store], Actor]
"""Says who restores; it may look into the backup for that."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A store that was made of a backup."""

    place: str
    events: int
    """Of the backup."""
    kept: Path | None
    """The store that was there before, as it was."""
    discarded: int | None
    """Changes that the store before had and this one has not; None if it could not be read."""
    aftermath: Aftermath


def restore_over(
    file: Path,
    path: Path,
    prove: Prove,
    *,
    discard_newer: bool = False,
    numbers_left_out: int = NUMBERS_LEFT_OUT,
    clock: Clock = utc_now,
) -> Restored:
    """Put a backup in the place of a store's file, which is kept beside it.

    :raises MoveNotAllowed: it takes a supervisor
    :raises Conflict: the store is in use, or has what the backup has not and nobody said to discard that
    :raises StoreTooNew: a newer version of this program wrote the backup
    :raises StoreError: the backup is not sound, or one of the two cannot be read or written
    """
    with _working_copy(file, path) as work, _alone(path) as present:
        kept = _kept_copy(present, path, clock()) if present else None
        try:
            with _readable(kept) as old:
                wish = _Wish(file, prove, discard_newer, numbers_left_out, clock)
                settled = _settled(wish, work, old)
            checked(work)
        except BaseException:
            if kept:
                remove_store_file(kept)
            raise
        if present and kept:
            _write_into(work, present, path)
        else:
            kept = _swap(work, path, clock())
    return Restored(str(path), settled.events, kept, settled.discarded, settled.aftermath)


def restore_elsewhere(
    file: Path,
    url: str,
    password: str | None,
    present: Database | None,
    folder: Path,
    prove: Prove,
    *,
    numbers_left_out: int = NUMBERS_LEFT_OUT,
    clock: Clock = utc_now,
) -> Restored:
    """Make a store of a backup at a place where there is none. The one that it is to replace stays as it is.

    :param present: the store that it is to replace, if that can be read
    :param folder: where a copy of the backup may lie meanwhile
    :raises MoveNotAllowed: it takes a supervisor
    :raises Conflict: there is something at that place
    :raises StoreTooNew: a newer version of this program wrote the backup
    :raises StoreError: the backup is not sound, or the place cannot be used; nothing is left there
    :raises WrongCall: the URL names no place
    """
    place = place_of(url, password)
    place.prepare()
    refuse_taken(place, place.table_names())
    with _working_copy(file, folder / "restored.db") as work:
        settled = _settled(_Wish(file, prove, True, numbers_left_out, clock), work, present)
        source, target = Database(SqliteFile(work), clock), Database(place, clock)
        try:
            with source.read() as here, target.rebuild() as there:
                refuse_taken(place, set(inspect(there).get_table_names()))
                copy_everything(here, there, place)
        finally:
            source.close()
            target.close()
    return Restored(str(place), settled.events, None, settled.discarded, settled.aftermath)


@dataclass(frozen=True, slots=True)
class _Settled:
    events: int
    discarded: int | None
    aftermath: Aftermath


@dataclass(frozen=True, slots=True)
class _Wish:
    file: Path
    prove: Prove
    discard_newer: bool
    numbers_left_out: int
    clock: Clock


def _settled(wish: _Wish, work: Path, old: Database | None) -> _Settled:
    """Make the working copy a store that may be used."""
    with open_store(f"sqlite:///{work}", clock=wish.clock) as store:
        report = store.audit.check()
        if not report.is_sound:
            why = report.chain.why or report.findings[0]
            raise StoreError(f"{wish.file} is no sound backup: {why}", hint="take an older one")
        actor = wish.prove(store)
        if actor.role is not Role.SUPERVISOR:
            raise MoveNotAllowed(f"a {actor.role} may not restore the store", hint="it takes a supervisor")
        known = _since(store.database, old) if old else None
        if known and known.changes and not wish.discard_newer:
            raise Conflict(
                _newer(wish.file, known), hint="add --discard-newer if that is to be given up; it is kept"
            )
        with booking(store.database, actor) as ledger:
            store.database.place.overwrite_deleted(ledger.connection)
            after = aftermath.settle(ledger, known, wish.numbers_left_out, wish.file.name)
        return _Settled(report.chain.events, known.changes if known else None, after)


def _since(backup: Database, old: Database) -> Since | None:
    try:
        with backup.read() as then, old.read() as now:
            return aftermath.since(then, now)
    except StoreError:
        return None


def _newer(file: Path, known: Since) -> str:
    if not known.is_same_store:
        return f"{file} is no earlier state of this store, which has {known.changes} events of its own"
    made = f", {len(known.unknown)} cards made among them" if known.unknown else ""
    last = f"{known.last_at:%Y-%m-%d %H:%M} UTC"
    return f"the store has {known.changes} changes that {file} has not{made}; the last one of {last}"


# Files


@contextmanager
def _working_copy(file: Path, beside: Path) -> Iterator[Path]:
    """A copy of a backup that may be changed.

    :raises StoreError: there is no such file, or it is one in use
    """
    if not file.is_file():
        raise StoreError(f"there is no backup at {file}", hint=f"ls {file.parent}")
    if file.with_name(f"{file.name}-wal").exists():
        raise StoreError(f"{file} is a store in use, and no backup", hint="rfid-station store backup FILE")
    work = beside.with_name(f".{beside.name}.{os.getpid()}.restoring")
    try:
        sqlite.create_file(work)
        with sqlite.told(work):
            shutil.copyfile(file, work)
        yield work
    finally:
        for left in (work, *work.parent.glob(f"{work.name}.*.backup")):
            remove_store_file(left)


@contextmanager
def _alone(path: Path) -> Iterator[sqlite3.Connection | None]:
    """Use a store's file alone; None if there is none that SQLite can use.

    :raises Conflict: somebody else uses it
    """
    if not path.is_file():
        yield None
        return
    with closing(sqlite3.connect(sqlite.file_uri(path), uri=True, isolation_level=None, timeout=0)) as file:
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Takes every other connection to be gone, and brings the log into the file.
            file.execute("PRAGMA journal_mode = DELETE")
            file.execute("BEGIN EXCLUSIVE")
            file.execute("COMMIT")
            is_usable = True
        except sqlite3.DatabaseError as error:
            if sqlite.primary_code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise Conflict(
                    f"the store {path} is in use", hint="end every rfid-station that uses it, serve as well"
                ) from error
            is_usable = False
        yield file if is_usable else None


def _kept_copy(present: sqlite3.Connection, path: Path, at: datetime) -> Path | None:
    """Write what the store holds beside it; None if it is damaged."""
    kept = _name_of_old(path, at)
    sqlite.create_file(kept)
    try:
        present.execute("VACUUM INTO ?", (str(kept),))
    except sqlite3.DatabaseError as error:
        remove_store_file(kept)
        if sqlite.primary_code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return None
        raise sqlite.explain(error, path) from error
    return kept


@contextmanager
def _readable(kept: Path | None) -> Iterator[Database | None]:
    """The old store, to be looked into; None if it is damaged or of another version."""
    if kept is None:
        yield None
        return
    database = Database(SqliteFile(kept))
    try:
        yield database if _can_be_read(database) else None
    finally:
        database.close()


def _can_be_read(database: Database) -> bool:
    try:
        with database.write() as connection:
            return not database.place.damages(connection)
    except StoreError:
        return False


def _write_into(work: Path, present: sqlite3.Connection, path: Path) -> None:
    """Replace the content of the store's file, in one transaction."""
    new = sqlite3.connect(sqlite.file_uri(work), uri=True, isolation_level=None)
    with sqlite.explained(path), closing(new):
        new.execute("PRAGMA journal_mode = DELETE")
        new.backup(present)


def _swap(work: Path, path: Path, at: datetime) -> Path | None:
    """Let the new file take the name of one that cannot be read, which keeps its content under another."""
    kept = _name_of_old(path, at) if path.exists() else None
    with sqlite.told(path):
        if kept:
            os.link(path, kept)
        for ending in ("-wal", "-journal"):
            beside = path.with_name(path.name + ending)
            if kept and beside.exists():
                beside.rename(kept.with_name(kept.name + ending))
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        work.replace(path)
    sqlite.sync_folder(path.parent)
    return kept


def _name_of_old(path: Path, at: datetime) -> Path:
    return path.with_name(f"{path.name}.{at:%Y%m%dT%H%M%S%f}.replaced")
