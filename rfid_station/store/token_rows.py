"""Tokens between the table and `domain.token`, and the one place where a change gets its revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update

from rfid_station.domain.card import Card
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.token import Party, Token, TokenType, Whitelist, next_stamp, takes_rights_away
from rfid_station.domain.uid import CardUid
from rfid_station.store.ledger import Ledger
from rfid_station.store.tables import token

TokenOf = Callable[[Card, datetime], Token]
"""Tells what partners are to know about a card, from a `last_updated` on."""

_OF_UID = select(token).where(token.c.uid == bindparam("uid"), token.c.type == bindparam("type"))
_INSERT = insert(token)
_REPLACE = update(token).where(token.c.id == bindparam("token_id"))


def tell(ledger: Ledger, card: Card, token_of: TokenOf) -> int:
    """Bring a card's token to its newest state and return the revision of the change.

    A token belongs to its UID: a card that was spoiled before it could charge leaves its token to
    the next card with the same UID, since partners know tokens by nothing else.
    """
    wanted = {"uid": card.uid.hex, "type": TokenType.RFID.value}
    known = ledger.connection.execute(_OF_UID, wanted).one_or_none()
    before = token_from(known) if known else None
    at = next_stamp(before.last_updated if before else None, ledger.at)
    after = token_of(card, at)
    urgent = takes_rights_away(before, after) or bool(
        known and known.urgent and not _gives_back(before, after)
    )
    revision = ledger.next_revision()
    values = {**_columns(after), "card_id": card.id, "urgent": urgent, "revision": revision}
    if known:
        ledger.connection.execute(_REPLACE, {"token_id": known.id, **values})
    else:
        ledger.connection.execute(_INSERT, {"created_seq": ledger.next_token(), **values})
    return revision


def _gives_back(before: Token | None, after: Token) -> bool:
    """Whether the urgency of an earlier block is over.

    Until then every later change stays urgent: a partner may not have heard of the block yet, and
    the feed shows it nothing but this newest state.
    """
    return before is not None and takes_rights_away(after, before)


def token_from(row: Row[Any]) -> Token:
    """A token from a row of the table."""
    return Token(
        party=Party(row.country_code, row.party_id),
        uid=CardUid(bytes.fromhex(row.uid)),
        contract_id=parse_contract_id(row.contract_id),
        visual_number=row.visual_number,
        issuer=row.issuer,
        valid=row.valid,
        whitelist=Whitelist(row.whitelist),
        last_updated=row.last_updated,
        type=TokenType(row.type),
        group_id=row.group_id,
        language=row.language,
    )


def _columns(told: Token) -> dict[str, Any]:
    return {
        "type": told.type.value,
        "uid": told.uid.hex,
        "country_code": told.party.country_code,
        "party_id": told.party.party_id,
        "contract_id": told.contract_id.compact,
        "visual_number": told.visual_number,
        "issuer": told.issuer,
        "group_id": told.group_id,
        "valid": told.valid,
        "whitelist": told.whitelist.value,
        "language": told.language,
        "last_updated": told.last_updated,
    }
