"""A card takes the place of another on the same contract.

Somebody asks for it; the next blank at the desk is made; and as soon as the new card may charge, the old one
is `replaced`, in the same transaction. So at no moment do both charge, unless that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from sqlalchemy import Connection, func, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import (
    Card,
    CardState,
    Reason,
    Replacement,
    ReplaceWhen,
    Role,
    check_move,
)
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.card_rows import CARDS, card_of, card_row, subject_of, successor_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.moving import CHANGE, moved, note_state
from rfid_station.store.tables import IS_TO_BE_REPLACED, card
from rfid_station.store.told.telling import TokenOf, tell

_ASKED = CARDS.where(IS_TO_BE_REPLACED)
"""In no order: asked for one, SQLite reads through all cards rather than sort those few."""
_LOST = (Reason.LOST, Reason.STOLEN)


class Replacements:
    """What cards are to be replaced, and by which."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, card_id: int, wanted: Replacement, actor: Actor, token_of: TokenOf) -> Card:
        """Ask for a new card on the contract of another; asking the same twice changes nothing.

        A lost or stolen card is blocked if it is to stop now, so that it can be found; a damaged one is
        `replaced` then. One that is stopped already stays as it is.

        :raises MoveNotAllowed: a card in its state is not replaced, or not by this role
        :raises WrongCall: it takes another reason
        :raises Conflict: it is being replaced already
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.replacement == wanted:
                return before
            _refuse_successor(ledger.connection, before)
            to = _state_when_asked(before, wanted, actor.role)
            columns = {"replace_when": wanted.when.value, "replace_reason": wanted.reason.value}
            after = replace(before, replacement=wanted)
            ledger.note(
                "card.to_be_replaced",
                subject_of(card_id),
                visual_number=before.visual_number,
                when=wanted.when,
                reason=wanted.reason,
            )
            if to is before.state:
                CHANGE.run(ledger.connection, {"card_id": card_id, **columns})
                return after
            after = moved(ledger, after, to, wanted.reason, **columns)
            note_state(ledger, after, {"was": before.state, "reason": wanted.reason})
            tell(ledger, after, token_of)
            return after

    def state_when_asked(self, card: Card, wanted: Replacement, actor: Actor) -> CardState:
        """What a card would become by being asked to be replaced; raises what `ask` would raise."""
        with self._database.read() as connection:
            if card.replacement != wanted:
                _refuse_successor(connection, card)
        return _state_when_asked(card, wanted, actor.role)

    def withdraw(self, card_id: int, actor: Actor) -> Card:
        """Ask for no new card any more.

        :raises Conflict: nobody asked, or it is there already
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.replacement is None:
                raise Conflict(
                    f"nobody asked for a card in place of {before.visual_number}",
                    hint=f"rfid-station card show {before.visual_number}",
                )
            _refuse_successor(ledger.connection, before)
            return _forget_request(ledger, before)

    def asked(self) -> list[Card]:
        """The cards in whose place a new one is to be made, the longest known first."""
        with self._database.read() as connection:
            wanted = sorted(map(card_of, connection.execute(_ASKED)), key=attrgetter("id"))
            return [old for old in wanted if _is_open(successor_of(connection, old))]

    def successor(self, old: Card) -> Card | None:
        """The card that takes a card's place, spoiled ones apart."""
        with self._database.read() as connection:
            return successor_of(connection, old)


def check_replaceable(connection: Connection, card_id: int) -> Card:
    """Let a card pass in whose place a new one is to be made.

    :raises Conflict: nobody asked, or there is one
    """
    old = card_of(card_row(connection, card_id))
    if old.replacement is None:
        raise Conflict(
            f"nobody asked for a card in place of {old.visual_number}",
            hint=f"rfid-station card replace {old.visual_number}",
        )
    _refuse_successor(connection, old)
    return old


def in_place_of(new: Card, old: Card) -> Card:
    """A new card with what stays the same."""
    return replace(
        new,
        contract_id=old.contract_id,
        driver=old.driver,
        group=old.group,
        replaces=old.id,
        group_id=old.group_id,
    )


def place_and_driver(connection: Connection, old_id: int) -> tuple[int, int | None]:
    """Which card of its contract the next one is, and the row of the driver that it keeps."""
    old = card_row(connection, old_id)
    query = select(func.max(card.c.contract_card)).where(card.c.contract_id == old.contract_id)
    return int(connection.execute(query).scalar_one()) + 1, old.driver_id


def may_activate_at_issue(connection: Connection, new: Card) -> bool:
    """Whether a card may charge as soon as it is made, if that is how it is done here.

    One that takes over when it is activated is still to travel to its driver, who uses the old one meanwhile;
    and a new card is no way around a suspension.
    """
    return not any(_holds_back(old) for old in _before(connection, new))


def _holds_back(old: Card) -> bool:
    """Whether a card keeps those after it from charging as soon as they are made."""
    waits = old.replacement is not None and old.replacement.when is ReplaceWhen.ACTIVATED
    return old.state is CardState.SUSPENDED or (waits and old.state is CardState.ACTIVE)


def _before(connection: Connection, new: Card) -> Iterator[Card]:
    """The cards whose place one takes, its own predecessor first.

    A successor may be lost before it ever charged: then the one before it still does.
    """
    while new.replaces is not None:
        new = card_of(card_row(connection, new.replaces))
        yield new


def end_replaced(ledger: Ledger, new: Card, token_of: TokenOf) -> None:
    """End the cards whose place one takes that may charge now.

    :raises MoveNotAllowed: one of them is suspended, so the new one may not charge either
    """
    before = [old for old in _before(ledger.connection, new) if not old.state.is_final]
    for old in before:
        if old.state is CardState.SUSPENDED:
            raise MoveNotAllowed(
                f"card {new.visual_number} takes the place of {old.visual_number}, which is suspended",
                hint=f"a supervisor settles that first: rfid-station card unblock {old.visual_number}",
            )
    for old in before:
        reason = old.replacement.reason if old.replacement else old.reason
        after = moved(ledger, old, CardState.REPLACED, reason, replace_when=None, replace_reason=None)
        note_state(ledger, after, {"was": old.state, "reason": reason, "by": new.visual_number})
        tell(ledger, after, token_of)


def settle_request(ledger: Ledger, before: Card, after: Card) -> Card:
    """Forget that a new card was asked for where it is not needed any more: found, or given back."""
    is_found = before.state is CardState.BLOCKED and after.state is CardState.ACTIVE
    is_given_up = after.state in (CardState.RETIRED, CardState.SPOILED)
    if before.replacement is None or not (is_found or is_given_up):
        return after
    if successor_of(ledger.connection, before) is not None:
        return after
    return _forget_request(ledger, after)


def _is_open(successor: Card | None) -> bool:
    """Whether a blank is still to be tapped: none was, or it was not finished."""
    return successor is None or successor.state.is_unfinished


def _forget_request(ledger: Ledger, old: Card) -> Card:
    none = {"replace_when": None, "replace_reason": None}
    CHANGE.run(ledger.connection, {"card_id": old.id, **none})
    ledger.note("card.not_to_be_replaced", subject_of(old.id), visual_number=old.visual_number)
    return replace(old, replacement=None)


def _state_when_asked(old: Card, wanted: Replacement, role: Role) -> CardState:
    """What a card becomes by being asked to be replaced.

    :raises MoveNotAllowed: it is not replaced in this state, or not by this role
    :raises WrongCall: it takes another reason
    """
    if old.state is CardState.EXPIRED:
        return old.state
    is_stopped_now = wanted.when is ReplaceWhen.NOW and old.state in (CardState.ACTIVE, CardState.ISSUED)
    if is_stopped_now and wanted.reason in _LOST:
        check_move(old, CardState.BLOCKED, role, wanted.reason)
        check_move(replace(old, state=CardState.BLOCKED), CardState.REPLACED, role, wanted.reason)
        return CardState.BLOCKED
    if wanted.reason is Reason.DATE_PASSED:
        raise WrongCall(
            f"card {old.visual_number} is {old.state}: its date has not passed",
            hint="add --reason with one of: damaged, lost, stolen",
        )
    check_move(old, CardState.REPLACED, role, wanted.reason)
    return CardState.REPLACED if is_stopped_now else old.state


def _refuse_successor(connection: Connection, old: Card) -> None:
    """Let a card pass that no other takes the place of.

    :raises Conflict: one does
    """
    successor = successor_of(connection, old)
    if successor is not None:
        raise Conflict(
            f"card {old.visual_number} is replaced by {successor.visual_number}, which is {successor.state}",
            hint=f"rfid-station card show {successor.visual_number}",
        )
