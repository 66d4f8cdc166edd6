from __future__ import annotations

from pathlib import Path

import pytest
from store_world import ANN, SUE, Clock, contents, issue

from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.opening import Store
from rfid_station.store.prints import Printed, PrintItem

SHA = "ab" * 32


def record(store: Store, *items: PrintItem) -> int:
    return store.prints.record(design="classic", sheet="a4-10up", file_sha256=SHA, items=items, actor=SUE)


def test_a_job_reads_back_per_card(store: Store, clock: Clock) -> None:
    first, second = issue(store, 1), issue(store, 2)
    clock.pass_by(9)
    job = record(store, PrintItem(first.id, 1, 1), PrintItem(second.id, 1, 2))
    again = record(store, PrintItem(first.id, 1, 1))
    place = {"at": clock.now, "actor": "sue", "design": "classic", "sheet": "a4-10up", "file_sha256": SHA}
    assert store.prints.of_card(second.id) == [Printed(job_id=job, sheet_number=1, position=2, **place)]
    assert [printed.job_id for printed in store.prints.of_card(first.id)] == [job, again]
    assert store.prints.of_card(99) == []


def test_printing_is_witnessed_with_the_card(store: Store) -> None:
    card = issue(store, 1)
    job = record(store, PrintItem(card.id, 2, 7))
    event = store.cards.history(card.id)[-1]
    assert (event.action, event.actor) == ("card.printed", SUE)
    assert event.data == {
        "visual_number": card.visual_number,
        "job": job,
        "design": "classic",
        "sheet": "a4-10up",
        "file_sha256": SHA,
        "place": [2, 7],
    }
    assert store.audit.check().is_sound


def test_which_cards_were_printed_and_the_next_number(store: Store) -> None:
    assert (store.prints.card_ids(), store.prints.next_job()) == (set(), 1)
    card, _ = issue(store, 1), issue(store, 2)
    for job in (1, 2):
        assert store.prints.next_job() == record(store, PrintItem(card.id, 1, 1)) == job
    assert store.prints.card_ids() == {card.id}


def test_an_unknown_card_an_empty_job_and_a_place_taken_twice(store: Store, path: Path) -> None:
    card, other = issue(store, 1), issue(store, 2)
    before = contents(path)
    with pytest.raises(WrongCall, match="there is no card with id 77"):
        record(store, PrintItem(card.id, 1, 1), PrintItem(77, 1, 2))
    with pytest.raises(WrongCall, match="a print job without cards"):
        record(store)
    with pytest.raises(Conflict, match="refuses this"):
        record(store, PrintItem(card.id, 1, 1), PrintItem(other.id, 1, 1))
    assert contents(path) == before
    assert ANN != SUE
