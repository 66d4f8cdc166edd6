"""A copy of a store, to be looked into while the store cannot be reached. Nothing is ever written to it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from rfid_station.errors import StoreUnreachable
from rfid_station.store.engines import sqlite
from rfid_station.store.engines.place import PURPOSE, Purpose
from rfid_station.store.engines.sqlite_file import SqliteFile


@dataclass(frozen=True, slots=True)
class KeptCopy(SqliteFile):
    """A file that is replaced as a whole and never changed: a `place.Place`."""

    def engine(self) -> Engine:
        """An engine by which nothing can be changed."""
        engine = sqlite.unchanging_engine(self.path)
        dialect: Any = engine.dialect
        dialect.do_begin = _begin
        return engine

    def turn(self) -> AbstractContextManager[None]:
        """Nothing: nobody writes."""
        return nullcontext()

    def settle_deleted(self) -> None:
        """Nothing was deleted."""


def _begin(connection: PoolProxiedConnection) -> None:
    """Let only those begin who read.

    :raises StoreUnreachable: a change takes the store itself
    """
    if connection.info.pop(PURPOSE, Purpose.READ) is not Purpose.READ:
        raise StoreUnreachable(
            "the server of the store cannot be reached, and this takes it: nothing was changed",
            hint="try again when it is back",
        )
    cursor: Any = connection.cursor()
    cursor.execute("BEGIN")
