"""Envelopes and parcels: which card lies in its envelope, and in which parcel it left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card
from rfid_station.domain.order import MAY_LEAVE
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.card_rows import card_of, card_row, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.search import tracking_of
from rfid_station.store.tables import card, packed, parcel


@dataclass(frozen=True, slots=True)
class Parcel:
    """An envelope or box that left."""

    tracking: str
    carrier: str
    dispatched_at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class Packed:
    """A card that lies in its envelope."""

    card_id: int
    at: datetime
    actor: str
    with_letter: bool
    """Whether its letter was scanned beside it."""
    was_tapped: bool
    """Whether the chip was read; else only the code that is printed on the card was."""
    parcel: Parcel | None = None
    """What it left in."""


_PACKED = select(
    packed, parcel.c.tracking, parcel.c.carrier, parcel.c.dispatched_at, parcel.c.actor.label("sender")
).select_from(packed.outerjoin(parcel))


class Packing:
    """What was packed and sent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_card(self, card_id: int) -> Packed | None:
        """How a card is packed, if it is."""
        with self._database.read() as connection:
            return _of_card(connection, card_id)

    def pack(self, card_id: int, *, with_letter: bool, was_tapped: bool, actor: Actor) -> Packed:
        """Keep that a card lies in its envelope. Saying it twice changes nothing.

        :raises Conflict: the card may not leave, or has left
        """
        with booking(self._database, actor) as ledger:
            found = card_of(card_row(ledger.connection, card_id))
            before = _of_card(ledger.connection, card_id)
            if before is not None and before.parcel is not None:
                raise Conflict(
                    f"card {found.visual_number} has left in parcel {before.parcel.tracking}",
                    hint=f"rfid-station card show {found.visual_number}",
                )
            refuse_stopped(found)
            if before is not None:
                return before
            how = {"with_letter": with_letter, "was_tapped": was_tapped}
            values = {"card_id": card_id, "at": ledger.at, "actor": actor.name, **how}
            ledger.connection.execute(insert(packed).values(values))
            ledger.note("card.packed", subject_of(card_id), visual_number=found.visual_number, **how)
            return Packed(card_id, ledger.at, actor.name, with_letter=with_letter, was_tapped=was_tapped)

    def unpack(self, card_id: int, reason: str, actor: Actor) -> None:
        """Take a card out of its envelope again.

        :raises WrongCall: no reason
        :raises Conflict: it is not packed, or has left
        """
        if not reason.strip():
            raise WrongCall("why is it unpacked?", hint="add --reason with a few words")
        with booking(self._database, actor) as ledger:
            found = card_of(card_row(ledger.connection, card_id))
            _waiting(ledger.connection, found)
            ledger.connection.execute(delete(packed).where(packed.c.card_id == card_id))
            ledger.note(
                "card.unpacked", subject_of(card_id), visual_number=found.visual_number, reason=reason
            )

    def dispatch(self, card_ids: Sequence[int], tracking: str, carrier: str, actor: Actor) -> Parcel:
        """Send packed cards off in one parcel: all of them or none.

        :raises WrongCall: no cards, or no tracking number
        :raises Conflict: a parcel has that number, or a card is not packed, has left, or may not leave
        """
        number = tracking_of(tracking)
        if not number or not number.isprintable():
            raise WrongCall(f"{tracking!r} is no tracking number", hint="add --tracking NUMBER")
        if not card_ids:
            raise WrongCall("there is nothing to send: no card is packed", hint="rfid-station packing run")
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            _refuse_known_parcel(connection, number)
            cards = [card_of(card_row(connection, card_id)) for card_id in dict.fromkeys(card_ids)]
            for one in cards:
                _waiting(connection, one)
                refuse_stopped(one)
            sent = Parcel(number, carrier, ledger.at, actor.name)
            _send(ledger, cards, sent)
            return sent

    def waiting(self, card_ids: Sequence[int]) -> set[int]:
        """Which of some cards are packed and have not left."""
        query = select(packed.c.card_id).where(packed.c.parcel_id.is_(None))
        with self._database.read() as connection:
            return set(connection.execute(query).scalars()).intersection(card_ids)


def refuse_stopped(found: Card) -> None:
    """Let a card pass that may leave.

    :raises Conflict: it is not finished, or was stopped
    """
    if found.state in MAY_LEAVE:
        return
    if found.state.is_unfinished:
        raise Conflict(
            f"card {found.visual_number} is {found.state}: it was never finished",
            hint="tap it again in `rfid-station card issue`",
        )
    why = f" ({found.reason})" if found.reason else ""
    raise Conflict(
        f"card {found.visual_number} is {found.state}{why}: it must not leave",
        hint=f"take it out: rfid-station packing undo {found.visual_number} --reason {found.state}",
    )


def _of_card(connection: Connection, card_id: int) -> Packed | None:
    row = connection.execute(_PACKED.where(packed.c.card_id == card_id)).one_or_none()
    return _packed_of(row) if row else None


def _packed_of(row: Row[Any]) -> Packed:
    sent = None
    if row.tracking is not None:
        sent = Parcel(row.tracking, row.carrier, row.dispatched_at, row.sender)
    how = {"with_letter": row.with_letter, "was_tapped": row.was_tapped}
    return Packed(row.card_id, row.at, row.actor, parcel=sent, **how)


def _waiting(connection: Connection, found: Card) -> None:
    """Let a card pass that lies in its envelope here.

    :raises Conflict: it is not packed, or has left
    """
    lying = _of_card(connection, found.id)
    if lying is None:
        raise Conflict(f"card {found.visual_number} is not packed", hint="rfid-station packing run")
    if lying.parcel is not None:
        raise Conflict(
            f"card {found.visual_number} has left in parcel {lying.parcel.tracking}",
            hint=f"rfid-station card show {found.visual_number}",
        )


def _refuse_known_parcel(connection: Connection, tracking: str) -> None:
    first = (
        select(parcel.c.dispatched_at, card.c.visual_number)
        .select_from(parcel.outerjoin(packed).outerjoin(card))
        .where(parcel.c.tracking == tracking)
    )
    row = connection.execute(first).first()
    if row is not None:
        raise Conflict(
            f"parcel {tracking} left on {row.dispatched_at:%Y-%m-%d} with card {row.visual_number} in it",
            hint=f"rfid-station card find {tracking}",
        )


def _send(ledger: Ledger, cards: Sequence[Card], sent: Parcel) -> None:
    connection = ledger.connection
    values = {
        "tracking": sent.tracking,
        "carrier": sent.carrier,
        "dispatched_at": sent.dispatched_at,
        "actor": sent.actor,
    }
    parcel_id = connection.execute(
        insert(parcel).values(id=next_id(parcel), **values).returning(parcel.c.id)
    ).scalar_one()
    for one in cards:
        connection.execute(update(packed).where(packed.c.card_id == one.id).values(parcel_id=parcel_id))
        told = {"tracking": sent.tracking, "carrier": sent.carrier}
        ledger.note("card.dispatched", subject_of(one.id), visual_number=one.visual_number, **told)
