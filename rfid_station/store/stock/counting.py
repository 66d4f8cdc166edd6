"""Blanks counted by hand, and what is booked where another number lies there than should."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from rfid_station.domain.stock import Account, Counted, Lot, Spot, on_hand
from rfid_station.errors import MoveNotAllowed
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger
from rfid_station.store.stock.entries import Why, balance, lot_by_id, lot_of, lot_subject, post
from rfid_station.store.tables import lot, stock_balance, stock_count


def lots_at(connection: Connection, place: str) -> list[Lot]:
    """The lots of which blanks may lie at a place: some do by the books, or some are missing."""
    here = select(stock_balance.c.lot_id).where(
        stock_balance.c.account == Account.ON_HAND.value, stock_balance.c.place == place
    )
    open_ones = select(stock_balance.c.lot_id).where(
        stock_balance.c.account.in_([Account.ON_HAND.value, Account.MISSING.value]),
        stock_balance.c.quantity > 0,
    )
    query = select(lot).where(lot.c.id.in_(here), lot.c.id.in_(open_ones))
    return [lot_of(row) for row in connection.execute(query.order_by(lot.c.received_at, lot.c.id))]


def differing(connection: Connection, place: str, counted: Mapping[int, int]) -> set[int]:
    """The lots of which another number was counted than there should be."""
    return {one for one in counted if balance(connection, one, on_hand(place)) != counted[one]}


def book_count(ledger: Ledger, lot_id: int, place: str, number: int, witness: str | None) -> Counted:
    """Book what was counted of a lot at a place.

    :raises MoveNotAllowed: it is not what should be there, and nobody else agrees
    """
    connection = ledger.connection
    name, here = lot_by_id(connection, lot_id).name, on_hand(place)
    expected = balance(connection, lot_id, here)
    if number != expected and witness is None:
        raise MoveNotAllowed(
            f"{number} of lot {name} are not what should be at {place}: it takes two people to book that",
            hint=f"rfid-station stock count {name}={number} --place {place} --witness NAME",
        )
    agreed = witness if number != expected else None
    found = Counted(name, place, ledger.at, expected, number, ledger.actor.name, agreed)
    _book_variance(ledger, lot_id, found)
    values = {"expected": expected, "counted": number, "actor": ledger.actor.name, "witness": agreed}
    connection.execute(
        insert(stock_count).values(id=next_id(stock_count)),
        {"lot_id": lot_id, "place": place, "at": ledger.at, **values},
    )
    ledger.note(
        "stock.counted",
        lot_subject(lot_id),
        lot=name,
        place=place,
        expected=expected,
        counted=number,
        witness=agreed,
    )
    return found


def _book_variance(ledger: Ledger, lot_id: int, found: Counted) -> None:
    """What is more than was ever missing came in uncounted: it is received now."""
    here, missing = on_hand(found.place), Spot(Account.MISSING)
    why = Why(witness=found.witness, reason="counted")
    if found.variance < 0:
        post(ledger, lot_id, -found.variance, here, missing, why)
    elif found.variance > 0:
        again = min(found.variance, balance(ledger.connection, lot_id, missing))
        if again:
            post(ledger, lot_id, again, missing, here, why)
        if found.variance > again:
            more = Why(witness=found.witness, reason="counted, more than was received")
            post(ledger, lot_id, found.variance - again, None, here, more)
