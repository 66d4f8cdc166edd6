"""A look at the store that lasts for one turn of an event loop, on every engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from store_world import issue

from rfid_station.store.engines.glance import Glance
from rfid_station.store.engines.snapshot import Snapshots
from rfid_station.store.opening import Store

CARDS = "SELECT count(*) FROM card"


class Counting:
    """Snapshots that say how often they were asked how old the store is."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshots, name)

    def age(self) -> object:
        self.looks += 1
        return self._snapshots.age()


@pytest.fixture
def connected(store: Store) -> list[Counting]:
    return []


@pytest.fixture
def glance(store: Store, connected: list[Counting]) -> Iterator[Glance]:
    def connect() -> Any:
        connected.append(Counting(store.database.snapshots()))
        return connected[-1]

    opened = Glance(connect)
    yield opened
    opened.close()


def looks(connected: list[Counting]) -> int:
    return sum(one.looks for one in connected)


def cards(glance: Glance) -> int:
    return int(glance.rows(CARDS)[0][0])


def elsewhere(look: Callable[[], Any]) -> Any:
    """What a thread without an event loop sees."""
    seen: list[Any] = []
    thread = threading.Thread(target=lambda: seen.append(look()))
    thread.start()
    thread.join(10)
    return seen[0]


def test_whoever_is_answered_in_one_turn_shares_one_look(glance: Glance, connected: list[Counting]) -> None:
    async def one() -> object:
        return glance.age(), cards(glance), glance.age()

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*(one() for _ in range(20)))

    assert len(set(asyncio.run(all_at_once()))) == 1
    assert looks(connected) == 1


def test_the_next_turn_sees_what_was_committed_before_it(
    store: Store, glance: Glance, connected: list[Counting]
) -> None:
    async def turns() -> list[tuple[object, int]]:
        seen = []
        for number in range(3):
            seen.append((glance.age(), cards(glance)))
            issue(store, number)
            await asyncio.sleep(0)
        return seen

    seen = asyncio.run(turns())

    assert [count for _, count in seen] == [0, 1, 2]
    assert len({age for age, _ in seen}) == 3
    assert looks(connected) == 3


def test_a_request_that_comes_later_is_never_answered_from_before(store: Store, glance: Glance) -> None:
    """Data that arrives wakes a task behind all that was put in line before: the end of the look, too."""
    seen: list[tuple[int, int]] = []
    committed = 0

    async def answer(arrived_after: int) -> None:
        seen.append((arrived_after, cards(glance)))

    async def serve() -> None:
        nonlocal committed
        loop = asyncio.get_running_loop()
        for number in range(10):
            cards(glance)
            issue(store, number)
            committed = number + 1
            await asyncio.gather(loop.create_task(answer(committed)))

    asyncio.run(serve())

    assert len(seen) == 10
    assert all(count >= arrived_after for arrived_after, count in seen)


def test_other_threads_look_anew_each_time(store: Store, glance: Glance) -> None:
    async def while_a_turn_lasts() -> tuple[int, int, int]:
        mine = cards(glance)
        issue(store, 1)
        theirs, age = elsewhere(lambda: (cards(glance), glance.age()))
        assert age != glance.age()
        return mine, theirs, mine

    assert asyncio.run(while_a_turn_lasts()) == (0, 1, 0)


def test_a_loop_that_ended_in_the_middle_of_a_turn_leaves_nothing_behind(
    store: Store, glance: Glance
) -> None:
    async def cut_short() -> int:
        asyncio.get_running_loop().stop()
        return cards(glance)

    loop = asyncio.new_event_loop()
    work = loop.create_task(cut_short())
    loop.run_forever()
    assert work.result() == 0
    loop.close()
    issue(store, 1)

    async def again() -> int:
        return cards(glance)

    assert asyncio.run(again()) == 1


def test_a_look_that_failed_is_taken_again(glance: Glance, connected: list[Counting]) -> None:
    class Away(Exception):
        pass

    (of_turn, _) = connected
    plain, of_turn.age = of_turn.age, lambda: (_ for _ in ()).throw(Away)  # type: ignore[method-assign]

    async def one() -> int:
        return cards(glance)

    with pytest.raises(Away):
        asyncio.run(one())
    of_turn.age = plain  # type: ignore[method-assign]
    assert asyncio.run(one()) == 0
