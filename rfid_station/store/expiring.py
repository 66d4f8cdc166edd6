"""Cards end on a day. OCPI has no such field, so we say that they are not valid as soon as the day is over.

Whoever first sees that it is, notes it: `Feed.standing`, read before each round of a lane, says so, and
`Feed.enforce` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import bindparam, exists, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.domain.token import Token
from rfid_station.errors import MoveNotAllowed
from rfid_station.store.card_rows import CARDS, card_of, card_row, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.moving import CHANGE, moved, note_state
from rfid_station.store.tables import MAY_EXPIRE, card, token
from rfid_station.store.told.telling import tell
from rfid_station.store.told.token_rows import token_from

CALENDAR = Actor("calendar", Role.SYSTEM)

AT_ONCE = 500
"""So many cards end in one transaction: others are to write in between."""

IS_ANY_DUE = exists().where(MAY_EXPIRE, card.c.valid_until < bindparam("today"))
"""Whether there is a card whose last day was before `today`, and nobody has noted it."""
_DUE = CARDS.where(MAY_EXPIRE, card.c.valid_until < bindparam("today")).limit(AT_ONCE)
_ENDING = CARDS.where(MAY_EXPIRE, card.c.valid_until <= bindparam("until"))
_TOKEN = select(token).where(token.c.card_id == bindparam("card_id"))


class Dates:
    """Until when cards may charge."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, card_id: int, until: date | None, actor: Actor) -> Card:
        """Let a card charge until a day, that one included, in UTC; None for no end.

        A day that is over ends it at once.

        :raises MoveNotAllowed: its life is over
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.valid_until == until:
                return before
            if before.state.is_final:
                raise MoveNotAllowed(
                    f"card {before.visual_number} is {before.state}, which is final",
                    hint=f"rfid-station card replace {before.visual_number}",
                )
            CHANGE.run(ledger.connection, {"card_id": card_id, "valid_until": until})
            ledger.note(
                "card.dated",
                subject_of(card_id),
                visual_number=before.visual_number,
                was=_text(before.valid_until),
                until=_text(until),
            )
        end_due(self._database)
        with self._database.read() as connection:
            return card_of(card_row(connection, card_id))

    def ending(self, until: date) -> list[Card]:
        """Cards whose last day comes by a day, the next ones first."""
        with self._database.read() as connection:
            rows = connection.execute(_ENDING.order_by(card.c.valid_until, card.c.id), {"until": until})
            return [card_of(row) for row in rows]


def end_due(database: Database) -> int:
    """End the cards whose last day is over, and owe partners the news; how many there were."""
    ended = 0
    while _is_due(database):
        with booking(database, CALENDAR) as ledger:
            today = {"today": ledger.at.date()}
            due = [card_of(row) for row in ledger.connection.execute(_DUE, today)]
            for one in due:
                _end(ledger, one)
        ended += len(due)
    return ended


def _is_due(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.execute(select(IS_ANY_DUE), {"today": database.clock().date()}).scalar_one())


def _end(ledger: Ledger, before: Card) -> None:
    after = moved(ledger, before, CardState.EXPIRED, Reason.DATE_PASSED)
    note_state(ledger, after, {"was": before.state, "reason": Reason.DATE_PASSED})
    tell(ledger, after, _not_valid(ledger, before))


def _not_valid(ledger: Ledger, ended: Card) -> Callable[[Card, datetime], Token]:
    """What partners were told of a card, and that it is not valid any more."""
    row = ledger.connection.execute(_TOKEN, {"card_id": ended.id}).one()
    known = token_from(row)
    return lambda _card, at: replace(known, valid=False, last_updated=at)


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
