"""Card after card, no key pressed in between: wait, make, say so, wait for the next.

A card that failed stays where it is in the journal and is finished when it is tapped again.
After three failures in a row the loop stops: then it is the reader or the pile, not the card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.issue import Issued, Stage, issue_card
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.order import OrderLine
from rfid_station.domain.profile import Profile
from rfid_station.errors import CardLost, CardRefused, Conflict, ReadBackDiffers, StationError
from rfid_station.reader.port import Reader
from rfid_station.reader.signal import signal

FAILURES_IN_A_ROW = 3

CARD_FAILURES = (CardLost, CardRefused, Conflict, ReadBackDiffers)
"""What concerns one card and lets the loop go on. Anything else ends it."""


@dataclass(slots=True)
class Tally:
    """What came of a run so far."""

    wanted: int | None = None
    """How many cards are to be made; None: as many as come."""
    issued: list[Card] = field(default_factory=list)
    failures: list[StationError] = field(default_factory=list)
    in_a_row: int = 0
    open_lines: dict[str, OrderLine] = field(default_factory=dict)
    """Order lines without a card, by key, in order."""
    begun_lines: dict[str, OrderLine] = field(default_factory=dict)
    """Order lines whose card was begun and has to be tapped again."""

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
        return next(iter(self.open_lines.values()), None)


class View(Protocol):
    """Who shows the loop to a person, or to a log."""

    def waiting(self, tally: Tally) -> None:
        """The next card may come."""

    def stage(self, stage: Stage, words: str) -> None:
        """The card in hand begins a stage."""

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """The card in hand is done."""

    def failed(self, error: StationError, tally: Tally) -> None:
        """The card in hand is not done."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the loop makes cards of, and for whom."""

    station: Station
    profile: Profile
    lines: Sequence[OrderLine] | None
    """Order lines to be made, one card each; None: cards for nobody in particular."""
    count: int | None
    view: View
    after_card: Callable[[Card], None] = lambda _card: None
    """Told of each new card, at once."""
    group: str | None = None
    """The group of cards whose order line names none; by default their fleet's."""
    lot: int | None = None
    """The lot that blanks are taken from; by default the oldest that fits each."""


def issue_cards(run: Run, reader: Reader, stop: Callable[[], bool]) -> Tally:
    """Make a card of everything that comes onto the reader, until all is made or `stop()`.

    Order lines that have their card already are left alone, so the same call finishes an
    interrupted run.

    :raises StationError: whatever is not about a single card: reader gone, store full
    """
    tally = _open_tally(run)

    def finished() -> bool:
        return stop() or tally.is_complete or tally.must_brake

    if finished():
        return tally
    run.view.waiting(tally)
    for link in reader.cards(finished):
        signal(reader, ok=_make_one(run, link, tally))
        if not finished():
            run.view.waiting(tally)
    return tally


def _open_tally(run: Run) -> Tally:
    tally = Tally(wanted=run.count)
    if run.lines is not None:
        for line in run.lines:
            _sort(run.station, line, tally)
        to_do = len(tally.open_lines) + len(tally.begun_lines)
        tally.wanted = to_do if run.count is None else min(run.count, to_do)
    return tally


def _make_one(run: Run, link: CardLink, tally: Tally) -> bool:
    """Make a card of what lies there, and say whether it is one now."""
    line = tally.next_line
    started = perf_counter()
    try:
        may_begin = line is not None or run.lines is None
        issued = issue_card(
            run.station,
            link,
            run.profile,
            line,
            run.view.stage,
            may_begin=may_begin,
            group=run.group,
            lot=run.lot,
        )
    except CARD_FAILURES as error:
        tally.failures.append(error)
        tally.in_a_row += 1
        for touched in [*tally.begun_lines.values(), *([line] if line else [])]:
            _sort(run.station, touched, tally)
        run.view.failed(error, tally)
        return False
    tally.in_a_row = 0
    tally.issued.append(issued.card)
    for lines in (tally.open_lines, tally.begun_lines):
        lines.pop(issued.card.order_line or "", None)
    run.view.issued(issued, perf_counter() - started, tally)
    run.after_card(issued.card)
    return True


def _sort(station: Station, line: OrderLine, tally: Tally) -> None:
    """Put a line where it belongs: a failed card may have taken it along, or have given it back."""
    card = station.store.cards.by_order_line(line.key)
    if card is not None:
        tally.open_lines.pop(line.key, None)
    if card is None:
        tally.begun_lines.pop(line.key, None)
        tally.open_lines.setdefault(line.key, line)
    elif card.state.is_unfinished:
        tally.begun_lines.setdefault(line.key, line)
