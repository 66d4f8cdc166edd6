"""Stores as earlier versions of this program kept them, with data in them; and those programs at work.

An older program runs in a process of its own that knows the versions up to its own, and its statements name
the columns that there were when it was started: so it writes into a newer store what it wrote into its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Line
from pathlib import Path
from typing import Any

from postgresql_base import Base
from sqlalchemy import Connection, inspect, text
from store_world import (
    ANN,
    PATTERN,
    SUE,
    Clock,
    contract,
    issue,
    make_older_store,
    received,
    reserve,
    tell,
    uid,
    url_of,
)

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.partner import Connection as Registered
from rfid_station.domain.token import Party
from rfid_station.store import migrations
from rfid_station.store.chain import canonical_json, event_hash
from rfid_station.store.engines.engine import Database
from rfid_station.store.opening import Store, create_store, place_of
from rfid_station.store.partners.registry import server_token_hash
from rfid_station.store.prints import PrintItem

ON_A_SERVER = "0008"
"""The version with which PostgreSQL came."""
VERSIONS = {
    "sqlite": migrations.REVISIONS[:-1],
    "postgresql": migrations.REVISIONS[migrations.REVISIONS.index(ON_A_SERVER) : -1],
}
"""Every version that there was on an engine, before this one."""
CONNECTION = Registered("2.2.1", "https://cpo.example/ocpi/versions", (), (Party("DE", "CPO"),))


def make_world(place: Path | Base) -> None:
    """A store of this version: cards in every state, one of a fleet; partners that are connected, proven and
    owed something; a sheet, and blanks."""
    clock = Clock()
    with create_store(url_of(place), actor=ANN, clock=clock) as store:
        _cards(store)
        _partners(store, clock)
        items = [PrintItem(1, 1, 1), PrintItem(2, 1, 2)]
        store.prints.record(design="classic", sheet="a4-10up", file_sha256="ab" * 32, items=items, actor=SUE)
        received(store, "L1", 5)


def _cards(store: Store) -> None:
    for number in range(1, 5):
        issue(store, number)
    issue(store, 5, driver=Driver("Jan", "P-17", "North"), group="North")
    store.cards.move(2, CardState.BLOCKED, Reason.LOST, ANN, tell)
    reserve(store, 6)
    store.cards.begin_encoding(reserve(store, 7).id, "digest", ANN)
    store.cards.move(reserve(store, 8).id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)


def _partners(store: Store, clock: Clock) -> None:
    for name in ("first", "never", "second"):
        store.partners.add(name, CONNECTION.versions_url, "ref", Agreement(), ANN)
    for name in ("first", "second"):
        clock.pass_by(60)
        store.partners.begin_connecting(name, server_token_hash(name))
        store.partners.finish_connecting(name, CONNECTION, f"ref:{name}", ANN)
    store.partners.begin_connecting("never", server_token_hash("never"))
    for name, is_proven in (("first", True), ("second", True), ("never", False), ("first", True)):
        clock.pass_by(60)
        store.feed.record_proof(name, 1, 1, is_proven, "seen")
    store.feed.advance("second", Lane.BULK, 3, park=[Parked(3, 3, 1, clock(), True, "refused")])


_NOT_KEPT_ANY_MORE = {"is_new": "use = 'offered'"}
"""What an older version kept in a column that is gone, by how it is kept now."""


def make_older_copy(newest: Path, older: Path, version: str) -> None:
    """What a version has room for of the rows of a store."""
    make_older_store(older, version)
    with closing(sqlite3.connect(older, isolation_level=None)) as file:
        file.execute("ATTACH ? AS newer", (str(newest),))
        file.execute("DELETE FROM meta")
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"
        for (table,) in file.execute(tables).fetchall():
            known = [row[1] for row in file.execute(f"PRAGMA main.table_info({table})")]
            values = ", ".join(_NOT_KEPT_ANY_MORE.get(name, f'"{name}"') for name in known)
            names = ", ".join(f'"{name}"' for name in known)
            file.execute(f"INSERT INTO main.{table} ({names}) SELECT {values} FROM newer.{table}")


# All rows


Rows = dict[str, list[Mapping[str, object]]]


def all_rows(place: Path | Base) -> Rows:
    """Every row of every table."""
    database = Database(place_of(url_of(place)))
    with closing(database), database.read() as connection:
        tables = inspect(connection).get_table_names()
        return {
            table: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings()]
            for table in tables
        }


# Older programs


class OlderProgram:
    """Makes cards as the first one was made, and reads, by the columns that it knows."""

    def __init__(self, url: str) -> None:
        self.database = Database(place_of(url))
        with self.database.read() as connection:
            known = inspect(connection)
            self._columns = {
                name: [column["name"] for column in known.get_columns(name)]
                for name in ("card", "token", "event", "partner", "meta")
            }

    def issue(self) -> str:
        """One card more, in one transaction; its visual number."""
        with self.database.write() as connection:
            head = dict(connection.execute(text("SELECT * FROM meta")).mappings().one())
            self._add(connection, head)
        return PATTERN.render(head["contract_count"] + 1)

    def keep_cursor(self) -> None:
        """As sync does, which does not wait for the disk."""
        with self.database.note() as connection:
            connection.execute(
                text("UPDATE partner SET bulk_cursor = (SELECT revision FROM meta) WHERE name = 'first'")
            )

    def look(self) -> int:
        """Read one moment, by both ways of reading; how many tokens there were."""
        with self.database.read() as connection:
            partners, cards, tokens = (self._all(connection, name) for name in ("partner", "card", "token"))
            (head,) = self._all(connection, "meta")
            made = {row["id"] for row in cards}
            assert len(partners) == 3
            assert len(tokens) == head["token_count"]
            assert {row["card_id"] for row in tokens} <= made
        return len(tokens)

    def _all(self, connection: Connection, table: str) -> list[Mapping[str, Any]]:
        names = ", ".join(f'"{name}"' for name in self._columns[table])
        return [dict(row) for row in connection.execute(text(f"SELECT {names} FROM {table}")).mappings()]

    def _add(self, connection: Connection, head: Mapping[str, Any]) -> None:
        number = head["contract_count"] + 1
        visual, taken = PATTERN.render(number), uid(number).hex
        card = 1 + connection.execute(text("SELECT max(id) FROM card")).scalar_one()
        token = 1 + connection.execute(text("SELECT max(id) FROM token")).scalar_one()
        numbers = {"uid": taken, "contract_id": contract(number).compact, "visual_number": visual}
        more = {"visual_bare": visual.replace("-", ""), "alias": f"alias-{number}", "order_line": None}
        self._like_the_first(connection, "card", {"id": card, **numbers, **more})
        counted = {"created_seq": head["token_count"] + 1, "revision": head["revision"] + 1}
        self._like_the_first(connection, "token", {"id": token, "card_id": card, **numbers, **counted})
        told = self._told(head, f"card:{card}")
        self._like_the_first(connection, "event", told)
        after = {
            "contract_count": number,
            "token_count": counted["created_seq"],
            "revision": counted["revision"],
            "event_count": told["seq"],
            "event_hash": told["hash"],
        }
        changes = ", ".join(f"{name} = :{name}" for name in after)
        connection.execute(text(f"UPDATE meta SET {changes}"), after)

    def _told(self, head: Mapping[str, Any], subject: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "seq": head["event_count"] + 1,
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "actor": "older",
            "role": "clerk",
            "action": "card.active",
            "subject": subject,
            "data": canonical_json({}),
            "previous_hash": head["event_hash"],
        }
        return told | {"hash": event_hash(**told)}

    def _like_the_first(self, connection: Connection, table: str, other: Mapping[str, Any]) -> None:
        known = self._columns[table]
        values = ", ".join(f":{name}" if name in other else f'"{name}"' for name in known)
        names = ", ".join(f'"{name}"' for name in known)
        first = "seq = 1" if table == "event" else "id = 1"
        connection.execute(
            text(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {first}"), other
        )


Work = Callable[[OlderProgram, Line], object]


def run_older(version: str, url: str, work: Work, line: Line) -> None:
    """Be a program of a version, until it is told to stop or hears that it cannot go on: said last."""
    known = migrations.REVISIONS
    migrations.REVISIONS = known[: known.index(version) + 1]
    try:
        program = OlderProgram(url)
        line.send("begun")
        work(program, line)
    except Exception as error:  # noqa: BLE001 - whoever started it has to see it
        line.send(error)
    else:
        line.send("told to stop")


def write_on(program: OlderProgram, line: Line) -> None:
    """Make card after card, and say which is made."""
    while not line.poll():
        line.send(program.issue())
        program.keep_cursor()


def read_on(program: OlderProgram, line: Line) -> None:
    """Read again and again, and say that it was done once."""
    snapshots, looks = program.database.snapshots(), 0
    while not line.poll():
        program.look()
        assert len(snapshots.rows("SELECT id FROM token WHERE revision > ?", 0)) > 0
        looks += 1
        if looks == 1:
            line.send("looked")
    line.recv()
    snapshots.close()


def write_slowly(program: OlderProgram, line: Line) -> None:
    """Make one card, and be in the middle of it until told to go on."""
    with program.database.write() as connection:
        head = dict(connection.execute(text("SELECT * FROM meta")).mappings().one())
        program._add(connection, head)
        line.send("in the middle")
        line.recv()


def write_when_told(program: OlderProgram, line: Line) -> None:
    """Make one card as soon as it is told to."""
    line.recv()
    line.send("begins")
    program.issue()
