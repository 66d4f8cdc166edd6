"""What would a charging station of a partner say to this card, and why: for the phone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.charge_point import (
    LONGEST_ID_TAG,
    Known,
    Says,
    Situation,
    StationMode,
    UidForm,
    Verdict,
    is_same,
    predict,
    seen,
)
from rfid_station.domain.contact import Contact
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.domain.token import Whitelist
from rfid_station.domain.uid import masked
from rfid_station.ocpi.wire.told import uid_text

_WAS_TOLD = (PartnerState.CONNECTED, PartnerState.DISCONNECTED)

_WE_ANSWER = {CardState.EXPIRED: Says.EXPIRED}
"""About a card that is not active; of every other such state it is a no, which stations show as Blocked."""


@dataclass(frozen=True, slots=True)
class Question:
    """What kind of station it is."""

    mode: StationMode = StationMode.ONLINE
    form: UidForm = UidForm.WHOLE
    is_reached: bool = True
    """Whether the partner reaches us, should it ask."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a partner was told of a card."""

    newest: Change | None
    """None if it is not to know the card, and never did."""
    is_confirmed: bool
    """Whether it acknowledged the newest state, or read it by itself."""
    doubt: str
    """Why it may not hold the newest state; empty if there is no doubt."""
    proven_at: datetime | None
    """When it was last read back equal to the newest state."""
    knew_before: bool
    """Whether it was seen to hold an older state."""


@dataclass(frozen=True, slots=True)
class Life:
    """What of a card's life its partners may have seen."""

    was_active: bool
    was_stopped: bool
    """After it was active."""


@dataclass(frozen=True, slots=True)
class Try:
    """The answer, and what it rests on."""

    question: Question
    situation: Situation
    verdict: Verdict
    told: Told
    uid_seen: str
    """The text that the station's reader makes of the UID."""
    uid_told: str
    """The UID that the partner was told."""
    uncertain: tuple[str, ...]


def try_card(station: Station, card: Card, partner: Partner, question: Question) -> Try:
    """Say what a station of a partner would do about a card."""
    told, life = _told(station, card, partner), _life(station, card)
    uid_seen, uid_told = seen(card.uid, question.form), uid_text(card.uid, partner.profile)
    held, before = _states(told, life) if partner.state in _WAS_TOLD else (None, None)
    situation = Situation(
        held=held,
        before=before,
        ours=_we_answer(station, card, told),
        mode=question.mode,
        asks=partner.profile.asks,
        is_reached=question.is_reached,
        is_recognized=is_same(uid_seen, uid_told),
    )
    doubts = (
        *_doubts_of_what_it_holds(partner, situation, told),
        *_doubts_of_the_uid(card, partner, situation, uid_seen),
        *_doubts_of_memory(card, partner, situation, life),
    )
    return Try(question, situation, predict(situation), told, uid_seen, uid_told, doubts)


# What the partner was told


def _told(station: Station, card: Card, partner: Partner) -> Told:
    token_id = station.store.feed.token_id_of(card.id)
    newest = station.store.feed.newest(partner.name, token_id) if token_id is not None else None
    if newest is None:
        return Told(None, False, "", None, False)
    proofs = [proof for proof in station.store.feed.proofs(card.id) if proof.partner == partner.name]
    knew_before = any(proof.is_proven and proof.revision < newest.revision for proof in proofs)
    last = next((proof for proof in reversed(proofs) if proof.revision == newest.revision), None)
    if last and last.is_proven and partner.state is PartnerState.CONNECTED:
        return Told(newest, True, "", last.at, knew_before)
    doubt = _doubt(station, partner, newest)
    if doubt and last:
        doubt += f"; it was read back at {last.at:%Y-%m-%dT%H:%M:%SZ}, and differed"
    return Told(newest, not doubt, doubt, None, knew_before)


def _doubt(station: Station, partner: Partner, newest: Change) -> str:
    """Why a partner may not hold a token's newest state."""
    if partner.state is not PartnerState.CONNECTED:
        return f"{partner.name} is not connected"
    if not partner.profile.push:
        return _doubt_of_reading(station.store.contacts.get(partner.name), newest)
    standing = station.store.feed.standing(partner.name)
    parked = next((row for row in standing.parked if row.token_id == newest.token_id), None)
    if parked:
        return f"its newest state may not have arrived: {parked.error}"
    lanes = Lane if newest.is_urgent else (Lane.BULK,)
    if newest.revision > max(standing.cursors[lane] for lane in lanes):
        return "its newest state is still owed to the partner"
    return ""


def _doubt_of_reading(contact: Contact, newest: Change) -> str:
    """The same for a partner that reads our list by itself."""
    # Stamps are whole seconds: what is as old as the pull may have come after it.
    if contact.last_pull_at and contact.last_pull_at.replace(microsecond=0) > newest.token.last_updated:
        return ""
    return "the partner reads our list by itself, and has not since the last change"


def _states(told: Told, life: Life) -> tuple[Known | None, Known | None]:
    """What a partner holds of a card, and what its stations may remember, as far as can be known."""
    if told.newest is None:
        return None, None
    token = told.newest.token
    now = Known(token.valid, token.whitelist)
    if not token.valid:
        before = Known(True, token.whitelist) if life.was_active else None
        return (now, before) if told.is_confirmed else (before, before)
    if told.is_confirmed:
        return now, now
    if life.was_stopped:
        before = Known(False, token.whitelist)
        return before, before
    return (now, now) if told.knew_before else (None, None)


def _life(station: Station, card: Card) -> Life:
    states = [
        event.action.removeprefix("card.")
        for event in station.store.cards.history(card.id)
        if event.action.startswith("card.")
    ]
    if CardState.ACTIVE not in states:
        return Life(False, False)
    later = states[states.index(CardState.ACTIVE) :]
    return Life(True, any(state in (CardState.BLOCKED, CardState.SUSPENDED) for state in later))


def _we_answer(station: Station, card: Card, told: Told) -> Says:
    today = station.store.database.clock().date()
    if card.state is not CardState.ACTIVE:
        return _WE_ANSWER.get(card.state, Says.BLOCKED)
    if told.newest and not told.newest.token.valid:
        return Says.BLOCKED
    return Says.EXPIRED if card.valid_until and card.valid_until < today else Says.ACCEPTED


# What is uncertain


def _doubts_of_what_it_holds(partner: Partner, at: Situation, told: Told) -> Iterator[str]:
    if told.doubt:
        yield told.doubt
    elif told.proven_at is None and told.newest:
        yield "it acknowledged the token; it was not read back since"
    if partner.profile.is_hub:
        yield "it is a hub: what the operators behind it hold is not known"
    if at.held and at.held.whitelist is Whitelist.ALLOWED and at.asks:
        yield f"whitelist ALLOWED lets it ask us all the same; it would hear {at.ours}"


def _doubts_of_the_uid(card: Card, partner: Partner, at: Situation, uid_seen: str) -> Iterator[str]:
    if len(card.uid.raw) not in partner.profile.uid_sizes:
        yield f"its stations read no UID of {len(card.uid.raw)} bytes, by its profile {partner.profile.name}"
    if card.uid.may_repeat:
        yield "a UID of four bytes may be that of another card, too"
    if len(uid_seen) > LONGEST_ID_TAG:
        yield f"the UID has {len(uid_seen)} characters so, and an idTag of OCPP 1.6 takes {LONGEST_ID_TAG}"
    if not at.is_recognized and at.asks and at.mode is not StationMode.OFFLINE:
        yield f"it may ask us about {masked(uid_seen)}, of which we know nothing"


def _doubts_of_memory(card: Card, partner: Partner, at: Situation, life: Life) -> Iterator[str]:
    if at.mode is StationMode.ONLINE:
        return
    if at.before and at.is_recognized and at.before.whitelist is not Whitelist.NEVER:
        yield "only a station that has the card on its list, or where it was used, knows it by itself"
        if partner.profile.cache_minutes:
            yield f"its stations forget after {partner.profile.cache_minutes:g} minutes, as it declares"
        else:
            yield "how long its stations remember is not known (profile: cache_minutes)"
    if life.was_stopped and card.state is CardState.ACTIVE:
        yield "a station that had its last line while the card was stopped refuses it"
    if at.mode is StationMode.OFFLINE:
        yield "a station may be told to take unknown cards while it has no line (AllowOfflineTxForUnknownId)"
    else:
        yield "a station may be told not to stop a refused transaction (StopTransactionOnInvalidId)"
