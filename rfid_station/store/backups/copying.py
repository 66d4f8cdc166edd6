"""A store taken to another place, and to another engine: all of it, or nothing.

The copy is made in one transaction at its place, so whoever is killed in the middle leaves nothing there and
starts again. Nobody writes to the store meanwhile: what they wrote would be in one of the two only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, String, Table, func, inspect, select, type_coerce

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.errors import MoveNotAllowed, StoreError
from rfid_station.store import migrations
from rfid_station.store.audit import verify_chain
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.place import Place
from rfid_station.store.ledger import booking
from rfid_station.store.opening import place_of, refuse_taken
from rfid_station.store.soundness import unsound
from rfid_station.store.tables import METADATA, Moment, meta
from rfid_station.store.whole_rows import insert_whole

_PORTION = 5000
"""Rows that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy holds, as it was counted there."""

    place: str
    rows: dict[str, int]
    """By table."""
    events: int
    head: str
    """The hash of the last event, which both stores end with."""


def copy_store(source: Database, url: str, password: str | None, actor: Actor) -> Copied:
    """Copy a store to a place where there is none, and prove the copy before it counts.

    :raises MoveNotAllowed: not this role
    :raises Conflict: there is something at that place
    :raises StoreError: one of the two cannot be used, or the copy is not what it should be; nothing is left
    :raises WrongCall: the URL names no place
    """
    if actor.role is not Role.SUPERVISOR:
        raise MoveNotAllowed(f"a {actor.role} may not copy the store", hint="it takes a supervisor")
    place = place_of(url, password)
    place.prepare()
    refuse_taken(place, place.table_names())
    target = Database(place, source.clock)
    try:
        with booking(source, actor) as ledger, target.rebuild() as there:
            refuse_taken(place, set(inspect(there).get_table_names()))
            ledger.note("store.copied", "store")
            ledger.settle()
            return copy_everything(ledger.connection, there, place)
    finally:
        target.close()


def copy_everything(here: Connection, there: Connection, place: Place) -> Copied:
    """Copy what one transaction sees into another one, in which no table is yet, and prove the copy.

    :raises StoreError: the copy is not what it should be
    """
    fill(here, there)
    place.after_copy(there)
    return _proven(here, there, place)


def fill(here: Connection, there: Connection) -> None:
    """Copy what one transaction sees into another one, in which no table is yet."""
    migrations.create(there)
    there.execute(meta.delete())
    for table in METADATA.sorted_tables:
        names = tuple(column.name for column in table.columns)
        for rows in _portions(here, table):
            insert_whole(there, table, names, rows)


def _portions(connection: Connection, table: Table) -> Iterator[list[tuple[object, ...]]]:
    rows = connection.execute(_as_they_lie(table).order_by(*table.primary_key)).yield_per(_PORTION)
    for some in rows.partitions():
        yield [tuple(map(_plain, row)) for row in some]


def _as_they_lie(table: Table) -> Select[Any]:
    """Every row; instants as the text that they are."""
    return select(
        *(type_coerce(one, String) if isinstance(one.type, Moment) else one for one in table.columns)
    )


def _plain(value: object) -> object:
    """A day as text, which every engine takes for a day."""
    return value.isoformat() if isinstance(value, date) else value


def _proven(here: Connection, there: Connection, place: Place) -> Copied:
    """What the copy holds, if that is what the store holds.

    :raises StoreError: it is not
    """
    counts = {table.name: _count(there, table) for table in METADATA.sorted_tables}
    for table in METADATA.sorted_tables:
        if _count(here, table) != counts[table.name]:
            raise _not_the_same(place, f"table {table.name} has {counts[table.name]} rows")
    chain = verify_chain(there)
    if not chain.is_whole:
        raise _not_the_same(place, f"{chain.why}")
    if chain.head != here.execute(select(meta.c.event_hash)).scalar_one():
        raise _not_the_same(place, "its audit log ends with another event")
    findings = [*place.broken_references(there), *place.weaknesses(there), *unsound(there)]
    if findings:
        raise _not_the_same(place, findings[0])
    return Copied(str(place), counts, chain.events, chain.head)


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _not_the_same(place: Place, why: str) -> StoreError:
    return StoreError(f"the copy at {place} is not what it should be: {why}", hint="rfid-station store check")
