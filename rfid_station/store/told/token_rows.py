"""Tokens between the table and `domain.token`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from rfid_station.domain.contract_id import contract_of_compact
from rfid_station.domain.token import Party, Token, TokenType, Whitelist
from rfid_station.domain.uid import CardUid

TOKEN_FIELDS = (
    "country_code",
    "party_id",
    "uid",
    "contract_id",
    "visual_number",
    "issuer",
    "valid",
    "whitelist",
    "last_updated",
    "type",
    "group_id",
    "language",
)
"""The columns that make a token, in the order in which `token_of_fields` takes them."""

_fields_of = attrgetter(*TOKEN_FIELDS)
_party = lru_cache(Party)
_WHITELISTS = {one.value: one for one in Whitelist}
_TYPES = {one.value: one for one in TokenType}


def token_from(row: Row[Any]) -> Token:
    """A token from a row of the table."""
    return token_of_fields(_fields_of(row))


def token_of_fields(fields: Iterable[Any]) -> Token:
    """A token from the values of `TOKEN_FIELDS`."""
    country, party, uid, contract, number, issuer, valid, whitelist, at, kind, group, language = fields
    return Token(
        _party(country, party),
        CardUid(bytes.fromhex(uid)),
        contract_of_compact(contract),
        number,
        issuer,
        valid,
        _WHITELISTS[whitelist],
        at,
        _TYPES[kind],
        group,
        language,
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
