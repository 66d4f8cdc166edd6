"""Faults at random instants of whole stations, and what has to hold after each (docs/faults.md).

`make soak` (SOAK=1) does the same many times more.
"""

from __future__ import annotations

import ast
import os
import random
import re
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import fault_victims
import pytest
from batch_files import nxp_uids
from fault_victims import PILE, faulty_line
from postgresql_base import Base
from postgresql_cluster import private_cluster
from station_invariants import check_invariants
from stations import CLERK, ENGINES, Diary, issue_from, on_engine
from store_world import (
    ANN,
    SUE,
    contract,
    issue,
    make_older_store,
    received,
    reserve,
    tell,
    uid,
    url_of,
)
from warm_processes import PROCESSES

from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.feed import Lane
from rfid_station.errors import StoreError
from rfid_station.store.engines import sqlite
from rfid_station.store.opening import create_store, open_store

SOAK = bool(os.environ.get("SOAK"))
KILLS = 60 if SOAK else 3
PATIENCE_S = 60
TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "faults.md"


def kill_somewhere(
    work: Callable[..., None], *arguments: object, within_s: float, dice: random.Random
) -> bool:
    """Start it, and kill it at an instant drawn; whether it was still at work."""
    receiver, sender = PROCESSES.Pipe(duplex=False)
    victim = PROCESSES.Process(target=work, args=(*arguments, sender), daemon=True)
    victim.start()
    assert receiver.poll(PATIENCE_S)
    receiver.recv()
    victim.join(dice.random() * within_s)
    victim.kill()
    victim.join(PATIENCE_S)
    return victim.exitcode != 0


@pytest.fixture(params=ENGINES)
def anywhere(folder: Path, request: pytest.FixtureRequest) -> Path:
    return on_engine(request, folder)


# Killed


@pytest.mark.timeout(1800)
def test_a_station_loop_killed_at_any_instant(anywhere: Path) -> None:
    dice = random.Random(32)
    uri = f"sim:ntag213?count={len(PILE)}&deck={anywhere / 'deck.json'}"
    for _ in range(KILLS):
        kill_somewhere(fault_victims.issue_pile, anywhere, uri, within_s=0.6, dice=dice)
        with open_station(anywhere, CLERK) as station:
            check_invariants(station)
    with open_station(anywhere, CLERK) as station:
        while len(made(station)) < len(PILE):
            before = len(made(station))
            issue_from(station, uri, PILE)
            assert len(made(station)) > before
        check_invariants(station)
        assert sorted(made(station)) == sorted(line.key for line in PILE)
        assert station.store.leases.next_contract() == len(PILE) + 1


def made(station: Station) -> list[str | None]:
    return [card.order_line for card in station.store.cards.listing() if card.state is CardState.ACTIVE]


@pytest.mark.timeout(1800)
def test_a_batch_killed_at_any_instant(anywhere: Path, tmp_path: Path) -> None:
    dice = random.Random(32)
    uids = nxp_uids(3000 if SOAK else 600)
    path = tmp_path / "lot7.csv"
    path.write_text("uid,reference\n" + "".join(f"{one.hex()},E-{n}\n" for n, one in enumerate(uids)))
    for _ in range(KILLS):
        kill_somewhere(fault_victims.run_batch, anywhere, path, within_s=0.5, dice=dice)
        with open_station(anywhere, CLERK) as station:
            check_invariants(station)
    receiver, sender = PROCESSES.Pipe(duplex=False)
    fault_victims.run_batch(anywhere, path, sender)
    receiver.close()
    with open_station(anywhere, CLERK) as station:
        check_invariants(station)
        assert len(station.store.cards.listing()) == len(uids)


@pytest.mark.timeout(1800)
def test_a_migration_killed_at_any_instant(tmp_path: Path) -> None:
    """The copy that is made before may stay."""
    dice = random.Random(32)
    older, interrupted = older_store_with_cards(tmp_path), 0
    for kill in range(KILLS):
        path = Path(shutil.copy(older, tmp_path / f"{kill}.db"))
        interrupted += kill_somewhere(fault_victims.migrate, url_of(path), within_s=0.4, dice=dice)
        with open_store(url_of(path)) as store:
            check_invariants(store)
            assert [card.state for card in store.cards.listing()] == [CardState.ACTIVE] * 20
            issue(store, 50)
            check_invariants(store)
    assert interrupted


def older_store_with_cards(folder: Path) -> Path:
    """As version 0004 kept them: that far, cards were kept in columns that there are still."""
    newer, older = folder / "newer.db", folder / "older.db"
    with create_store(url_of(newer), actor=ANN) as store:
        for number in range(1, 21):
            issue(store, number)
    make_older_store(older, "0004")
    with closing(sqlite3.connect(older, isolation_level=None)) as file:
        file.execute("ATTACH ? AS newer", (str(newer),))
        file.execute("DELETE FROM meta")
        for table in ("meta", "event", "card", "token"):
            names = ", ".join(row[1] for row in file.execute(f"PRAGMA main.table_info({table})"))
            file.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")
    return older


# The store


def test_a_full_disk_in_the_middle_of_a_pile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own answer to a medium that has no room for one page more; then there is room again."""
    prepared = sqlite._prepare
    with closing(sqlite3.connect(folder / "station.db")) as file:
        (pages,) = file.execute("PRAGMA page_count").fetchone()

    def prepare_with_little_room(connection: sqlite3.Connection, record: object) -> None:
        prepared(connection, record)
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    uri, diary = f"sim:ntag213?count={len(PILE)}&deck={folder / 'deck.json'}", Diary()
    with monkeypatch.context() as tight:
        tight.setattr(sqlite, "_prepare", prepare_with_little_room)
        with open_station(folder, CLERK) as station, pytest.raises(StoreError, match="no room left"):
            issue_from(station, uri, PILE, view=diary)
    with open_station(folder, CLERK) as station:
        check_invariants(station)
        before = len(made(station))
        assert before < len(PILE)
        issue_from(station, uri, PILE)
        check_invariants(station)
        assert len(made(station)) > before


def test_a_store_that_somebody_keeps_locked_in_the_middle_of_a_pile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    uri = f"sim:ntag213?count=3&deck={folder / 'deck.json'}"
    with open_station(folder, CLERK) as station, closing(sqlite3.connect(folder / "station.db")) as other:
        issue_from(station, uri, PILE[:1], count=1)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked"):
            issue_from(station, uri, PILE[:3])
        other.rollback()
        check_invariants(station)
        issue_from(station, uri, PILE[:3])
        check_invariants(station)


@pytest.mark.timeout(600)
def test_a_server_stopped_and_started_while_cards_are_issued(tmp_path: Path) -> None:
    with private_cluster() as cluster:
        base = Base(cluster, cluster.make())
        create_store(base.url, actor=ANN).close()
        for mode in ("immediate", "fast") * (10 if SOAK else 1):
            begun, failed = threading.Event(), []
            worker = threading.Thread(target=issue_until_refused, args=(base.url, begun, failed))
            worker.start()
            assert begun.wait(PATIENCE_S)
            cluster.stop(mode)
            worker.join(PATIENCE_S)
            assert "cannot be reached" in failed[0]
            cluster.start()
            with open_store(base.url) as store:
                check_invariants(store)
                finish(store)
                check_invariants(store)


def issue_until_refused(url: str, begun: threading.Event, failed: list[str]) -> None:
    with open_store(url) as store:
        first = 1000 * (len(store.cards.listing()) + 1)
        try:
            for number in range(first, first + 1000):
                issue(store, number)
                begun.set()
        except StoreError as error:
            failed.append(error.message)


def finish(store: object) -> None:
    for card in store.cards.listing():
        if card.state.is_unfinished:
            store.cards.begin_encoding(card.id, "digest", ANN)
            store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)


@pytest.mark.parametrize("step", ["reserve", "register", "block"])
def test_a_connection_cut_after_commit_was_sent(base: Base, step: str) -> None:
    """The change is done and the program does not know: the same call again ends where it should."""
    with tempfile.TemporaryDirectory(prefix="cut-", dir="/tmp") as folder:
        (server,) = base.cluster.folder.glob(".s.PGSQL.*[0-9]")
        with faulty_line(Path(folder), server) as line:
            url = base.url.replace(str(base.cluster.folder), folder)
            with open_store(url) as store:
                for number in range(1, 11 if SOAK else 3):
                    calls = {
                        "reserve": lambda n: reserve(store, n, order_line=f"fleet.csv:{n}"),
                        "register": lambda n: store.cards.register(
                            n, token_of=tell, activate=True, actor=ANN
                        ),
                        "block": lambda n: store.cards.move(n, CardState.BLOCKED, Reason.LOST, SUE, tell),
                    }
                    for name, on in calls.items():
                        # Cards are counted from 1 too. Looking one up now would end by a COMMIT of its own.
                        call = partial(on, number)
                        if name == step:
                            line.is_armed.set()
                            with pytest.raises(StoreError, match="cannot be reached"):
                                call()
                            check_invariants(store)
                            if name == "reserve":
                                assert store.cards.living(uid(number)), "it was done"
                                continue
                        if name != step:
                            call()
                    card = store.cards.listing()[-1]
                    assert (card.state, card.contract_id) == (CardState.BLOCKED, contract(number))
                    check_invariants(store)
                assert line.cuts == (10 if SOAK else 2)


# The clock


def test_a_clock_set_back_a_day_in_the_middle_of_the_work(anywhere: Path) -> None:
    uri = f"sim:ntag213?count=4&deck={anywhere / 'deck.json'}"
    with open_station(anywhere, CLERK) as station:
        issue_from(station, uri, PILE[:2], count=2)
        changes = station.store.feed.own_after(0, Lane.BULK, 9)
        before = {one.token_id: one.token.last_updated for one in changes}
        yesterday = datetime.now(UTC) - timedelta(days=1)
        station.store.database.clock = lambda: yesterday
        for card in station.store.cards.listing():
            assert card.state is CardState.ACTIVE
            station.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, CLERK, station.token)
        issue_from(station, uri, PILE[:4])
        check_invariants(station)
        changes = station.store.feed.own_after(0, Lane.BULK, 9)
        assert len(changes) == 4
        for change in changes:
            assert change.token.valid is (change.token_id not in before)
            assert change.token_id not in before or change.token.last_updated > before[change.token_id]


# Whether the invariants can be broken at all


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DELETE FROM token WHERE card_id = 1", "'state': 'active'"),
        ("UPDATE token SET valid = 0 WHERE card_id = 1", "'valid': 0"),
        ("DELETE FROM event WHERE action = 'card.active' AND subject = 'card:1'", "'state': 'active'"),
        ("DROP INDEX uq_card_living_uid; UPDATE card SET uid = (SELECT uid FROM card WHERE id = 2)", "uid"),
        ("UPDATE meta SET contract_count = 1", "contract_count"),
        ("UPDATE meta SET revision = 1", "revision"),
        ("UPDATE stock_balance SET quantity = quantity + 1 WHERE account = 'on_hand'", "stock"),
        ("UPDATE event SET actor = 'bob' WHERE seq = 2", "'actor': 'bob'"),
        ("DELETE FROM event WHERE seq = 1", "'seq': 2"),
        ("UPDATE meta SET event_count = event_count + 1", "the end of the chain"),
    ],
)
def test_the_invariants_see_what_is_broken(path: Path, damage: str, words: str) -> None:
    with open_store(url_of(path)) as store:
        received(store, "L1", 5)
        issue(store, 1)
        issue(store, 2)
        check_invariants(store)
        with closing(sqlite3.connect(path, isolation_level=None)) as past_the_store:
            past_the_store.execute("DROP TRIGGER event_is_never_updated")
            past_the_store.execute("DROP TRIGGER event_is_never_deleted")
            past_the_store.executescript(damage)
        with pytest.raises(AssertionError, match=re.escape(words)):
            check_invariants(store)


def test_the_invariants_see_a_partner_that_is_not_right(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card = issue(store, 1)
        (change,) = store.feed.own_after(0, Lane.BULK, 5)
        at = f"{change.token.last_updated:%Y-%m-%dT%H:%M:%SZ}"
        check_invariants(store, {"cpo": {card.uid.hex: (True, at)}})
        for held in ({}, {card.uid.hex: (False, at)}, {card.uid.hex: (True, "2020-01-01T00:00:00Z")}):
            with pytest.raises(AssertionError, match="cpo"):
                check_invariants(store, {"cpo": held})


# The documentation


@cache
def _tests_of(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_table_of_faults_names_is_there() -> None:
    named = re.findall(r"`tests/([\w/]+\.py)::(test_\w+)`", DOCUMENT.read_text())
    assert len(named) > 25
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_of(path)]
    assert missing == []
