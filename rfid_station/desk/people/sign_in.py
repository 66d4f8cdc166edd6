"""A shift begins with a PIN, and ends: between the two, a ticket in the station's folder tells who works."""

from __future__ import annotations

import secrets

from rfid_station.desk.people.person import ask_pin, by_pin, ticket_hash_of, ticket_name
from rfid_station.desk.station import Station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.operator import Shift
from rfid_station.errors import Conflict, MoveNotAllowed, NotSignedIn, WrongCall

_TICKET_BYTES = 32


def start_shift(station: Station, name: str) -> Shift:
    """Sign in at this desk's place; a shift of the same operator that is open there is taken up again.

    :raises WrongCall: the station has no operators, or nobody is there to type the PIN
    :raises NotSignedIn: the name or the PIN is wrong
    :raises Conflict: somebody else is signed in here
    """
    if not station.store.operators.any():
        raise WrongCall(
            "nobody signs in here: this station has no operators",
            hint="rfid-station operator add NAME --role supervisor",
        )
    who = by_pin(station.store, name, ask_pin(station.ask, f"PIN of {name}"), "operator.signed_in")
    place = station.settings.desk.place
    before = station.store.shifts.open_at(place)
    ticket = secrets.token_hex(_TICKET_BYTES)
    hashed = ticket_hash_of(ticket)
    # The ticket first: a shift that nobody holds the ticket of would be nobody's.
    reference = station.vault.keep_as(ticket_name(hashed), ticket)
    try:
        begun = station.store.shifts.start(who, place, hashed, Actor(who.name, who.role))
    except BaseException:
        station.vault.forget(reference)
        raise
    if before:
        station.vault.forget(f"file:{ticket_name(before.ticket_hash)}")
    return begun


def end_shift(station: Station) -> Shift:
    """Sign out. Whoever has the shift does that, or a supervisor, if its operator has left.

    :raises Conflict: no shift is open here
    :raises NotSignedIn: its ticket is not in this folder, and no supervisor is at the keyboard
    """
    place = station.settings.desk.place
    now = station.store.shifts.open_at(place)
    if now is None:
        raise Conflict(f"nobody is signed in at {place}", hint="rfid-station shift start --operator NAME")
    ended = station.store.shifts.end(now.shift.id, _who_ends(station, now.shift))
    station.vault.forget(f"file:{ticket_name(now.ticket_hash)}")
    return ended


def newest_shift(station: Station) -> Shift:
    """The shift that goes on here, or the last one that did.

    :raises Conflict: there was none
    """
    found = station.store.shifts.newest(station.settings.desk.place)
    if not found:
        raise Conflict(
            f"nobody ever signed in at {station.settings.desk.place}",
            hint="rfid-station shift start --operator NAME",
        )
    return found[0]


def is_of_another_day(station: Station, shift: Shift) -> bool:
    """Whether a shift that goes on began before today, in UTC: somebody forgot to sign out."""
    return shift.ended_at is None and shift.began_at.date() < station.store.database.clock().date()


def _who_ends(station: Station, now: Shift) -> Actor:
    try:
        who = station.actor
    except NotSignedIn as error:
        raise NotSignedIn(
            f"{now.operator.name} signed in at {now.place}, and that ticket is not in {station.folder}",
            hint="rfid-station shift start --operator NAME, or let a supervisor end it: "
            "rfid-station --operator NAME shift end",
        ) from error
    if who.name != now.operator.name and who.role is not Role.SUPERVISOR:
        raise MoveNotAllowed(
            f"{who.name} may not end the shift of {now.operator.name}", hint="it takes a supervisor"
        )
    return who
