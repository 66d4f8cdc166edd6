"""Cards end on a day, whoever sees it first; authorization does not wait for that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from store_world import ANN, START, SUE, Clock, issue, reserve, tell

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.feed import Lane
from rfid_station.errors import MoveNotAllowed
from rfid_station.store import expiring
from rfid_station.store.opening import Store

TODAY = START.date()
DAY_S = 86_400.0


@pytest.fixture
def told(store: Store) -> Iterator[Store]:
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    return store


def urgent(store: Store) -> list[tuple[str, bool]]:
    changes = store.feed.changes_after("cpo", 0, Lane.URGENT, 100)
    return [(change.token.uid.hex, change.token.valid) for change in changes]


def test_a_card_ends_after_its_last_day_and_the_news_is_urgent(told: Store, clock: Clock) -> None:
    card = issue(told, 1)
    issue(told, 2)
    told.dates.set(card.id, TODAY, ANN)
    told.feed.enforce("cpo")
    assert told.cards.by_id(card.id).state is CardState.ACTIVE, "its last day is one of its days"
    clock.pass_by(DAY_S)
    told.feed.enforce("cpo")
    after = told.cards.by_id(card.id)
    assert (after.state, after.reason) == (CardState.EXPIRED, Reason.DATE_PASSED)
    assert urgent(told) == [(card.uid.hex, False)]
    event = told.cards.history(card.id)[-1]
    assert (event.action, event.actor) == ("card.expired", expiring.CALENDAR)
    assert told.audit.check().is_sound
    seen = told.feed.standing("cpo").head
    told.feed.enforce("cpo")
    assert told.feed.standing("cpo").head == seen, "once"


def test_a_day_that_is_over_ends_the_card_at_once(store: Store) -> None:
    card = issue(store, 1)
    assert store.dates.set(card.id, TODAY - timedelta(1), ANN).state is CardState.EXPIRED
    with pytest.raises(MoveNotAllowed, match="which is final"):
        store.dates.set(card.id, TODAY + timedelta(1), ANN)


def test_a_renewed_card_goes_on_and_a_date_can_be_taken_away(told: Store, clock: Clock) -> None:
    card = issue(told, 1)
    told.dates.set(card.id, TODAY, ANN)
    assert told.dates.set(card.id, TODAY + timedelta(400), ANN).valid_until == TODAY + timedelta(400)
    clock.pass_by(2 * DAY_S)
    told.feed.enforce("cpo")
    assert told.cards.by_id(card.id).state is CardState.ACTIVE
    assert told.dates.set(card.id, None, ANN).valid_until is None
    assert [event.action for event in told.cards.history(card.id)].count("card.dated") == 3
    told.dates.set(card.id, None, ANN)
    assert [event.action for event in told.cards.history(card.id)].count("card.dated") == 3


def test_every_state_that_may_end_ends_and_no_other(store: Store, clock: Clock) -> None:
    made = [issue(store, number, activate=number > 1) for number in range(1, 6)]
    store.cards.move(made[2].id, CardState.BLOCKED, Reason.LOST, SUE, tell)
    store.cards.move(made[3].id, CardState.SUSPENDED, Reason.UNPAID, SUE, tell)
    unfinished = reserve(store, 6)
    for card in (*made, unfinished):
        store.dates.set(card.id, TODAY, ANN)
    store.cards.move(made[4].id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    clock.pass_by(DAY_S)
    assert expiring.end_due(store.database) == 4
    states = [card.state for card in store.cards.listing()]
    assert states == [CardState.EXPIRED] * 4 + [CardState.RETIRED, CardState.RESERVED]
    assert store.audit.check().is_sound


def test_many_end_in_several_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "_DUE", expiring._DUE.limit(2))
    for number in range(1, 6):
        store.dates.set(issue(store, number).id, TODAY + timedelta(number), ANN)
    assert [card.valid_until for card in store.dates.ending(TODAY + timedelta(3))] == [
        TODAY + timedelta(number) for number in (1, 2, 3)
    ]
    store.database.clock = lambda: START + timedelta(9)
    assert expiring.end_due(store.database) == 5


@pytest.mark.of_sqlite
def test_due_cards_are_looked_up_by_index(store: Store) -> None:
    from sqlalchemy import select
    from sqlalchemy.dialects import sqlite

    for query in (select(expiring.IS_ANY_DUE), expiring._DUE, expiring._ENDING):
        text = str(query.compile(dialect=sqlite.dialect()))
        with store.database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", ("1",) * text.count("?")).all()
        assert any("ix_card_may_expire" in step[3] for step in plan)


def test_authorization_says_expired_before_anybody_noted_it(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    from test_store_shelf import add

    from rfid_station.ocpi.port import Allowed
    from rfid_station.store.told.shelf import Shelf

    card = issue(store, 1)
    add(store, "cpo")
    store.dates.set(card.id, TODAY, ANN)
    shelf = Shelf(store.database, store.partners, tmp_path / "record")
    decided = shelf.decide("cpo", card.uid.hex, "RFID")
    assert decided is not None
    assert decided.allowed is Allowed.ALLOWED
    clock.pass_by(DAY_S)
    decided = shelf.decide("cpo", card.uid.hex, "RFID")
    assert decided is not None
    assert (decided.allowed, decided.token.valid) == (Allowed.EXPIRED, False)
    assert store.cards.by_id(card.id).state is CardState.ACTIVE
    store.feed.enforce("cpo")
    decided = shelf.decide("cpo", card.uid.hex, "RFID")
    assert decided is not None
    assert (decided.allowed, decided.token.valid) == (Allowed.EXPIRED, False)
    shelf.close()
