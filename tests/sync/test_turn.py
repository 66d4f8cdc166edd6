"""One request at a time per partner, across threads and processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cpo_double import FAILSAFE_S
from postgresql_base import Base

from rfid_station.errors import StoreError
from rfid_station.store.opening import place_of
from rfid_station.sync.turn import FileTurns, SharedTurns, Turns

CPO = "CPO"

HOLD = """
import sys
from pathlib import Path
from rfid_station.store.opening import place_of
from rfid_station.sync.turn import FileTurns, SharedTurns
where = sys.argv[1]
turns = SharedTurns(place_of(where).locks()) if "://" in where else FileTurns(Path(where))
with turns.take("CPO", 10) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


@contextmanager
def turns_at(where: str) -> Iterator[Turns]:
    if "://" not in where:
        yield FileTurns(Path(where))
        return
    locks = place_of(where).locks()
    assert locks
    try:
        yield SharedTurns(locks)
    finally:
        locks.close()


@pytest.fixture(params=["folder", "server"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What processes share."""
    base: Base | None = request.getfixturevalue("station_base") if request.param == "server" else None
    return base.url if base else str(tmp_path / "turns")


@pytest.fixture(params=["threads", "files", "server"])
def turns(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turns]:
    if request.param == "threads":
        yield Turns()
        return
    base: Base | None = request.getfixturevalue("station_base") if request.param == "server" else None
    with turns_at(base.url if base else str(tmp_path / "turns")) as found:
        yield found


def test_a_turn_is_held_by_one(turns: Turns) -> None:
    with turns.take(CPO, 0) as first:
        assert first
        with turns.take(CPO, 0.01) as second:
            assert not second
    with turns.take(CPO, 0) as again:
        assert again


def test_who_has_the_turn_sees_that_somebody_waits(turns: Turns) -> None:
    def wait_for_it() -> None:
        with turns.take(CPO, FAILSAFE_S) as is_theirs:
            assert is_theirs

    waiter = threading.Thread(target=wait_for_it)
    with turns.take(CPO, 0):
        assert not turns.is_wanted(CPO)
        waiter.start()
        until_s = time.monotonic() + FAILSAFE_S
        while not turns.is_wanted(CPO):
            assert time.monotonic() < until_s
            time.sleep(0.001)
    waiter.join(FAILSAFE_S)
    time.sleep(0.03)  # among machines it is asked every now and then
    with turns.take(CPO, 0):
        assert not turns.is_wanted(CPO)


def test_partners_do_not_stand_in_each_others_way(turns: Turns) -> None:
    with turns.take("one", 0) as one, turns.take("two/../one", 0) as two:
        assert one
        assert two


def test_an_error_within_a_turn_gives_it_back(turns: Turns) -> None:
    with pytest.raises(ZeroDivisionError), turns.take(CPO, 0):
        raise ZeroDivisionError
    with turns.take(CPO, 0) as again:
        assert again


def test_who_waits_is_next_even_if_the_holder_wants_it_again(turns: Turns) -> None:
    """A lane with a backlog takes turn after turn; a block that waits must get one between two of them."""
    order = []
    is_waiting = threading.Event()

    def block() -> None:
        is_waiting.set()
        with turns.take(CPO, FAILSAFE_S) as is_ours:
            order.append("block" if is_ours else "nothing")

    waiter = threading.Thread(target=block)
    with turns.take(CPO, 0):
        waiter.start()
        assert is_waiting.wait(FAILSAFE_S)
        while is_free_at_the_gate(turns):
            time.sleep(0)
    for _ in range(3):
        with turns.take(CPO, FAILSAFE_S):
            order.append("bulk")
    waiter.join(FAILSAFE_S)
    assert order[0] == "block"


def is_free_at_the_gate(turns: Turns) -> bool:
    gate = turns._lock(CPO, "gate")
    is_free = gate.acquire(timeout=0)
    if is_free:
        gate.release()
    return is_free


def test_a_turn_stands_between_processes_and_ends_with_the_one_that_holds_it(where: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "True\n"
        with turns_at(where) as turns:
            with turns.take(CPO, 0.05) as is_ours:
                assert not is_ours
            assert str(holder.pid) in holder_of(where)
            holder.kill()
            holder.wait(FAILSAFE_S)
            with turns.take(CPO, FAILSAFE_S) as is_ours:
                assert is_ours
                assert str(os.getpid()) in holder_of(where)
    finally:
        holder.kill()
        holder.wait(FAILSAFE_S)
        holder.stdin.close()
        holder.stdout.close()


def holder_of(where: str) -> str:
    """Who speaks to the partner, for whoever wants to know."""
    if "://" not in where:
        return (Path(where) / "CPO.turn").read_text()
    locks = place_of(where).locks()
    assert locks
    name = locks.holder("turn CPO")
    locks.close()
    assert name
    return name


def test_a_turn_that_was_lost_with_its_connection_is_given_up(station_base: Base) -> None:
    with turns_at(station_base.url) as turns, turns_at(station_base.url) as others:
        with turns.take(CPO, 0) as first, turns.take("other", 0):
            assert first
            assert not turns.is_wanted(CPO)
            station_base.sql(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = ?",
                f"rfid-station {os.getpid()} on {socket.gethostname()}",
            )
            with others.take(CPO, FAILSAFE_S) as second:
                assert second
                with pytest.raises(StoreError, match="cannot be reached"), turns.take("third", 0):
                    pass
                assert turns.is_wanted(CPO)
                assert turns.is_wanted("other")
        with turns.take(CPO, FAILSAFE_S) as again:
            assert again
            assert not turns.is_wanted(CPO)


def test_a_server_that_is_away_is_a_store_error(tmp_path: Path) -> None:
    with (
        turns_at(f"postgresql+psycopg://desk@/station?host={tmp_path}") as turns,
        pytest.raises(StoreError, match="cannot be reached"),
        turns.take(CPO, 0),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_a_store_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"file/turns/CPO\.gate"),
        FileTurns(tmp_path / "file" / "turns").take(CPO, 0),
    ):
        pass
