"""A card that is there already: what it tells, whether it is as it was issued, and back to blank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.chip.originality import read_originality
from rfid_station.desk.issue import target_of_card
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.encode.encoder import examine_card, plan_card, plan_recycling
from rfid_station.encode.plan import Plan
from rfid_station.errors import Conflict, MoveNotAllowed, ReadBackDiffers, StationError

_RECYCLABLE = (CardState.SPOILED, CardState.RETIRED)


@dataclass(frozen=True, slots=True)
class Verified:
    """A card that is as the store says it should be."""

    card: Card
    identity: Identity
    with_keys: bool
    """Whether its keys were proven too, and not only what a stranger sees."""


def tell_all(station: Station, link: CardLink) -> dict[str, Any]:
    """All that a card tells without keys, and what the store knows of it. Writes nothing."""
    identity = run(link, read_originality(run(link, identify(link.seen, station.roots))))
    state = identity.state
    known = _newest_of(station, identity)
    return {
        "uid": identity.uid.masked,
        "bytes": len(identity.uid.raw),
        "chip": identity.name,
        "can_charge": not identity.refusal,
        "refusal": identity.refusal or None,
        "original": f"{identity.originality}",
        "signed_by": identity.signed_by or None,
        "memory": f"{state.freshness}" if state else "not read",
        "link": state.link if state else None,
        **(state.facts() if state else {}),
        "notes": list(identity.notes),
        "number": known.visual_number if known else None,
        "state": f"{known.state}" if known else "not one of ours",
    }


def verify(station: Station, link: CardLink, *, as_stranger: bool = False) -> Verified:
    """Compare the card on the reader with what the store says it should be. Writes nothing.

    :raises StationError: it is no card of ours
    :raises ReadBackDiffers: the first difference
    :raises KeyUnavailable: its keys are not in the ring; `as_stranger` asks for none
    """
    identity = run(link, identify(link.seen, station.roots))
    card = _card_of(station, identity)
    if card.state.is_unfinished:
        raise Conflict(
            f"card {card.visual_number} was begun and never finished",
            hint="tap it again in `rfid-station card issue`",
        )
    target = target_of_card(station, card)
    keys = None if as_stranger else station.keys_for(target)
    examined = run(link, examine_card(identity, target, keys))
    plan = plan_card(examined, target)
    _check_done(card, plan)
    run(link, plan.verify(keys))
    return Verified(card, examined, with_keys=keys is not None)


def recycle(station: Station, link: CardLink, *, dry_run: bool = False) -> tuple[Card, Plan]:
    """Bring the chip of a spoiled or retired card back to blank, and read it back.

    A spoiled card's chip may become another card then, and lies on hand again. One that charged may not:
    partners know its UID, and it is kept with the samples.

    :raises StationError: it is no card of ours
    :raises MoveNotAllowed: it is not given up
    :raises CardRefused: the chip does not allow it: it is locked for ever
    """
    identity = run(link, identify(link.seen, station.roots))
    card = _newest_of(station, identity) or _nobodys(identity)
    if card.state not in _RECYCLABLE:
        raise MoveNotAllowed(
            f"card {card.visual_number} is {card.state}, and only a spoiled or retired one is made blank",
            hint=f"rfid-station card show {card.visual_number}",
        )
    target = target_of_card(station, card)
    keys = station.keys_for(target)
    examined = run(link, examine_card(identity, target, keys))
    plan = plan_recycling(examined, target.key)
    if not dry_run:
        run(link, plan.write(keys))
        run(link, plan.verify(keys))
        station.store.cards.note_recycled(card.id, station.actor, station.settings.desk.place)
    return card, plan


def _check_done(card: Card, plan: Plan) -> None:
    """Let a card pass that has all it should have.

    :raises ReadBackDiffers: something would have to be written to it
    """
    if plan.steps:
        raise ReadBackDiffers(
            f"card {card.visual_number} is not as it was issued; it lacks: {plan.steps[0]}",
            hint="somebody changed it; replace it, or ask its driver",
        )
    if card.plan_digest not in (None, plan.digest):
        raise ReadBackDiffers(
            f"card {card.visual_number} is as profile {card.profile} says now, and was made to another end",
            hint="the profile, desk.link or the key was changed since; see `rfid-station card show`",
        )


def _card_of(station: Station, identity: Identity) -> Card:
    return _newest_of(station, identity) or _nobodys(identity)


def _newest_of(station: Station, identity: Identity) -> Card | None:
    """The card that last had this chip, living or not."""
    return station.store.cards.living(identity.uid) or next(
        iter(sorted(station.store.cards.search(identity.uid.hex), key=lambda card: -card.id)), None
    )


def _nobodys(identity: Identity) -> Card:
    raise StationError(
        f"card {identity.uid.masked} is not one of ours", hint="`rfid-station card read` tells what it is"
    )
