"""What `doctor` tells about SQLite and the store's file. Standard library only; changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rfid_station.store.engines.address import path_of


@dataclass(frozen=True, slots=True)
class SqliteFacts:
    """The linked library and the store's file."""

    version: str
    has_wal_reset_fault: bool
    """Whether it can damage a store while two connections write (sqlite.org/wal.html#walresetbug)."""
    path: Path
    exists: bool
    journal_mode: str | None
    """`wal` for a store of ours; None if there is no file, or none that can be read."""
    free_bytes: int
    """Room left on the disk of the store, or of the folder that will hold it."""


def sqlite_facts(url: str) -> SqliteFacts:
    """Look at the linked SQLite and at the file a store URL names.

    :raises WrongCall: the URL is not one of a SQLite file
    """
    path = path_of(url)
    return SqliteFacts(
        version=sqlite3.sqlite_version,
        has_wal_reset_fault=has_wal_reset_fault(sqlite3.sqlite_version_info),
        path=path,
        exists=path.is_file(),
        journal_mode=_journal_mode(path),
        free_bytes=shutil.disk_usage(_nearest_folder(path)).free,
    )


def has_wal_reset_fault(version: tuple[int, ...]) -> bool:
    """Whether a version is one from 3.7.0 to 3.51.2, and not a repaired 3.44.6+ or 3.50.7+."""
    if version[:2] == (3, 44):
        return version < (3, 44, 6)
    if version[:2] == (3, 50):
        return version < (3, 50, 7)
    return (3, 7, 0) <= version < (3, 51, 3)


def _journal_mode(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as connection:
            return str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    except sqlite3.Error:
        return None


def _nearest_folder(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.is_dir())
