"""A person is forgotten: no byte of the name is left in the file, and the card still guards its UID."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event
from store_world import ANN, SUE, issue, reserve, tell, uid

from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.errors import Conflict, MoveNotAllowed, StationError
from rfid_station.store.opening import Store

PERSON = Driver("Zacharias Quexbert", "P-17", "North", "de")


def retired(store: Store, number: int) -> int:
    card = issue(store, number, driver=PERSON)
    return store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, SUE, tell).id


def bytes_of(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_what_is_erased_is_not_in_the_file_any_more(store: Store, path: Path) -> None:
    engine = store.database._engine
    engine.dispose()
    # Some builds of SQLite overwrite by themselves.
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA secure_delete = OFF"))
    ids = [retired(store, 1), retired(store, 2)]
    other = issue(store, 3, driver=Driver("Somebody Else", "P-18", "North"))
    name = PERSON.name.encode()
    assert name in bytes_of(path)
    assert [card.id for card in store.drivers.erase("P-17", SUE)] == ids
    assert name not in bytes_of(path)
    assert PERSON.name.casefold().encode() not in bytes_of(path)
    assert b"Somebody Else" in bytes_of(path)
    assert [store.cards.by_id(one).driver for one in ids] == [None, None]
    assert store.cards.by_id(other.id).driver is not None
    assert store.cards.search("quexbert") == []
    assert store.audit.check().is_sound


def test_the_history_and_the_guard_against_reuse_stay(store: Store) -> None:
    card_id = retired(store, 1)
    store.drivers.erase("P-17", SUE)
    actions = [event.action for event in store.cards.history(card_id)]
    assert actions[0] == "card.reserved"
    assert actions[-1] == "card.driver_erased"
    assert all("P-17" not in str(event.data) for event in store.cards.history(card_id)[1:])
    with pytest.raises(Conflict, match="belongs to card"):
        reserve(store, 9, of=uid(1))


@pytest.mark.parametrize("activate", [True, False])
def test_nobody_is_forgotten_whose_card_may_charge(store: Store, activate: bool) -> None:
    card = issue(store, 1, driver=PERSON, activate=activate)
    with pytest.raises(MoveNotAllowed, match="in use: EXM-0000-0001"):
        store.drivers.erase("P-17", SUE)
    assert store.cards.by_id(card.id).driver == PERSON


def test_who_may_and_whom(store: Store) -> None:
    retired(store, 1)
    with pytest.raises(MoveNotAllowed, match="a clerk may not erase"):
        store.drivers.erase("P-17", ANN)
    for reference in ("P-1", "p-17", "", "%"):
        with pytest.raises(StationError, match="no driver has the reference"):
            store.drivers.erase(reference, SUE)
    assert len(store.drivers.cards_of("P-17")) == 1
