"""Which desk holds which contract numbers, and what became of all that were ever given out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection, bindparam, func, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.lease import Lease
from rfid_station.errors import MoveNotAllowed, WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.leases.drawing import SUBJECT
from rfid_station.store.leases.rows import all_leases, lease_of, oldest_given_back
from rfid_station.store.ledger import booking
from rfid_station.store.tables import card, lease, meta, preprinted

GIVEN_BACK = "numbers.given_back"

_GIVE_BACK = update(lease).where(lease.c.place == bindparam("desk"))


@dataclass(frozen=True, slots=True)
class NumberCount:
    """What became of the contract numbers that the store counted off."""

    counted: int
    on_cards: int
    """Of cards of any state; a card that took the place of another one skipped a number."""
    on_plastic: int
    """On plastic that has no chip."""
    leased: int
    """Left in leases, those that were given back among them."""

    @property
    def left_out(self) -> int:
        """What nothing has and nothing will have. Numbers are not short, and nothing is lost by that."""
        return self.counted - self.on_cards - self.on_plastic - self.leased


class Leases:
    """The leases of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def own(self) -> Lease | None:
        """What this desk holds; None if it leases none, or never drew a number."""
        leasing = self._database.leasing
        if leasing is None:
            return None
        with self._database.read() as connection:
            return lease_of(connection, leasing.place)

    def all(self) -> list[Lease]:
        """Every lease, by its numbers; those without a place were given back."""
        with self._database.read() as connection:
            return all_leases(connection)

    def hold(self, actor: Actor) -> Lease | None:
        """See to it that this desk holds numbers; None if it leases none."""
        if self._database.leasing is None:
            return None
        held = self.own()
        if held and held.left:
            return held
        with booking(self._database, actor) as ledger:
            return ledger.hold_numbers()

    def give_back(self, place: str, actor: Actor) -> Lease:
        """Let other desks have what a desk holds; the numbers that were given back.

        A desk that draws again leases anew.

        :raises WrongCall: it holds none
        :raises MoveNotAllowed: it is another desk, and this is no supervisor
        """
        leasing = self._database.leasing
        if actor.role is not Role.SUPERVISOR and (leasing is None or place != leasing.place):
            raise MoveNotAllowed(
                f"a {actor.role} may not give back what {place} holds", hint="it takes a supervisor"
            )
        with booking(self._database, actor) as ledger:
            held = lease_of(ledger.connection, place)
            if held is None or not held.left:
                raise WrongCall(f"{place} holds no numbers", hint="rfid-station store status")
            ledger.connection.execute(_GIVE_BACK, {"desk": place, "place": None, "first_number": held.next})
            ledger.note(GIVEN_BACK, SUBJECT, place=place, first=held.next, last=held.last)
            return held

    def next_contract(self) -> int:
        """The contract number that this desk's next card gets.

        Nobody else gets it while the desk holds it; else somebody may be quicker.
        """
        with self._database.read() as connection:
            leasing = self._database.leasing
            held = lease_of(connection, leasing.place) if leasing else None
            if leasing and (held is None or not held.left):
                held = oldest_given_back(connection)
            if held and held.left:
                return held.next
            return int(connection.execute(select(meta.c.contract_count)).scalar_one()) + 1

    def count(self) -> NumberCount:
        """What became of all numbers."""
        with self._database.read() as connection:
            return _counted(connection)


def _counted(connection: Connection) -> NumberCount:
    without_chip = select(func.count()).select_from(preprinted).where(preprinted.c.card_id.is_(None))
    return NumberCount(
        connection.execute(select(meta.c.contract_count)).scalar_one(),
        connection.execute(select(func.count()).select_from(card)).scalar_one(),
        connection.execute(without_chip).scalar_one(),
        sum(held.left for held in all_leases(connection)),
    )


def overlapping(connection: Connection) -> Iterator[str]:
    """What is wrong with the leases, for `store check`."""
    leases = all_leases(connection)
    counted = connection.execute(select(meta.c.contract_count)).scalar_one_or_none() or 0
    for one in leases:
        if not one.first <= one.next <= one.last + 1 or one.last > counted:
            yield f"the lease of numbers {one.first} to {one.last} cannot be: {counted} were counted off"
    for before, after in pairwise(leases):
        if after.first <= before.last:
            yield f"numbers {after.first} to {min(before.last, after.last)} are leased twice"
