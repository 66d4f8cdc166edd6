"""Entries of blank stock, written inside the transaction of what makes the blanks go.

A balance cannot become negative, so of two that want the last blank one gets it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from rfid_station.domain.card import FINAL, Card, CardState
from rfid_station.domain.stock import CARD_ACCOUNTS, Account, Lot, LotState, Spot, account_of
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger
from rfid_station.store.tables import lot, stock_balance, stock_entry

_OF_BALANCE = (
    stock_balance.c.lot_id == bindparam("of_lot"),
    stock_balance.c.account == bindparam("of_account"),
    stock_balance.c.place == bindparam("of_place"),
)
_TAKE = Prepared(
    update(stock_balance)
    .where(*_OF_BALANCE, stock_balance.c.quantity >= bindparam("count"))
    .values(quantity=stock_balance.c.quantity - bindparam("count"))
)
_GIVE = Prepared(
    update(stock_balance).where(*_OF_BALANCE).values(quantity=stock_balance.c.quantity + bindparam("count"))
)
_FIRST = Prepared(insert(stock_balance))
_BALANCE = Prepared(select(stock_balance.c.quantity).where(*_OF_BALANCE))
_WRITE = Prepared(insert(stock_entry).values(id=next_id(stock_entry)).inline())
_LOT = Prepared(select(lot).where(lot.c.id == bindparam("of_lot")))
_LEFT = [account.value for account in (Account.ON_HAND, Account.DESTROYED, Account.SAMPLES)]
_HAS_LEFT = (
    select(stock_entry.c.id)
    .where(
        stock_entry.c.lot_id == bindparam("of_lot"),
        stock_entry.c.card_id == bindparam("of_card"),
        stock_entry.c.from_account.in_([account.value for account in CARD_ACCOUNTS]),
        stock_entry.c.to_account.in_(_LEFT),
    )
    .limit(1)
)


class Why(NamedTuple):
    """What an entry tells beside its numbers."""

    card: int | None = None
    witness: str | None = None
    reason: str | None = None


NOTHING_MORE = Why()


def post(
    ledger: Ledger, lot_id: int, quantity: int, source: Spot | None, target: Spot, why: Why = NOTHING_MORE
) -> None:
    """Move blanks of a lot from one account to another; without a source they come from outside.

    :raises Conflict: there are not so many
    """
    connection = ledger.connection
    if source is not None and _TAKE.run(connection, _changed(lot_id, source, quantity)) == 0:
        raise _too_few(connection, lot_id, quantity, source)
    _give(connection, lot_id, target, quantity)
    values = {
        "lot_id": lot_id,
        "at": ledger.at,
        "quantity": quantity,
        "from_account": source.account.value if source else None,
        "from_place": source.place if source else "",
        "to_account": target.account.value,
        "to_place": target.place,
        "card_id": why.card,
        "actor": ledger.actor.name,
        "witness": why.witness,
        "reason": why.reason,
    }
    _WRITE.run(connection, values)


def follow(ledger: Ledger, before: Card, to: CardState) -> None:
    """Let the blank that a card was made of go where the card's new state puts it."""
    source, target = account_of(before.state), account_of(to)
    if before.lot is not None and source is not target:
        post(ledger, before.lot, 1, Spot(source), Spot(target), Why(before.id))


def put_back(ledger: Ledger, given_up: Card, place: str) -> Spot | None:
    """Book the blank that a given-up card was brought back to; None if it was booked before, or never.

    What was only spoiled lies with the blanks again. A chip that charged is kept as a sample: partners know
    its UID, so it never becomes another card.
    """
    if given_up.lot is None or has_left(ledger.connection, given_up):
        return None
    source = Spot(account_of(given_up.state), place)
    if balance(ledger.connection, given_up.lot, source) == 0:
        return None
    account = Account.ON_HAND if given_up.state is CardState.SPOILED else Account.SAMPLES
    target = Spot(account, place)
    post(ledger, given_up.lot, 1, source, target, Why(given_up.id, reason="brought back to blank"))
    return target


def has_left(connection: Connection, given_up: Card) -> bool:
    """Whether a card's plastic was destroyed, kept, or became a blank again."""
    found = connection.execute(_HAS_LEFT, {"of_lot": given_up.lot, "of_card": given_up.id})
    return found.first() is not None


def lot_to_destroy_of(connection: Connection, gone: Card) -> int:
    """The lot of a card whose plastic may be destroyed.

    :raises Conflict: it is in use, or was never of a lot, or is gone already
    """
    if gone.state not in FINAL:
        raise MoveNotAllowed(
            f"card {gone.visual_number} is {gone.state}, and only one whose life is over is destroyed",
            hint=f"rfid-station card show {gone.visual_number}",
        )
    if gone.lot is None:
        raise Conflict(
            f"card {gone.visual_number} is of no lot: no stock was kept when it was made",
            hint="destroy it; there is nothing to book",
        )
    if has_left(connection, gone):
        raise Conflict(
            f"the blank of card {gone.visual_number} is booked off already",
            hint=f"rfid-station stock show {lot_by_id(connection, gone.lot).name}",
        )
    return gone.lot


def balance(connection: Connection, lot_id: int, spot: Spot) -> int:
    """How many blanks of a lot stand somewhere."""
    found = _BALANCE.first(connection, _of(lot_id, spot))
    return found.quantity if found else 0


def lot_by_id(connection: Connection, lot_id: int) -> Lot:
    """One lot.

    :raises WrongCall: there is none with this id
    """
    row = _LOT.first(connection, {"of_lot": lot_id})
    if row is None:
        raise WrongCall(f"there is no lot with id {lot_id}", hint="rfid-station stock show")
    return lot_of(row)


def lot_of(row: Any) -> Lot:  # noqa: ANN401 - a row
    """A lot from its row."""
    return Lot(
        row.id, row.name, row.supplier, row.chip, LotState(row.state), row.received_at, row.state_reason
    )


def lot_subject(lot_id: int) -> str:
    """What the audit log calls a lot."""
    return f"lot:{lot_id}"


def _too_few(connection: Connection, lot_id: int, quantity: int, source: Spot) -> Conflict:
    there, name = balance(connection, lot_id, source), lot_by_id(connection, lot_id).name
    return Conflict(
        f"lot {name} has {there} {source}, and {quantity} are to be taken",
        hint=f"rfid-station stock show {name}",
    )


def _give(connection: Connection, lot_id: int, target: Spot, quantity: int) -> None:
    if _GIVE.run(connection, _changed(lot_id, target, quantity)) == 0:
        values = {"account": target.account.value, "place": target.kept_by, "quantity": quantity}
        _FIRST.run(connection, {"lot_id": lot_id, **values})


def _of(lot_id: int, spot: Spot) -> dict[str, Any]:
    return {"of_lot": lot_id, "of_account": spot.account.value, "of_place": spot.kept_by}


def _changed(lot_id: int, spot: Spot, count: int) -> dict[str, Any]:
    return _of(lot_id, spot) | {"count": count}
