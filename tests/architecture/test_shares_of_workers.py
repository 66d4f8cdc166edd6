"""How tests are shared out among workers: whole files, and the longest first."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from shares_of_workers import LONGEST, SharesByFile

TESTS = Path(__file__).parents[1]


@dataclass(eq=False)
class Worker:
    """Takes what it is told to run, and ends when there is nothing more."""

    sent: list[list[int]] = field(default_factory=list)
    shutting_down: bool = False
    gateway: Any = field(default_factory=lambda: SimpleNamespace(id="gw"))

    def send_runtest_some(self, indices: list[int]) -> None:
        self.sent.append(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


def shares(ids: list[str], workers: int) -> list[list[list[str]]]:
    """What each worker was given, when all are equally fast."""
    options = SimpleNamespace(loadscopereorder=True)
    config: Any = SimpleNamespace(getvalue=lambda _name: ["popen"] * workers, option=options)
    shared = SharesByFile(config)
    all_of_them: list[Any] = [Worker() for _ in range(workers)]
    for worker in all_of_them:
        shared.add_node(worker)
        shared.add_node_collection(worker, ids)
    shared.schedule()
    done = dict.fromkeys(range(workers), 0)
    while not shared.tests_finished:
        for number, worker in enumerate(all_of_them):
            given = [index for indices in worker.sent for index in indices]
            if done[number] < len(given):
                shared.mark_test_complete(worker, given[done[number]])
                done[number] += 1
    return [[[ids[index] for index in indices] for indices in worker.sent] for worker in all_of_them]


def test_a_file_stays_with_one_worker_and_nothing_is_left_out() -> None:
    ids = [f"tests/a/test_{file}.py::test[{n}@x]" for file in range(9) for n in range(file + 1)]

    given = shares(ids, 2)

    assert sorted(one for worker in given for file in worker for one in file) == sorted(ids)
    for file in (file for worker in given for file in worker):
        assert len({one.partition("::")[0] for one in file}) == 1
    assert [len(worker[0]) for worker in given] == [9, 8]


def test_the_longest_begin() -> None:
    ids = [f"tests/a/test_many.py::test[{n}]" for n in range(50)]
    ids += [f"tests/{name}.py::test" for name in reversed(LONGEST[:2])]

    given = shares(ids, 2)

    assert [worker[0] for worker in given] == [[f"tests/{name}.py::test"] for name in LONGEST[:2]]


@pytest.mark.parametrize("name", LONGEST)
def test_what_is_said_to_take_long_is_there(name: str) -> None:
    assert (TESTS / f"{name}.py").is_file()
