"""Blank stock at the desk: counted blind, moved, kept, destroyed. How it comes in is in `goods_in`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rfid_station.desk.people.two_people import second_person
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.stock import Account, Counted, Lot, Spot, What, check_name, on_hand
from rfid_station.errors import MoveNotAllowed, WrongCall


def transfer(station: Station, lot: str, quantity: int, *, to: str, source: str | None = None) -> None:
    """Move blanks from one place, this desk by default, to another.

    :raises Conflict: there are not so many
    """
    found = station.store.stock.lot(lot)
    here = on_hand(source or station.settings.desk.place)
    station.store.stock.move(found.id, quantity, here, on_hand(check_name("place", to)), station.actor)


def keep(station: Station, lot: str, quantity: int, reason: str, *, place: str | None = None) -> None:
    """Take blanks off the stock for tests, or to keep them.

    :raises Conflict: there are not so many
    """
    found = station.store.stock.lot(lot)
    where = place or station.settings.desk.place
    kept = Spot(Account.SAMPLES, where)
    station.store.stock.move(found.id, quantity, on_hand(where), kept, station.actor, reason=reason)


def destroy(
    station: Station,
    lot: str,
    quantity: int,
    what: What,
    reason: str,
    witness: str | None,
    *,
    place: str | None = None,
) -> str:
    """Book that blanks, spoiled cards or samples were made useless; who saw it.

    :raises MoveNotAllowed: there is no second person
    :raises Conflict: there are not so many
    """
    found = station.store.stock.lot(lot)
    seen_by = second_person(station, witness, f"destroy {quantity} {what} of lot {found.name}")
    where = place or station.settings.desk.place
    station.store.stock.move(
        found.id,
        quantity,
        Spot(what.account, where),
        Spot(Account.DESTROYED, where),
        station.actor,
        reason=reason,
        witness=seen_by,
    )
    return seen_by


def destroy_card(station: Station, card: Card, reason: str, witness: str | None) -> str:
    """Book that a card whose life is over was made useless; who saw it.

    :raises MoveNotAllowed: there is no second person, or the card is in use
    :raises Conflict: it is of no lot, or gone already
    """
    station.store.stock.check_destroyable(card)
    seen_by = second_person(station, witness, f"destroy card {card.visual_number}")
    station.store.stock.destroy_card(card.id, reason, station.actor, seen_by, station.settings.desk.place)
    return seen_by


def lots_to_count(station: Station, given: Mapping[str, int], place: str) -> list[Lot]:
    """The lots that are counted: those that a script gives, or all that may lie at a place.

    :raises WrongCall: there is no such lot, or a number is none
    """
    if not given:
        return station.store.stock.to_count(place)
    for name, number in given.items():
        if number < 0:
            raise WrongCall(f"{name}={number} is no number of blanks", hint=f"write it as {name}=12")
    return [station.store.stock.lot(name) for name in given]


def count(
    station: Station,
    place: str,
    lots: list[Lot],
    ask: Callable[[Lot, bool], int],
    witness: str | None,
) -> list[Counted]:
    """Count lots without being told what to expect, and book it.

    A number that differs is asked for once more. If it still differs, it takes a second person: what is not
    there is missing then.

    :param ask: the number of blanks of a lot; told whether it is asked again
    :raises MoveNotAllowed: a number differs, and there is no second person; nothing was booked
    """
    stock = station.store.stock
    counted = {lot.id: ask(lot, False) for lot in lots}
    again = stock.differing(place, counted)
    counted |= {lot.id: ask(lot, True) for lot in lots if lot.id in again}
    different = stock.differing(place, counted)
    names = ", ".join(lot.name for lot in lots if lot.id in different)
    seen_by = _witness(station, place, names, witness) if different else None
    return stock.count(place, counted, station.actor, seen_by)


def _witness(station: Station, place: str, lots: str, witness: str | None) -> str:
    try:
        return second_person(station, witness, f"book a variance of lot {lots}")
    except MoveNotAllowed as refused:
        raise MoveNotAllowed(
            f"nothing was booked: lot {lots} is not what should be at {place}; {refused.message}",
            hint=refused.hint,
        ) from refused
