"""What a partner would be sent, and what it would refuse, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rfid_station.desk.partner_upkeep import connected
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Partner
from rfid_station.domain.token import Token
from rfid_station.errors import Conflict, PartnerRefused, StationError
from rfid_station.ocpi.rehearsal import Rehearsed, rehearse_put
from rfid_station.ocpi.wire.dialect import Dialect, dialect_of
from rfid_station.ocpi.wire.told import tell

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Objection:
    """A card that a partner would refuse, and why."""

    number: str
    uid: str
    """Masked."""
    reason: str


@dataclass(frozen=True, slots=True)
class PreFlight:
    """What was looked at, in which version, and what would be refused."""

    version: str
    cards: int
    objections: tuple[Objection, ...]


def preview(station: Station, name: str, card: Card) -> Rehearsed:
    """The exact request that brings a card to a partner, the client token masked. Nothing is sent.

    :raises Conflict: the partner is not connected, or the card is not yet a token
    :raises WrongCall: there is no such partner, or the card cannot be told to it
    """
    partner, connection = connected(station, name)
    token_id = station.store.feed.token_id_of(card.id)
    change = station.store.feed.newest(token_id) if token_id else None
    if change is None:
        raise Conflict(
            f"card {card.visual_number} is {card.state}: partners are told of no such card",
            hint=f"rfid-station card show {card.visual_number}",
        )
    return rehearse_put(
        connection,
        station.vault.read(partner.client_token_ref),
        station.settings.ocpi.party,
        partner.agreement.present(change.token),
        profile=partner.profile,
    )


def pre_flight(station: Station, name: str) -> PreFlight:
    """Try every card against what a partner takes: UID, limits of fields, version. Nothing is sent.

    A partner that is not connected is taken to speak the best version of its profile.

    :raises WrongCall: there is no such partner
    """
    partner = station.store.partners.get(name)
    version = partner.connection.version if partner.connection else partner.profile.versions[0]
    dialect = dialect_of(version)
    objections, cards = [], 0
    for token in _tokens(station):
        cards += 1
        reason = _objection(station, partner, dialect, token)
        if reason:
            objections.append(Objection(token.visual_number, token.uid.masked, reason))
    return PreFlight(version, cards, tuple(objections))


def _objection(station: Station, partner: Partner, dialect: Dialect, token: Token) -> str | None:
    """Why a partner would refuse a token, or None."""
    ours = station.settings.ocpi.party
    if token.party != ours:
        return f"the token is of {token.party}, and towards partners we are {ours}"
    try:
        told = tell(partner.agreement.present(token), partner.profile)
        dialect.token_to_wire(told, nulls=partner.profile.nulls)
    except StationError as refused:
        return refused.message
    return None


def _tokens(station: Station) -> Iterator[Token]:
    """Every token there is, a page at a time."""
    revision = 0
    while changes := station.store.feed.changes_after(revision, Lane.BULK, PAGE):
        for change in changes:
            yield change.token
        revision = changes[-1].revision


def check_flight(name: str, flight: PreFlight) -> None:
    """Let it pass that the partner would refuse no card.

    :raises PartnerRefused: it would
    """
    if flight.objections:
        first = flight.objections[0]
        raise PartnerRefused(
            f"{name} would refuse {len(flight.objections)} of {flight.cards} cards in OCPI {flight.version}; "
            f"the first: {first.number}: {first.reason}",
            hint=f"rfid-station card show {first.number}",
        )
