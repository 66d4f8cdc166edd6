"""From any number in any form to the one card, and all there is to tell about it."""

from __future__ import annotations

from typing import Any

from rfid_station.desk.fulfilment.orders import order_of_card
from rfid_station.desk.station import Station
from rfid_station.desk.support.saying import Partners, say
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.charge import plain
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.store.prints import FRONT
from rfid_station.store.told.feed import Proof

_NEWEST = "newest state"


def the_card(station: Station, number: str) -> Card:
    """The one card that a number, a link or a name stands for; among several the one still in use.

    A part of a number names no card: what is done to a card is to be done to the right one.

    :raises StationError: there is none, or only a part of its number was given
    :raises Conflict: there are several
    """
    hits = station.store.cards.find(number)
    found = [hit.card for hit in hits if hit.may_be_meant]
    meant = _in_use(found)
    if not meant and hits:
        raise StationError(
            f"no card has {number!r}; it is a part of: " + _listed([hit.card for hit in hits]),
            hint="say the whole number, as on the card",
        )
    if not meant:
        raise StationError(
            f"no card has {number!r} in any form",
            hint="rfid-station card list",
        )
    if len(meant) > 1:
        raise Conflict(
            f"{number!r} fits {len(meant)} cards: " + _listed(meant),
            hint=f"rfid-station card show {meant[0].visual_number}",
        )
    return meant[0]


def odd_check_digit(text: str) -> str | None:
    """What is odd about a contract ID that is looked for all the same: most published examples are wrong."""
    try:
        return parse_contract_id(text).warning
    except WrongCall:
        return None


def _in_use(found: list[Card]) -> list[Card]:
    """The cards whose life goes on; if there are none, those that were used; else the spoiled ones."""
    going_on = [card for card in found if not card.state.is_final]
    return going_on or [card for card in found if card.state is not CardState.SPOILED] or found


def _listed(cards: list[Card]) -> str:
    return ", ".join(card.visual_number for card in cards[:5]) + (" …" if len(cards) > 5 else "")


def describe(station: Station, card: Card) -> dict[str, Any]:
    """All about one card, with its standing at each partner and its history."""
    driver = card.driver
    partners = partners_holding(station, card)
    successor = station.store.replacements.successor(card)
    before = station.store.cards.by_id(card.replaces) if card.replaces is not None else None
    return {
        "say": say(card, _told(card, partners), station.store.database.clock().date(), successor),
        "number": card.visual_number,
        "state": f"{card.state}",
        "reason": f"{card.reason}" if card.reason else None,
        "contract": f"{card.contract_id}",
        "uid": card.uid.masked,
        "chip": card.chip,
        "profile": card.profile,
        "key": f"{card.key}" if card.key else None,
        "link": station.link(card.alias),
        "driver": driver.name if driver else None,
        "reference": driver.reference if driver else None,
        "fleet": driver.fleet if driver else None,
        "group": card.group,
        "acts_with": [
            {"number": other.visual_number, "state": f"{other.state}"}
            for other in station.store.joined.others(card)
        ],
        "valid_until": f"{card.valid_until}" if card.valid_until else None,
        "replaces": before.visual_number if before else None,
        "replaced_by": successor.visual_number if successor else None,
        "to_be_replaced": f"{card.replacement.when}, {card.replacement.reason}" if card.replacement else None,
        "token": _token(station, card),
        "order_line": card.order_line,
        "order": made_for.name if (made_for := order_of_card(station, card)) else None,
        "packed": _packed(station, card),
        "printed": [
            {
                "at": printed.at,
                "design": printed.design,
                "place": f"job {printed.job_id}, sheet {printed.sheet_number}, position {printed.position}"
                + (f", {printed.side}" if printed.side != FRONT else ""),
                "reason": printed.reason,
            }
            for printed in station.store.prints.of_card(card.id)
        ],
        "last_used": _last_used(station, card),
        "alarms": [
            {"began": one.charge.began, "partner": one.partner, "evidence": f"{one.after_stop}"}
            for one in station.store.usage.alarms(card_id=card.id)
        ],
        "partners": partners,
        "history": [
            {
                "at": event.at,
                "who": event.actor.name,
                "what": event.action,
                "why": event.data.get("reason"),
            }
            for event in station.store.cards.history(card.id)
        ],
    }


def _last_used(station: Station, card: Card) -> dict[str, Any] | None:
    """When and where a card charged last, as far as partners told."""
    used = station.store.usage.last_of(card.id)
    if used is None:
        return None
    told = used.charge
    return {
        "began": told.began,
        "partner": used.partner,
        "where": f"{told.place}",
        "energy": f"{plain(told.energy_kwh)} kWh",
        "cost": f"{told.cost}" if told.cost else None,
    }


def _packed(station: Station, card: Card) -> dict[str, Any] | None:
    """How a card lies in its envelope, and what it left in."""
    packed = station.store.packing.of_card(card.id)
    if packed is None:
        return None
    parcel = packed.parcel
    return {
        "at": packed.at,
        "who": packed.actor,
        "with_letter": packed.with_letter,
        "was_tapped": packed.was_tapped,
        "tracking": parcel.tracking if parcel else None,
        "carrier": parcel.carrier if parcel else None,
        "dispatched": parcel.dispatched_at if parcel else None,
    }


def _token(station: Station, card: Card) -> dict[str, Any] | None:
    """What partners are told of a card now."""
    token_id = station.store.feed.token_id_of(card.id)
    change = station.store.feed.own(token_id) if token_id is not None else None
    if change is None:
        return None
    token = change.token
    return {
        "valid": token.valid,
        "whitelist": f"{token.whitelist}",
        "contract": f"{token.contract_id}",
        "group_id": token.group_id,
        "last_updated": token.last_updated,
    }


def _told(card: Card, partners: list[dict[str, Any]]) -> Partners:
    """Who knows the newest state, of those that have the card or had it."""
    known: dict[bool, list[str]] = {True: [], False: []}
    without = []
    for row in partners:
        if row["is_newest"] is None:
            continue
        if row["gets_it"] or card.state is not CardState.ACTIVE:
            known[row["is_newest"]].append(row["partner"])
        else:
            without.append(row["partner"])
    return Partners(known[True], known[False], without)


def partners_holding(station: Station, card: Card) -> list[dict[str, Any]]:
    """Which partners get a card, hold its newest state, or have lost it, and what is still owed."""
    token_id = station.store.feed.token_id_of(card.id)
    if token_id is None:
        return []
    proofs = {proof.partner: proof for proof in station.store.feed.proofs(card.id)}
    return [
        _at_partner(station, partner, card, token_id, proofs.get(partner.name))
        for partner in station.store.partners.all()
    ]


def _at_partner(
    station: Station, partner: Partner, card: Card, token_id: int, proof: Proof | None
) -> dict[str, Any]:
    change = station.store.feed.newest(partner.name, token_id)
    is_proven = bool(proof and change and proof.is_proven and proof.revision == change.revision)
    is_covered = station.store.token_list.cover(partner.name).of(card.group).is_covered
    holds = f"nothing: it does not get group {card.group}"
    if change is not None:
        held = _holds(station, partner, change)
        holds = held if is_covered or partner.state is not PartnerState.CONNECTED else f"withdrawn: {held}"
    return {
        "partner": partner.name,
        "gets_it": is_covered,
        "holds": holds,
        "is_newest": holds.endswith(_NEWEST) if partner.state is PartnerState.CONNECTED and change else None,
        "read_back": proof.at if proof and is_proven else None,
    }


def _holds(station: Station, partner: Partner, change: Change) -> str:
    """What a partner holds of a card, in words."""
    if partner.state is not PartnerState.CONNECTED:
        return "nothing: not connected"
    standing = station.store.feed.standing(partner.name)
    parked = next((row for row in standing.parked if row.token_id == change.token_id), None)
    if parked:
        return f"uncertain: {parked.error}"
    lanes = Lane if change.is_urgent else (Lane.BULK,)
    is_passed = change.revision <= max(standing.cursors[lane] for lane in lanes)
    if not is_passed:
        return "older state, owed"
    return _NEWEST
