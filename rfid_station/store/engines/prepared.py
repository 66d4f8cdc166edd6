"""Statements of SQLAlchemy that are compiled once, and then handed to the driver as they are.

What SQLAlchemy does around each statement (find the compiled one, bind, wrap rows) costs several times what
the engine does for it, and for the few rows of a card that was most of the store's time. The statement, its
types and the dialects are SQLAlchemy's still; who listens to `before_cursor_execute` hears of it,
and an error ends as with any other.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect
from sqlalchemy.exc import CompileError, NoResultFound
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
_Process = Callable[[Any], Any]
_NOTHING: Values = {}


class Prepared:
    """A SELECT, INSERT, UPDATE or DELETE whose values come by name: those of its parameters and of columns.

    One for all engines and threads; without lists of values, since each length is a statement of its own.
    """

    def __init__(self, statement: SelectBase | UpdateBase) -> None:
        self._statement = statement
        self._forms: dict[tuple[str, ...], _Form] = {}
        """By engine and names: which columns are written is told by what is given."""

    def rows(self, connection: Connection, values: Values = _NOTHING) -> list[Any]:
        """All that it finds, or returns: named tuples."""
        form = self._form(connection, values)
        found = form.sent(connection, values).fetchall()
        return [form.row_of(row) for row in found]

    def first(self, connection: Connection, values: Values = _NOTHING) -> Any | None:  # noqa: ANN401 - a row
        """The first row, if there is one."""
        rows = self.rows(connection, values)
        return rows[0] if rows else None

    def one(self, connection: Connection, values: Values = _NOTHING) -> Any:  # noqa: ANN401 - a row
        """The row that has to be there.

        :raises NoResultFound: it is not
        """
        rows = self.rows(connection, values)
        if not rows:
            raise NoResultFound(f"nothing is found by {self._statement}")
        return rows[0]

    def run(self, connection: Connection, values: Values = _NOTHING) -> int:
        """Change rows and return how many."""
        cursor = self._form(connection, values).sent(connection, values)
        return int(cursor.rowcount)

    def _form(self, connection: Connection, values: Values) -> _Form:
        key = (connection.dialect.name, *values)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = _Form(self._statement, connection.dialect, tuple(values))
        return form


class _Form:
    """A statement as one engine takes it, for values with certain names."""

    def __init__(self, statement: SelectBase | UpdateBase, dialect: Dialect, names: tuple[str, ...]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        self._places = _places(compiled, dialect)
        unknown = set(names) - {name for name, _ in self._places}
        if unknown or compiled.post_compile_params:
            raise CompileError(f"{sorted(unknown) or 'a list of values'} cannot be given to: {self._sql}")
        self._names = None if compiled.positional else [name for name, _ in self._places]
        self._constants = _constants(compiled, names)
        self.row_of = _row_maker(list(statement.exported_columns), dialect)

    def sent(self, connection: Connection, values: Values) -> Any:  # noqa: ANN401 - a cursor of the driver
        """The cursor that the statement was sent by."""
        values = {**self._constants, **values}
        bound = [bind(values[name]) if bind else values[name] for name, bind in self._places]
        by_name = dict(zip(self._names, bound, strict=True)) if self._names else None
        return send(connection, self._sql, by_name or bound)


def send(connection: Connection, sql: str, values: Any, *, is_many: bool = False) -> Any:  # noqa: ANN401
    """Hand a statement to the driver, and return the cursor that has its rows."""
    cursor: Any = connection.connection.cursor()
    if connection._has_events or connection.engine._has_events:
        for tell in connection.dispatch.before_cursor_execute:
            tell(connection, cursor, sql, values, None, is_many)
    try:
        (cursor.executemany if is_many else cursor.execute)(sql, values)
    except BaseException as error:  # noqa: BLE001 - it is raised again
        # As SQLAlchemy does: it throws the connection away if it is gone, or was interrupted.
        connection._handle_dbapi_exception(error, sql, values, cursor, None)
    return cursor


def _places(compiled: Any, dialect: Dialect) -> list[tuple[str, _Process | None]]:  # noqa: ANN401
    """The statement's values by name, in order, and what the driver takes for each."""
    types = {name: bound.type for bound, name in compiled.bind_names.items()}
    names = (compiled.positiontup or ()) if compiled.positional else types
    return [(name, _of_driver(types[name], dialect).bind_processor(dialect)) for name in names]


def _constants(compiled: Any, names: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401
    """What the statement says itself, and the defaults of columns that are not given."""
    defaults = {column.key: column.default.arg for column in compiled.insert_prefetch}
    return {**compiled.construct_params(dict.fromkeys(names)), **defaults}


def _row_maker(columns: Sequence[ColumnElement[Any]], dialect: Dialect) -> _Process:
    """Makes a named tuple of what the driver found."""
    row: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]
    processes = [_of_driver(column.type, dialect).result_processor(dialect, None) for column in columns]
    changes = [(place, process) for place, process in enumerate(processes) if process]
    if not changes:
        make: _Process = row._make
        return make

    def processed(found: Sequence[Any]) -> Any:  # noqa: ANN401 - a row
        values = list(found)
        for place, process in changes:
            values[place] = process(values[place])
        return row._make(values)

    return processed


def _of_driver(general: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return general.dialect_impl(dialect)
