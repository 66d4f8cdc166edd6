"""The process is killed at every moment at which it talks to the store or to a partner.

Only the store and the partner live on. What the store says must be true by itself, and the next
process must bring the partner to the newest state.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cpo_double import LOST, REFUSED, CpoDouble, FakeClock, Fault, Killed
from memory_feed import MemoryFeed, peer

from rfid_station.domain.feed import Lane
from rfid_station.domain.token import Token
from rfid_station.sync.courier import Courier
from rfid_station.sync.pace import Timing
from rfid_station.sync.push import Push
from rfid_station.sync.turn import Turns

CPO = "CPO"


class Mortal:
    """Passes calls on, and dies before or after one of them."""

    def __init__(self, inner: object, life: Iterator[None]) -> None:
        self._inner = inner
        self._life = life

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._inner, name)

        def mortal(*args: object, **kwargs: object) -> object:
            next(self._life)
            result = call(*args, **kwargs)
            next(self._life)
            return result

        return mortal


def life_of(moments: int) -> Iterator[None]:
    for _ in range(moments):
        yield
    raise Killed


class World:
    """Six tokens, one of them blocked, and a partner that fails in many ways."""

    def __init__(self) -> None:
        self.feed = MemoryFeed(CPO)
        self.feed.issue(6)
        self.feed.block(3)
        self.cpo = CpoDouble(self._fault)
        self.clock = FakeClock()

    def _fault(self, number: int, _token: Token) -> Fault | None:
        return {1: "applied", 3: REFUSED, 4: LOST, 6: "applied"}.get(number)

    def courier(self, moments: float) -> Courier:
        life = life_of(int(moments)) if math.isfinite(moments) else iter(lambda: None, 0)
        store, cpo = Mortal(self.feed, life), Mortal(self.cpo, life)
        timing = Timing(commit_every=2)
        return Courier(store, peer(CPO, cpo), self.clock, Turns(), timing, lambda: 0.5)  # type: ignore[arg-type]

    def lives(self, moments: float, work: Callable[[Courier], object]) -> bool:
        """Whether the process came to the end of its work."""
        try:
            work(self.courier(moments))
        except Killed:
            return False
        return True

    def check_what_is_durable(self) -> None:
        row = self.feed.partners[CPO]
        for change in self.feed.tokens.values():
            passed = change.revision <= row.cursors[Lane.BULK]
            urgently = change.is_urgent and change.revision <= row.cursors[Lane.URGENT]
            held = self.cpo.holds.get(change.token.uid.hex)
            is_there = held is not None and held.last_updated >= change.token.last_updated
            assert not (passed or urgently) or change.token_id in row.parked or is_there, change
        assert not self.cpo.overtaken

    def check_the_end(self) -> None:
        assert self.feed.standing(CPO).is_settled
        assert self.cpo.holds == {one.token.uid.hex: one.token for one in self.feed.tokens.values()}
        assert not self.cpo.overtaken


def drain(courier: Courier) -> None:
    courier.drain(math.inf, is_patient=True)


def moments_of(work: Callable[[Courier], object]) -> int:
    """How many moments there are to die at in a whole life."""
    for moments in range(1, 1000):
        if World().lives(moments, work):
            return moments
    raise AssertionError("it never ends")


def test_a_sync_killed_at_any_moment_loses_nothing() -> None:
    moments = moments_of(drain)
    assert moments > 60
    for moment in range(moments):
        world = World()
        assert not world.lives(moment, drain)
        world.check_what_is_durable()
        assert world.lives(math.inf, drain)
        world.check_the_end()


def test_a_block_killed_at_any_moment_stays_owed_or_is_there() -> None:
    def block(courier: Courier) -> None:
        change = courier.newest(3)
        assert change
        Push(courier, change).run(courier.clock.elapsed_s() + 5)

    moments = moments_of(block)
    assert moments > 12
    for moment in range(moments):
        world = World()
        assert not world.lives(moment, block)
        world.check_what_is_durable()
        assert world.lives(math.inf, drain)
        world.check_the_end()


@pytest.mark.parametrize("seed", range(12))
def test_a_station_that_is_killed_again_and_again_arrives_in_the_end(seed: int) -> None:
    dice = random.Random(seed)
    world = World()
    for _ in range(60):
        if dice.random() < 0.3:
            world.feed.change(dice.randint(1, 6), valid=dice.random() < 0.5, urgent=dice.random() < 0.5)
        world.lives(dice.randint(0, 30), drain)
        world.check_what_is_durable()
        world.clock.passed_s += dice.choice([0, 1, 30, 300])
    assert world.lives(math.inf, drain)
    world.check_the_end()
