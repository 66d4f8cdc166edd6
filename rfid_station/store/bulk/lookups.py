"""The door to many cards at once: looking them up, and registering them in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card
from rfid_station.domain.stock import Supply
from rfid_station.domain.visual_number import bare
from rfid_station.store.bulk.known import HELD, Held, Known, held_of, known_of
from rfid_station.store.bulk.new_cards import NewCard, Numbers
from rfid_station.store.bulk.registrar import Registrar
from rfid_station.store.card_rows import CARDS, card_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import begin_long_change
from rfid_station.store.ledger import booking
from rfid_station.store.tables import IS_LIVING, card, driver
from rfid_station.store.told.telling import TokenOf


class Bulk:
    """Many cards of the store at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, new: Sequence[NewCard]) -> Known:
        """What the store knows of at most `CHUNK` new cards."""
        with self._database.read() as connection:
            return known_of(connection, new, is_locked=False)

    def by_order_lines(self, lines: Sequence[str]) -> dict[str, Held]:
        """The living cards made for order lines, at most `CHUNK` of them."""
        with self._database.read() as connection:
            return Known(connection, [], list(lines), []).by_line

    def by_numbers(self, numbers: Sequence[str]) -> dict[str, Held]:
        """The cards with these visual numbers in any writing, at most `CHUNK`, by the number made bare."""
        with self._database.read() as connection:
            return Known(connection, [], [], [bare(number) for number in numbers]).by_number

    def cards(self, card_ids: Sequence[int]) -> dict[int, Card]:
        """Cards by their id, at most `CHUNK` of them."""
        with self._database.read() as connection:
            rows = connection.execute(CARDS.where(card.c.id.in_(card_ids)))
            return {row.id: card_of(row) for row in rows}

    def by_drivers(self, fleet: str, references: Sequence[str]) -> dict[str, Held]:
        """A living card of each driver of a fleet, by reference, at most `CHUNK` of them."""
        query = (
            select(driver.c.reference, *HELD)
            .join_from(card, driver)
            .where(driver.c.fleet == fleet, driver.c.reference.in_(references), IS_LIVING)
        )
        with self._database.read() as connection:
            return {row.reference: held_of(row) for row in connection.execute(query)}

    @contextmanager
    def registering(
        self,
        *,
        numbers: Numbers,
        token_of: TokenOf,
        activate: bool,
        actor: Actor,
        supply: Supply | None = None,
    ) -> Iterator[Registrar]:
        """Register cards in one transaction: all that are added inside, or none if anything is raised.

        :param supply: where their blanks are taken, if they are of a lot
        :raises DiskFull: there was no room; nothing was changed
        :raises StoreError: the store cannot be used; nothing was changed
        """
        with booking(self._database, actor) as ledger:
            begin_long_change(ledger.connection)
            yield Registrar(ledger, numbers, token_of, supply or Supply(), activate=activate)
