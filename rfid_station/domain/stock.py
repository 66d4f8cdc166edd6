"""Blank cards as a ledger: every blank stands on one account, and moves by entries from one to another.

    received = on hand + in work + issued + spoiled + destroyed + samples + missing

holds at every moment, since an entry takes from one account what it gives to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rfid_station.domain.card import CardState


class Account(StrEnum):
    """Where blanks stand."""

    ON_HAND = "on_hand"
    IN_WORK = "in_work"
    """Taken for a card that is begun."""
    ISSUED = "issued"
    SPOILED = "spoiled"
    """Made useless at the desk, and not destroyed yet."""
    DESTROYED = "destroyed"
    SAMPLES = "samples"
    """Kept, or used up by tests."""
    MISSING = "missing"
    """Neither found nor explained when they were counted."""


class LotState(StrEnum):
    """Whether cards may be made of a lot."""

    HELD = "held"
    """A sample of it was not as it should be, or none was taken."""
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Lot:
    """Blanks that came together."""

    id: int
    name: str
    supplier: str
    chip: str
    state: LotState
    received_at: datetime
    state_reason: str | None = None


def account_of(state: CardState) -> Account:
    """Where the blank stands that a card in this state was made of."""
    if state.is_unfinished:
        return Account.IN_WORK
    return Account.SPOILED if state is CardState.SPOILED else Account.ISSUED
