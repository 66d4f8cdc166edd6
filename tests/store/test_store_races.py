"""Several desks on one store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import store_workers
from postgresql_base import Base
from store_world import issue, reserve, uid, url_of
from warm_processes import PROCESSES

from rfid_station.domain.card import Card
from rfid_station.domain.feed import Lane
from rfid_station.errors import Conflict
from rfid_station.store.opening import Store, open_store

DESKS = 3


def fresh(place: Path | Base, attempt: int) -> Path | Base:
    """The place with an empty store once more."""
    if isinstance(place, Base):
        place.reset()
        return place
    copy = place.with_name(f"{attempt}.db")
    copy.write_bytes(place.read_bytes())
    return copy


def finish(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


@pytest.mark.parametrize("what", ["uid", "line"])
def test_of_several_desks_one_gets_the_card_and_the_others_hear_which(place: Path | Base, what: str) -> None:
    for attempt in range(2):
        again = fresh(place, attempt)
        barrier = PROCESSES.Barrier(DESKS)
        receiver, sender = PROCESSES.Pipe(duplex=False)
        desks = [
            PROCESSES.Process(
                target=store_workers.reserve_at_once, args=(again, barrier, sender, 10 + desk, what)
            )
            for desk in range(DESKS)
        ]
        for desk in desks:
            desk.start()
        finish(desks)
        answers = sorted(receiver.recv() for _ in desks)
        with open_store(url_of(again)) as store:
            (card,) = store.cards.listing()
            assert store.audit.check().is_sound
        assert answers.count("won") == 1
        assert all(
            f"belongs to card {card.visual_number}, which is reserved" in text for text in answers[:-1]
        )


def test_of_several_desks_one_gets_the_number_and_the_others_hear_whose_it_is(place: Path | Base) -> None:
    barrier = PROCESSES.Barrier(DESKS)
    receiver, sender = PROCESSES.Pipe(duplex=False)
    desks = [
        PROCESSES.Process(target=store_workers.register_at_once, args=(place, barrier, sender, 10 + desk))
        for desk in range(DESKS)
    ]
    for desk in desks:
        desk.start()
    finish(desks)
    number = store_workers.WANTED
    lost = f"number {number} is card {number}, which is active"
    assert sorted(receiver.recv() for _ in desks) == [lost] * (DESKS - 1) + ["won"]
    with open_store(url_of(place)) as store:
        assert [card.visual_number for card in store.cards.listing()] == [number]
        assert store.audit.check().is_sound


@pytest.mark.parametrize("what", ["uid", "line"])
def test_threads_of_one_desk_race_the_same_way(store: Store, what: str) -> None:
    wishes: dict[str, Callable[[int], Card]] = {
        "uid": lambda number: reserve(store, number, of=uid(7)),
        "line": lambda number: reserve(store, number, order_line="fleet.csv:7"),
    }
    for _ in range(5):
        outcomes = at_once(lambda number: wishes[what](number))
        winners = [card for card in outcomes if isinstance(card, Card)]
        losers = [error for error in outcomes if isinstance(error, Conflict)]
        assert len(winners) + len(losers) == 4
        assert len(winners) <= 1
    assert len(store.cards.listing()) == 1


def at_once(call: Callable[[int], Card]) -> list[object]:
    barrier, outcomes = threading.Barrier(4), []

    def run(number: int) -> None:
        barrier.wait(60)
        try:
            outcomes.append(call(number))
        except Exception as error:  # noqa: BLE001 - whatever comes is looked at by the test
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_of_several_inits_one_makes_the_store(engine: str, nowhere: Callable[[], Path | Base]) -> None:
    for _ in range(2):
        path = nowhere()
        barrier = PROCESSES.Barrier(DESKS)
        receiver, sender = PROCESSES.Pipe(duplex=False)
        inits = [
            PROCESSES.Process(target=store_workers.create_at_once, args=(path, barrier, sender))
            for _ in range(DESKS)
        ]
        for init in inits:
            init.start()
        finish(inits)
        assert sorted(receiver.recv() for _ in inits) == ["conflict"] * (DESKS - 1) + ["won"]
        with open_store(url_of(path)) as store:
            assert store.audit.check().is_sound
            assert len(store.audit.events()) == 1


def test_a_reader_misses_no_revision_of_several_writers(place: Path | Base) -> None:
    """What a lane does while desks of two threads write: it must end with the newest of each token."""
    desks, cards = (2, 12) if isinstance(place, Path) else (8, 5)
    writers = [
        PROCESSES.Process(target=store_workers.write_much, args=(place, first, cards))
        for first in range(100, 100 * (desks + 1), 100)
    ]
    for writer in writers:
        writer.start()
    cursor, seen, rounds = 0, {}, 0
    with open_store(url_of(place)) as store:
        while True:
            at_work = any(writer.is_alive() for writer in writers)
            batch = store.feed.own_after(cursor, Lane.BULK, 3)
            revisions = [change.revision for change in batch]
            assert revisions == sorted(set(revisions))
            assert all(revision > cursor for revision in revisions)
            for change in batch:
                earlier = seen.get(change.token_id)
                assert earlier is None or earlier.token.last_updated < change.token.last_updated
                seen[change.token_id] = change
            cursor = max([cursor, *revisions])
            rounds += bool(batch)
            if not batch and not at_work:
                break
        finish(writers)
        newest = {change.token_id: change for change in store.feed.own_after(0, Lane.BULK, 1000)}
        assert seen == newest
        assert len(newest) == desks * cards
        assert cursor == desks * cards + desks * cards
        assert store.audit.check().is_sound
    assert rounds > 3


def test_the_audit_chain_holds_with_several_writers(store: Store) -> None:
    threads = [
        threading.Thread(target=lambda desk: [issue(store, desk * 10 + n) for n in range(4)], args=(desk,))
        for desk in range(1, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check = store.audit.check()
    assert check.is_sound
    assert check.chain.events == 1 + 12 * 4
    assert [change.revision for change in store.feed.own_after(0, Lane.BULK, 100)] == list(range(1, 13))
