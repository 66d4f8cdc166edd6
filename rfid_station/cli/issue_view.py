"""What the station loop says, and how it says it where no screen can be drawn: a line a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rfid_station.cli.output import note, talk
from rfid_station.desk.tally import Phase, Tally
from rfid_station.errors import StationError

if TYPE_CHECKING:
    from rfid_station.desk.issue import Issued, Stage
    from rfid_station.domain.card import Card

ASKED = {
    Phase.WAITING: "tap the next card",
    Phase.SCANNING: "scan the number of the next card",
    Phase.IN_HAND: "leave the card where it is",
    Phase.UNDOING: "take the last card back?",
    Phase.SPOILING: "what is wrong with this card?",
    Phase.PAUSED: "paused: taps do nothing",
    Phase.BRAKED: "stopped: three failures in a row",
    Phase.ENDED: "ending",
}

_READY = ("u undo", "s skip", "x spoil", "p pause", "q quit")
KEYS = {
    Phase.WAITING: _READY,
    Phase.SCANNING: _READY,
    Phase.IN_HAND: ("keys wait for this card",),
    Phase.UNDOING: ("u yes", "any other key no"),
    Phase.SPOILING: ("d damaged", "e encode failed", "any other key no"),
    Phase.PAUSED: ("p go on", "q quit"),
    Phase.BRAKED: ("Enter go on", "q quit"),
    Phase.ENDED: (),
}


@dataclass(slots=True)
class PlainView:
    """For logs, pipes and terminals that cannot be drawn on."""

    ring: Callable[[int], None] = lambda _times: None
    has_keys: bool = False

    def turned(self, tally: Tally) -> None:
        """Say what is waited for."""
        match tally.phase:
            case Phase.IN_HAND | Phase.ENDED:
                return
            case Phase.WAITING:
                about = next_in_words(tally)
            case Phase.UNDOING:
                about = f" {tally.issued[-1].visual_number}"
            case Phase.SPOILING:
                about = f" {tally.begun.visual_number}" if tally.begun else ""
            case _:
                about = ""
        is_question = tally.phase not in (Phase.WAITING, Phase.SCANNING)
        keys = f" ({', '.join(KEYS[tally.phase])})" if self.has_keys and is_question else ""
        talk(f"{ASKED[tally.phase]}{about}{keys}")

    def stage(self, stage: Stage, words: str) -> None:
        """Stay silent: a line a card is enough."""

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """One line for a card that is done."""
        self.ring(1)
        card = issued.card
        resumed = ", finished from before" if issued.was_resumed else ""
        name = f"  {card.driver.name}" if card.driver else ""
        talk(
            f"ok    {made_of_wanted(tally)}  {card.visual_number}  {card.contract_id}  {card.uid.masked}"
            f"{name}  ({issued.writes} steps, {took_s * 1000:.0f} ms{resumed})"
        )

    def failed(self, error: StationError, tally: Tally) -> None:
        """One line, and the remedy, for a card that is not."""
        self.ring(2)
        talk(f"fail  {made_of_wanted(tally)}  {error.message}")
        if error.hint:
            talk(f"      {error.hint}")

    def said(self, words: str, hint: str | None = None) -> None:
        """One line, and what to do, for anything else."""
        note(words, hint)


def made_of_wanted(tally: Tally) -> str:
    """`4`, or `4/12` where it is known how many are wanted."""
    of = f"/{tally.wanted}" if tally.wanted is not None else ""
    return f"{len(tally.issued)}{of}"


def next_in_words(tally: Tally) -> str:
    """The number of the next card, as far as it is known, and whom it is for."""
    line = tally.next_line
    number = f": {tally.next_number}" if tally.next_number else ""
    if line is None and tally.begun_lines:
        return f": {len(tally.begun_lines)} begun cards have to come again"
    if line is None:
        return number
    driver = f" for {line.driver.name} ({line.driver.reference})" if line.driver else f" for {line.key}"
    return f"{number}{driver}"


def name_and_number(card: Card) -> str:
    """A card as the clerk knows it."""
    driver = f" for {card.driver.name} ({card.driver.reference})" if card.driver else ""
    return f"{card.visual_number}{driver}"
