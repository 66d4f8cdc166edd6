"""A card's row changed, inside a transaction that others have begun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, update

from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.store.card_rows import subject_of
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.ledger import Ledger
from rfid_station.store.stock.entries import follow
from rfid_station.store.tables import card

CHANGE = Prepared(update(card).where(card.c.id == bindparam("card_id")))


def moved(ledger: Ledger, before: Card, to: CardState, reason: Reason | None, **columns: Any) -> Card:  # noqa: ANN401
    """Write a card's new state, and other columns with it; its blank goes along."""
    after = replace(before, state=to, reason=reason, changed_at=ledger.at)
    values = {"state": to.value, "reason": reason, "changed_at": ledger.at, **columns}
    CHANGE.run(ledger.connection, {"card_id": before.id, **values})
    follow(ledger, before, to)
    return after


def note_state(ledger: Ledger, now: Card, data: Mapping[str, object] | None = None) -> None:
    """Witness the state a card has come to."""
    ledger.note(f"card.{now.state}", subject_of(now.id), visual_number=now.visual_number, **(data or {}))
