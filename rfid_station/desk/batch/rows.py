"""What a fleet file can ask for, and a row of it when it was judged."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from rfid_station.desk.batch.actions import Action
from rfid_station.desk.batch.findings import Finding
from rfid_station.domain.card import Reason
from rfid_station.domain.uid import CardUid

LONGEST_NAME = 200
LONGEST_REFERENCE = 100
USUAL_LANGUAGES = frozenset({"de", "en", "fr", "nl"})
"""Languages that need no closer look."""


class Kind(StrEnum):
    """What a file asks for, told by its columns."""

    ORDERS = "orders"
    """A card to be made for each driver."""
    CARDS = "cards"
    """Cards that a maker delivers, with their UIDs."""
    CHANGES = "changes"
    """Cards to be blocked, unblocked, activated ..."""


REQUIRED = {
    Kind.ORDERS: ("reference", "name"),
    Kind.CARDS: ("uid",),
    Kind.CHANGES: ("number", "action"),
}

UPDATES = ("reference", "name", "fleet", "language", "group", "valid_until")
"""What an update may change."""
CLEARED = "-"
"""In a cell of an update: take away what stands there; an empty cell leaves it."""
MAY_BE_CLEARED = ("fleet", "language", "valid_until")


class Entry(NamedTuple):
    """A row without an error."""

    row: int
    reference: str = ""
    name: str = ""
    fleet: str = ""
    language: str | None = None
    group: str | None = None
    uid: CardUid | None = None
    number: str | None = None
    chip: str = ""
    action: Action | None = None
    reason: Reason | None = None
    valid_until: date | None = None
    clears: frozenset[str] = frozenset()
    """What an update takes away."""


class Checked(NamedTuple):
    """A row and what was found in it."""

    row: int
    entry: Entry | None
    """None if the row cannot be used."""
    findings: list[Finding]
