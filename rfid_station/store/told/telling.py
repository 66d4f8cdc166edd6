"""What partners are told about a card changes: the one place where a change gets its revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from rfid_station.domain.card import Card
from rfid_station.domain.token import Token, TokenType, takes_rights_away
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger
from rfid_station.store.partners.covers import note_group
from rfid_station.store.tables import token
from rfid_station.store.told.token_rows import token_columns, token_from

TokenOf = Callable[[Card, datetime], Token]
"""Tells what partners are to know about a card, from a `last_updated` on."""

_OF_UID = Prepared(select(token).where(token.c.uid == bindparam("uid"), token.c.type == bindparam("type")))
_INSERT = Prepared(insert(token).values(id=next_id(token)).inline())
_REPLACE = Prepared(update(token).where(token.c.id == bindparam("token_id")))


def tell(ledger: Ledger, card: Card, token_of: TokenOf) -> int:
    """Bring a card's token to its newest state and return the revision of the change.

    A token belongs to its UID: a card that was spoiled before it could charge leaves its token to
    the next card with the same UID, since partners know tokens by nothing else.
    """
    wanted = {"uid": card.uid.hex, "type": TokenType.RFID.value}
    known = _OF_UID.first(ledger.connection, wanted)
    before = token_from(known) if known else None
    at = ledger.stamp(before.last_updated if before else None)
    after = token_of(card, at)
    urgent = takes_rights_away(before, after) or bool(
        known and known.urgent and not _gives_back(before, after)
    )
    revision = ledger.next_revision()
    values = {**token_columns(after), "card_id": card.id, "urgent": urgent, "revision": revision}
    if known is None or known.card_group != card.group:
        values |= {"card_group": card.group, "grouped_at": revision}
    if known and known.card_group != card.group:
        note_group(ledger, known, card.group, revision, at)
    if known:
        _REPLACE.run(ledger.connection, {"token_id": known.id, **values})
    else:
        _INSERT.run(ledger.connection, {"created_seq": ledger.next_token(), **values})
    return revision


def _gives_back(before: Token | None, after: Token) -> bool:
    """Whether the urgency of an earlier block is over.

    Until then every later change stays urgent: a partner may not have heard of the block yet, and
    the feed shows it nothing but this newest state.
    """
    return before is not None and takes_rights_away(after, before)
