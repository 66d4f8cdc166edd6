"""Shifts: who is signed in at which place, since when. At a place one is open at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from rfid_station.domain.actor import Actor
from rfid_station.domain.operator import Operator, Shift
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import booking
from rfid_station.store.people.operators import operator_of
from rfid_station.store.tables import operator, shift

_SHIFTS = select(
    operator,
    shift.c.id.label("shift_id"),
    shift.c.place,
    shift.c.began_at,
    shift.c.ended_at,
    shift.c.ticket_hash,
).join_from(shift, operator, operator.c.id == shift.c.operator_id)


@dataclass(frozen=True, slots=True)
class OpenShift:
    """A shift that goes on, and the SHA-256 of the ticket by which its operator is known."""

    shift: Shift
    ticket_hash: str


class Shifts:
    """Sign-ins and sign-outs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_at(self, place: str) -> OpenShift | None:
        """The shift that goes on at a place."""
        with self._database.read() as connection:
            return _open_at(connection, place)

    def get(self, shift_id: int) -> Shift:
        """A shift by its number.

        :raises WrongCall: there is none
        """
        with self._database.read() as connection:
            row = connection.execute(_SHIFTS.where(shift.c.id == shift_id)).one_or_none()
        if row is None:
            raise WrongCall(f"there is no shift {shift_id}", hint="rfid-station shift list")
        return _shift_of(row)

    def newest(self, place: str | None = None, limit: int = 1) -> list[Shift]:
        """The last shifts, at a place or anywhere, the newest first."""
        query = _SHIFTS.order_by(shift.c.began_at.desc(), shift.c.id.desc()).limit(limit)
        if place is not None:
            query = query.where(shift.c.place == place)
        with self._database.read() as connection:
            return [_shift_of(row) for row in connection.execute(query)]

    def start(self, who: Operator, place: str, ticket_hash: str, actor: Actor) -> Shift:
        """Open a shift; a shift of the same operator that is open there goes on, with the new ticket.

        :raises Conflict: somebody else is signed in there
        """
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            now = _open_at(connection, place)
            if now is not None:
                _refuse_other(now.shift, who)
                there = shift.c.id == now.shift.id
                connection.execute(update(shift).where(there).values(ticket_hash=ticket_hash))
                ledger.note("shift.taken_up", f"shift:{now.shift.id}", place=place)
                return now.shift
            values = {"place": place, "began_at": ledger.at, "ticket_hash": ticket_hash}
            try:
                connection.execute(
                    insert(shift).values(id=next_id(shift), operator_id=who.id, ended_at=None, **values)
                )
            except IntegrityError:
                # Where writers do not wait for each other, the index is who notices.
                raise Conflict(
                    f"somebody else just signed in at {place}", hint="rfid-station shift show"
                ) from None
            begun = _open_at(connection, place)
            if begun is None:
                raise Conflict(f"nobody is signed in at {place}", hint="rfid-station shift start")
            ledger.note("shift.started", f"shift:{begun.shift.id}", place=place)
            return begun.shift

    def end(self, shift_id: int, actor: Actor) -> Shift:
        """Close a shift.

        :raises Conflict: it is closed already
        """
        with booking(self._database, actor) as ledger:
            still_open = shift.c.id == shift_id, shift.c.ended_at.is_(None)
            done = ledger.connection.execute(update(shift).where(*still_open).values(ended_at=ledger.at))
            if not done.rowcount:
                raise Conflict(f"shift {shift_id} has ended already", hint="rfid-station shift list")
            ended = _shift_of(ledger.connection.execute(_SHIFTS.where(shift.c.id == shift_id)).one())
            ledger.note("shift.ended", f"shift:{shift_id}", place=ended.place, of=ended.operator.name)
            return ended


def _open_at(connection: Connection, place: str) -> OpenShift | None:
    row = connection.execute(_SHIFTS.where(shift.c.place == place, shift.c.ended_at.is_(None))).one_or_none()
    return OpenShift(_shift_of(row), row.ticket_hash) if row else None


def _shift_of(row: Row[Any]) -> Shift:
    return Shift(row.shift_id, operator_of(row), row.place, row.began_at, row.ended_at)


def _refuse_other(now: Shift, who: Operator) -> None:
    if now.operator.id != who.id:
        raise Conflict(
            f"{now.operator.name} is signed in at {now.place} since {now.began_at:%Y-%m-%d %H:%M} UTC",
            hint="rfid-station shift end, or as a supervisor rfid-station --operator NAME shift end",
        )
