"""Lines of orders, inside a transaction that others have begun: what a card is made for, and how far each is.

A line's card is the living one with the same order line. If that was replaced before it left, it is the
one that took its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, and_, bindparam, func, select

from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.order import MAY_LEAVE, Item, MadeCard, Order, OrderLine, Way
from rfid_station.errors import Conflict
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.prints import MAKE_CARDS
from rfid_station.store.tables import (
    IS_LIVING,
    card,
    driver,
    order_item,
    packed,
    parcel,
    preprinted,
    print_item,
    print_job,
    work_order,
)

T = TypeVar("T")
_PORTION = 1000
"""Cards that are looked up together."""

_WHOM = (driver.c.name.label("driver_name"), driver.c.reference, driver.c.fleet, driver.c.language)
_MADE_FOR = and_(card.c.order_line == order_item.c.line, IS_LIVING)


def _printed(of: Any, owner: Any) -> Any:  # noqa: ANN401 - columns of two tables
    """Whether a card, or plastic, was printed as a card."""
    return (
        select(print_item.c.job_id)
        .join(print_job, print_job.c.id == print_item.c.job_id)
        .where(of == owner, print_job.c.kind.in_(MAKE_CARDS))
        .exists()
    )


_ITEMS = (
    select(order_item, *_WHOM, card.c.id.label("card_id"))
    .select_from(
        order_item.outerjoin(driver, driver.c.id == order_item.c.driver_id).outerjoin(card, _MADE_FOR)
    )
    .order_by(order_item.c.place)
)
_ON_PLASTIC = select(
    preprinted.c.order_item_id,
    preprinted.c.visual_number,
    preprinted.c.card_id,
    preprinted.c.spoiled_at,
    _printed(print_item.c.preprinted_id, preprinted.c.id).label("is_printed"),
)
_FACTS = select(
    card.c.id,
    card.c.visual_number,
    card.c.state,
    packed.c.at.label("packed_at"),
    parcel.c.tracking,
    _printed(print_item.c.card_id, card.c.id).label("is_printed"),
).select_from(
    card.outerjoin(packed, packed.c.card_id == card.c.id).outerjoin(parcel, parcel.c.id == packed.c.parcel_id)
)
_LINE = select(order_item, *_WHOM, work_order.c.name, work_order.c.way, work_order.c.closed_at).select_from(
    order_item.join(work_order).outerjoin(driver, driver.c.id == order_item.c.driver_id)
)
_LOCKED_LINE = _LINE.with_for_update(of=work_order)
"""An order that is locked is neither closed nor cancelled until the transaction ends."""
_THE_LINE = Prepared(_LOCKED_LINE.where(order_item.c.line == bindparam("of_line")))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the line of an order asks of the card that is made for it."""

    driver: Driver | None
    driver_id: int | None
    """Its row: no second one is made for the same card."""
    group: str | None
    valid_until: date | None


def order_of(row: Row[Any]) -> Order:
    """An order from a row of `work_order`."""
    return Order(
        id=row.id,
        name=row.name,
        source=row.source,
        way=Way(row.way),
        profile=row.profile,
        created_at=row.created_at,
        created_by=row.created_by,
        closed_at=row.closed_at,
    )


def wanted_by(connection: Connection, line: str | None, *, is_preprinted: bool) -> Wanted | None:
    """What an order asks of the card for this line; None where no order has it.

    :raises Conflict: the order is closed, the line is cancelled, or its cards are made in another way
    """
    if line is None:
        return None
    row = _THE_LINE.first(connection, {"of_line": line})
    if row is None:
        return None
    refusal = _refusal(row)
    if refusal is None and Way(row.way) is Way.DELIVERED:
        refusal = f"the cards of order {row.name} come from a maker: `rfid-station batch run` registers them"
    if refusal is None and Way(row.way) is Way.PRINT_FIRST and not is_preprinted:
        refusal = f"the cards of order {row.name} are printed first: scan the number on this one"
    if refusal:
        raise Conflict(refusal, hint=f"rfid-station order show {row.name}")
    return _wanted(row)


def delivered_lines(
    connection: Connection, lines: Sequence[str], *, is_locked: bool
) -> dict[str, Wanted | str]:
    """What orders ask of the cards for these lines, or why none may be registered for one, in words.

    :param is_locked: cards are registered in this transaction; else nothing is promised
    """
    query = _LOCKED_LINE if is_locked else _LINE
    found: dict[str, Wanted | str] = {}
    for some in portions(lines):
        for row in connection.execute(query.where(order_item.c.line.in_(some))):
            refusal = _refusal(row)
            if refusal is None and Way(row.way) is not Way.DELIVERED:
                refusal = f"the cards of order {row.name} are made at the desk, and not delivered"
            found[row.line] = refusal or _wanted(row)
    return found


def items_of(connection: Connection, order: Order) -> list[Item]:
    """The lines of an order as they stand, in order."""
    rows = connection.execute(_ITEMS.where(order_item.c.order_id == order.id)).all()
    cards = _cards_for(connection, [row.card_id for row in rows if row.card_id is not None])
    plastic = _numbers_on_plastic(connection, order)
    return [_item(row, order.way, cards.get(row.card_id), plastic.get(row.id)) for row in rows]


def lost_on_the_way(connection: Connection, order_id: int) -> int:
    """Cards and printed numbers of an order that were spoiled. Plastic counts once, with or without chip."""
    lines = select(order_item.c.line).where(order_item.c.order_id == order_id)
    cards = select(func.count()).where(card.c.state == CardState.SPOILED.value, card.c.order_line.in_(lines))
    plastic = select(func.count()).where(
        preprinted.c.order_id == order_id,
        preprinted.c.spoiled_at.is_not(None),
        preprinted.c.card_id.is_(None),
    )
    return int(connection.execute(cards).scalar_one()) + int(connection.execute(plastic).scalar_one())


def portions(values: Iterable[T], size: int = _PORTION) -> Iterator[list[T]]:
    """Values in parts that a database takes in one statement."""
    everything = iter(values)
    while some := list(islice(everything, size)):
        yield some


def _refusal(row: Any) -> str | None:  # noqa: ANN401 - a row
    if row.closed_at is not None:
        return f"order {row.name} is closed: no card is made for it any more"
    if row.cancelled_at is not None:
        return f"line {row.place} of order {row.name} is cancelled: {row.cancel_reason}"
    return None


def _wanted(row: Any) -> Wanted:  # noqa: ANN401
    return Wanted(_driver_of(row), row.driver_id, row.card_group, row.valid_until)


def _driver_of(row: Any) -> Driver | None:  # noqa: ANN401
    if row.driver_id is None:
        return None
    return Driver(name=row.driver_name, reference=row.reference, fleet=row.fleet, language=row.language)


def _numbers_on_plastic(connection: Connection, order: Order) -> dict[int, str]:
    """The numbers that are printed and wait for their chips, by the line's id."""
    return {
        row.order_item_id: row.visual_number
        for row in connection.execute(_ON_PLASTIC.where(preprinted.c.order_id == order.id))
        if row.is_printed and row.card_id is None and row.spoiled_at is None
    }


def _item(row: Row[Any], way: Way, made: MadeCard | None, printed_number: str | None) -> Item:
    return Item(
        place=row.place,
        way=way,
        wanted=OrderLine(row.line, _driver_of(row), row.card_group, row.valid_until),
        cancel_reason=None if row.cancelled_at is None else row.cancel_reason or "",
        card=made,
        printed_number=printed_number,
    )


def _cards_for(connection: Connection, card_ids: Sequence[int]) -> dict[int, MadeCard]:
    """The cards, or those that took their place before they left, by the id of the first."""
    made = _facts(connection, card_ids)
    newest = dict(made)
    turned = {one.id: first for first, one in made.items() if _is_stopped(one)}
    while turned:
        successors = _successors(connection, list(turned))
        facts = _facts(connection, list(successors.values()))
        following = {}
        for old_id, new_id in successors.items():
            newest[turned[old_id]] = facts[new_id]
            if _is_stopped(facts[new_id]):
                following[new_id] = turned[old_id]
        turned = following
    return newest


def _is_stopped(made: MadeCard) -> bool:
    return not made.has_left and not made.state.is_unfinished and made.state not in MAY_LEAVE


def _facts(connection: Connection, card_ids: Sequence[int]) -> dict[int, MadeCard]:
    return {
        row.id: MadeCard(
            row.id,
            row.visual_number,
            CardState(row.state),
            is_printed=bool(row.is_printed),
            packed_at=row.packed_at,
            tracking=row.tracking,
        )
        for some in portions(card_ids)
        for row in connection.execute(_FACTS.where(card.c.id.in_(some)))
    }


def _successors(connection: Connection, card_ids: Sequence[int]) -> dict[int, int]:
    """The living cards that took the places of others, by those."""
    found = {}
    for some in portions(card_ids):
        before = card.alias()
        contracts = select(before.c.contract_id).where(before.c.id.in_(some))
        query = select(card.c.replaces_id, card.c.id).where(
            card.c.contract_id.in_(contracts), card.c.replaces_id.in_(some), IS_LIVING
        )
        found.update({row.replaces_id: row.id for row in connection.execute(query)})
    return found
