"""What the page of a card asks and keeps: the card behind a link, and how far its taps have counted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BindParameter, Connection, bindparam, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Role
from rfid_station.store.blocks import blocked_by
from rfid_station.store.card_rows import CARDS, card_row, first_card, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.tables import card, tap

_WITH_ALIAS = Prepared(CARDS.where(card.c.alias == bindparam("alias")))
_TAP = select(tap).where(tap.c.card_id == bindparam("card_id"))
_NEW_TAP = insert(tap)
_OF_CARD = tap.c.card_id == bindparam("of_card")
_NOW: BindParameter[int] = bindparam("now")
_RAISE = update(tap).where(_OF_CARD, tap.c.counter < _NOW).values(counter=_NOW)
_SPEND = update(tap).where(_OF_CARD, tap.c.counter == _NOW, tap.c.spent < _NOW).values(spent=_NOW)
_NO_CARD = 0


class TapFault(StrEnum):
    """Why a link with a proof proves nothing."""

    REPLAYED = "replayed"
    """It is the newest tap that was seen, once more."""
    ROLLED_BACK = "rolled_back"
    """It is older than a tap that was seen."""
    TRUNCATED = "truncated"
    """A part of it is missing, or too long."""
    FOREIGN = "foreign"
    """Another card, or another key, made it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A card, and who blocked it last."""

    card: Card
    blocked_by: Role | None


class CardPages:
    """Cards by their links, and the counters of taps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look_up(self, alias: str) -> Seen | None:
        """The card behind a link. One that is not there costs the same statements as one that is."""
        with self._database.read() as connection:
            found = first_card(connection, _WITH_ALIAS, alias=alias)
            blocker = blocked_by(connection, found.id if found else _NO_CARD)
        return Seen(found, blocker) if found else None

    def note_tap(self, card_id: int, counter: int, actor: Actor) -> TapFault | None:
        """Take the counter of a proven tap, which has to be above every one before; what is wrong if not.

        A tap that was seen before is an event of the audit log.

        :raises WrongCall: there is no such card
        """
        with booking(self._database, actor) as ledger:
            card_row(ledger.connection, card_id)
            seen = _counter(ledger.connection, card_id)
            if seen is None:
                first = {"card_id": card_id, "counter": counter, "spent": 0}
                ledger.connection.execute(_NEW_TAP, first)
                return None
            raised = ledger.connection.execute(_RAISE, {"of_card": card_id, "now": counter})
            if raised.rowcount:
                return None
            fault = TapFault.REPLAYED if counter == seen else TapFault.ROLLED_BACK
            _note_refused(ledger, card_id, fault, counter=counter, seen=seen)
            return fault

    def note_refused(self, card_id: int, fault: TapFault, actor: Actor) -> None:
        """Witness a link that proves nothing.

        :raises WrongCall: there is no such card
        """
        with booking(self._database, actor) as ledger:
            card_row(ledger.connection, card_id)
            _note_refused(ledger, card_id, fault)

    def spend(self, card_id: int, counter: int, actor: Actor) -> bool:
        """Use what one tap permits. It permits one thing, and only the newest tap permits any."""
        with booking(self._database, actor) as ledger:
            used = ledger.connection.execute(_SPEND, {"of_card": card_id, "now": counter})
            if used.rowcount:
                ledger.note("card.tap_used", subject_of(card_id), counter=counter)
            return used.rowcount > 0


def _counter(connection: Connection, card_id: int) -> int | None:
    row = connection.execute(_TAP, {"card_id": card_id}).one_or_none()
    return None if row is None else int(row.counter)


def _note_refused(ledger: Ledger, card_id: int, fault: TapFault, **data: int) -> None:
    ledger.note("card.tap_refused", subject_of(card_id), why=f"{fault}", **data)
