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

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.desk.fleet_file import OrderLine
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.contract_id import ContractId, own_contract_id
from rfid_station.domain.profile import Freshness, Profile
from rfid_station.domain.token import Party
from rfid_station.domain.visual_number import NumberPattern, draw_index
from rfid_station.encode.encoder import plan_card
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardDefective, CardRefused, Conflict, ReadBackDiffers
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

    :raises CardRefused: it cannot become one; nothing was written and no number used
    :raises CardDefective: the chip failed under the write; the card is spoiled, with its number
    :raises CardLost: it left; tapped again, it goes on
    :raises Conflict: it is a card of ours already, or the order line has its card
    :raises ReadBackDiffers: it does not keep what was written, and is spoiled
    """
    tell(Stage.IDENTIFY, "")
    identity = run(link, identify(link.seen))
    known = station.store.cards.living(identity.uid)
    unfinished = known if known and known.state.is_unfinished else None
    if unfinished is None:
        _check_blank(station, identity, profile, known)
        _check_wanted(identity, may_begin)
    else:
        # What was begun is finished as it was begun, whatever is wanted for new cards now.
        profile = station.profile(unfinished.profile)

    tell(Stage.RESERVE, identity.name)
    card = unfinished or _reserve(station, identity, profile, line)

    tell(Stage.PLAN, card.visual_number)
    plan = plan_card(identity, Target(profile, station.link(card.alias), None))

    tell(Stage.WRITE, f"{len(plan.steps)} steps")
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


def plan_for(station: Station, identity: Identity, profile: Profile) -> Plan:
    """Plan with an alias that nobody has: tells whether a card fits, and what would be written.

    :raises CardRefused: the card cannot become what the profile wants
    """
    return plan_card(identity, Target(profile, station.link("X" * ALIAS_LENGTH), None))


def _check_wanted(identity: Identity, may_begin: bool) -> None:
    if not may_begin:
        raise Conflict(
            f"card {identity.uid.masked} is not needed: all order lines have a card, and some were begun",
            hint="tap the cards that were begun again: `rfid-station card list --state encoding`",
        )


def _check_blank(station: Station, identity: Identity, profile: Profile, known: Card | None) -> None:
    """Refuse what must not be written, before a number is taken for it."""
    if known:
        raise Conflict(
            f"card {identity.uid.masked} is card {known.visual_number} already, and {known.state}",
            hint=f"rfid-station card show {known.visual_number}",
        )
    state = identity.state
    if state and state.freshness is not Freshness.BLANK:
        raise CardRefused(
            f"card {identity.uid.masked} is no blank: it carries {state.link or 'data of somebody else'}",
            hint="put it aside and take a blank; `rfid-station card read` shows what is on a card",
        )
    plan_for(station, identity, profile)


def _reserve(station: Station, identity: Identity, profile: Profile, line: OrderLine | None) -> Card:
    """Take contract ID, visual number and alias, and journal the intent, before the card is touched."""
    numbers = _Numbers(
        station.settings.ocpi.party, station.number_pattern, station.settings.desk.visual_order
    )
    return station.store.cards.reserve(
        uid=identity.uid,
        chip=identity.name,
        profile=profile.name,
        order_line=line.key if line else None,
        driver=line.driver if line else None,
        contract_of=numbers.contract_of,
        draw_visual=numbers.draw_visual,
        draw_alias=_draw_alias,
        actor=station.actor,
    )


@dataclass(slots=True)
class _Numbers:
    """Draws the numbers of one card. The store asks for the contract first."""

    party: Party
    pattern: NumberPattern
    order: VisualOrder
    contract_number: int = 0

    def contract_of(self, number: int) -> ContractId:
        self.contract_number = number
        return own_contract_id(self.party.country_code, self.party.party_id, number)

    def draw_visual(self) -> str:
        rising = self.order is VisualOrder.RISING
        return self.pattern.render(self.contract_number if rising else draw_index(self.pattern))


def _draw_alias() -> str:
    return "".join(secrets.choice(_ALIAS_ALPHABET) for _ in range(ALIAS_LENGTH))


def _write_and_verify(station: Station, link: CardLink, card: Card, plan: Plan, tell: Tell) -> None:
    """Write and read back; a chip that does not take or keep it makes the card spoiled."""
    try:
        run(link, plan.write(None))
        tell(Stage.VERIFY, "field off and on, read back")
        run(link, plan.verify(None))
    except (CardDefective, ReadBackDiffers):
        station.store.cards.move(
            card.id,
            to=CardState.SPOILED,
            reason=Reason.ENCODE_FAILED,
            actor=station.actor,
            token_of=station.token,
        )
        raise
