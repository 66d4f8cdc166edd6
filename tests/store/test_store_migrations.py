"""Every older version is brought to this one while programs of that version are at work (docs/faults.md).

`make soak` (SOAK=1) does it many times, from other instants. That an older program which has begun a change
either ends it first, or is told that the store is newer, is tried once more with the instant held fast.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.connection import Connection as Line
from multiprocessing.process import BaseProcess
from pathlib import Path

import older_stores
import pytest
from older_stores import VERSIONS, Rows, Work, all_rows, make_older_copy, make_world
from postgresql_base import Base
from postgresql_cluster import Cluster
from sqlalchemy import Connection
from station_invariants import check_invariants
from store_world import as_in, issue, url_of
from warm_processes import PROCESSES

from rfid_station.errors import StoreTooNew
from rfid_station.store import migrations
from rfid_station.store.engines import postgresql
from rfid_station.store.opening import Store, open_store

ROUNDS = 5 if os.environ.get("SOAK") else 1
PATIENCE_S = 60
ENDS_WITHIN_S = 20
NEW_CARD = 10_000
CASES = [(engine, version) for engine, versions in VERSIONS.items() for version in versions]
NEWEST_BUT_ONE = [(engine, versions[-1]) for engine, versions in VERSIONS.items()]


@dataclass
class Program:
    """A program of an older version, as it is heard of."""

    process: BaseProcess
    line: Line
    heard: list[object] = field(default_factory=list)

    def hears(self, words: str) -> None:
        while words not in self.heard:
            assert self.line.poll(PATIENCE_S), f"{words!r} is never heard: {self.heard[-5:]}"
            self.heard.append(self.line.recv())

    def has_made(self, cards: int) -> None:
        while len(self.heard) < 1 + cards:
            assert self.line.poll(PATIENCE_S)
            self.heard.append(self.line.recv())

    def last_words(self) -> object:
        """What it ends with: what it was told by the store, or `told to stop`."""
        until = time.monotonic() + ENDS_WITHIN_S
        with suppress(EOFError):
            while self.line.poll(max(0, until - time.monotonic())):
                assert time.monotonic() < until, f"it goes on, as after {self.heard[-1]}"
                self.heard.append(self.line.recv())
        self.process.join(PATIENCE_S)
        return self.heard[-1]


@contextmanager
def at_work(place: Path | Base, version: str, work: Work) -> Iterator[Program]:
    ours, theirs = PROCESSES.Pipe()
    target = older_stores.run_older
    process = PROCESSES.Process(target=target, args=(version, url_of(place), work, theirs), daemon=True)
    process.start()
    theirs.close()
    program = Program(process, ours)
    program.hears("begun")
    try:
        yield program
    finally:
        process.kill()
        process.join(PATIENCE_S)
        ours.close()


Older = Callable[[str], Path | Base]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("world") / "station.db"
    make_world(place)
    return place


@pytest.fixture(scope="module")
def world_on_a_server(cluster: Cluster) -> Iterator[Base]:
    base = Base(cluster, cluster.make())
    make_world(base)
    yield base
    base.drop()


@pytest.fixture
def older(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Older]:
    """Makes a store of a version, with data, on an engine."""
    made: list[Base] = []
    numbers = count()

    def on_a_server(version: str) -> Base:
        world = request.getfixturevalue("world_on_a_server")
        made.append(Base(world.cluster, world.cluster.make(world.name)))
        as_in(made[-1], version)
        return made[-1]

    def in_a_file(version: str) -> Path:
        path = tmp_path / f"{next(numbers)}" / "station.db"
        make_older_copy(request.getfixturevalue("world"), path, version)
        return path

    yield on_a_server if kind == "postgresql" else in_a_file
    for base in made:
        base.drop()


# Under traffic


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("kind", "version"), CASES)
def test_a_version_is_brought_up_while_its_programs_are_at_work(
    kind: str, version: str, older: Older
) -> None:
    dice = random.Random(f"{kind} {version}")
    for _ in range(ROUNDS):
        place = older(version)
        before = all_rows(place)
        made = migrated_under_traffic(place, version, dice.randint(1, 20), dice.random() / 100)
        after = all_rows(place)
        assert len(after["card"]) == len(before["card"]) + made
        nothing_is_lost(before, after)
        promises_are_kept(after)
        it_goes_on(place)


def migrated_under_traffic(place: Path | Base, version: str, first: int, pause_s: float) -> int:
    """Two programs of this version open the store at once, after a while; how many cards older ones made."""
    with (
        at_work(place, version, older_stores.write_on) as writer,
        at_work(place, version, older_stores.read_on) as reader,
    ):
        reader.hears("looked")
        writer.has_made(first)
        time.sleep(pause_s)
        other = opened_elsewhere(place)
        with open_store(url_of(place)) as store:
            refused = writer.last_words()
            assert isinstance(refused, StoreTooNew), refused
            assert "by now" in refused.message
            with suppress(BrokenPipeError):
                reader.line.send("stop")
            assert reader.last_words() == "told to stop"
            made = writer.heard[1:-1]
            the_store_is_whole(store, made)
            the_copy_is_what_was_migrated([store, other()], made, version)
    return len(made)


def opened_elsewhere(place: Path | Base) -> object:
    found: list[object] = []

    def run() -> None:
        try:
            with open_store(url_of(place)) as store:
                found.append(store)
        except BaseException as error:
            found.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> object:
        thread.join(PATIENCE_S)
        assert isinstance(found[0], Store), found
        return found[0]

    return result


def the_store_is_whole(store: Store, made: list[object]) -> None:
    """Every card that an older program said is made is there, and no other; each is found by its ends."""
    check_invariants(store)
    cards = {card.visual_number: card for card in store.cards.listing()}
    assert list(cards)[8:] == made
    for card in cards.values():
        assert card in store.cards.search(card.uid.masked), card
        assert card in store.cards.search(card.visual_number[-9:]), card


def it_goes_on(place: Path | Base) -> None:
    with open_store(url_of(place)) as store:
        assert not store.migration
        assert store.cards.search(issue(store, NEW_CARD).uid.masked)
        check_invariants(store)


def the_copy_is_what_was_migrated(stores: list[Store], made: list[object], version: str) -> None:
    """One of the two that opened it has migrated it, and kept all of it as it was, to the last change."""
    (migration,) = [store.migration for store in stores if store.migration]
    assert (migration.before, migration.after) == (version, migrations.REVISIONS[-1])
    if migration.backup:
        copy = all_rows(migration.backup)
        assert len(copy["card"]) == 8 + len(made)
        assert copy["alembic_version"] == [{"version_num": version}]


# What was there


def nothing_is_lost(before: Rows, after: Rows) -> None:
    """Every row of the older store is there, as far as it is kept in the same columns."""
    for table, rows in before.items():
        if table in ("meta", "alembic_version"):
            continue
        left = set(rows[0]) & set(after[table][0]) - {"bulk_cursor"} if rows else set()
        now = [{name: row[name] for name in left} for row in after[table]]
        for row in rows:
            assert {name: row[name] for name in left} in now, (table, row)


def promises_are_kept(after: Rows) -> None:
    """What each version promises of rows that were there before it."""
    drivers = {row["id"]: row for row in after["driver"]}
    groups = {
        row["id"]: drivers[row["driver_id"]]["fleet"] if row["driver_id"] else "general"
        for row in after["card"]
    }
    assert {row["id"]: row["card_group"] for row in after["card"]} == groups
    assert {row["card_group"] == groups[row["card_id"]] for row in after["token"]} == {True}
    assert sorted(row["use"] for row in after["server_token"]) == ["offered", "valid", "valid"]
    assert {row["kind"] for row in after["print_job"]} == {"sheet"}
    assert [(row["card_id"], row["side"]) for row in after["print_item"]] == [(1, "front"), (2, "front")]
    for row in after["card"]:
        turned = [f"{row[name]}"[::-1] for name in ("uid", "contract_id", "visual_bare")]
        assert [row[f"{name}_backwards"] for name in ("uid", "contract", "visual")] == turned
        assert row["contract_card"] == 1
    partners = {row["name"]: row for row in after["partner"]}
    proven = {name: row["last_proof_at"] and row["last_proof_at"][11:16] for name, row in partners.items()}
    assert proven == {"first": "08:06", "second": "08:04", "never": None}
    assert {name: bool(row["met_at"]) for name, row in partners.items()} == {
        "first": True,
        "second": True,
        "never": False,
    }
    for row in partners.values():
        assert (row["profile"], row["resync_no"], row["block_within_s"]) == ("standard", 0, 900)
    covers = {(row["partner_id"], row["card_group"], bool(row["is_covered"])) for row in after["cover"]}
    assert covers == {(row["id"], "*", True) for row in partners.values()}


# The instant, held fast


@pytest.mark.parametrize(("kind", "version"), NEWEST_BUT_ONE)
def test_a_change_that_was_begun_before_is_ended_first(version: str, older: Older) -> None:
    place = older(version)
    with at_work(place, version, older_stores.write_slowly) as writer:
        writer.hears("in the middle")
        opened = opened_elsewhere(place)
        is_waiting(place)
        time.sleep(2 * postgresql.SHORT_S)
        writer.line.send("go on")
        assert writer.last_words() == "told to stop"
        assert opened().migration
        with open_store(url_of(place)) as store:
            assert len(store.cards.listing()) == 9
            the_store_is_whole(store, [store.cards.listing()[-1].visual_number])


@pytest.mark.parametrize(("kind", "version"), NEWEST_BUT_ONE)
def test_who_begins_a_change_meanwhile_is_told_that_the_store_is_newer(
    version: str, older: Older, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw the older version, would it not wait: nothing is committed yet."""
    upgrade, place = migrations.upgrade, older(version)
    with at_work(place, version, older_stores.write_when_told) as writer:

        def upgrade_and_dwell(connection: Connection) -> None:
            upgrade(connection)
            writer.line.send("now")
            writer.hears("begins")
            is_waiting(place)

        monkeypatch.setattr(migrations, "upgrade", upgrade_and_dwell)
        with open_store(url_of(place)) as store:
            assert isinstance(writer.last_words(), StoreTooNew)
            the_store_is_whole(store, [])


def is_waiting(place: Path | Base) -> None:
    """Wait until somebody waits for a lock. SQLite does not say so: there, for long enough to have begun."""
    if not isinstance(place, Base):
        time.sleep(0.1)
        return
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    until = time.monotonic() + PATIENCE_S
    while not place.sql(waiting):
        assert time.monotonic() < until, "nobody waits"
        time.sleep(0.005)
