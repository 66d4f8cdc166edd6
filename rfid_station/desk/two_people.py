"""What takes two people: the one at the keyboard, and another who agrees."""

from __future__ import annotations

from rfid_station.desk.station import Station
from rfid_station.errors import MoveNotAllowed


def second_person(station: Station, name: str | None, what: str) -> str:
    """The name of whoever agrees to something beside the person at the keyboard.

    :param what: what is to be done, as "destroy 12 blanks of lot L1"
    :raises MoveNotAllowed: nobody else is named
    """
    if not name or name.casefold() == station.actor.name.casefold():
        who = f"{name} is at the keyboard" if name else "nobody else is named"
        raise MoveNotAllowed(f"it takes two people to {what}: {who}", hint="add --witness NAME")
    return name
