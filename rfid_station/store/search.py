"""Any number in any form finds its card.

Numbers are looked up by index. Only the name of a driver is searched for by reading all drivers.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, or_, select

from rfid_station.domain.card import Card, CardState, Driver
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.uid import readings
from rfid_station.domain.visual_number import bare
from rfid_station.errors import WrongCall
from rfid_station.store.card_rows import CARDS, card_of
from rfid_station.store.tables import card, driver

_LONGEST_UID = 64
"""Characters a UID may take in any writing; longer text is not read as one."""


@dataclass(frozen=True, slots=True)
class _Clues:
    """What a text may stand for, each list with the most literal reading first."""

    visual: str
    contracts: list[str]
    uids: list[str]
    aliases: list[str]

    def rank(self, row: Row[Any]) -> tuple[int, int]:
        """How literally a card was asked for; the lowest first."""
        if row.visual_bare == self.visual:
            return (0, 0)
        if row.contract_id in self.contracts:
            return (1, self.contracts.index(row.contract_id))
        if row.uid in self.uids:
            return (2, self.uids.index(row.uid))
        return (3, 0)


def find_cards(connection: Connection, text: str) -> list[Card]:
    """Every card a text may mean: by number first, then by driver.

    Among cards of the same rank a living one comes before a spoiled one, a newer before an older.
    """
    wanted = _storable(text).strip()
    if not wanted:
        return []
    found = _by_number(connection, wanted) + _by_driver(connection, wanted)
    return list({one.id: one for one in found}.values())


def search_text(whom: Driver) -> str:
    """What a driver is found by."""
    return _folded(f"{whom.name}\n{whom.reference}")


def _by_number(connection: Connection, text: str) -> list[Card]:
    clues = _Clues(bare(text), _contracts(text), _uids(text), _aliases(text))
    rows = connection.execute(
        CARDS.where(
            or_(
                card.c.visual_bare == clues.visual,
                card.c.contract_id.in_(clues.contracts),
                card.c.uid.in_(clues.uids),
                card.c.alias.in_(clues.aliases),
            )
        )
    )
    ordered = sorted(rows, key=lambda row: (clues.rank(row), row.state == CardState.SPOILED, -row.id))
    return [card_of(row) for row in ordered]


def _by_driver(connection: Connection, text: str) -> list[Card]:
    drivers = select(driver.c.id).where(driver.c.search_text.contains(_folded(text), autoescape=True))
    rows = connection.execute(CARDS.where(card.c.driver_id.in_(drivers)).order_by(driver.c.name, card.c.id))
    return [card_of(row) for row in rows]


def _contracts(text: str) -> list[str]:
    """The contract as written, and a DIN contract also in its eMI3 form."""
    try:
        contract = parse_contract_id(bare(text))
    except WrongCall:
        return []
    return list(dict.fromkeys([contract.compact, contract.to_emi3().compact]))


def _uids(text: str) -> list[str]:
    return [raw.hex().upper() for raw in readings(text)] if len(text) <= _LONGEST_UID else []


def _aliases(text: str) -> list[str]:
    """An alias as it stands, or as the end of a card's link; typed in small letters, too."""
    try:
        path = urlsplit(text).path
    except ValueError:
        path = text
    end = path.rstrip("/").rsplit("/", 1)[-1]
    return list(dict.fromkeys([text, end, end.upper()]))


def _storable(text: str) -> str:
    """The text without half characters, which a terminal may pass on and no database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
