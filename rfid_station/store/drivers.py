"""Drivers: the only place with names. A person can be forgotten; cards, their history and their UIDs stay."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, Role
from rfid_station.errors import MoveNotAllowed, StationError
from rfid_station.store.card_rows import CARDS, card_of, subject_of
from rfid_station.store.engine import Database
from rfid_station.store.ledger import booking
from rfid_station.store.tables import card, driver, order_item

_MAY_CHARGE = (CardState.ISSUED, CardState.ACTIVE)


class Drivers:
    """The people that cards were made for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cards_of(self, reference: str) -> list[Card]:
        """The cards of a driver, oldest first.

        :raises StationError: nobody has this reference
        """
        with self._database.read() as connection:
            _ids(connection, reference)
            return _cards(connection, reference)

    def people(self, reference: str) -> list[Driver]:
        """Whoever is kept under a reference: for each card, and for each line of an order, once.

        :raises StationError: nobody has this reference
        """
        columns = (driver.c.name, driver.c.reference, driver.c.fleet, driver.c.language)
        query = select(*columns).where(driver.c.reference == reference).distinct()
        with self._database.read() as connection:
            _ids(connection, reference)
            return [Driver(*row) for row in connection.execute(query)]

    def erase(self, reference: str, actor: Actor) -> list[Card]:
        """Forget a person: name, reference and language; which cards that concerns.

        The pages they stood on are overwritten. What was printed, and copies of the store, are not here.

        :raises StationError: nobody has this reference
        :raises MoveNotAllowed: not this role, or a card of theirs may still charge
        """
        if actor.role is not Role.SUPERVISOR:
            raise MoveNotAllowed(f"a {actor.role} may not erase a driver", hint="it takes a supervisor")
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
            ids, cards = _ids(connection, reference), _cards(connection, reference)
            _refuse_charging(cards)
            for table in (card, order_item):
                connection.execute(update(table).where(table.c.driver_id.in_(ids)).values(driver_id=None))
            connection.execute(delete(driver).where(driver.c.id.in_(ids)))
            for one in cards:
                ledger.note("card.driver_erased", subject_of(one.id), visual_number=one.visual_number)
        with self._database.read() as connection:
            # Until then the old pages stand in the log that SQLite writes ahead.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return cards


def _ids(connection: Connection, reference: str) -> list[int]:
    """The rows of a person: one for each card.

    :raises StationError: there are none
    """
    ids = list(connection.execute(select(driver.c.id).where(driver.c.reference == reference)).scalars())
    if not reference or not ids:
        raise StationError(f"no driver has the reference {reference!r}", hint="rfid-station card find NAME")
    return ids


def _cards(connection: Connection, reference: str) -> list[Card]:
    found = connection.execute(CARDS.where(driver.c.reference == reference).order_by(card.c.id))
    return [card_of(row) for row in found]


def _refuse_charging(cards: list[Card]) -> None:
    """Let a person go who has no card that may charge, or is to.

    :raises MoveNotAllowed: there is one
    """
    left = [one for one in cards if one.state in _MAY_CHARGE or one.state.is_unfinished]
    if left:
        raise MoveNotAllowed(
            "cards of this driver are in use: "
            + ", ".join(f"{one.visual_number} ({one.state})" for one in left),
            hint=f"rfid-station --role support card retire {left[0].visual_number} --reason requested",
        )
