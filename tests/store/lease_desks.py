"""Desks with leases, as processes of their own."""

from __future__ import annotations

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from postgresql_base import Base
from store_world import PATTERN, contract, reserve, url_of

from rfid_station.domain.card import Card
from rfid_station.domain.lease import Lease, Leasing
from rfid_station.store.opening import Store, open_store


class Told:
    """Remembers what a desk was told that it holds."""

    def __init__(self) -> None:
        self.leases: list[Lease] = []

    def __call__(self, held: Lease) -> None:
        self.leases.append(held)


def open_desk(place: Path | Base, name: str, size: int = 5, told: Told | None = None) -> Store:
    return open_store(url_of(place), leasing=Leasing(name, size, told or Told()))


def number_of(card: Card) -> int:
    """A card's contract number."""
    return int(card.contract_id.compact[6:14])


def draw_at_once(
    place: Path | Base, barrier: Barrier, answers: Connection, desk: str, first: int, cards: int
) -> None:
    """Meet the others, then take numbers as quickly as possible; say which, and what was foretold of each."""
    with open_desk(place, desk) as store:
        barrier.wait(30)
        drawn = []
        for number in range(first, first + cards):
            held = store.leases.own()
            card = reserve(store, number)
            drawn.append((held.next if held else None, number_of(card)))
        answers.send((desk, drawn))


def draw_until_killed(place: Path | Base, desk: str, answers: Connection) -> None:
    """Say each number before the next one is drawn."""
    told = Told()
    with open_desk(place, desk, told=told) as store:
        for number in range(1000, 2000):
            card = reserve(store, number)
            answers.send((number_of(card), told.leases[-1].next))


class Drawn:
    """Numbers for many cards: visual ones and aliases from a number on."""

    contract_of = staticmethod(contract)

    def __init__(self, first: int) -> None:
        self._visual = self._alias = first

    def draw_visual(self) -> str:
        self._visual += 1
        return PATTERN.render(self._visual)

    def draw_alias(self) -> str:
        self._alias += 1
        return f"bulk-{self._alias}"
