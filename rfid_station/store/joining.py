"""Cards and fobs that act as one: they have OCPI's group_id in common, and each token tells it.

`group_id` is no card group: agreements know nothing of it. It stays within 20 characters, since charge points
that speak OCPP 1.x know it as parentIdTag (OCPI 2.2.1, mod_tokens 4.2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card
from rfid_station.errors import Conflict, MoveNotAllowed
from rfid_station.store.card_rows import CARDS, card_of, card_row, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.moving import CHANGE
from rfid_station.store.tables import card
from rfid_station.store.told.telling import TokenOf, tell

LONGEST = 20
"""Characters of an idTag in OCPP 1.x."""


class Joined:
    """Cards that act as one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def others(self, one: Card) -> list[Card]:
        """The other cards of a card's group that may still charge, or may again, oldest first."""
        if one.group_id is None:
            return []
        with self._database.read() as connection:
            return [other for other in _going_on(connection, one.group_id) if other.id != one.id]

    def join(
        self, card_ids: Sequence[int], *, new_group_id: str, actor: Actor, token_of: TokenOf
    ) -> list[Card]:
        """Let cards act as one; those that do already are left as they are.

        :param new_group_id: taken where none of them is in a group yet
        :raises MoveNotAllowed: the life of one is over, or it was never finished
        :raises Conflict: they are of two groups
        """
        with booking(self._database, actor) as ledger:
            cards = [card_of(card_row(ledger.connection, card_id)) for card_id in card_ids]
            for one in cards:
                _refuse_over(one)
            group_id = _one_group(cards) or new_group_id[:LONGEST]
            return [_put(ledger, one, group_id, "card.joined", token_of) for one in cards]

    def part(self, card_id: int, *, actor: Actor, token_of: TokenOf) -> list[Card]:
        """Let a card stand alone again, and the one that would be left alone with it; which cards changed.

        :raises Conflict: it is in no group
        """
        with booking(self._database, actor) as ledger:
            one = card_of(card_row(ledger.connection, card_id))
            if one.group_id is None:
                raise Conflict(
                    f"card {one.visual_number} stands alone",
                    hint=f"rfid-station card join {one.visual_number} OTHER",
                )
            others = [other for other in _going_on(ledger.connection, one.group_id) if other.id != one.id]
            leaving = [one, *others] if len(others) == 1 else [one]
            return [_put(ledger, each, None, "card.parted", token_of) for each in leaving]


def _going_on(connection: Connection, group_id: str) -> list[Card]:
    found = connection.execute(CARDS.where(card.c.group_id == group_id).order_by(card.c.id))
    cards = [card_of(row) for row in found]
    return [one for one in cards if not one.state.is_final]


def _refuse_over(one: Card) -> None:
    """Let a card pass that may act with another.

    :raises MoveNotAllowed: its life is over, or it was never finished
    """
    if one.state.is_final or one.state.is_unfinished:
        words = "which is final" if one.state.is_final else "never finished"
        raise MoveNotAllowed(
            f"card {one.visual_number} is {one.state}, {words}: it joins no other",
            hint=f"rfid-station card show {one.visual_number}",
        )


def _one_group(cards: Sequence[Card]) -> str | None:
    """The group that some of the cards are in.

    :raises Conflict: they are in two
    """
    known = {one.group_id: one for one in cards if one.group_id}
    if len(known) > 1:
        first, second, *_ = known.values()
        raise Conflict(
            f"cards {first.visual_number} and {second.visual_number} act with others, each with its own",
            hint=f"rfid-station card part {second.visual_number}",
        )
    return next(iter(known), None)


def _put(ledger: Ledger, one: Card, group_id: str | None, action: str, token_of: TokenOf) -> Card:
    if one.group_id == group_id:
        return one
    after = replace(one, group_id=group_id)
    CHANGE.run(ledger.connection, {"card_id": one.id, "group_id": group_id})
    shown = group_id or one.group_id
    ledger.note(action, subject_of(one.id), visual_number=one.visual_number, group_id=shown)
    if not one.state.is_final and not one.state.is_unfinished:
        tell(ledger, after, token_of)
    return after
