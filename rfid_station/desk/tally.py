"""How far a run of the station loop is: what it waits for, what it made, which lines are open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.order import OrderLine, Preprinted
from rfid_station.errors import StationError

FAILURES_IN_A_ROW = 3
"""Then it is the reader or the pile, not the card."""


class Phase(StrEnum):
    """What the loop waits for."""

    SCANNING = "scanning"
    """The number that is printed on the next card."""
    WAITING = "waiting"
    """A card on the reader."""
    IN_HAND = "in hand"
    UNDOING = "undoing"
    """The second word that takes the last card back."""
    SPOILING = "spoiling"
    """The reason for which the blank in hand is useless."""
    PAUSED = "paused"
    BRAKED = "braked"
    """Too many failed; somebody has to look."""
    ENDED = "ended"


@dataclass(slots=True)
class Tally:
    """What came of a run so far."""

    wanted: int | None = None
    """How many cards are to be made; None: as many as come."""
    phase: Phase = Phase.WAITING
    issued: list[Card] = field(default_factory=list)
    """Those that were taken back are not among them."""
    taken_back: list[Card] = field(default_factory=list)
    failures: list[StationError] = field(default_factory=list)
    in_a_row: int = 0
    open_lines: dict[str, OrderLine] = field(default_factory=dict)
    """Order lines without a card, by key, in order."""
    begun_lines: dict[str, OrderLine] = field(default_factory=dict)
    """Order lines whose card was begun and has to be tapped again."""
    begun: Card | None = None
    """The card that failed last, if it can still be finished."""
    scanned: Preprinted | None = None
    """The numbers on the plastic that is tapped next."""
    next_number: str | None = None
    """What the next card will be called, where that is known."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was wanted is made."""
        return self.wanted is not None and len(self.issued) >= self.wanted

    @property
    def must_brake(self) -> bool:
        """Whether too many cards failed one after the other."""
        return self.in_a_row >= FAILURES_IN_A_ROW

    @property
    def next_line(self) -> OrderLine | None:
        """The order line that the next blank is made for."""
        if self.scanned and self.scanned.line:
            return self.open_lines.get(self.scanned.line)
        return next(iter(self.open_lines.values()), None)

    @property
    def remaining(self) -> int | None:
        """How many cards are still to be made, where that is known."""
        return None if self.wanted is None else max(0, self.wanted - len(self.issued))

    def reopen(self, line: OrderLine) -> None:
        """A line needs a card again, before all others."""
        self.open_lines = {line.key: line, **self.open_lines}


def open_tally(station: Station, lines: Sequence[OrderLine] | None, count: int | None) -> Tally:
    """What is to be made: the lines that have no card yet, `count` at most."""
    tally = Tally(wanted=count)
    if lines is not None:
        for line in lines:
            sort_line(station, line, tally)
        to_do = len(tally.open_lines) + len(tally.begun_lines)
        tally.wanted = to_do if count is None else min(count, to_do)
    return tally


def sort_line(station: Station, line: OrderLine, tally: Tally) -> None:
    """Put a line where it belongs: a failed card may have taken it along, or have given it back."""
    card = station.store.cards.by_order_line(line.key)
    if card is not None:
        tally.open_lines.pop(line.key, None)
    if card is None:
        tally.begun_lines.pop(line.key, None)
        tally.open_lines.setdefault(line.key, line)
    elif card.state.is_unfinished:
        tally.begun_lines.setdefault(line.key, line)
