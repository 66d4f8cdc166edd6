"""Backups that are made while desks work, and what a restored store must never do."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import store_workers
from postgresql_base import Base
from store_world import ANN, SUE, Clock, contents, contract, issue, reserve, sql, tell, url_of
from warm_processes import PROCESSES

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason, Role
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Token
from rfid_station.errors import Conflict, DiskFull, MoveNotAllowed, StoreError, StoreTooNew
from rfid_station.store.backups import backing_up, restoring
from rfid_station.store.backups.backing_up import back_up
from rfid_station.store.backups.restoring import Restored, restore_elsewhere, restore_over
from rfid_station.store.opening import Store, open_store

KILLS = 40 if os.environ.get("SOAK") else 3


def restore(file: Path, path: Path, **more: object) -> Restored:
    return restore_over(file, path, lambda _: SUE, clock=Clock(), **more)


def connected(store: Store, name: str = "cpo") -> None:
    store.partners.add(name, f"https://{name}.example", "file:old", Agreement(), ANN)
    store.partners.begin_connecting(name, f"hash of {name}")
    connection = Connection("2.2.1", f"https://{name}.example", (), ())
    store.partners.finish_connecting(name, connection, "file:old", ANN)


def everybody_knows(store: Store, name: str = "cpo") -> None:
    """The partner acknowledged everything."""
    head = store.feed.standing(name).head
    for lane in Lane:
        store.feed.advance(name, lane, head)


def told(store: Store) -> dict[str, Token]:
    return {one.token.uid.hex: one.token for one in store.feed.own_after(0, Lane.BULK, 10_000)}


def lie_around(folder: Path) -> list[str]:
    """What nobody asked for."""
    return [one.name for one in folder.iterdir() if one.name.endswith((".part", ".restoring"))]


# Backing up


def test_a_backup_while_a_desk_works_is_one_moment_and_stops_nobody(
    store: Store, place: Path | Base, tmp_path: Path
) -> None:
    connected(store)
    first = issue(store, 1)
    working = threading.Thread(target=store_workers.write_much, args=(place, 100, 25))
    working.start()
    made = []
    while working.is_alive() or len(made) < 2:
        made.append(back_up(store.database, tmp_path / "backups" / f"{len(made)}.db", SUE))
    working.join()
    for backup in (made[0], made[-1]):
        assert backup.file.stat().st_mode & 0o077 == 0
        with open_store(url_of(backup.file)) as opened:
            assert opened.audit.verify().head == backup.head
            assert opened.audit.check().is_sound
            assert opened.cards.by_id(first.id).visual_number == first.visual_number
    assert made[0].events < made[-1].events < len(store.audit.events()) >= 26 * 4
    assert [event.action for event in store.audit.events()].count("store.backed_up") == len(made)
    assert len(store.cards.listing()) == 26
    assert lie_around(tmp_path / "backups") == []


def test_a_backup_takes_a_supervisor_and_a_new_name(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with pytest.raises(MoveNotAllowed, match="a clerk may not back the store up"):
        back_up(store.database, file, ANN)
    assert not file.exists()
    back_up(store.database, file, SUE)
    before = file.read_bytes()
    with pytest.raises(Conflict, match="there is a file"):
        back_up(store.database, file, SUE)
    assert file.read_bytes() == before


def test_a_store_that_is_not_sound_makes_no_backup(store: Store, place: Path | Base, tmp_path: Path) -> None:
    issue(store, 1)
    sql(place, "DELETE FROM token")
    with pytest.raises(StoreError, match=r"has no token|has 0 rows|were created"):
        back_up(store.database, tmp_path / "backup.db", SUE)
    assert [one.name for one in tmp_path.glob("*backup*")] == []
    assert lie_around(tmp_path) == []


def test_no_room_for_a_backup_leaves_none(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFull("there is no room left")

    monkeypatch.setattr(backing_up, "checked", full)
    with pytest.raises(DiskFull):
        back_up(store.database, tmp_path / "backup.db", SUE)
    assert [one.name for one in tmp_path.glob("*backup*")] == []
    assert lie_around(tmp_path) == []


@pytest.mark.of_sqlite
def test_what_was_deleted_is_not_in_a_backup(store: Store, tmp_path: Path) -> None:
    card = issue(store, 1, driver=Driver("Zebedee Quux", "P-1"))
    store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    store.drivers.erase("P-1", SUE)
    back_up(store.database, tmp_path / "backup.db", SUE)
    assert b"Zebedee" not in (tmp_path / "backup.db").read_bytes()


# The drill


@pytest.fixture
def told_world(path: Path, tmp_path: Path) -> tuple[Path, Path, dict[str, Token]]:
    """A backup, a store that went on after it, and what the partner was told by then."""
    clock = Clock()
    with open_store(url_of(path), clock=clock) as store:
        connected(store)
        cards = [issue(store, number, driver=Driver(f"D{number}", f"P{number}")) for number in range(1, 6)]
        everybody_knows(store)
        file = back_up(store.database, tmp_path / "backup.db", SUE).file
        clock.pass_by(3600)
        store.cards.move(cards[0].id, CardState.BLOCKED, Reason.LOST, SUE, tell)
        for reason, state in ((Reason.LOST, CardState.BLOCKED), (Reason.FOUND, CardState.ACTIVE)) * 3:
            store.cards.move(cards[1].id, state, reason, SUE, tell)
        store.cards.move(cards[2].id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
        store.drivers.erase("P3", SUE)
        for number in range(6, 9):
            issue(store, number)
        reserve(store, 9)
        return file, path, told(store)


def test_after_a_restore_nothing_goes_backwards_and_nobody_who_was_stopped_charges(
    told_world: tuple[Path, Path, dict[str, Token]],
) -> None:
    file, path, told_before = told_world
    before, head = contents(path), sql(path, "SELECT revision FROM meta")
    result = restore(file, path, discard_newer=True)
    assert result.kept
    assert contents(result.kept) == before
    with open_store(url_of(path), clock=Clock()) as store:
        assert store.audit.check().is_sound
        states = {card.visual_number[-3:-2]: card.state for card in store.cards.listing()}
        assert len(states) == 5
        first, second, third, *others = store.cards.listing()
        assert (first.state, first.reason) == (CardState.BLOCKED, Reason.LOST)
        assert (third.state, third.driver) == (CardState.RETIRED, None)
        assert {card.state for card in (second, *others)} == {CardState.ACTIVE}
        for change in store.feed.own_after(0, Lane.BULK, 100):
            assert change.revision > head[0][0]
            assert change.token.last_updated > told_before[change.token.uid.hex].last_updated
        assert store.feed.standing("cpo").behind == 5
        assert store.contacts.get("cpo").pause is None
        assert issue(store, 20).contract_id == contract(10)
        newest = store.feed.own_after(0, Lane.BULK, 100)[-1].token
        assert newest.last_updated > max(token.last_updated for token in told_before.values())
    assert [(one.visual_number[4:], one.state) for one in result.aftermath.unknown] == [
        (tail, CardState.ACTIVE) for tail in (n[4:] for n in _numbers(6, 7, 8))
    ]
    assert result.aftermath.next_contract == 10
    assert result.aftermath.forgotten == 1
    assert result.discarded
    assert lie_around(path.parent) == []


def _numbers(*numbers: int) -> list[str]:
    from store_world import PATTERN

    return [PATTERN.render(number) for number in numbers]


@pytest.mark.parametrize("damage", ["garbage", "torn", "missing", "chain"])
def test_where_the_old_store_cannot_be_believed_partners_wait_and_numbers_are_left_out(
    told_world: tuple[Path, Path, dict[str, Token]], damage: str
) -> None:
    file, path, _ = told_world
    harm(path, damage)
    bytes_before = path.read_bytes() if path.exists() else b""
    result = restore(file, path, discard_newer=damage == "chain", numbers_left_out=500)
    assert result.aftermath.paused == ("cpo",)
    assert result.aftermath.next_contract >= 506
    assert (result.kept is None) is (damage == "missing")
    if result.kept and damage == "garbage":
        assert result.kept.read_bytes() == bytes_before
    with open_store(url_of(path), clock=Clock()) as store:
        assert store.audit.check().is_sound
        pause = store.contacts.get("cpo").pause
        assert pause
        assert "restored" in pause.reason
        assert store.feed.standing("cpo").behind == 5
        # What is known of stops is taken over even from a log that was tampered with.
        assert (store.cards.listing()[0].state is CardState.BLOCKED) is (damage == "chain")
        assert issue(store, 20).contract_id == contract(result.aftermath.next_contract)
    assert lie_around(path.parent) == []


def harm(path: Path, damage: str) -> None:
    if damage == "garbage":
        path.write_bytes(b"no database at all" * 500)
    elif damage == "torn":
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + b"\xff" * 4096 * 8 + whole[4096 * 9 :])
    elif damage == "missing":
        path.unlink()
    else:
        sql(path, "DROP TRIGGER event_is_never_updated")
        sql(path, "UPDATE event SET actor = 'bob' WHERE seq = 3")


def test_a_store_with_nothing_newer_is_restored_without_a_word(path: Path, tmp_path: Path) -> None:
    with open_store(url_of(path), clock=Clock()) as store:
        issue(store, 1)
        file = back_up(store.database, tmp_path / "backup.db", SUE).file
    assert restore(file, path).discarded == 0
    with open_store(url_of(path)) as store:
        assert len(store.cards.listing()) == 1
        assert store.audit.newest(1)[0].action == "store.restored"


def test_a_newer_store_another_store_and_one_in_use_are_left_alone(
    told_world: tuple[Path, Path, dict[str, Token]], tmp_path: Path, blank_store: Path
) -> None:
    file, path, _ = told_world
    before = contents(path)
    with pytest.raises(Conflict, match=r"changes that .*backup.db has not, 3 cards made among them") as newer:
        restore(file, path)
    assert "--discard-newer" in str(newer.value.hint)
    with open_store(url_of(path)), pytest.raises(Conflict, match="is in use"):
        restore(file, path, discard_newer=True)
    with pytest.raises(MoveNotAllowed, match="a clerk may not restore"):
        restore_over(file, path, lambda _: ANN, discard_newer=True)
    assert contents(path) == before
    strange = tmp_path / "strange.db"
    strange.write_bytes(blank_store.read_bytes())
    with open_store(url_of(strange), clock=Clock()) as other:
        issue(other, 77)
    with pytest.raises(Conflict, match="no earlier state of this store"):
        restore(file, strange)
    assert sorted(one.name for one in tmp_path.glob("*.replaced*")) == []


def test_a_backup_that_is_none_is_refused(path: Path, tmp_path: Path) -> None:
    before = contents(path)
    file = tmp_path / "backup.db"
    with pytest.raises(StoreError, match="there is no backup at"):
        restore(file, path)
    file.write_bytes(b"nothing" * 1000)
    with pytest.raises(StoreError):
        restore(file, path)
    with open_store(url_of(path)) as store:
        issue(store, 1)
        before = contents(path)
        with pytest.raises(StoreError, match="is a store in use, and no backup"):
            restore(path, tmp_path / "other.db")
        file.unlink()
        back_up(store.database, file, SUE)
        before = contents(path)
    sql(file, "UPDATE token SET valid = 0")
    with pytest.raises(StoreError, match="is no sound backup"):
        restore(file, path)
    sql(file, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew):
        restore(file, path)
    assert contents(path) == before
    assert lie_around(tmp_path) == []
    assert sorted(one.name for one in tmp_path.glob("*.replaced*")) == []


def test_who_left_since_the_backup_does_not_sign_in_and_no_tap_counts_twice(
    path: Path, tmp_path: Path
) -> None:
    with open_store(url_of(path), clock=Clock()) as store:
        for name, role in (("sue", Role.SUPERVISOR), ("bob", Role.CLERK)):
            store.operators.add(name, role, "pin", "recovery", SUE)
        card = issue(store, 1)
        file = back_up(store.database, tmp_path / "backup.db", SUE).file
        store.operators.remove("bob", SUE)
        sql(path, "INSERT INTO tap (card_id, counter, spent) VALUES (?, 41, 40)", card.id)
    result = restore(file, path, discard_newer=True)
    assert result.aftermath.gone_operators == ("bob",)
    with open_store(url_of(path)) as store:
        assert not store.operators.get("bob").is_active
        assert sql(path, "SELECT counter, spent FROM tap") == [(41, 40)]


def test_a_backup_of_either_engine_becomes_a_store_on_the_other(
    store: Store, engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    connected(store)
    card = issue(store, 1, driver=Driver("Zoë 😀", "P1"))
    everybody_knows(store)
    file = back_up(store.database, tmp_path / "backup.db", SUE).file
    store.cards.move(card.id, CardState.BLOCKED, Reason.STOLEN, SUE, tell)
    issue(store, 2)
    cluster = request.getfixturevalue("cluster")
    base = Base(cluster, cluster.make()) if engine == "sqlite" else None
    there = base.url if base else url_of(tmp_path / "there.db")
    result = restore_elsewhere(file, there, None, store.database, tmp_path, lambda _: SUE, clock=Clock())
    assert (result.aftermath.stopped, result.aftermath.next_contract) == ((card.visual_number,), 3)
    with open_store(there, clock=Clock()) as restored:
        assert restored.audit.check().is_sound
        (found,) = restored.cards.listing()
        assert (found.state, found.driver) == (CardState.BLOCKED, Driver("Zoë 😀", "P1"))
        assert issue(restored, 9).contract_id == contract(3)
    with pytest.raises(Conflict, match="there is a store at"):
        restore_elsewhere(file, there, None, store.database, tmp_path, lambda _: SUE)
    assert len(store.cards.listing()) == 2
    if base:
        base.drop()


def test_a_restore_killed_at_any_instant_leaves_the_one_store_or_the_other(
    told_world: tuple[Path, Path, dict[str, Token]],
) -> None:
    file, path, _ = told_world
    choose = random.Random(20261122)
    for _ in range(KILLS):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        victim = PROCESSES.Process(
            target=store_workers.restore_and_tell, args=(file, path, sender), daemon=True
        )
        victim.start()
        receiver.recv()
        victim.join(choose.random() * 0.3)
        victim.kill()
        victim.join(60)
        with open_store(url_of(path), clock=Clock()) as store:
            assert store.audit.check().is_sound
            actions = [event.action for event in store.audit.events()]
            is_restored = "store.restored" in actions
            assert len(store.cards.listing()) == (5 if is_restored else 9)
    assert restore(file, path, discard_newer=True).events
    with open_store(url_of(path)) as store:
        assert len(store.cards.listing()) == 5


def test_a_restore_killed_while_pages_are_written_is_taken_back(
    told_world: tuple[Path, Path, dict[str, Token]],
) -> None:
    file, path, _ = told_world
    before = contents(path)
    raw = path.read_bytes()
    receiver, sender = PROCESSES.Pipe(duplex=False)
    victim = PROCESSES.Process(target=store_workers.restore_and_die_writing, args=(file, path, sender))
    victim.start()
    receiver.recv()
    victim.join(60)
    assert victim.exitcode == -9
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0
    assert path.read_bytes() != raw, "pages were written"
    with open_store(url_of(path)) as store:
        assert store.audit.check().is_sound
    assert contents(path) == before
    assert restore(file, path, discard_newer=True).events


@pytest.mark.parametrize("step", ["_kept_copy", "_settled", "checked", "_write_into"])
def test_a_restore_that_breaks_off_leaves_the_store_as_it_was(
    told_world: tuple[Path, Path, dict[str, Token]], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    file, path, _ = told_world
    before = contents(path)

    def tear(*_: object) -> None:
        raise sqlite3.OperationalError("torn") if step == "_kept_copy" else KeyboardInterrupt

    monkeypatch.setattr(restoring, step, tear)
    with pytest.raises((KeyboardInterrupt, sqlite3.OperationalError)):
        restore(file, path, discard_newer=True)
    assert contents(path) == before
    assert lie_around(path.parent) == []
    with closing(sqlite3.connect(path)) as free:
        free.execute("BEGIN EXCLUSIVE")
