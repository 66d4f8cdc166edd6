"""Numbers that are on plastic before a chip has them: drawn, matched once, or spoiled with their plastic."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, or_, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Reason
from rfid_station.domain.order import Order, Preprinted
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.numbering import Draws, draw_numbers
from rfid_station.store.orders.items import items_of
from rfid_station.store.orders.preprinted_rows import PREPRINTED, preprinted_of, preprinted_subject
from rfid_station.store.tables import order_item, preprinted, print_item

_INSERT = insert(preprinted).values(id=next_id(preprinted)).returning(preprinted.c.id)
_ON_PAPER = select(print_item.c.preprinted_id).where(print_item.c.preprinted_id.is_not(None))


class Preprints:
    """The numbers on plastic that waits for its chips."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def draw(self, order: Order, draws: Draws, actor: Actor) -> list[Preprinted]:
        """Give numbers to the lines of an order that have neither card nor plastic, and keep them.

        :return: all numbers of the order that are not printed yet, also those that were drawn before
        :raises Conflict: no free number is left
        """
        with booking(self._database, actor) as ledger:
            for item_id, line in _bare_lines(ledger.connection, order):
                contract_id, visual_number, alias = draw_numbers(ledger, draws)
                values = {
                    "order_id": order.id,
                    "order_item_id": item_id,
                    "contract_id": contract_id.compact,
                    "visual_number": visual_number,
                    "visual_bare": bare(visual_number),
                    "alias": alias,
                    "made_at": ledger.at,
                }
                new_id = int(ledger.connection.execute(_INSERT, values).scalar_one())
                told = {"visual_number": visual_number, "order_line": line}
                ledger.note("preprinted.drawn", preprinted_subject(new_id), **told)
            return _unprinted(ledger.connection, order.id)

    def unprinted(self, order: Order) -> list[Preprinted]:
        """The numbers of an order that were drawn and not printed."""
        with self._database.read() as connection:
            return _unprinted(connection, order.id)

    def wanting(self, order: Order) -> int:
        """How many lines of an order have neither card nor plastic."""
        with self._database.read() as connection:
            return len(_bare_lines(connection, order))

    def find(self, numbers: Sequence[str], aliases: Sequence[str]) -> Preprinted | None:
        """The plastic with one of these visual numbers, made bare, or one of these aliases."""
        query = PREPRINTED.where(
            or_(preprinted.c.visual_bare.in_(numbers), preprinted.c.alias.in_(aliases))
        ).order_by(preprinted.c.id)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return preprinted_of(row) if row else None

    def spoil(self, preprinted_id: int, reason: str, actor: Actor) -> Preprinted:
        """Plastic that is waste before it met a chip: its numbers are never used, and its line is open again.

        :raises Conflict: it was matched; then the card is spoiled, not the number
        """
        with booking(self._database, actor) as ledger:
            found = waiting(ledger.connection, preprinted_id, may_be_spoiled=True)
            if found.spoil_reason is None:
                _spoil(ledger, found, reason)
            return found


def waiting(connection: Connection, preprinted_id: int, *, may_be_spoiled: bool = False) -> Preprinted:
    """Plastic that may still be matched; locked until the transaction ends, so that one desk gets it.

    :raises WrongCall: there is none
    :raises Conflict: it was matched, or is spoiled
    """
    lock = select(preprinted.c.id).where(preprinted.c.id == preprinted_id).with_for_update()
    connection.execute(lock).all()
    row = connection.execute(PREPRINTED.where(preprinted.c.id == preprinted_id)).one_or_none()
    if row is None:
        raise WrongCall(f"there is no printed number {preprinted_id}", hint="rfid-station order list")
    found = preprinted_of(row)
    if found.card_id is not None:
        raise Conflict(
            f"number {found.visual_number} has its chip already: it is a card",
            hint=f"rfid-station card show {found.visual_number}",
        )
    if found.spoil_reason is not None and not may_be_spoiled:
        raise Conflict(
            f"number {found.visual_number} is spoiled ({found.spoil_reason}): this plastic is waste",
            hint=f"rfid-station order print {found.order}",
        )
    return found


def match(ledger: Ledger, preprinted_id: int, card_id: int) -> None:
    """Keep which card the numbers are on, and so what was printed of it."""
    connection = ledger.connection
    connection.execute(update(preprinted).where(preprinted.c.id == preprinted_id).values(card_id=card_id))
    connection.execute(
        update(print_item).where(print_item.c.preprinted_id == preprinted_id).values(card_id=card_id)
    )


def spoil_with(ledger: Ledger, spoiled: Card, reason: Reason | None) -> None:
    """Spoil the numbers on the plastic of a spoiled card, where they were printed before it had a chip."""
    row = ledger.connection.execute(
        PREPRINTED.where(preprinted.c.card_id == spoiled.id, preprinted.c.spoiled_at.is_(None))
    ).one_or_none()
    if row is not None:
        _spoil(ledger, preprinted_of(row), f"{reason or 'spoiled'}")


def spoil_of_lines(ledger: Ledger, item_ids: Sequence[int], reason: str) -> None:
    """Spoil plastic that waits for chips on lines that nobody wants any more."""
    query = PREPRINTED.where(
        preprinted.c.order_item_id.in_(item_ids),
        preprinted.c.card_id.is_(None),
        preprinted.c.spoiled_at.is_(None),
    )
    for row in ledger.connection.execute(query).all():
        _spoil(ledger, preprinted_of(row), reason)


def _spoil(ledger: Ledger, found: Preprinted, reason: str) -> None:
    values = {"spoiled_at": ledger.at, "spoil_reason": reason}
    ledger.connection.execute(update(preprinted).where(preprinted.c.id == found.id).values(values))
    ledger.note(
        "preprinted.spoiled",
        preprinted_subject(found.id),
        visual_number=found.visual_number,
        reason=reason,
    )


def _bare_lines(connection: Connection, order: Order) -> list[tuple[int, str]]:
    """The lines of an order that want numbers, with their ids."""
    drawn = select(preprinted.c.order_item_id).where(
        preprinted.c.order_id == order.id, preprinted.c.card_id.is_(None), preprinted.c.spoiled_at.is_(None)
    )
    waiting_ids = set(connection.execute(drawn).scalars())
    ids = connection.execute(
        select(order_item.c.place, order_item.c.id).where(order_item.c.order_id == order.id)
    )
    by_place = {row.place: int(row.id) for row in ids}
    return [
        (by_place[item.place], item.wanted.key)
        for item in items_of(connection, order)
        if not item.is_cancelled and item.card is None and by_place[item.place] not in waiting_ids
    ]


def _unprinted(connection: Connection, order_id: int) -> list[Preprinted]:
    query = PREPRINTED.where(
        preprinted.c.order_id == order_id,
        preprinted.c.card_id.is_(None),
        preprinted.c.spoiled_at.is_(None),
        preprinted.c.id.not_in(_ON_PAPER),
    ).order_by(order_item.c.place)
    return [preprinted_of(row) for row in connection.execute(query)]
