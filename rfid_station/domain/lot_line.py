"""What came of one lot of blanks at a place over a time, in pieces, and whether that adds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What became of a lot's blanks at a place in a time. Each number is net, so some may be negative."""

    lot: str
    at_start: int
    """On hand."""
    received: int = 0
    transferred_in: int = 0
    """From other places."""
    transferred_out: int = 0
    issued: int = 0
    in_work: int = 0
    """Taken for cards that are begun, less those that came back."""
    spoiled: int = 0
    """Less those brought back to blank."""
    destroyed: int = 0
    """Of those on hand."""
    samples: int = 0
    missing: int = 0
    """Not found when they were counted, and written off."""
    at_end: int
    """On hand, by the ledger."""

    @property
    def expected(self) -> int:
        """What is left of what was there and came, after what went."""
        came = self.at_start + self.received + self.transferred_in
        made = self.issued + self.in_work + self.spoiled
        return came - made - self.transferred_out - self.destroyed - self.samples - self.missing


@dataclass(frozen=True, slots=True)
class LotLine:
    """A lot on a report: what moved, and what somebody counted."""

    moved: Movement
    counted: int | None = None
    """By hand, the last time; None if nobody did."""
    at_count: int | None = None
    """By the ledger when that was counted; by default as at the end."""

    @property
    def lot(self) -> str:
        """Its name."""
        return self.moved.lot

    @property
    def figures(self) -> tuple[tuple[str, int | None], ...]:
        """Each count by its name, in the order of the sum."""
        return (
            ("at start", self.moved.at_start),
            ("received", self.moved.received),
            ("from other places", self.moved.transferred_in),
            ("to other places", self.moved.transferred_out),
            ("issued", self.moved.issued),
            ("in work", self.moved.in_work),
            ("spoiled", self.moved.spoiled),
            ("destroyed", self.moved.destroyed),
            ("samples", self.moved.samples),
            ("missing", self.moved.missing),
            ("at end, by the ledger", self.moved.at_end),
            ("counted", self.counted),
        )

    @property
    def troubles(self) -> tuple[str, ...]:
        """What does not add up, in words; nothing if all does."""
        return tuple(self._troubles())

    def _troubles(self) -> Iterator[str]:
        moved = self.moved
        if moved.expected != moved.at_end:
            yield f"Lot {self.lot}: the ledger says {moved.at_end}, and what moved leaves {moved.expected}."
        at_count = moved.at_end if self.at_count is None else self.at_count
        if self.counted is not None and self.counted != at_count:
            off = self.counted - at_count
            words = f"{-off} missing" if off < 0 else f"{off} too many"
            yield f"Lot {self.lot}: {at_count} expected, {self.counted} counted: {words}."


def balance_of(lots: Iterable[LotLine], cards_made: int | None) -> tuple[tuple[str, ...], bool]:
    """What is to be said of lots, and whether everything adds up.

    :param cards_made: at that place in that time, by the audit log; None where that is not known
    """
    given = tuple(lots)
    if not given:
        return ("Blank cards were not counted.",), True
    troubles = [words for lot in given for words in lot.troubles]
    issued = sum(lot.moved.issued for lot in given)
    if cards_made is not None and cards_made != issued:
        troubles.append(f"{cards_made} cards were made, and {issued} blanks issued: they should be as many.")
    said = troubles or ["All lots add up: what was there and came is what went and is there."]
    uncounted = [lot.lot for lot in given if lot.counted is None]
    if uncounted:
        said.append(f"Not counted by hand: {', '.join(uncounted)}.")
    return tuple(said), not troubles
