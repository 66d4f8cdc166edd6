"""Work orders: what somebody ordered, line by line; cancelled where not wanted, closed when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.order import Item, Order, OrderLine, Progress, Way, progress_of
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.orders.items import items_of, lost_on_the_way, order_of, portions
from rfid_station.store.orders.preprinting import spoil_of_lines
from rfid_station.store.people.driver_rows import add_driver
from rfid_station.store.tables import order_item, work_order

_STOPPED = (CardState.BLOCKED, CardState.SUSPENDED, CardState.REPLACED, CardState.EXPIRED, CardState.RETIRED)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody orders."""

    name: str | None
    """None: the next running name."""
    source: str
    way: Way
    profile: str
    lines: Sequence[OrderLine]
    """With keys, or of a running name with what is to follow the name."""
    places: Sequence[int] | None = None
    """Of the lines; by default counted from 1."""


class Orders:
    """The work orders of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewOrder, actor: Actor) -> Order:
        """Keep an order. The same one again changes nothing.

        :raises WrongCall: it has no lines
        :raises Conflict: there is another one of that name, or a line belongs to another order
        """
        if not new.lines:
            raise WrongCall(f"{new.source} orders no cards", hint="order at least one card")
        with booking(self._database, actor) as ledger:
            name = new.name or _next_name(ledger.connection)
            row = ledger.connection.execute(_named(name)).one_or_none()
            if row is not None:
                there = order_of(row)
                _refuse_other(there, items_of(ledger.connection, there), new)
                return there
            return _insert(ledger, name, new)

    def get(self, name: str) -> Order:
        """One order.

        :raises StationError: there is none of that name
        """
        with self._database.read() as connection:
            return _get(connection, _named(name), name)

    def has(self, name: str) -> bool:
        """Whether there is an order of that name."""
        with self._database.read() as connection:
            return connection.execute(_named(name)).one_or_none() is not None

    def names(self) -> list[str]:
        """The names of all orders, the oldest first."""
        with self._database.read() as connection:
            return list(connection.execute(select(work_order.c.name).order_by(work_order.c.id)).scalars())

    def all(self, *, open_only: bool = False) -> list[tuple[Order, Progress]]:
        """The orders and how far each is, the oldest first."""
        query = select(work_order).order_by(work_order.c.id)
        if open_only:
            query = query.where(work_order.c.closed_at.is_(None))
        with self._database.read() as connection:
            orders = [order_of(row) for row in connection.execute(query).all()]
            return [(order, _progress(connection, order, items_of(connection, order))) for order in orders]

    def items(self, order: Order) -> list[Item]:
        """The lines of an order as they stand."""
        with self._database.read() as connection:
            return items_of(connection, order)

    def progress(self, order: Order, items: Sequence[Item]) -> Progress:
        """How far an order is, of which these are all lines."""
        with self._database.read() as connection:
            return _progress(connection, order, items)

    def of_line(self, line: str) -> Order | None:
        """The order that a line belongs to."""
        query = select(work_order).join(order_item).where(order_item.c.line == line)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return order_of(row) if row else None

    def cancel(self, order: Order, places: Sequence[int] | None, reason: str, actor: Actor) -> list[Item]:
        """Want no cards any more on lines that have none; without places on all of them.

        A line whose card was stopped may be cancelled, too. What is cancelled stays as it is.

        :return: the lines that are cancelled now and were not before
        :raises WrongCall: there is no such line, or no reason
        :raises Conflict: the order is closed, or a line has a card that may be used
        """
        if not reason.strip():
            raise WrongCall("why is it cancelled?", hint="add --reason with a few words")
        with booking(self._database, actor) as ledger:
            _refuse_closed(_locked(ledger, order))
            items = items_of(ledger.connection, order)
            chosen = [item for item in items if item.card is None] if places is None else _at(items, places)
            cancelled = [item for item in chosen if not item.is_cancelled]
            for item in cancelled:
                _refuse_in_use(order, item)
            _cancel(ledger, order, cancelled, reason)
            return cancelled

    def close(self, order: Order, actor: Actor, *, dry_run: bool = False) -> list[Item]:
        """Close an order whose every line has its card, ready to leave or gone, or is cancelled.

        :return: the lines that something is missing of; then the order stays open
        """
        if dry_run or not order.is_open:
            return [] if not order.is_open else [item for item in self.items(order) if item.missing]
        with booking(self._database, actor) as ledger:
            if not _locked(ledger, order).is_open:
                return []
            items = items_of(ledger.connection, order)
            left = [item for item in items if item.missing]
            if not left:
                closing = update(work_order).where(work_order.c.id == order.id)
                ledger.connection.execute(closing.values(closed_at=ledger.at))
                progress = _progress(ledger.connection, order, items)
                ledger.note(
                    "order.closed",
                    order_subject(order.id),
                    name=order.name,
                    ordered=progress.ordered,
                    done=progress.done,
                    cancelled=progress.cancelled,
                    spoiled=progress.spoiled,
                )
            return left


def order_subject(order_id: int) -> str:
    """What the audit log calls an order."""
    return f"order:{order_id}"


def _named(name: str) -> Select[Any]:
    return select(work_order).where(work_order.c.name == name)


def _get(connection: Connection, query: Select[Any], name: str) -> Order:
    row = connection.execute(query).one_or_none()
    if row is None:
        raise StationError(f"there is no order {name!r}", hint="rfid-station order list")
    return order_of(row)


def _locked(ledger: Ledger, order: Order) -> Order:
    """An order as it is now; no card is begun on its lines until the transaction ends."""
    query = select(work_order).where(work_order.c.id == order.id).with_for_update()
    return order_of(ledger.connection.execute(query).one())


def _progress(connection: Connection, order: Order, items: Sequence[Item]) -> Progress:
    return progress_of(items, lost_on_the_way(connection, order.id))


def _next_name(connection: Connection) -> str:
    """A running name that no order has: somebody may have given one of that shape."""
    number = int(connection.execute(select(func.coalesce(func.max(work_order.c.id), 0))).scalar_one())
    while True:
        number += 1
        name = f"O-{number:06}"
        if connection.execute(_named(name)).one_or_none() is None:
            return name


def _insert(ledger: Ledger, name: str, new: NewOrder) -> Order:
    keys = _keys(name, new)
    _refuse_known_lines(ledger.connection, keys)
    values = {
        "name": name,
        "source": new.source,
        "way": new.way.value,
        "profile": new.profile,
        "created_at": ledger.at,
        "created_by": ledger.actor.name,
    }
    inserted = ledger.connection.execute(
        insert(work_order).values(id=next_id(work_order), **values).returning(work_order)
    )
    order = order_of(inserted.one())
    rows = [
        {
            "order_id": order.id,
            "place": place,
            "line": key,
            "driver_id": add_driver(ledger.connection, line.driver) if line.driver else None,
            "card_group": line.group,
            "valid_until": line.valid_until,
        }
        for place, key, line in zip(_places(new), keys, new.lines, strict=True)
    ]
    for some in portions(rows):
        ledger.connection.execute(insert(order_item).values(id=next_id(order_item)), some)
    told = {"source": order.source, "way": order.way, "profile": order.profile, "lines": len(rows)}
    ledger.note("order.created", order_subject(order.id), name=name, **told)
    return order


def _keys(name: str, new: NewOrder) -> list[str]:
    return [line.key if new.name else f"{name}:{line.key}" for line in new.lines]


def _places(new: NewOrder) -> list[int]:
    return list(new.places or range(1, len(new.lines) + 1))


def _refuse_known_lines(connection: Connection, keys: Sequence[str]) -> None:
    """Let an order pass whose lines no other has: an order `a` with the line `b:1` and one `a:b` may meet.

    :raises Conflict: a line belongs to another order
    """
    for some in portions(keys):
        line = connection.execute(
            select(order_item.c.line, work_order.c.name).join(work_order).where(order_item.c.line.in_(some))
        ).first()
        if line:
            raise Conflict(
                f"line {line.line} belongs to order {line.name}", hint=f"rfid-station order show {line.name}"
            )


def _refuse_other(there: Order, items: Sequence[Item], new: NewOrder) -> None:
    """Let the same order pass.

    :raises Conflict: it differs, in words
    """
    difference = _difference(there, items, new)
    if difference:
        raise Conflict(
            f"there is another order {there.name} of {there.source}: {difference}",
            hint="give this one a name of its own with --name, or see `rfid-station order show "
            f"{there.name}`",
        )


def _difference(there: Order, items: Sequence[Item], new: NewOrder) -> str | None:
    if there.way is not new.way:
        return f"it is made {there.way}, and this one {new.way}"
    if there.profile != new.profile:
        return f"it has profile {there.profile}, and this one {new.profile}"
    if len(items) != len(new.lines):
        return f"it has {len(items)} lines, and this one {len(new.lines)}"
    for item, place, line in zip(items, _places(new), new.lines, strict=True):
        if item.place != place or item.wanted.key != line.key:
            return f"its line {item.place} is {item.wanted.key}, and this one's {line.key}"
        for what, is_other in (
            ("driver", _is_other_driver(item.wanted.driver, line.driver)),
            ("group", item.wanted.group != line.group),
            ("last day", item.wanted.valid_until != line.valid_until),
        ):
            if is_other:
                return f"line {item.place} ({line.key}) has another {what}"
    return None


def _is_other_driver(there: Driver | None, given: Driver | None) -> bool:
    """Whether two lines are for different people. One that was forgotten is nobody else."""
    return there is not None and there != given


def _at(items: Sequence[Item], places: Sequence[int]) -> list[Item]:
    by_place = {item.place: item for item in items}
    unknown = [place for place in places if place not in by_place]
    if unknown:
        raise WrongCall(f"the order has no line {unknown[0]}", hint=f"its lines go from 1 to {max(by_place)}")
    return [by_place[place] for place in dict.fromkeys(places)]


def _refuse_closed(order: Order) -> None:
    if not order.is_open:
        raise Conflict(
            f"order {order.name} is closed, and closed is closed",
            hint=f"rfid-station order show {order.name}",
        )


def _refuse_in_use(order: Order, item: Item) -> None:
    """Let a line be cancelled whose card, if it has one, can be used by nobody.

    :raises Conflict: it has a card that may charge, or is half made
    """
    made = item.card
    if made is None or (made.state in _STOPPED and not made.has_left):
        return
    told = f"line {item.place} of order {order.name} has card {made.visual_number}, which "
    if made.has_left:
        raise Conflict(f"{told}has left in parcel {made.tracking}", hint="leave that line out")
    way = "spoil" if made.state.is_unfinished or made.state is CardState.ISSUED else "retire"
    raise Conflict(
        f"{told}is {made.state}", hint=f"rfid-station card {way} {made.visual_number}, and cancel it then"
    )


def _cancel(ledger: Ledger, order: Order, items: Sequence[Item], reason: str) -> None:
    keys = [item.wanted.key for item in items]
    ids: list[int] = []
    for some in portions(keys):
        ids += ledger.connection.execute(select(order_item.c.id).where(order_item.c.line.in_(some))).scalars()
    for part in portions(ids):
        cancelling = update(order_item).where(order_item.c.id.in_(part))
        ledger.connection.execute(cancelling.values(cancelled_at=ledger.at, cancel_reason=reason))
        spoil_of_lines(ledger, part, f"line cancelled: {reason}")
    for item in items:
        told = {"name": order.name, "place": item.place, "reason": reason}
        ledger.note("order.cancelled", order_subject(order.id), **told)
