"""What a partner would be sent, and what it would refuse, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.desk.partners.hub import is_hub, rehearse_upload
from rfid_station.desk.partners.upkeep import connected
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.partner import Partner
from rfid_station.domain.token import Token
from rfid_station.errors import Conflict, PartnerRefused, StationError
from rfid_station.ocpi.rehearsal import Rehearsed, rehearse_put
from rfid_station.ocpi.wire.dialect import Dialect, dialect_of
from rfid_station.ocpi.wire.told import tell
from rfid_station.oicp.wire import VERSION as OICP
from rfid_station.oicp.wire import Action, upload


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

    @property
    def spoken(self) -> str:
        """The version with the name of its protocol."""
        return self.version if self.version == OICP else f"OCPI {self.version}"


def preview(station: Station, name: str, card: Card) -> Rehearsed:
    """The exact request that brings a card to a partner, the client token masked. Nothing is sent.

    The card's UID stands in it whole, and that it was seen goes into the audit log.

    :raises Conflict: the partner is not connected, or the card is not yet a token
    :raises WrongCall: there is no such partner, or the card cannot be told to it
    """
    partner, connection = connected(station, name)
    token_id = station.store.feed.token_id_of(card.id)
    change = station.store.feed.newest(name, token_id) if token_id else None
    if token_id is None:
        raise Conflict(
            f"card {card.visual_number} is {card.state}: partners are told of no such card",
            hint=f"rfid-station card show {card.visual_number}",
        )
    if change is None:
        raise Conflict(
            f"card {card.visual_number} is in group {card.group}, which {name} does not get",
            hint=f"rfid-station partner show {name}",
        )
    station.store.cards.note_revealed([card], station.actor)
    if is_hub(partner):
        upload = rehearse_upload(station, partner, change.token)
        return Rehearsed(upload.method, upload.url, upload.headers, upload.body)
    return rehearse_put(
        connection,
        station.vault.read(partner.client_token_ref),
        station.settings.ocpi.party,
        change.token,
        profile=partner.profile,
    )


def pre_flight(station: Station, name: str) -> PreFlight:
    """Try every card of its agreement against what a partner takes: UID, limits of fields, version.

    Nothing is sent, and it does not matter whether the agreement is in force yet.
    A partner that is not connected is taken to speak the best version of its profile.

    :raises WrongCall: there is no such partner
    """
    partner = station.store.partners.get(name)
    hub = is_hub(partner)
    known = OICP if hub else partner.profile.versions[0]
    version = partner.connection.version if partner.connection else known
    dialect = None if hub else dialect_of(version)
    objections, cards = [], 0
    for token in station.store.token_list.covered(partner.agreement):
        cards += 1
        reason = _objection(station, partner, dialect, token)
        if reason:
            objections.append(Objection(token.visual_number, token.uid.masked, reason))
    return PreFlight(version, cards, tuple(objections))


def _objection(station: Station, partner: Partner, dialect: Dialect | None, token: Token) -> str | None:
    """Why a partner would refuse a token, or None."""
    ours = station.settings.ocpi.party
    if token.party != ours:
        return f"the token is of {token.party}, and towards partners we are {ours}"
    try:
        if dialect is None:
            upload(Action.INSERT, token, partner.profile)
            return None
        told = tell(token, partner.profile)
        dialect.token_to_wire(told, nulls=partner.profile.nulls)
    except StationError as refused:
        return refused.message
    return None


def check_flight(name: str, flight: PreFlight) -> None:
    """Let it pass that the partner would refuse no card.

    :raises PartnerRefused: it would
    """
    if flight.objections:
        first = flight.objections[0]
        raise PartnerRefused(
            f"{name} would refuse {len(flight.objections)} of {flight.cards} cards in {flight.spoken}; "
            f"the first: {first.number}: {first.reason}",
            hint=f"rfid-station card show {first.number}",
        )
