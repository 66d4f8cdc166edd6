"""Statements that go to the driver as they are find and write what SQLAlchemy does with the same ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text, union_all
from sqlalchemy.exc import CompileError, NoResultFound
from store_world import ANN, issue, reserve

from rfid_station.domain.card import Driver
from rfid_station.errors import Conflict
from rfid_station.store.card_rows import CARDS
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.ledger import booking
from rfid_station.store.moving import CHANGE
from rfid_station.store.opening import Store
from rfid_station.store.tables import card, token, work_order

_ONE = CARDS.where(card.c.id == bindparam("wanted"))
QUERIES: dict[str, tuple[Any, dict[str, object]]] = {
    "moments and days": (_ONE, {"wanted": 2}),
    "truth": (select(token).order_by(token.c.id), {}),
    "a value twice": (union_all(_ONE, CARDS.where(card.c.id >= bindparam("wanted"))), {"wanted": 2}),
    "values of its own": (select(card.c.id).where(card.c.state == "active"), {}),
    "nothing": (_ONE, {"wanted": 99}),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_is_found(store: Store, name: str) -> None:
    issue(store, 1)
    made = reserve(store, 2, driver=Driver("Jan %s"))
    with booking(store.database, ANN) as ledger:
        CHANGE.run(ledger.connection, {"card_id": made.id, "valid_until": date(2027, 1, 31)})
    issue(store, 3, activate=False)
    query, values = QUERIES[name]
    prepared = Prepared(query)
    with store.database.read() as connection:
        expected = connection.execute(query, values)
        names, rows = list(expected.keys()), [tuple(row) for row in expected]
        for _ in range(2):
            found = prepared.rows(connection, values)
            assert found == rows
            assert all(list(row._fields) == names for row in found)
    assert [type(value) for row in found for value in row] == [type(value) for row in rows for value in row]


def test_defaults_are_written_and_changed_rows_counted(store: Store) -> None:
    made = reserve(store, 1)
    with booking(store.database, ANN) as ledger:
        assert CHANGE.run(ledger.connection, {"card_id": made.id, "valid_until": date(2027, 1, 31)}) == 1
        assert CHANGE.run(ledger.connection, {"card_id": made.id, "card_group": "vans"}) == 1
        assert CHANGE.run(ledger.connection, {"card_id": 99, "card_group": "vans"}) == 0
    after = store.cards.by_id(made.id)
    assert (after.valid_until, after.group) == (date(2027, 1, 31), "vans")
    with store.database.read() as connection:
        row = Prepared(select(card.c.contract_card, card.c.claim_attempts)).one(connection)
        assert tuple(row) == (1, 0)
        with pytest.raises(NoResultFound):
            Prepared(_ONE).one(connection, {"wanted": 99})


def test_a_time_is_written_as_the_store_writes_times(store: Store) -> None:
    made = reserve(store, 1)
    at = datetime(2027, 1, 31, 8, 0, 0, 5, tzinfo=UTC)
    with booking(store.database, ANN) as ledger:
        CHANGE.run(ledger.connection, {"card_id": made.id, "changed_at": at})
    with store.database.read() as connection:
        assert connection.scalar(text("SELECT changed_at FROM card")) == "2027-01-31T08:00:00.000005Z"


def test_a_rule_that_is_broken_is_said_and_nothing_is_changed(store: Store) -> None:
    first, second = reserve(store, 1), reserve(store, 2)

    def change() -> None:
        with booking(store.database, ANN) as ledger:
            CHANGE.run(ledger.connection, {"card_id": second.id, "card_group": "vans"})
            CHANGE.run(ledger.connection, {"card_id": second.id, "uid": first.uid.hex})

    with pytest.raises(Conflict):
        change()
    assert store.cards.by_id(second.id) == second


def test_what_has_no_place_in_a_statement_is_refused(store: Store) -> None:
    with pytest.raises(CompileError), booking(store.database, ANN) as ledger:
        Prepared(insert(work_order)).run(ledger.connection, {"nome": "x"})
    with pytest.raises(CompileError), store.database.read() as connection:
        Prepared(select(card).where(card.c.id.in_([1, 2]))).rows(connection)
