"""What SQLite and PostgreSQL both can do, and call by different names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Table,
    cast,
    func,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

NEWS = "rfid_station_news"
"""The channel of a server on which whoever commits a change of a token says so."""


class contains(FunctionElement[bool]):  # noqa: N801 - is called like a function of SQL
    """Whether a text has another one in it, letter by letter: `contains(text, part)`."""

    name = "contains"
    type = Boolean()
    inherit_cache = True


class listed(FunctionElement[Any]):  # noqa: N801
    """The texts of a JSON list, a row each, in the column `value`: `listed(json).table_valued("value")`."""

    name = "listed"
    inherit_cache = True


def among(column: ColumnElement[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Whether a column has one of many whole numbers, which go over as one text."""
    values = listed(json.dumps(list(numbers))).table_valued("value")
    return column.in_(select(cast(values.c.value, Integer)))


def next_id(table: Table) -> ScalarSelect[int]:
    """The number that follows the greatest one of a table. Whoever writes is alone, so nobody else has it.

    As SQLite counts by itself. A sequence would leave a gap wherever a change was taken back.
    """
    greatest: ColumnElement[int] = func.coalesce(func.max(table.c.id), 0)
    return select(greatest + 1).scalar_subquery()


LONG_CHANGE_KIB = 64 * 1024
"""How much of the store a long change keeps in memory at most."""


def begin_long_change(connection: Connection) -> None:
    """Give a change of very many rows room in memory, where the engine has to be told: in a file.

    What a change of SQLite touches beyond its cache is written to the log many times over: with its own 2 MB,
    a long list costs ten times as much among 200,000 cards.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size = -{LONG_CHANGE_KIB}")


def tell_news(connection: Connection) -> None:
    """Have sync workers woken when this transaction commits, where the engine can: on a server."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"NOTIFY {NEWS}")


@compiles(contains, "sqlite")
def _contains_sqlite(element: contains, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(contains, "postgresql")
def _contains_postgresql(element: contains, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


@compiles(listed, "sqlite")
def _listed_sqlite(element: listed, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(listed, "postgresql")
def _listed_postgresql(element: listed, compiler: Any, **options: Any) -> str:  # noqa: ANN401
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json))"
