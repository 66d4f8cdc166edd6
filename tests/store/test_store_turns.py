"""Writers to a SQLite file take turns: nobody is passed over, and nobody keeps a turn who is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import turn_workers
from store_world import do_not_wait, url_of
from turn_workers import change, counted
from warm_processes import PROCESSES

from rfid_station.errors import StoreError
from rfid_station.store.engines import sqlite, sqlite_turn
from rfid_station.store.engines.sqlite_turn import ENDING, turn_to_write
from rfid_station.store.opening import Store, open_store

PATIENCE_S = 60.0
PASSED = 12
"""Two processes without a pause: one writes, one is before us, and some go before we have a ticket."""


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(url_of(path)) as opened:
        do_not_wait(opened)
        yield opened


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


@contextmanager
def writing_without_a_pause(path: Path, *threads: int) -> Iterator[None]:
    is_over = PROCESSES.Event()
    tight = [
        PROCESSES.Process(target=turn_workers.change_without_a_pause, args=(path, count, is_over))
        for count in threads
    ]
    for process in tight:
        process.start()
    try:
        yield
    finally:
        is_over.set()
        for process in tight:
            process.join(PATIENCE_S)


def test_nobody_is_passed_over_by_those_who_write_without_a_pause(store: Store, path: Path) -> None:
    passed = []
    with writing_without_a_pause(path, 1, 8):
        until(lambda: counted(store) > 50)
        for _ in range(40):
            before = counted(store)
            passed.append(change(store) - before)
            reached = counted(store) + 20
            until(lambda: counted(store) > reached)  # noqa: B023 - is called at once
    # A few may be held up by a busy machine before they have a ticket.
    assert sorted(passed)[35] <= PASSED, passed


def test_who_has_just_written_lets_another_process_go_first(store: Store, path: Path) -> None:
    with writing_without_a_pause(path, 4):
        until(lambda: counted(store) > 50)
        seen = []
        for _ in range(30):
            with turn_to_write(path):
                seen.append(counted(store))
                time.sleep(0.005)  # Meanwhile the other one has drawn its ticket.
    assert sum(before == after for before, after in pairwise(seen)) < 10, seen


@contextmanager
def kept_by_another_process(path: Path) -> Iterator[BaseProcess]:
    ours, theirs = PROCESSES.Pipe()
    holder = PROCESSES.Process(target=turn_workers.keep_the_turn, args=(path, theirs))
    holder.start()
    try:
        assert ours.poll(PATIENCE_S)
        pid = ours.recv()
        yield holder
    finally:
        if holder.is_alive():
            os.kill(pid, signal.SIGKILL)
        holder.join(PATIENCE_S)


@contextmanager
def kept_by_another_thread(path: Path) -> Iterator[None]:
    has_it, is_over = threading.Event(), threading.Event()

    def keep() -> None:
        with turn_to_write(path):
            has_it.set()
            is_over.wait(PATIENCE_S)

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        assert has_it.wait(PATIENCE_S)
        yield
    finally:
        is_over.set()
        thread.join(PATIENCE_S)


KEPT = {"process": kept_by_another_process, "thread": kept_by_another_thread}


@pytest.mark.parametrize("who", KEPT)
def test_who_waits_too_long_is_told_and_nothing_is_lost(
    store: Store, path: Path, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KEPT[who](path), monkeypatch.context() as short:
        short.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
        with pytest.raises(StoreError, match=r"station\.db is locked"):
            change(store)
    assert change(store) == 0


@pytest.mark.parametrize("who", KEPT)
def test_who_reads_waits_for_nobody(
    store: Store, path: Path, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.0)
    with KEPT[who](path):
        assert counted(store) == 0


def test_the_turn_of_a_process_that_is_killed_goes_on_to_who_waits(store: Store, path: Path) -> None:
    done: list[int] = []
    with kept_by_another_process(path) as holder:
        waiting = threading.Thread(target=lambda: done.append(change(store)))
        waiting.start()
        until(lambda: is_taken(path))
        assert done == []
        os.kill(holder.pid or 0, signal.SIGKILL)
        waiting.join(sqlite.BUSY_TIMEOUT_S)
        assert done == [0]


def is_taken(path: Path) -> bool:
    line = sqlite_turn._lines.get(str(path.resolve()))
    return line is not None and line._is_taken


def test_threads_come_in_the_order_in_which_they_asked(path: Path) -> None:
    came: list[int] = []

    def ask(number: int) -> None:
        with turn_to_write(path):
            came.append(number)

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    with turn_to_write(path):
        for number, thread in enumerate(asking):
            thread.start()
            until(lambda: len(sqlite_turn._lines[str(path.resolve())]._waiting) > number)  # noqa: B023
    for thread in asking:
        thread.join(PATIENCE_S)
    assert came == list(range(6))


@pytest.mark.parametrize("who", KEPT)
def test_who_waits_can_be_interrupted_and_leaves_no_gap(store: Store, path: Path, who: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with KEPT[who](path):
            soon = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
            soon.start()
            with pytest.raises(KeyboardInterrupt):
                change(store)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert change(store) == 0


def test_one_store_by_two_names_has_one_queue(
    store: Store, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with turn_to_write(link), pytest.raises(StoreError, match="is locked"):
        change(store)
    assert not link.with_name(link.name + ENDING).exists()


def test_a_folder_without_locks_is_no_hindrance(store: Store, path: Path) -> None:
    path.with_name(path.name + ENDING).mkdir()
    assert change(store) == 0


def test_the_file_is_for_those_who_may_write_to_the_store(store: Store, path: Path) -> None:
    for mode in (0o600, 0o660):
        beside = path.with_name(path.name + ENDING)
        beside.unlink(missing_ok=True)
        path.chmod(mode)
        change(store)
        assert beside.stat().st_mode & 0o777 == mode
        assert beside.stat().st_size == 0
