from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from rfid_station.store.engines.gate import Gate

PATIENCE_S = 20


def test_no_more_than_so_many_are_inside_and_all_get_in() -> None:
    gate, inside, most = Gate(3), 0, 0
    turn, is_full = threading.Lock(), threading.Barrier(3)

    def come() -> None:
        nonlocal inside, most
        with gate.inside():
            with turn:
                inside += 1
                most = max(most, inside)
            is_full.wait(PATIENCE_S)
            with turn:
                inside -= 1

    with ThreadPoolExecutor(12) as threads:
        for one in [threads.submit(come) for _ in range(12)]:
            one.result(PATIENCE_S)
    assert (inside, most) == (0, 3)


def test_who_is_inside_comes_in_again_though_it_is_full() -> None:
    gate = Gate(1)
    with gate.inside(), gate.inside():
        pass
    with gate.inside():
        pass


def test_who_fails_inside_leaves_its_place_to_the_next_one() -> None:
    gate = Gate(1)
    with pytest.raises(ValueError, match="inside"), gate.inside(), gate.inside():
        raise ValueError("inside")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: gate.inside().__enter__()).result(PATIENCE_S)
