"""A card and a fob that act as one: a driver starts with one and stops with the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfid_station.desk.station import Station
from rfid_station.domain import typed_code
from rfid_station.domain.card import Card, Driver
from rfid_station.errors import Conflict, WrongCall
from rfid_station.oicp.wire import VERSION as OICP

WITHOUT_GROUPS = ("2.1.1", OICP)
"""Protocol versions that have no group_id."""

_LENGTH = 13
"""65 bits: no other issuer at the same charge point draws the same."""


@dataclass(frozen=True, slots=True)
class Joining:
    """Cards that were joined or parted, and who cannot be told."""

    cards: tuple[Card, ...]
    deaf: tuple[str, ...]
    """Partners whose protocol has no group_id: there each card stands alone."""


def join(station: Station, cards: Sequence[Card], *, any_driver: bool = False) -> Joining:
    """Let cards act as one at every partner whose protocol knows that.

    :param any_driver: also cards of several drivers, or of nobody known
    :raises WrongCall: it is only one card
    :raises Conflict: they are not one driver's, or of two groups already
    :raises MoveNotAllowed: the life of one is over
    """
    different = list({card.id: card for card in cards}.values())
    if len(different) < 2:
        raise WrongCall("one card is no group", hint="name the card and what is to act with it")
    if not any_driver:
        _check_one_driver(different)
    drawn = "GR" + typed_code.draw(_LENGTH)
    joined = station.store.joined.join(
        [card.id for card in different], new_group_id=drawn, actor=station.actor, token_of=station.token
    )
    return Joining(tuple(joined), deaf_partners(station))


def part(station: Station, card: Card) -> Joining:
    """Let a card stand alone again; of two both do.

    :raises Conflict: it does already
    """
    parted = station.store.joined.part(card.id, actor=station.actor, token_of=station.token)
    return Joining(tuple(parted), deaf_partners(station))


def is_deaf(station: Station, partner: str, card: Card) -> bool:
    """Whether a card acts with others, and a partner cannot be told."""
    return card.group_id is not None and partner in deaf_partners(station)


def deaf_partners(station: Station) -> tuple[str, ...]:
    """Connected partners whose protocol has no group_id."""
    return tuple(
        partner.name
        for partner in station.store.partners.all()
        if partner.connection and partner.connection.version in WITHOUT_GROUPS
    )


def _check_one_driver(cards: Sequence[Card]) -> None:
    first, *others = cards
    for other in others:
        if first.driver is None or other.driver is None or not _is_same(first.driver, other.driver):
            raise Conflict(
                f"cards {first.visual_number} and {other.visual_number} are not known to be one driver's",
                hint="add --any-driver if one may stop what the other started",
            )


def _is_same(one: Driver, other: Driver) -> bool:
    """Whether two entries are one person: by reference, where they have one."""
    return (one.fleet, one.reference or one.name) == (other.fleet, other.reference or other.name)
