"""Card groups: what bilateral agreements speak of. Every card is in one of them.

A card that is made for a fleet's driver is in the group of the fleet's name, unless it was put elsewhere.
"""

from __future__ import annotations

from rfid_station.errors import WrongCall

GENERAL = "general"
"""The group of every card that nobody put into another one."""

LONGEST = 64


def check_group(name: str) -> str:
    """A group's name without blanks around it.

    :raises WrongCall: it is empty, too long, or has characters that no list shows
    """
    group = name.strip()
    if not group or len(group) > LONGEST or group == "*" or not group.isprintable():
        raise WrongCall(
            f"{name!r} cannot name a card group",
            hint=f"1 to {LONGEST} printable characters, as in --group 'Acme Logistics'; not *",
        )
    return group


def group_for(fleet: str, wanted: str | None = None) -> str:
    """The group of a new card.

    :raises WrongCall: the name cannot be one
    """
    if wanted is not None:
        return check_group(wanted)
    return check_group(fleet) if fleet.strip() else GENERAL
