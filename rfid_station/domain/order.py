"""Work orders: the cards that somebody wants, and how each comes to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from rfid_station.domain.card import Driver
from rfid_station.domain.contract_id import ContractId


class Way(StrEnum):
    """How the cards of an order are made."""

    ENCODE_FIRST = "encode_first"
    """Tapped and written, then printed."""
    PRINT_FIRST = "print_first"
    """Printed with their numbers, then tapped and matched by scanning what is printed."""
    DELIVERED = "delivered"
    """Made elsewhere: the maker's list says the UIDs."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One card to be made. The key is the same whenever the same file or order is read again."""

    key: str
    driver: Driver | None
    """None: for nobody in particular yet."""
    group: str | None = None
    """The card's; None for the one of its fleet."""
    valid_until: date | None = None
    """The last day, in UTC, on which it is to charge."""
    replaces: int | None = None
    """The card whose place it takes, on the same contract."""


@dataclass(frozen=True, slots=True)
class Preprinted:
    """Numbers that are on plastic already, and wait for the chip that they are matched with."""

    id: int
    contract_id: ContractId
    visual_number: str
    alias: str
    line: str | None = None
    """The order line that it was printed for, where it was printed for one."""
