"""What takes two people: the one at the keyboard, and another who agrees."""

from __future__ import annotations

from dataclasses import replace

from rfid_station.desk.people.person import ask_pin, by_pin, is_same_name
from rfid_station.desk.station import Station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.errors import MoveNotAllowed


def second_person(station: Station, name: str | None, what: str) -> str:
    """The name of whoever agrees to something beside the person at the keyboard.

    In a station with operators they type their PIN, and one of the two is a supervisor; without, only
    the names differ.

    :param what: what is to be done, as "destroy 12 blanks of lot L1"
    :raises MoveNotAllowed: nobody else is named, or neither is a supervisor
    :raises NotSignedIn: the name or the PIN is wrong
    """
    if not name or is_same_name(name, station.actor.name):
        who = f"{name} is at the keyboard" if name else "nobody else is named"
        raise MoveNotAllowed(f"it takes two people to {what}: {who}", hint="add --witness NAME")
    if not station.person.signs_in:
        return name
    witness = by_pin(
        station.store, name, ask_pin(station.ask, f"PIN of {name}, to {what}"), "operator.witnessed"
    )
    if Role.SUPERVISOR not in (station.actor.role, witness.role):
        raise MoveNotAllowed(
            f"it takes a supervisor to {what}: {station.actor.name} is a {station.actor.role}, "
            f"{witness.name} a {witness.role}",
            hint="add --witness with the name of a supervisor",
        )
    return witness.name


def seconded(station: Station, witness: str | None, what: str) -> Station:
    """The station, for something that takes two people where people sign in: all that is done notes both.

    :raises MoveNotAllowed: nobody else is named, or neither is a supervisor
    :raises NotSignedIn: the name or the PIN is wrong
    """
    actor = agreed(station, witness, what)
    return replace(station, person=station.person.seen_by(actor.witness)) if actor.witness else station


def agreed(station: Station, witness: str | None, what: str) -> Actor:
    """Who does something that takes two people where people sign in, and the witness with them.

    A station without operators asks for no second person; one who is named is noted all the same.

    :raises MoveNotAllowed: nobody else is named, or neither is a supervisor
    :raises NotSignedIn: the name or the PIN is wrong
    """
    if witness is None and not station.person.signs_in:
        return station.actor
    return replace(station.actor, witness=second_person(station, witness, what))
