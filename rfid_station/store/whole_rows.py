"""Rows that go to the driver as they are: what SQLAlchemy does with each value costs more than storing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert

from rfid_station.store.engines.prepared import send

Values = tuple[object, ...]


def insert_whole(connection: Connection, table: Table, columns: tuple[str, ...], rows: list[Values]) -> None:
    """Insert rows of what the columns hold (times and states are text), in the order of the columns."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from rfid_station.store.engines.postgresql import insert_many

        insert_many(connection, table, columns, rows)
        return
    statement = _statement(connection.dialect, table, columns)
    if statement.defaults:
        rows = [row + statement.defaults for row in rows]
    if statement.in_order:
        rows = list(map(statement.in_order, rows))
    send(connection, statement.sql, rows, is_many=True)


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    defaults: Values
    """Of columns that have one and are not given."""
    in_order: Callable[[Values], Values] | None
    """Puts values into the statement's order; None if they are."""


@lru_cache(maxsize=64)
def _statement(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Statement:
    compiled: Any = insert(table).compile(dialect=dialect, column_keys=list(columns))
    places = list(compiled.positiontup or columns)
    defaults = [name for name in places if name not in columns]
    given = [*columns, *defaults]
    constants = tuple(table.c[name].default.arg for name in defaults)
    in_order = None if given == places else itemgetter(*map(given.index, places))
    return _Statement(str(compiled), constants, in_order)
