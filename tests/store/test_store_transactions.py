"""Each call changes all or nothing: torn at every statement, and with no room on the disk."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgresql_base import Base
from sqlalchemy import event
from store_world import ANN, START, contents, issue, reserve, tell, uid, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Token
from rfid_station.errors import DiskFull, StoreError
from rfid_station.store.engines import sqlite
from rfid_station.store.engines.place import PURPOSE, Purpose
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.prints import PrintItem

CONNECTION = Connection("2.2.1", "https://cpo.example", (), ())
PARKED = Parked(1, 1, 1, START, False, "2001")


def prepare(store: Store) -> None:
    """Card 1 active, 2 being encoded, 3 reserved, 4 issued; partner a connecting, b connected."""
    issue(store, 1)
    store.cards.begin_encoding(reserve(store, 2).id, "digest", ANN)
    reserve(store, 3)
    issue(store, 4, activate=False)
    for name in ("a", "b"):
        store.partners.add(name, "https://cpo.example", "ref", Agreement(), ANN)
        store.partners.begin_connecting(name, f"hash-{name}")
    store.partners.finish_connecting("b", CONNECTION, "ref", ANN)
    store.feed.advance("b", Lane.BULK, 1, park=[PARKED])


CALLS: dict[str, Callable[[Store], object]] = {
    "reserve": lambda store: reserve(store, 9, order_line="x:9", driver=Driver("Jan")),
    "begin_encoding": lambda store: store.cards.begin_encoding(3, "digest", ANN),
    "register": lambda store: store.cards.register(2, token_of=tell, activate=True, actor=ANN),
    "move": lambda store: store.cards.move(1, CardState.BLOCKED, Reason.LOST, ANN, tell),
    "spoil": lambda store: store.cards.move(3, CardState.SPOILED, Reason.DAMAGED, ANN, tell),
    "add": lambda store: store.partners.add("c", "https://cpo.example", "ref", Agreement(), ANN),
    "begin_connecting": lambda store: store.partners.begin_connecting("b", "hash-2"),
    "finish_connecting": lambda store: store.partners.finish_connecting("a", CONNECTION, "ref", ANN),
    "abort_connecting": lambda store: store.partners.abort_connecting("a"),
    "advance": lambda store: store.feed.advance("b", Lane.BULK, 2, [Parked(2, 2, 1, START, True, "")], [1]),
    "record_proof": lambda store: store.feed.record_proof("b", 1, 1, True, ""),
    "record": lambda store: store.prints.record(
        design="d", sheet="s", file_sha256="0" * 64, items=[PrintItem(1, 1, 1)], actor=ANN
    ),
    "append": lambda store: store.audit.append(ANN, "x.y", "store"),
}
CHANGES = ("INSERT", "UPDATE", "DELETE")


class Torn(Exception):
    pass


@contextmanager
def watched(store: Store, at: Callable[[int, str], None]) -> Iterator[list[str]]:
    """Hear of every statement before it runs, the commit included."""
    engine, seen = store._database._engine, []

    def before(*args: object) -> None:
        seen.append(str(args[2]))
        at(len(seen), seen[-1])

    def begin(connection: object) -> None:
        # The driver is asked directly, past the statements that are seen.
        seen.append(f"BEGIN {connection.info.get(PURPOSE, Purpose.READ).name}")
        at(len(seen), seen[-1])

    def commit(_: object) -> None:
        seen.append("COMMIT")
        at(len(seen), "COMMIT")

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", commit)
    event.listen(engine, "begin", begin)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "commit", commit)
        event.remove(engine, "begin", begin)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_torn_at_any_statement_changes_nothing_and_can_be_repeated(
    store: Store, place: Path | Base, name: str
) -> None:
    prepare(store)
    before = contents(place)
    tears = 0
    while True:

        def tear(number: int, _: str, limit: int = tears + 1) -> None:
            if number == limit:
                raise Torn

        with watched(store, tear):
            try:
                CALLS[name](store)
            except Torn:
                tears += 1
                assert contents(place) == before
                continue
            break
    assert tears >= 4
    assert contents(place) != before
    assert store.audit.check().is_sound


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_one_transaction(store: Store, name: str) -> None:
    prepare(store)
    with watched(store, lambda *_: None) as seen:
        CALLS[name](store)
    assert [seen[0], seen[-1]] == ["BEGIN WRITE", "COMMIT"]
    assert sum(text.startswith(("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT")) for text in seen) == 2
    assert any(text.startswith(CHANGES) for text in seen)


def test_statements_and_commits_per_card(store: Store) -> None:
    """What issuing a card costs; a number that rises has to be explained."""
    issue(store, 1)
    with watched(store, lambda *_: None) as seen:
        issue(store, 2, driver=Driver("Jan"))
    assert seen.count("COMMIT") == 3
    # On a server one change is told.
    frame = ("COMMIT", "BEGIN WRITE")
    assert len([text for text in seen if text not in frame]) == (21 if store.path else 22)


def test_the_last_thing_a_change_does_is_to_keep_the_counters(store: Store) -> None:
    """A revision must be given out under the lock that is held until the commit."""
    prepare(store)
    for name in ("reserve", "register", "move"):
        with watched(store, lambda *_: None) as seen:
            CALLS[name](store)
        assert seen[-2].startswith("UPDATE meta SET revision")


def test_an_error_of_the_caller_changes_nothing(store: Store, place: Path | Base) -> None:
    prepare(store)
    before = contents(place)

    def refuse(*_: object) -> Token:
        raise Torn

    with pytest.raises(Torn):
        store.cards.register(2, token_of=refuse, activate=True, actor=ANN)
    with pytest.raises(Torn):
        store.cards.move(1, CardState.BLOCKED, Reason.LOST, ANN, refuse)
    assert contents(place) == before
    CALLS["register"](store)
    CALLS["move"](store)


# No room


@pytest.fixture
def tight_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Store]]:
    """A store on a medium that has room for not one page more: SQLite's own answer to a full one."""
    with open_store(url_of(path)) as store:
        prepare(store)
    opened: list[Store] = []
    prepared = sqlite._prepare

    def prepare_without_room(connection: sqlite3.Connection, record: object) -> None:
        prepared(connection, record)
        connection.execute("PRAGMA max_page_count = 1")

    def open_tight() -> Store:
        monkeypatch.setattr(sqlite, "_prepare", prepare_without_room)
        opened.append(open_store(url_of(path)))
        return opened[-1]

    yield open_tight
    for one in opened:
        one.close()


def test_a_full_disk_is_said_and_nothing_is_changed(path: Path, tight_store: Callable[[], Store]) -> None:
    store, before, full = tight_store(), [""], None
    for number in range(100, 300):
        before = contents(path)
        full = out_of_room(lambda wanted=number: reserve(store, wanted, driver=Driver("J" * 400)))
        if full:
            break
    assert full is not None
    assert full.message == f"there is no room left for {path}"
    assert str(path.parent) in str(full.hint)
    assert contents(path) == before
    with open_store(url_of(path)) as relieved:
        assert relieved.audit.check().findings == ()


def out_of_room(call: Callable[[], object]) -> DiskFull | None:
    try:
        call()
    except DiskFull as full:
        return full
    return None


LIMITED = """
import resource, sys
from store_world import ANN, issue, url_of
from rfid_station.errors import StoreError
from rfid_station.store.opening import open_store
from pathlib import Path

path = Path(sys.argv[1])
with open_store(url_of(path)) as store:
    issue(store, 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for number in range(2, 500):
        try:
            issue(store, number)
        except StoreError as error:
            print(type(error).__name__, len(store.cards.listing()))
            break
"""


def test_a_file_system_that_refuses_to_grow_the_store(path: Path) -> None:
    """Not SQLite but the system refuses to write; what was committed before is whole."""
    limit = str(resource.getpagesize() * 60)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), limit], capture_output=True, text=True, env=environment
    )
    assert done.stderr == ""
    kind, cards = done.stdout.split()
    assert kind in ("StoreError", "DiskFull")
    with open_store(url_of(path)) as store:
        assert store.audit.check().is_sound
        assert len(store.cards.listing()) == int(cards)
        assert issue(store, 1000).state is CardState.ACTIVE


@pytest.mark.parametrize(
    ("code", "free", "kind"),
    [
        (sqlite3.SQLITE_FULL, 10**9, DiskFull),
        (sqlite3.SQLITE_IOERR_WRITE, 4096, DiskFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, 0, DiskFull),
        (sqlite3.SQLITE_IOERR_WRITE, 10**9, StoreError),
        (sqlite3.SQLITE_IOERR_READ, 0, StoreError),
    ],
)
def test_which_failed_writes_are_a_full_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, free: int, kind: type[StoreError]
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    monkeypatch.setattr(sqlite.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free}))
    told = sqlite.explain(error, path)
    assert type(told) is kind
    assert told.hint


def test_no_room_for_a_new_store_leaves_an_empty_file_that_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "station.db"
    prepared = sqlite._prepare

    def prepare_with_little_room(connection: sqlite3.Connection, record: object) -> None:
        prepared(connection, record)
        connection.execute("PRAGMA max_page_count = 5")

    with monkeypatch.context() as tight:
        tight.setattr(sqlite, "_prepare", prepare_with_little_room)
        with pytest.raises(DiskFull):
            create_store(url_of(path), actor=ANN)
    with create_store(url_of(path), actor=ANN) as store:
        assert store.cards.living(uid(1)) is None
        assert store.audit.check().is_sound
