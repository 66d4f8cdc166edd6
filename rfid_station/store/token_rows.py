"""Tokens between the table and `domain.token`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.token import Party, Token, TokenType, Whitelist
from rfid_station.domain.uid import CardUid


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


def token_columns(told: Token) -> dict[str, Any]:
    """A token as the columns of its row."""
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
