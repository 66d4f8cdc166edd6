"""A card is taken back at the desk: before it left, by whoever made it, with its plastic in hand.

What becomes of it is for the life of a card to say. One that nobody could charge with yet is spoiled, and its
order line is open again. One that may charge is known to partners: it is replaced, and a new card
takes its place on the same contract.
"""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.desk.station import Station
from rfid_station.desk.support.replacing import line_for
from rfid_station.desk.support.stopping import move_card
from rfid_station.domain.card import Card, CardState, Reason, Replacement, ReplaceWhen
from rfid_station.domain.order import OrderLine


@dataclass(frozen=True, slots=True)
class Undone:
    """A card that was taken back, and the line that is to be made in its stead."""

    card: Card
    line: OrderLine | None
    """None: it was for nobody in particular."""


def undo(station: Station, made: Card, line: OrderLine | None) -> Undone:
    """Take a finished card back; partners are owed the news from that moment on.

    :param line: the order line that it was made for
    :raises MoveNotAllowed: it is past that, or not by this role
    """
    card = station.store.cards.by_id(made.id)
    if card.state is not CardState.ACTIVE:
        return Undone(move_card(station, card, CardState.SPOILED, Reason.MISPRINT), line)
    wanted = Replacement(ReplaceWhen.NOW, Reason.DAMAGED)
    replaced = station.store.replacements.ask(card.id, wanted, station.actor, station.token)
    return Undone(replaced, line_for(replaced))
