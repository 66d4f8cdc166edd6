"""From any number in any form to the one card, and all there is to tell about it."""

from __future__ import annotations

from typing import Any

from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import Conflict, StationError
from rfid_station.store.feed import Proof
from rfid_station.store.prints import FRONT


def the_card(station: Station, number: str) -> Card:
    """The one card that a number, a link or a name stands for.

    :raises StationError: there is none
    :raises Conflict: there are several
    """
    found = station.store.cards.search(number)
    living = [card for card in found if card.state is not CardState.SPOILED] or found
    if not living:
        raise StationError(
            f"no card has {number!r} in any form",
            hint="rfid-station card list",
        )
    if len(living) > 1:
        raise Conflict(
            f"{number!r} fits {len(living)} cards: "
            + ", ".join(card.visual_number for card in living[:5])
            + (" …" if len(living) > 5 else ""),
            hint=f"rfid-station card show {living[0].visual_number}",
        )
    return living[0]


def describe(station: Station, card: Card) -> dict[str, Any]:
    """All about one card, with its standing at each partner and its history."""
    driver = card.driver
    return {
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
        "order_line": card.order_line,
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
        "partners": partners_holding(station, card),
        "history": [
            {"at": event.at, "who": event.actor.name, "what": event.action}
            for event in station.store.cards.history(card.id)
        ],
    }


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
    return "newest state"
