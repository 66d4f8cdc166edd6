"""A card's journey at the desk, from tap to token. Read it from top to bottom.

    tap ─► identify ─► reserve ─► plan ─► write ─► verify ─► register

Every step before `write` leaves the card as it was; every step after `reserve` is in the
journal. So whatever happens in between (card pulled, process killed, power lost), the same
card tapped again goes on where it stopped, with the same number.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import Freshness, Identity, identify
from rfid_station.desk.fleet_file import OrderLine
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.profile import Profile
from rfid_station.domain.visual_number import draw_index
from rfid_station.encode.plan import Plan, plan_encoding
from rfid_station.encode.verify import verify_card
from rfid_station.encode.write import write_card
from rfid_station.errors import CardRefused, Conflict, ReadBackDiffers
from rfid_station.settings import Activation, VisualOrder

_ALIAS_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0, 1, I, O: an alias is sometimes typed."""
ALIAS_LENGTH = 12
"""60 bits: nobody finds another card's page by trying."""


class Stage(StrEnum):
    """Where a card is on its way, as shown to the clerk."""

    IDENTIFY = "identify"
    RESERVE = "reserve"
    PLAN = "plan"
    WRITE = "write"
    VERIFY = "verify"
    REGISTER = "register"


Tell = Callable[[Stage, str], None]
"""Called at the start of each stage, with what is worth saying."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A card that is done."""

    card: Card
    was_resumed: bool
    writes: int


def issue_card(
    station: Station,
    link: CardLink,
    profile: Profile,
    line: OrderLine | None = None,
    tell: Tell = lambda _stage, _words: None,
    *,
    may_begin: bool = True,
) -> Issued:
    """Make the card on the reader into a charging card.

    With `may_begin` false only a card that was begun before is finished.

    :raises CardRefused: it cannot become one; nothing was written, no number used, unless the chip
        failed under the write: then the card is spoiled, with its number
    :raises CardLost: it left; tapped again, it goes on
    :raises Conflict: it is a card of ours already, or the order line has its card
    :raises ReadBackDiffers: it does not keep what was written, and is spoiled
    """
    tell(Stage.IDENTIFY, "")
    identity = run(link, identify(link.atr))
    unfinished = station.store.cards.unfinished(identity.uid)
    if unfinished is None:
        _check_blank(station, identity, profile)
        _check_wanted(identity, may_begin)

    tell(Stage.RESERVE, identity.name)
    card = unfinished or _reserve(station, identity, profile, line)

    tell(Stage.PLAN, card.visual_number)
    plan = plan_encoding(profile, identity, station.link(card.alias))

    tell(Stage.WRITE, f"{len(plan.steps)} pages")
    card = station.store.cards.begin_encoding(card.id, plan.digest, station.actor)
    _write_and_verify(station, link, card, plan, tell)

    tell(Stage.REGISTER, card.visual_number)
    card = station.store.cards.register(
        card.id,
        token_of=station.token,
        activate=station.settings.desk.activation is Activation.AT_ISSUE,
        actor=station.actor,
    )
    return Issued(card, unfinished is not None, len(plan.steps))


def _check_wanted(identity: Identity, may_begin: bool) -> None:
    if not may_begin:
        raise Conflict(
            f"card {identity.uid.masked} is not needed: all order lines have a card, and some were begun",
            hint="tap the cards that were begun again: `rfid-station card list --state encoding`",
        )


def _check_blank(station: Station, identity: Identity, profile: Profile) -> None:
    """Refuse what must not be written, before a number is taken for it."""
    known = station.store.cards.living(identity.uid)
    if known:
        raise Conflict(
            f"card {identity.uid.masked} is card {known.visual_number} already, and {known.state}",
            hint=f"rfid-station card show {known.visual_number}",
        )
    state = identity.type2
    if state and state.freshness is not Freshness.BLANK:
        raise CardRefused(
            f"card {identity.uid.masked} is no blank: it carries {state.link or 'data of somebody else'}",
            hint="put it aside and take a blank; `rfid-station card read` shows what is on a card",
        )
    plan_encoding(profile, identity, station.link("X" * ALIAS_LENGTH))


def _reserve(station: Station, identity: Identity, profile: Profile, line: OrderLine | None) -> Card:
    """Take contract ID, visual number and alias, and journal the intent, before the card is touched."""
    party = station.settings.ocpi.party
    return station.store.cards.reserve(
        uid=identity.uid,
        chip=identity.name,
        profile=profile.name,
        order_line=line.key if line else None,
        driver=line.driver if line else None,
        contract_of=partial(own_contract_id, party.country_code, party.party_id),
        draw_visual=partial(_visual_number, station),
        draw_alias=_draw_alias,
        actor=station.actor,
    )


def _visual_number(station: Station, contract_number: int) -> str:
    pattern = station.number_pattern
    if station.settings.desk.visual_order is VisualOrder.RISING:
        return pattern.render(contract_number)
    return pattern.render(draw_index(pattern))


def _draw_alias() -> str:
    return "".join(secrets.choice(_ALIAS_ALPHABET) for _ in range(ALIAS_LENGTH))


def _write_and_verify(station: Station, link: CardLink, card: Card, plan: Plan, tell: Tell) -> None:
    """Write and read back; a chip that does not take or keep it makes the card spoiled."""
    try:
        run(link, write_card(plan))
        tell(Stage.VERIFY, "field off and on, read back")
        run(link, verify_card(plan))
    except (CardRefused, ReadBackDiffers):
        station.store.cards.move(
            card.id,
            to=CardState.SPOILED,
            reason=Reason.ENCODE_FAILED,
            actor=station.actor,
            token_of=station.token,
        )
        raise
