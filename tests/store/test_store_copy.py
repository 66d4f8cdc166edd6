"""A store taken from one engine to the other, and back."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
import store_workers
from postgresql_base import Base
from store_world import ANN, SUE, Clock, contents, issue, reserve, sql, tell, url_of
from warm_processes import PROCESSES

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.partner import Connection
from rfid_station.errors import Conflict, MoveNotAllowed, StoreError, WrongCall
from rfid_station.store.backups import copying
from rfid_station.store.backups.copying import copy_store
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.prints import PrintItem
from rfid_station.store.tables import METADATA


@pytest.fixture
def elsewhere(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path | Base]:
    """A place on the other engine with nothing in it."""
    if engine == "postgresql":
        yield tmp_path / "elsewhere.db"
        return
    cluster = request.getfixturevalue("cluster")
    base = Base(cluster, cluster.make())
    yield base
    base.drop()


def fill(store: Store) -> None:
    """Something of everything."""
    cards = [
        issue(store, number, driver=Driver("Zoë 😀", f"P{number}", "N", None)) for number in range(1, 16)
    ]
    store.cards.move(cards[0].id, CardState.BLOCKED, Reason.LOST, SUE, tell)
    store.dates.set(cards[1].id, date(2027, 1, 31), SUE)
    reserve(store, 50)
    store.partners.add(
        "cpo", "https://cpo.example", "ref", Agreement(groups=frozenset({cards[2].group})), ANN
    )
    store.partners.begin_connecting("cpo", "hash")
    store.partners.finish_connecting("cpo", Connection("2.2.1", "https://cpo.example", (), ()), "ref", ANN)
    store.feed.advance("cpo", Lane.BULK, 1, park=[Parked(1, 1, 1, Clock().now, True, "2001")])
    store.cards.regroup(cards[2].id, "other", token_of=tell, actor=ANN)
    items = [PrintItem(card.id, 1, place) for place, card in enumerate(cards, 1)]
    store.prints.record(design="d", sheet="s", file_sha256="0" * 64, items=items, actor=ANN)


def everything(store: Store) -> dict[str, list[object]]:
    with store.database.read() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))
            ]
            for table in METADATA.sorted_tables
        }


def test_a_copy_holds_everything_and_goes_on(store: Store, elsewhere: Path | Base) -> None:
    fill(store)
    copied = copy_store(store.database, url_of(elsewhere), None, SUE)
    assert copied.rows["card"] == 16
    assert copied.events == len(store.audit.events())
    assert store.audit.newest(1)[0].action == "store.copied"
    with open_store(url_of(elsewhere), clock=Clock()) as copy:
        assert everything(copy) == everything(store)
        assert copied.head == copy.audit.verify().head == store.audit.verify().head
        assert {name for name, rows in everything(copy).items() if rows} >= {
            "card",
            "driver",
            "token",
            "partner",
            "parked",
            "cover",
            "withdrawn",
            "event",
            "print_item",
        }
        assert issue(copy, 60).id == 17
        assert copy.cards.search("P7")[0].driver == Driver("Zoë 😀", "P7", "N", None)
        assert copy.audit.check().is_sound


def test_there_and_back_is_the_same(
    store: Store, elsewhere: Path | Base, nowhere: Callable[[], Path | Base]
) -> None:
    fill(store)
    copy_store(store.database, url_of(elsewhere), None, SUE)
    with open_store(url_of(elsewhere)) as there:
        back = nowhere()
        copy_store(there.database, url_of(back), None, SUE)
        with open_store(url_of(back)) as again:
            assert everything(again) == everything(there)
    if isinstance(back, Path):
        assert back.stat().st_mode & 0o077 == 0


def test_a_copy_onto_something_is_refused(store: Store, elsewhere: Path | Base, place: Path | Base) -> None:
    create_store(url_of(elsewhere), actor=ANN).close()
    before, there = contents(place), contents(elsewhere)
    for url, words in ((url_of(elsewhere), "there is a store at"), (url_of(place), "there is a store at")):
        with pytest.raises(Conflict, match=words):
            copy_store(store.database, url, None, SUE)
    with pytest.raises(WrongCall):
        copy_store(store.database, "a.db", None, SUE)
    with pytest.raises(MoveNotAllowed, match="a clerk may not copy the store"):
        copy_store(store.database, url_of(elsewhere), None, ANN)
    assert (contents(place), contents(elsewhere)) == (before, there)


@pytest.mark.parametrize(
    ("lost", "words"), [("token", "table token has 0 rows"), ("event", "table event has 5 rows")]
)
def test_a_copy_that_lost_something_does_not_count(
    store: Store,
    place: Path | Base,
    elsewhere: Path | Base,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    words: str,
) -> None:
    issue(store, 1)
    before = contents(place)
    insert_whole = copying.insert_whole

    def lose(connection: object, table: object, names: object, rows: list[object]) -> None:
        insert_whole(connection, table, names, rows[:-1] if table.name == lost else rows)

    monkeypatch.setattr(copying, "insert_whole", lose)
    with pytest.raises(StoreError, match=words):
        copy_store(store.database, url_of(elsewhere), None, SUE)
    assert contents(place) == before
    with pytest.raises(StoreError, match="is not a store"):
        open_store(url_of(elsewhere))


def test_a_copy_that_was_tampered_with_does_not_count(
    store: Store, place: Path | Base, elsewhere: Path | Base
) -> None:
    issue(store, 1)
    if isinstance(place, Path):
        sql(place, "DROP TRIGGER event_is_never_updated")
    sql(place, "UPDATE event SET actor = 'bob' WHERE seq = 3")
    with pytest.raises(StoreError, match="event 3 is not what was written"):
        copy_store(store.database, url_of(elsewhere), None, SUE)


def test_a_copy_that_is_killed_can_be_made_again(
    store: Store, place: Path | Base, elsewhere: Path | Base
) -> None:
    fill(store)
    choose, finished = random.Random(20261122), 0
    for _ in range(3):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        args = (place, elsewhere, sender)
        copier = PROCESSES.Process(target=store_workers.copy_and_tell, args=args, daemon=True)
        copier.start()
        receiver.recv()
        copier.join(choose.random() * 0.15)
        copier.kill()
        copier.join(60)
        assert store.audit.check().is_sound
        try:
            copy_store(store.database, url_of(elsewhere), None, SUE)
        except Conflict:
            finished += 1
        with open_store(url_of(elsewhere)) as copy:
            assert copy.audit.check().is_sound
            assert len(copy.cards.listing()) == 16
        if isinstance(elsewhere, Path):
            elsewhere.unlink()
        else:
            elsewhere.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert finished < 3
