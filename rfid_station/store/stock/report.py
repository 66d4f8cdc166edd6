"""What became of blanks at a place in a time, from the entries, for the report of a shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select

from rfid_station.domain.lot_line import Movement
from rfid_station.domain.stock import CARD_ACCOUNTS, Account, Counted, Lot
from rfid_station.store.stock.entries import lot_of
from rfid_station.store.tables import lot, stock_count, stock_entry

_AT_ONCE = 500
_CARD = [account.value for account in CARD_ACCOUNTS]


def movements_of(connection: Connection, place: str, since: datetime, until: datetime) -> list[Movement]:
    """What became of each lot's blanks at a place from a moment to before another; lots without any left out.

    A card belongs to the place where its blank was taken.
    """
    found = []
    for row in connection.execute(select(lot).order_by(lot.c.received_at, lot.c.id)).all():
        at_start = _on_hand_before(connection, row.id, place, since)
        net = _net(connection, lot_of(row), place, since, until)
        if at_start or net:
            at_end = _on_hand_before(connection, row.id, place, until)
            found.append(Movement(lot=row.name, at_start=at_start, at_end=at_end, **net))
    return found


def counts_of(connection: Connection, place: str, since: datetime, until: datetime) -> list[Counted]:
    """What was counted at a place from a moment to before another, oldest first."""
    query = (
        select(stock_count, lot.c.name)
        .join_from(stock_count, lot)
        .where(stock_count.c.place == place, stock_count.c.at >= since, stock_count.c.at < until)
        .order_by(stock_count.c.at, stock_count.c.id)
    )
    return [
        Counted(row.name, place, row.at, row.expected, row.counted, row.actor, row.witness)
        for row in connection.execute(query)
    ]


def _on_hand_before(connection: Connection, lot_id: int, place: str, moment: datetime) -> int:
    def total(account: Any, where: Any) -> int:  # noqa: ANN401 - columns
        query = select(func.coalesce(func.sum(stock_entry.c.quantity), 0)).where(
            stock_entry.c.lot_id == lot_id,
            stock_entry.c.at < moment,
            account == Account.ON_HAND.value,
            where == place,
        )
        return int(connection.execute(query).scalar_one())

    came = total(stock_entry.c.to_account, stock_entry.c.to_place)
    return came - total(stock_entry.c.from_account, stock_entry.c.from_place)


def _net(connection: Connection, of: Lot, place: str, since: datetime, until: datetime) -> Counter[str]:
    """What came in and what went, by the names of `Movement`."""
    touching = or_(
        and_(stock_entry.c.from_account == Account.ON_HAND.value, stock_entry.c.from_place == place),
        and_(stock_entry.c.to_account == Account.ON_HAND.value, stock_entry.c.to_place == place),
        and_(stock_entry.c.from_account.in_(_CARD), stock_entry.c.to_account.in_(_CARD)),
    )
    query = select(stock_entry).where(
        stock_entry.c.lot_id == of.id, stock_entry.c.at >= since, stock_entry.c.at < until, touching
    )
    rows = connection.execute(query).all()
    made_here = _made_at(connection, of.id, place, rows)
    net: Counter[str] = Counter()
    for row in rows:
        if _is_of_cards(row) and row.card_id not in made_here:
            continue
        _add(net, row, place)
    return Counter({name: count for name, count in net.items() if count})


def _is_of_cards(row: Row[Any]) -> bool:
    return row.from_account in _CARD and row.to_account in _CARD


def _made_at(connection: Connection, lot_id: int, place: str, rows: Sequence[Row[Any]]) -> set[int]:
    """The cards among those that moved whose blank was taken at a place."""
    moved = sorted({row.card_id for row in rows if _is_of_cards(row)})
    made: set[int] = set()
    for start in range(0, len(moved), _AT_ONCE):
        some = moved[start : start + _AT_ONCE]
        query = select(stock_entry.c.card_id).where(
            stock_entry.c.lot_id == lot_id,
            stock_entry.c.card_id.in_(some),
            stock_entry.c.to_account == Account.IN_WORK.value,
            stock_entry.c.to_place == place,
        )
        made |= set(connection.execute(query).scalars())
    return made


def _add(net: Counter[str], row: Row[Any], place: str) -> None:
    if row.to_account == Account.ON_HAND.value and row.to_place == place:
        _add_source(net, row)
    elif row.from_account == Account.ON_HAND.value:
        net[_TARGETS[row.to_account]] += row.quantity
    else:
        net[_TARGETS[row.from_account]] -= row.quantity
        net[_TARGETS[row.to_account]] += row.quantity


def _add_source(net: Counter[str], row: Row[Any]) -> None:
    if row.from_account is None:
        net["received"] += row.quantity
    elif row.from_account == Account.ON_HAND.value:
        net["transferred_in"] += row.quantity
    else:
        net[_TARGETS[row.from_account]] -= row.quantity


_TARGETS = {account.value: account.value for account in Account} | {
    Account.ON_HAND.value: "transferred_out",
}
