"""A backup: the store as it was at one moment, in a file of SQLite, whatever the store itself lies on.

It is made beside its name, proven, and takes its name then: a file that has the name is whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.errors import Conflict, MoveNotAllowed, StoreError
from rfid_station.store.audit import Audit
from rfid_station.store.backups.copying import copy_everything
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.sqlite import copy_into, empty_log, sync_folder
from rfid_station.store.engines.sqlite_file import SqliteFile
from rfid_station.store.soundness import CheckReport

BACKED_UP = "store.backed_up"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was read through."""

    file: Path
    events: int
    head: str
    """The hash of its last event."""


def back_up(source: Database, file: Path, actor: Actor) -> Backup:
    """Write what the store holds now into a new file. Others go on reading and writing meanwhile.

    :raises MoveNotAllowed: not this role
    :raises Conflict: there is such a file already
    :raises DiskFull: there was no room; no half backup has the name
    :raises StoreError: the store cannot be read, the file not be written, or what it holds is not sound
    """
    if actor.role is not Role.SUPERVISOR:
        raise MoveNotAllowed(f"a {actor.role} may not back the store up", hint="it takes a supervisor")
    refuse_existing(file)
    partial = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        _write(source, partial)
        report = checked(partial)
        partial.rename(file)
        sync_folder(file.parent)
    finally:
        remove_store_file(partial)
    Audit(source).append(actor, BACKED_UP, "store", events=report.chain.events, head=report.chain.head)
    return Backup(file, report.chain.events, report.chain.head)


def checked(file: Path) -> CheckReport:
    """Read a store's file through, which nobody else uses, and leave it in one piece.

    :raises StoreError: it is damaged, or what it holds is not sound
    """
    database = Database(SqliteFile(file))
    try:
        report = Audit(database).check()
    finally:
        database.close()
    if not report.is_sound:
        why = report.chain.why or report.findings[0]
        raise StoreError(f"{file} holds no sound store: {why}", hint="rfid-station store check")
    with database.place.explained():
        empty_log(file)
    return report


def refuse_existing(file: Path) -> None:
    """Let a name pass that no file has.

    :raises Conflict: there is one
    """
    if file.exists():
        raise Conflict(f"there is a file {file} already", hint="choose another name, or move it away")


def remove_store_file(file: Path) -> None:
    """Take a store's file away, and what SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm", "-journal", "-turn"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _write(source: Database, file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if source.path:
        # Not page by page: that begins anew with every change of another process, and takes along
        # what was deleted. This one sees one moment, and writes what is there.
        copy_into(source.path, file)
        return
    place = SqliteFile(file)
    place.prepare()
    target = Database(place, source.clock)
    try:
        with source.read() as here, target.rebuild() as there:
            copy_everything(here, there, place)
    finally:
        target.close()
