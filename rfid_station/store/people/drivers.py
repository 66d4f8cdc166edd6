"""Drivers: the only place with names. A person can be forgotten; cards, their history and their UIDs stay."""

from __future__ import annotations

from dataclasses import asdict, replace

from sqlalchemy import Connection, delete, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, Role
from rfid_station.errors import Conflict, MoveNotAllowed, StationError
from rfid_station.store.card_rows import CARDS, card_of, card_row, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.search import search_text
from rfid_station.store.tables import card, driver, order_item
from rfid_station.store.told.telling import TokenOf, tell

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

    def check_change(self, card_id: int, wanted: Driver) -> None:
        """Say now what `change` would say."""
        with self._database.read() as connection:
            _check_change(connection, card_of(card_row(connection, card_id)), wanted)

    def change(self, card_id: int, wanted: Driver, *, actor: Actor, token_of: TokenOf) -> list[Card]:
        """Say who a card is for; which cards that concerns. The audit log is told no names.

        A reference names one person of a fleet. So a new name, language, fleet or reference holds for all
        cards of that person. Another reference *and* another name are another person: that concerns this
        card alone, and only before it was ever active.

        :raises MoveNotAllowed: it has been somebody else's, or its life is over
        :raises Conflict: the fleet has somebody else by this reference
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.driver == wanted:
                return []
            _check_change(ledger.connection, before, wanted)
            if before.driver is None or _is_another(before.driver, wanted):
                changed = [_assign(ledger, before, wanted)]
            else:
                changed = _correct(ledger, card_id, before.driver, wanted)
            was = before.driver or Driver("")
            fields = [name for name, value in asdict(wanted).items() if value != getattr(was, name)]
            for one in changed:
                ledger.note(
                    "card.driver_changed", subject_of(one.id), visual_number=one.visual_number, fields=fields
                )
                is_told = not (one.state.is_unfinished or one.state.is_final)
                if is_told and was.language != wanted.language:
                    tell(ledger, one, token_of)
            return changed

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
            self._database.place.overwrite_deleted(connection)
            ids, cards = _ids(connection, reference), _cards(connection, reference)
            _refuse_charging(cards)
            for table in (card, order_item):
                connection.execute(update(table).where(table.c.driver_id.in_(ids)).values(driver_id=None))
            connection.execute(delete(driver).where(driver.c.id.in_(ids)))
            for one in cards:
                ledger.note("card.driver_erased", subject_of(one.id), visual_number=one.visual_number)
        self._database.place.settle_deleted()
        return cards


def _is_another(now: Driver, wanted: Driver) -> bool:
    """Whether two are two people, rather than one whose entry was corrected."""
    return bool(now.reference and now.name) and now.reference != wanted.reference and now.name != wanted.name


def _check_change(connection: Connection, before: Card, wanted: Driver) -> None:
    """Let a card pass that may be this driver's.

    :raises MoveNotAllowed: it has been somebody else's, or its life is over
    :raises Conflict: the fleet has somebody else by this reference
    """
    number = before.visual_number
    if before.state.is_final:
        raise MoveNotAllowed(
            f"card {number} is {before.state}, which is final", hint=f"rfid-station card show {number}"
        )
    if before.driver and _is_another(before.driver, wanted) and before.state is not CardState.ISSUED:
        raise MoveNotAllowed(
            f"card {number} has been used by driver {before.driver.reference}, and goes to nobody else",
            hint=f"retire it and make another: rfid-station --role support card retire {number}",
        )
    was = before.driver or Driver("")
    if wanted.reference and (was.fleet, was.reference) != (wanted.fleet, wanted.reference):
        same = (driver.c.fleet == wanted.fleet) & (driver.c.reference == wanted.reference)
        others = connection.execute(select(driver.c.name).where(same, driver.c.name != wanted.name))
        if others.first() is not None:
            raise Conflict(
                f"reference {wanted.reference} is somebody else of fleet {wanted.fleet!r}",
                hint=f"rfid-station driver show {wanted.reference}",
            )


def _assign(ledger: Ledger, before: Card, wanted: Driver) -> Card:
    """Give a card to somebody, with a row of their own."""
    values = {**asdict(wanted), "search_text": search_text(wanted)}
    row = ledger.connection.execute(
        insert(driver).values(id=next_id(driver), **values).returning(driver.c.id)
    ).scalar_one()
    ledger.connection.execute(update(card).where(card.c.id == before.id).values(driver_id=row))
    return replace(before, driver=wanted)


def _correct(ledger: Ledger, card_id: int, now: Driver, wanted: Driver) -> list[Card]:
    """Change a person's entry wherever it stands."""
    connection = ledger.connection
    if now.reference:
        whose = (driver.c.fleet == now.fleet) & (driver.c.reference == now.reference)
    else:
        whose = driver.c.id == card_row(connection, card_id).driver_id
    ids = list(connection.execute(select(driver.c.id).where(whose)).scalars())
    values = {**asdict(wanted), "search_text": search_text(wanted)}
    connection.execute(update(driver).where(driver.c.id.in_(ids)).values(values))
    found = connection.execute(CARDS.where(card.c.driver_id.in_(ids)).order_by(card.c.id))
    return [card_of(row) for row in found]


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
