"""What the store knows of many cards that are to be made: who holds their UIDs, lines and numbers already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, bindparam, select

from rfid_station.domain.card import CardState
from rfid_station.domain.visual_number import bare
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.engines.spelling import listed
from rfid_station.store.orders.items import Wanted, delivered_lines
from rfid_station.store.tables import IS_LIVING, card, preprinted, work_order

HELD = (card.c.id, card.c.uid, card.c.order_line, card.c.visual_number, card.c.visual_bare, card.c.state)
"""The columns of a `Held`."""


@dataclass(frozen=True, slots=True)
class Held:
    """A card that holds a UID, an order line or a number already."""

    card_id: int
    uid: str
    """Upper-case hexadecimal."""
    order_line: str | None
    visual_number: str
    visual_bare: str
    state: CardState

    @property
    def is_living(self) -> bool:
        """Whether it holds its UID and its order line."""
        return self.state is not CardState.SPOILED

    def is_made_for(self, new: NewCard) -> bool:
        """Whether it is that card already."""
        if self.uid != new.uid.hex or self.state is CardState.SPOILED:
            return False
        if new.key is None:
            return (self.order_line or "").startswith(f"{new.order}:")
        return self.order_line == new.order_line


Ordered = Mapping[str, Mapping[str, Wanted | str]]
"""By the name of a work order: what it asks of the card for a line, or why it asks for none, in words."""


class Known:
    """What the store knows of some UIDs, order lines and visual numbers."""

    def __init__(
        self,
        connection: Connection,
        uids: list[str],
        lines: list[str],
        numbers: list[str],
        ordered: Ordered | None = None,
    ) -> None:
        self._ordered = ordered or {}
        self._on_plastic = _on_plastic(connection, numbers)
        of_uid = _held(connection, in_list(card.c.uid, *HELD), uids)
        of_line = _held(connection, _LIVING_FOR_LINES, lines)
        of_number = _held(connection, in_list(card.c.visual_bare, *HELD), numbers)
        self.by_uid = {one.uid: one for one in of_uid if one.is_living}
        self.by_line = {one.order_line or "": one for one in of_line}
        self.by_number = {one.visual_bare: one for one in of_number}
        self.spoiled_uids = [one.uid for one in of_uid if not one.is_living]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing that is known could stand against a card, or change it."""
        return not (self._ordered or self._on_plastic or self.by_uid or self.by_line or self.by_number)

    def made_for(self, new: NewCard) -> Held | None:
        """The card itself, if it was registered before."""
        held = self.by_uid.get(new.uid.hex)
        return held if held and held.is_made_for(new) else None

    def refusal(self, new: NewCard) -> str | None:
        """Why a card cannot be registered, in words."""
        wanted = self.wanted_for(new)
        if isinstance(wanted, str):
            return wanted
        held = self.by_uid.get(new.uid.hex)
        if held:
            return f"UID {new.uid.masked} belongs to card {held.visual_number}, which is {held.state}"
        line = new.in_work_order().order_line if wanted else new.order_line
        held = self.by_line.get(line or "")
        if held:
            return f"order line {line} has card {held.visual_number}, which is {held.state}"
        held = self.by_number.get(bare(new.visual_number)) if new.visual_number else None
        if held:
            return f"number {new.visual_number} is card {held.visual_number}, which is {held.state}"
        if new.visual_number and bare(new.visual_number) in self._on_plastic:
            return f"number {new.visual_number} is printed on plastic that waits for its chip"
        return None

    def wanted_for(self, new: NewCard) -> Wanted | str | None:
        """What a work order asks of a card, or why it asks for none; None without an order of that name."""
        if new.order not in self._ordered:
            return None
        words = f"order {new.order} has no line for it: it was made of another list"
        return self._ordered[new.order].get(new.in_work_order().order_line or "", words)


def known_of(connection: Connection, new: Sequence[NewCard], *, is_locked: bool) -> Known:
    """What the store knows of new cards.

    :param is_locked: they are registered in this transaction; else nothing is promised
    """
    orders = set(connection.execute(_ORDERS, {"names": list({one.order for one in new})}).scalars())
    asked = [one.in_work_order() if one.order in orders else one for one in new]
    lines = [line for one in asked if (line := one.order_line) is not None]
    numbers = [bare(one.visual_number) for one in new if one.visual_number]
    ordered = {
        name: delivered_lines(
            connection, [one.order_line or "" for one in asked if one.order == name], is_locked=is_locked
        )
        for name in orders
    }
    return Known(connection, [one.uid.hex for one in new], lines, numbers, ordered)


_ORDERS = select(work_order.c.name).where(work_order.c.name.in_(bindparam("names", expanding=True)))


def _on_plastic(connection: Connection, numbers: Sequence[str]) -> set[str]:
    """Which visual numbers, made bare, are printed on plastic that is no card yet."""
    if not numbers:
        return set()
    query = in_list(preprinted.c.visual_bare, preprinted.c.visual_bare)
    waiting = query.where(preprinted.c.card_id.is_(None))
    return set(connection.execute(waiting, {"values": json.dumps(numbers)}).scalars())


def _held(connection: Connection, query: Select[Any], values: Sequence[str]) -> list[Held]:
    if not values:
        return []
    return [held_of(row) for row in connection.execute(query, {"values": json.dumps(values)})]


@cache
def in_list(column: ColumnElement[str], *columns: ColumnElement[Any]) -> Select[Any]:
    """What has one of many values, which go over as one JSON text: a thousand parameters cost more."""
    values = listed(bindparam("values", type_=Text)).table_valued("value")
    return select(*columns).where(column.in_(select(values.c.value)))


def held_of(row: Any) -> Held:  # noqa: ANN401 - rows of two queries
    """A card from a row with the columns `HELD`."""
    return Held(row.id, row.uid, row.order_line, row.visual_number, row.visual_bare, CardState(row.state))


_LIVING_FOR_LINES = in_list(card.c.order_line, *HELD).where(IS_LIVING)
"""Lines of living cards only: the others have no index, and a look at each card makes a long list slow."""
