"""Who may sign in: names, roles, and slow hashes of PINs. Wrong PINs are counted here, and stop at five."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.operator import MOST_WRONG_PINS, Operator, pause_after
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.tables import operator, shift

DOOR = Actor("sign-in", Role.SYSTEM)
"""Who notes what happens before it is known who is there."""

IsRight = Callable[[str | None], bool]
"""Whether what was typed belongs to this hash; no hash is nobody's, and takes as long."""

_OPERATORS = select(operator).order_by(operator.c.name)


class Operators:
    """The people who sign in. A station without any trusts the names that it is told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def any(self) -> bool:
        """Whether people sign in here at all."""
        with self._database.read() as connection:
            return _are_any(connection)

    def all(self) -> list[Operator]:
        """Everybody who is, or was, an operator, by name."""
        with self._database.read() as connection:
            return [operator_of(row) for row in connection.execute(_OPERATORS)]

    def get(self, name: str) -> Operator:
        """An operator by name; upper and lower case are the same.

        :raises WrongCall: there is none
        """
        with self._database.read() as connection:
            return operator_of(_the_row(connection, name))

    def add(self, name: str, role: Role, pin_hash: str, recovery_hash: str, actor: Actor) -> Operator:
        """Let somebody sign in from now on. The first has to be a supervisor, the others are added by one.

        :raises Conflict: the name is, or was, somebody's
        :raises MoveNotAllowed: `actor` is no supervisor
        :raises WrongCall: the first one is no supervisor
        """
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            if _are_any(connection):
                _take_a_supervisor(actor, f"add {name}")
            elif role is not Role.SUPERVISOR:
                raise WrongCall(
                    f"{name} cannot be the first operator as a {role}: nobody could add the others",
                    hint="rfid-station operator add NAME --role supervisor",
                )
            _refuse_taken(connection, name)
            values = {
                "name": name,
                "role": str(role),
                "pin_hash": pin_hash,
                "recovery_hash": recovery_hash,
                "wrong_pins": 0,
                "next_try_at": None,
                "is_active": True,
                "created_at": ledger.at,
            }
            connection.execute(insert(operator).values(id=next_id(operator), **values))
            ledger.note("operator.added", subject_of(name), as_role=str(role))
            return operator_of(_the_row(connection, name))

    def remove(self, name: str, actor: Actor) -> Operator:
        """Let somebody sign in no more; a shift of theirs that is open ends. The name stays theirs.

        :raises WrongCall: there is no such operator
        :raises Conflict: they are the last supervisor
        :raises MoveNotAllowed: `actor` is no supervisor
        """
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            _take_a_supervisor(actor, f"remove {name}")
            leaving = operator_of(_the_row(connection, name))
            _refuse_last_supervisor(connection, leaving)
            _change(connection, leaving, is_active=False)
            open_shifts = shift.c.operator_id == leaving.id, shift.c.ended_at.is_(None)
            connection.execute(update(shift).where(*open_shifts).values(ended_at=ledger.at))
            ledger.note("operator.removed", subject_of(leaving.name))
            return operator_of(_the_row(connection, name))

    def unlock(self, name: str, actor: Actor) -> Operator:
        """Take PINs of somebody again who typed too many wrong ones.

        :raises WrongCall: there is no such operator
        :raises MoveNotAllowed: `actor` is no supervisor
        """
        with booking(self._database, actor) as ledger:
            _take_a_supervisor(actor, f"unlock {name}")
            locked = operator_of(_the_row(ledger.connection, name))
            _change(ledger.connection, locked, wrong_pins=0, next_try_at=None)
            ledger.note("operator.unlocked", subject_of(locked.name))
            return operator_of(_the_row(ledger.connection, name))

    def set_pin(self, name: str, pin_hash: str, actor: Actor) -> Operator:
        """Give an operator another PIN, and take it from now on.

        :raises WrongCall: there is no such operator
        :raises MoveNotAllowed: it is somebody else's, and `actor` is no supervisor
        """
        with booking(self._database, actor) as ledger:
            known = operator_of(_the_row(ledger.connection, name))
            if known.name != actor.name:
                _take_a_supervisor(actor, f"give {known.name} a new PIN")
            _change(ledger.connection, known, pin_hash=pin_hash, wrong_pins=0, next_try_at=None)
            ledger.note("operator.pin_changed", subject_of(known.name))
            return known

    def prove(self, name: str, is_right: IsRight, action: str) -> Operator | None:
        """Who this is, if the PIN that was typed is theirs, and they are active, not locked, not too quick.

        A wrong one is counted in the same transaction. Nothing tells from outside which of these it was.

        :param action: what the audit log calls it when the PIN is right, as "operator.signed_in"
        """
        with booking(self._database, DOOR) as ledger:
            row = _row(ledger.connection, name)
            is_theirs = is_right(row.pin_hash if row else None)
            if row is None:
                ledger.note("operator.unknown", subject_of("?"))
                return None
            known = operator_of(row)
            if not known.is_active or known.is_locked or _is_too_soon(row, ledger):
                why = "locked" if known.is_locked else "too soon" if known.is_active else "removed"
                ledger.note("operator.pin_refused", subject_of(known.name), why=why)
                return None
            if not is_theirs:
                _count_wrong(ledger, known)
                return None
            _change(ledger.connection, known, wrong_pins=0, next_try_at=None)
            ledger.note(action, subject_of(known.name))
            return known

    def recover(self, name: str, is_right: IsRight, pin_hash: str, recovery_hash: str) -> Operator | None:
        """Give an operator a new PIN and unlock them, by their recovery code, which is used up with that.

        :return: nobody, if it is another code
        """
        with booking(self._database, DOOR) as ledger:
            row = _row(ledger.connection, name)
            is_theirs = is_right(row.recovery_hash if row else None)
            if row is None or not row.is_active or not is_theirs:
                ledger.note("operator.recovery_refused", subject_of(row.name if row else "?"))
                return None
            known = operator_of(row)
            fresh = {"pin_hash": pin_hash, "recovery_hash": recovery_hash}
            _change(ledger.connection, known, **fresh, wrong_pins=0, next_try_at=None)
            ledger.note("operator.recovered", subject_of(known.name))
            return known


def operator_of(row: Row[Any]) -> Operator:
    """An operator from a row that has the columns of the table. The hashes stay behind."""
    return Operator(row.id, row.name, Role(row.role), row.is_active, row.wrong_pins, row.created_at)


def subject_of(name: str) -> str:
    """How the audit log calls an operator."""
    return f"operator:{name}"


def _are_any(connection: Connection) -> bool:
    return connection.execute(select(operator.c.id).limit(1)).first() is not None


def _row(connection: Connection, name: str) -> Row[Any] | None:
    """Compare names here: databases disagree about the case of letters beyond ASCII, and these are few."""
    wanted = name.strip().casefold()
    rows = connection.execute(_OPERATORS.with_for_update())
    return next((row for row in rows if row.name.casefold() == wanted), None)


def _the_row(connection: Connection, name: str) -> Row[Any]:
    row = _row(connection, name)
    if row is None:
        raise WrongCall(f"there is no operator {name!r}", hint="rfid-station operator list")
    return row


def _change(connection: Connection, known: Operator, **values: object) -> None:
    connection.execute(update(operator).where(operator.c.id == known.id).values(**values))


def _is_too_soon(row: Row[Any], ledger: Ledger) -> bool:
    return row.next_try_at is not None and ledger.at < row.next_try_at


def _count_wrong(ledger: Ledger, known: Operator) -> None:
    wrong = known.wrong_pins + 1
    _change(ledger.connection, known, wrong_pins=wrong, next_try_at=ledger.at + pause_after(wrong))
    ledger.note("operator.pin_wrong", subject_of(known.name), wrong=wrong)
    if wrong >= MOST_WRONG_PINS:
        ledger.note("operator.locked", subject_of(known.name))


def _take_a_supervisor(actor: Actor, what: str) -> None:
    if actor.role is not Role.SUPERVISOR:
        raise MoveNotAllowed(
            f"a {actor.role} may not {what}", hint="let a supervisor do it: rfid-station --operator NAME …"
        )


def _refuse_taken(connection: Connection, name: str) -> None:
    taken = _row(connection, name)
    if taken is not None:
        was = "is" if taken.is_active else "was"
        raise Conflict(
            f"{taken.name} {was} an operator: in the audit log a name is one person for ever",
            hint="choose another name, as `Tess B.`",
        )


def _refuse_last_supervisor(connection: Connection, leaving: Operator) -> None:
    others = [operator_of(row) for row in connection.execute(_OPERATORS) if row.id != leaving.id]
    if not any(one.is_active and one.role is Role.SUPERVISOR for one in others):
        raise Conflict(
            f"{leaving.name} is the last supervisor: nobody could add or unlock an operator",
            hint="add another one first: rfid-station operator add NAME --role supervisor",
        )
