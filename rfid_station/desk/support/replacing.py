"""A lost, stolen, damaged or expired card gets a successor: same contract, driver and group, in one step."""

from __future__ import annotations

from collections.abc import Sequence

from rfid_station.desk.station import Station
from rfid_station.desk.support.lookup import the_card
from rfid_station.desk.support.stopping import Stopped, push
from rfid_station.domain.card import Card, Replacement, ReplaceWhen
from rfid_station.domain.order import OrderLine
from rfid_station.errors import Conflict
from rfid_station.sync.drive import Watch


def ask(
    station: Station,
    card: Card,
    wanted: Replacement,
    *,
    wait_s: float | None = None,
    watch: Watch | None = None,
) -> Stopped:
    """Ask for a new card in place of another, and stop that one at every partner if it is to stop now.

    The same call again asks for nothing new and pushes anew.

    :raises MoveNotAllowed: a card in its state is not replaced, or not by this role
    :raises WrongCall: it takes another reason
    :raises Conflict: it is being replaced already
    """
    asked = station.store.replacements.ask(card.id, wanted, station.actor, station.token)
    if wanted.when is ReplaceWhen.ACTIVATED and asked.state is card.state:
        return Stopped(asked, (), ())
    return push(station, asked, wait_s=wait_s, watch=watch)


def preview(station: Station, card: Card, wanted: Replacement) -> str:
    """What asking would do, in words; raises what it would raise."""
    to = station.store.replacements.state_when_asked(card, wanted, station.actor)
    words = f"become {to}" if to is not card.state else f"stay {card.state} until the new one may charge"
    return f"{words}; the next blank of `card issue --replacements` would take its place"


def withdraw(station: Station, number: str) -> Card:
    """Ask for no new card any more.

    :raises Conflict: nobody asked, or it is there already
    """
    return station.store.replacements.withdraw(the_card(station, number).id, station.actor)


def lines(station: Station) -> Sequence[OrderLine]:
    """The cards that are to be made in place of others.

    :raises Conflict: there are none
    """
    asked = station.store.replacements.asked()
    if not asked:
        raise Conflict("no card is to be replaced", hint="rfid-station card replace NUMBER")
    return [line_for(old) for old in asked]


def line_for(old: Card) -> OrderLine:
    """The order line of a card's successor: the same whenever it is asked for."""
    return OrderLine(f"replace:{old.visual_number}", old.driver, old.group, replaces=old.id)
