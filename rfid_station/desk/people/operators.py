"""Operators are added, removed, unlocked, and get new PINs. PINs and codes are typed, and never shown again.

A lost PIN has two ways back: a supervisor gives a new one, or the recovery code that was drawn with the
operator and lies in a safe. So the last supervisor cannot be locked out for ever, and nobody gets in just
by standing at the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rfid_station.desk.people.person import ask_pin, by_pin, is_same_name
from rfid_station.desk.people.slow_hash import is_secret, slow_hash
from rfid_station.desk.station import Station
from rfid_station.domain import typed_code
from rfid_station.domain.card import Role
from rfid_station.domain.operator import (
    Operator,
    check_operator_name,
    check_operator_role,
    check_pin,
)
from rfid_station.errors import NotSignedIn, WrongCall

_LENGTH = 20
"""100 bits: nobody guesses one, so wrong ones are only noted."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """An operator, and the recovery code that is shown this once."""

    operator: Operator
    recovery_code: str = field(repr=False)


def add_operator(station: Station, name: str, role: Role, pin: str | None = None) -> Enrolled:
    """Let somebody sign in from now on.

    :param pin: a reference to it, as `env:NAME` or `file:NAME`; else it is asked for, twice
    :raises WrongCall: name, role or PIN cannot be used, or the first operator is no supervisor
    :raises MoveNotAllowed: it takes a supervisor
    :raises Conflict: the name is, or was, somebody's
    """
    check_operator_name(name)
    check_operator_role(role)
    actor, code = station.actor, _draw_code()
    typed = _new_pin(station, name, pin)
    kept = slow_hash(typed), slow_hash(typed_code.bare(code))
    return Enrolled(station.store.operators.add(name, role, *kept, actor), code)


def remove_operator(station: Station, name: str) -> Operator:
    """Let somebody sign in no more; their open shift ends.

    :raises MoveNotAllowed: it takes a supervisor
    :raises Conflict: they are the last supervisor
    """
    return station.store.operators.remove(name, station.actor)


def unlock_operator(station: Station, name: str) -> Operator:
    """Take PINs again of somebody who typed too many wrong ones.

    :raises MoveNotAllowed: it takes a supervisor
    """
    return station.store.operators.unlock(name, station.actor)


def change_pin(station: Station, name: str | None = None) -> Operator:
    """Change one's own PIN, which is asked for first; or as a supervisor give somebody a new one.

    :raises NotSignedIn: the old PIN is wrong
    :raises MoveNotAllowed: it is somebody else's, and takes a supervisor
    """
    store, actor = station.store, station.actor
    whose = store.operators.get(name or actor.name)
    if is_same_name(actor.name, whose.name):
        old = ask_pin(station.ask, f"present PIN of {whose.name}")
        by_pin(store, whose.name, old, "operator.signed_in")
    elif actor.role is Role.SUPERVISOR:
        _refuse_removed(whose)
    return store.operators.set_pin(whose.name, slow_hash(_new_pin(station, whose.name)), actor)


def recover_operator(station: Station, name: str) -> Enrolled:
    """Give an operator a new PIN by their recovery code, without anybody signed in; and draw a new code.

    :raises NotSignedIn: it is another code, or there is no such operator
    """
    typed = ask_pin(station.ask, f"recovery code of {name}")
    pin, code = _new_pin(station, name), _draw_code()
    known = station.store.operators.recover(
        name,
        lambda kept: is_secret(typed_code.bare(typed), kept),
        slow_hash(pin),
        slow_hash(typed_code.bare(code)),
    )
    if known is None:
        raise NotSignedIn(
            f"{name} gets no new PIN: the name or the recovery code is wrong",
            hint=f"the code was shown when {name} was added; a supervisor can do without: "
            f"rfid-station operator pin {name!r}",
        )
    return Enrolled(station.store.operators.get(known.name), code)


def _new_pin(station: Station, name: str, reference: str | None = None) -> str:
    if reference is not None:
        return check_pin(station.vault.read(reference))
    first = check_pin(ask_pin(station.ask, f"new PIN of {name}"))
    if ask_pin(station.ask, f"new PIN of {name}, again") != first:
        raise WrongCall("the two PINs differ", hint="type it again")
    return first


def _refuse_removed(whose: Operator) -> None:
    if not whose.is_active:
        raise WrongCall(f"{whose.name} is no operator any more", hint="rfid-station operator list")


def _draw_code() -> str:
    return typed_code.in_blocks(typed_code.draw(_LENGTH))
