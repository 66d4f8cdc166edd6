"""Codes by which drivers are known: they activate their cards by them, and later report them lost or found.

What is kept of a code is a slow hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, Row

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import MOST_CLAIMS, Card, CardState, Claim, Role
from rfid_station.errors import MoveNotAllowed, WrongCall
from rfid_station.store.card_rows import card_of, card_row, subject_of
from rfid_station.store.cards import Cards
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import booking
from rfid_station.store.moving import CHANGE
from rfid_station.store.told.telling import TokenOf

_OF_USE = (CardState.ISSUED, CardState.ACTIVE, CardState.BLOCKED)
"""In which states a code is good for something."""


class Claims:
    """Cards and the codes of their drivers."""

    def __init__(self, database: Database, cards: Cards) -> None:
        self._database = database
        self._cards = cards

    def keep(self, card_id: int, code_hash: str, actor: Actor) -> Card:
        """Give a card a new code; an older one is good for nothing from now on.

        :raises MoveNotAllowed: a code is of no use to it, or only a supervisor may go on with it
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.state not in _OF_USE:
                raise MoveNotAllowed(
                    f"card {before.visual_number} is {before.state}: a code is of no use to it",
                    hint=f"rfid-station card show {before.visual_number}",
                )
            if before.claim and before.claim.is_locked and actor.role is not Role.SUPERVISOR:
                raise MoveNotAllowed(
                    f"{MOST_CLAIMS} wrong codes were typed for card {before.visual_number}",
                    hint=f"a supervisor draws a new one: rfid-station card claim-code {before.visual_number}",
                )
            values = {"card_id": card_id, "claim_hash": code_hash, "claim_attempts": 0}
            CHANGE.run(ledger.connection, values)
            ledger.note("card.claim_drawn", subject_of(card_id), visual_number=before.visual_number)
            return replace(before, claim=Claim())

    def claim(self, card_id: int, is_right: Callable[[str], bool], actor: Actor, token_of: TokenOf) -> Card:
        """Activate a card by its code, as `prove` knows it.

        :raises WrongCall: it is another code
        :raises MoveNotAllowed: the card waits for none, or too many were typed
        """
        with self._database.read() as connection:
            _waiting(connection, card_id)
        self.prove(card_id, is_right, actor)
        claimed = self._cards.move(card_id, CardState.ACTIVE, None, actor, token_of)
        with booking(self._database, actor) as ledger:
            ledger.note("card.claimed", subject_of(card_id), visual_number=claimed.visual_number)
        return claimed

    def prove(self, card_id: int, is_right: Callable[[str], bool], actor: Actor) -> Card:
        """Let the code of a card pass. A try is counted before it is looked at, so none comes for free.

        :param is_right: whether the code that was typed is the one with this hash
        :raises WrongCall: it is another code
        :raises MoveNotAllowed: the card has none, or too many were typed
        """
        with booking(self._database, actor) as ledger:
            row = card_row(ledger.connection, card_id)
            asked = _with_code(row)
            tries = row.claim_attempts + 1
            CHANGE.run(ledger.connection, {"card_id": card_id, "claim_attempts": tries})
            ledger.note(
                "card.claim_tried", subject_of(card_id), visual_number=asked.visual_number, tries=tries
            )
        if not is_right(row.claim_hash):
            left = MOST_CLAIMS - tries
            raise WrongCall(
                f"this is not the code of card {asked.visual_number}; {left} more may be tried",
                hint="the code is in the letter that came with the card" if left else "call support",
            )
        with booking(self._database, actor) as ledger:
            CHANGE.run(ledger.connection, {"card_id": card_id, "claim_attempts": 0})
        return replace(asked, claim=Claim())


def _waiting(connection: Connection, card_id: int) -> None:
    """Let a card pass that is to be activated by a code.

    :raises MoveNotAllowed: it waits for none
    """
    found = card_of(card_row(connection, card_id))
    if found.claim is None or found.state is not CardState.ISSUED:
        raise MoveNotAllowed(
            f"card {found.visual_number} is {found.state} and waits for no code",
            hint=f"rfid-station card show {found.visual_number}",
        )


def _with_code(row: Row[tuple[object, ...]]) -> Card:
    """Let a card pass that a code may be tried for.

    :raises MoveNotAllowed: it has none, or too many were typed
    """
    found = card_of(row)
    if found.claim is None:
        raise MoveNotAllowed(
            f"card {found.visual_number} has no code",
            hint=f"rfid-station card claim-code {found.visual_number}",
        )
    if found.claim.is_locked:
        raise MoveNotAllowed(
            f"{MOST_CLAIMS} wrong codes were typed for card {found.visual_number}: none is taken any more",
            hint=f"rfid-station --role supervisor card claim-code {found.visual_number}",
        )
    return found
