"""Work orders: the cards that somebody wants, and how each comes to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.contract_id import ContractId

MAY_LEAVE = frozenset({CardState.ISSUED, CardState.ACTIVE})
"""Cards that may be packed and sent: any other was stopped, or is not finished."""


class Way(StrEnum):
    """How the cards of an order are made."""

    ENCODE_FIRST = "encode_first"
    """Tapped and written, then printed."""
    PRINT_FIRST = "print_first"
    """Printed with their numbers, then tapped and matched by scanning what is printed."""
    DELIVERED = "delivered"
    """Made elsewhere: the maker's list says the UIDs."""


class Missing(StrEnum):
    """What a line of an order still needs before the order may be closed."""

    CARD = "not made"
    FINISH = "begun, and to be tapped again"
    PRINT = "not printed"
    PACK = "not packed"
    STOPPED = "stopped before it left"
    """The card may not charge any more: it takes a new one in its place, or the line is cancelled."""


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
class Order:
    """What somebody ordered, without its lines."""

    id: int
    name: str
    source: str
    """The file that it came from, or who asked."""
    way: Way
    profile: str
    created_at: datetime
    created_by: str
    closed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether cards may still be made for it."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class MadeCard:
    """How far the card of an order's line is."""

    id: int
    visual_number: str
    state: CardState
    is_printed: bool
    packed_at: datetime | None = None
    tracking: str | None = None
    """Of the parcel that it left in."""

    @property
    def has_left(self) -> bool:
        """Whether it was dispatched."""
        return self.tracking is not None


@dataclass(frozen=True, slots=True)
class Item:
    """One line of an order, as it stands now."""

    place: int
    """In the order, counted from 1."""
    way: Way
    wanted: OrderLine
    cancel_reason: str | None = None
    """Why it was cancelled, if it was."""
    card: MadeCard | None = None
    printed_number: str | None = None
    """The number on the plastic that waits for its chip."""

    @property
    def is_cancelled(self) -> bool:
        """Whether no card is wanted any more."""
        return self.cancel_reason is not None

    @property
    def is_made(self) -> bool:
        """Whether its card was written and read back."""
        return self.card is not None and not self.card.state.is_unfinished

    @property
    def is_printed(self) -> bool:
        """Whether its plastic is printed; a maker's is when it comes."""
        if self.card is None:
            return self.printed_number is not None
        return self.card.is_printed or self.way is Way.DELIVERED

    @property
    def is_packed(self) -> bool:
        """Whether its card lies in its envelope, or did when it left."""
        return self.card is not None and self.card.packed_at is not None

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What it still needs, in the order of the work; nothing if it was cancelled or its card has left."""
        if self.is_cancelled or (self.card is not None and self.card.has_left):
            return ()
        steps = []
        if self.card is None:
            steps.append(Missing.CARD)
        elif self.card.state.is_unfinished:
            steps.append(Missing.FINISH)
        elif self.card.state not in MAY_LEAVE:
            return (Missing.STOPPED,)
        if not self.is_printed:
            steps.append(Missing.PRINT)
        if not self.is_packed:
            steps.append(Missing.PACK)
        return tuple(steps)

    @property
    def is_done(self) -> bool:
        """Whether it has its card, and the card is ready to leave or has left."""
        return not self.is_cancelled and not self.missing


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is. Always: ordered = done + cancelled + left."""

    ordered: int
    made: int
    printed: int
    packed: int
    dispatched: int
    spoiled: int
    """Cards and printed numbers that were lost on the way."""
    cancelled: int
    done: int
    left: int


def progress_of(items: Sequence[Item], spoiled: int) -> Progress:
    """Count the lines of an order."""
    wanted = [item for item in items if not item.is_cancelled]
    return Progress(
        ordered=len(items),
        made=sum(item.is_made for item in wanted),
        printed=sum(item.is_printed for item in wanted),
        packed=sum(item.is_packed for item in wanted),
        dispatched=sum(item.card is not None and item.card.has_left for item in wanted),
        spoiled=spoiled,
        cancelled=len(items) - len(wanted),
        done=sum(item.is_done for item in wanted),
        left=sum(not item.is_done for item in wanted),
    )


@dataclass(frozen=True, slots=True)
class Preprinted:
    """Numbers that are on plastic already, and wait for the chip that they are matched with."""

    id: int
    contract_id: ContractId
    visual_number: str
    alias: str
    line: str | None = None
    """The order line that it was printed for, where it was printed for one."""
    order: str | None = None
    """The name of that line's order."""
    driver: Driver | None = None
    """Who that line is for."""
    valid_until: date | None = None
    card_id: int | None = None
    """The card that the numbers were matched with."""
    spoil_reason: str | None = None
    """Why the plastic is waste, if it is."""
