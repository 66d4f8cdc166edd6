"""A card's journey at the desk, from tap to token. Read it from top to bottom.

    tap ─► identify ─► reserve ─► plan ─► write ─► verify ─► register

Every step before `write` leaves the card as it was; every step after `reserve` is in the
journal, and so is the key that the card may carry from `write` on. So whatever happens in between (card
pulled, process killed, power lost), the same card tapped again goes on where it stopped, with the same
number and the same key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.chip.identity import Identity
from rfid_station.chip.originality import read_originality
from rfid_station.desk.numbers import ALIAS_LENGTH, Numbers
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.order import OrderLine, Preprinted
from rfid_station.domain.profile import Profile
from rfid_station.domain.stock import Supply
from rfid_station.encode.encoder import examine_card, plan_card
from rfid_station.encode.keys import KeySource
from rfid_station.encode.plan import Plan, Target
from rfid_station.errors import CardDefective, CardRefused, Conflict, ReadBackDiffers


class Stage(StrEnum):
    """Where a card is on its way, as shown to the clerk."""

    IDENTIFY = "identify"
    RESERVE = "reserve"
    PLAN = "plan"
    WRITE = "write"
    VERIFY = "verify"
    REGISTER = "register"


Tell = Callable[[Stage, str], None]
"""Called at the start of each stage, with what is worth saying; from `PLAN` on the card has its number."""


class MadeAlready(Conflict):
    """What lies there is a card of ours, and no blank."""

    def __init__(self, card: Card) -> None:
        super().__init__(
            f"card {card.uid.masked} is card {card.visual_number} already, and {card.state}"
            f" since {card.changed_at:%Y-%m-%d}",
            hint="it is no blank: put it aside; whose it is tells "
            f"`rfid-station card show {card.visual_number}`",
        )
        self.card = card


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
    group: str | None = None,
    lot: int | None = None,
    preprinted: Preprinted | None = None,
) -> Issued:
    """Make the card on the reader into a charging card.

    With `may_begin` false only a card that was begun before is finished.

    :param group: the card's, where its order line names none; by default its fleet's
    :param lot: the one that its blank is taken from; by default the oldest that fits
    :param preprinted: what was scanned on the plastic: the card gets these numbers, for their line
    :raises CardRefused: it cannot become one; nothing was written and no number used
    :raises CardDefective: the chip failed under the write; the card is spoiled, with its number
    :raises CardLost: it left; tapped again, it goes on
    :raises Conflict: it is a card of ours already, or the order line has its card, or no blank is on hand; or
        other numbers were scanned than those it was begun with, or their plastic was matched or spoiled
    :raises ReadBackDiffers: it does not keep what was written, and is spoiled
    :raises KeyUnavailable: the profile takes a key that is not there, or does not open
    """
    tell(Stage.IDENTIFY, "")
    identity = run(link, identify(link.seen, station.roots))
    known = station.store.cards.living(identity.uid)
    unfinished = known if known and known.state.is_unfinished else None
    if unfinished is None:
        _check_new(identity, known, may_begin)
        target = target_of_blank(station, profile)
        identity = examine_blank(station, link, identity, target)
    else:
        _check_number(unfinished, preprinted)
        target = target_of_card(station, unfinished)
        identity = run(link, examine_card(identity, target, station.keys_for(target)))

    tell(Stage.RESERVE, identity.name)
    card = unfinished or _reserve(station, identity, profile, line, group, lot, preprinted)

    tell(Stage.PLAN, card.visual_number)
    target = replace(target, link=station.link(card.alias))
    plan = plan_card(identity, target)

    tell(Stage.WRITE, f"{len(plan.steps)} steps")
    card = station.store.cards.begin_encoding(card.id, plan.digest, station.actor, target.key)
    _write_and_verify(station, link, card, plan, station.keys_for(target), tell)

    tell(Stage.REGISTER, card.visual_number)
    card = station.store.cards.register(
        card.id,
        token_of=station.token,
        activate=station.activates(target.profile),
        actor=station.actor,
    )
    return Issued(card, unfinished is not None, len(plan.steps))


def target_of_blank(station: Station, profile: Profile) -> Target:
    """What a blank is to become: with an alias that nobody has, and the newest version of the key.

    :raises KeyUnavailable: the profile takes a key that is not there
    """
    key = station.keys().newest(profile.key) if profile.key else None
    return Target(profile, station.link("X" * ALIAS_LENGTH), key)


def target_of_card(station: Station, card: Card) -> Target:
    """What a card of ours is, or is to become: as it was begun, whatever is wanted for new cards now."""
    profile = station.profile(card.profile)
    key = card.key or (station.keys().newest(profile.key) if profile.key else None)
    return Target(profile, station.link(card.alias), key, is_begun=True)


def examine_blank(station: Station, link: CardLink, identity: Identity, target: Target) -> Identity:
    """Let a card pass that can become what is wanted, before a number is taken for it.

    :raises CardRefused: it is no blank, not one of the profile's chips, not genuine, or locked
    """
    if target.profile.genuine:
        identity = run(link, read_originality(identity))
    examined = run(link, examine_card(identity, target, station.keys_for(target)))
    _check_fresh(examined, target.profile)
    plan_card(examined, target)
    return examined


def _check_new(identity: Identity, known: Card | None, may_begin: bool) -> None:
    """Refuse a card that is one already, or that nobody waits for."""
    if known:
        raise MadeAlready(known)
    if not may_begin:
        raise Conflict(
            f"card {identity.uid.masked} is not needed: all order lines have a card, and some were begun",
            hint="tap the cards that were begun again: `rfid-station card list --state encoding`",
        )


def _check_number(begun: Card, preprinted: Preprinted | None) -> None:
    """Let a card that was begun go on under its own number only."""
    if preprinted and preprinted.visual_number != begun.visual_number:
        raise Conflict(
            f"card {begun.uid.masked} was begun as {begun.visual_number},"
            f" and {preprinted.visual_number} was scanned",
            hint=f"scan {begun.visual_number}, or tap the card that {preprinted.visual_number} is printed on",
        )


def _check_fresh(identity: Identity, profile: Profile) -> None:
    state = identity.state
    if state and state.freshness not in profile.accepts:
        raise CardRefused(
            f"card {identity.uid.masked} is no blank: it carries {state.link or 'data of somebody else'}",
            hint="put it aside and take a blank; `rfid-station card read` shows what is on a card",
        )


def _reserve(
    station: Station,
    identity: Identity,
    profile: Profile,
    line: OrderLine | None,
    group: str | None,
    lot: int | None,
    preprinted: Preprinted | None,
) -> Card:
    """Take a blank and its numbers, and journal the intent, before the card is touched."""
    if line and line.valid_until and line.valid_until < station.store.database.clock().date():
        raise Conflict(
            f"{line.key} is to end on {line.valid_until}, which is over",
            hint="correct its valid_until, or take the row out",
        )
    numbers = Numbers.of(station)
    return station.store.cards.reserve(
        uid=identity.uid,
        chip=identity.name,
        profile=profile.name,
        order_line=line.key if line else None,
        driver=line.driver if line else None,
        contract_of=numbers.contract_of,
        draw_visual=numbers.draw_visual,
        draw_alias=numbers.draw_alias,
        actor=station.actor,
        group=(line.group if line else None) or group,
        replaces=line.replaces if line else None,
        valid_until=line.valid_until if line else None,
        supply=Supply(station.settings.desk.place, lot),
        preprinted=preprinted.id if preprinted else None,
    )


def _write_and_verify(
    station: Station, link: CardLink, card: Card, plan: Plan, keys: KeySource | None, tell: Tell
) -> None:
    """Write and read back; a chip that does not take or keep it makes the card spoiled."""
    try:
        run(link, plan.write(keys))
        tell(Stage.VERIFY, "field off and on, read back")
        run(link, plan.verify(keys))
    except (CardDefective, ReadBackDiffers):
        station.store.cards.move(
            card.id,
            to=CardState.SPOILED,
            reason=Reason.ENCODE_FAILED,
            actor=station.actor,
            token_of=station.token,
        )
        raise
