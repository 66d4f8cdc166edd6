"""What is asked for many cards at once, and what is answered: pure values."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, Protocol

from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.uid import CardUid

CHUNK = 1000
"""Cards that are looked up and written together."""


class Numbers(Protocol):
    """Where the numbers of new cards come from. The contract is asked for first."""

    def contract_of(self, number: int) -> ContractId:
        """The contract with a number that was never given out."""

    def draw_visual(self) -> str:
        """A visual number, maybe one that is taken."""

    def draw_alias(self) -> str:
        """An alias, maybe one that is taken."""


class NewCard(NamedTuple):
    """A card that was made elsewhere and is to be registered."""

    uid: CardUid
    order: str
    """The order it belongs to."""
    key: str | None
    """Its own key within the order; None where it has no other than its UID."""
    chip: str
    profile: str
    driver: Driver | None = None
    visual_number: str | None = None
    """As it is printed on the card; None to have one drawn."""
    group: str | None = None
    """By default the one of the driver's fleet."""
    place: int | None = None
    """Of its row in the list: what a card without a key goes by where the order is kept as a work order."""
    valid_until: date | None = None
    """The last day, in UTC, on which it is to charge."""

    @property
    def order_line(self) -> str | None:
        """What the card is made for, if that is known before it has a number."""
        return None if self.key is None else f"{self.order}:{self.key}"

    def in_work_order(self) -> NewCard:
        """The same card with the key that it has in a work order."""
        return self if self.key is not None or self.place is None else self._replace(key=f"{self.place}")


class Registered(NamedTuple):
    """What came of one new card."""

    visual_number: str | None
    state: CardState | None
    is_new: bool
    refusal: str | None = None
    """Why it was not registered, in words."""


def refusal_of_day(new: NewCard, today: date) -> str | None:
    """Why a card cannot be registered today, in words."""
    is_over = new.valid_until is not None and new.valid_until < today
    return f"{new.valid_until} is over already" if is_over else None
