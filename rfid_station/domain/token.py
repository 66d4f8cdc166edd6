"""What a partner is told about a card: the OCPI token, one for all protocol versions.

Facts that every version shares (2.1.1, 2.2.1, 2.3.0: module Tokens); how each writes them
is the business of `ocpi.wire`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from rfid_station.domain.card import Card, CardState
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.uid import CardUid


class TokenType(StrEnum):
    """What kind of medium a token stands for."""

    RFID = "RFID"


class Whitelist(StrEnum):
    """How a CPO must decide about a token (OCPI 2.2.1, mod_tokens 5.3)."""

    ALWAYS = "ALWAYS"
    ALLOWED = "ALLOWED"
    ALLOWED_OFFLINE = "ALLOWED_OFFLINE"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class Party:
    """An OCPI party: ISO 3166-1 alpha-2 country code and a party id of three characters."""

    country_code: str
    party_id: str

    def __str__(self) -> str:
        return f"{self.country_code}-{self.party_id}"


@dataclass(frozen=True, slots=True)
class Token:
    """One token in its newest state. `last_updated` is in UTC and whole seconds."""

    party: Party
    uid: CardUid
    contract_id: ContractId
    visual_number: str
    issuer: str
    valid: bool
    whitelist: Whitelist
    last_updated: datetime
    type: TokenType = TokenType.RFID
    group_id: str | None = None
    language: str | None = None


def token_of(card: Card, party: Party, issuer: str, whitelist: Whitelist, at: datetime) -> Token:
    """Tell partners about a card: valid only while the card is active."""
    return Token(
        party=party,
        uid=card.uid,
        contract_id=card.contract_id,
        visual_number=card.visual_number,
        issuer=issuer,
        valid=card.state is CardState.ACTIVE,
        whitelist=whitelist,
        last_updated=at,
        language=card.driver.language if card.driver else None,
        group_id=card.group_id,
    )


def next_stamp(previous: datetime | None, now: datetime) -> datetime:
    """The `last_updated` of a change: whole seconds in UTC, later than the one before.

    Partners cut fractions off, so two changes within a second must not look equal; and a
    clock that was set back must not make a block look older than what it blocks.
    """
    second = now.astimezone(UTC).replace(microsecond=0)
    if previous is None:
        return second
    return max(second, previous.astimezone(UTC) + timedelta(seconds=1))


def takes_rights_away(before: Token | None, after: Token) -> bool:
    """Whether a partner who misses this change would let somebody charge who may not."""
    if before is None:
        return False
    return (before.valid and not after.valid) or (
        before.whitelist is not Whitelist.NEVER and after.whitelist is Whitelist.NEVER
    )
