"""One request at a time per partner, across threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cpo_double import FAILSAFE_S

from rfid_station.errors import StoreError
from rfid_station.sync.turn import FileTurns, Turns

CPO = "CPO"

HOLD = """
import sys
from pathlib import Path
from rfid_station.sync.turn import FileTurns
with FileTurns(Path(sys.argv[1])).take("CPO", 10) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(params=["threads", "files"])
def turns(request: pytest.FixtureRequest, tmp_path: Path) -> Turns:
    return Turns() if request.param == "threads" else FileTurns(tmp_path / "turns")


def test_a_turn_is_held_by_one(turns: Turns) -> None:
    with turns.take(CPO, 0) as first:
        assert first
        with turns.take(CPO, 0.01) as second:
            assert not second
    with turns.take(CPO, 0) as again:
        assert again


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


def test_a_turn_stands_between_processes_and_ends_with_the_one_that_holds_it(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin
    assert holder.stdout
    try:
        assert holder.stdout.readline() == "True\n"
        turns = FileTurns(tmp_path)
        with turns.take(CPO, 0.05) as is_ours:
            assert not is_ours
        holder.kill()
        holder.wait(FAILSAFE_S)
        with turns.take(CPO, 1) as is_ours:
            assert is_ours
    finally:
        holder.kill()
        holder.wait(FAILSAFE_S)
        holder.stdin.close()
        holder.stdout.close()


def test_a_folder_that_cannot_be_made_is_a_store_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"file/turns/CPO\.gate"),
        FileTurns(tmp_path / "file" / "turns").take(CPO, 0),
    ):
        pass
