"""Numbers for many new cards, that no card and no plastic ever had."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict
from rfid_station.store.bulk.known import in_list
from rfid_station.store.bulk.new_cards import NewCard, Numbers
from rfid_station.store.ledger import Ledger
from rfid_station.store.tables import card, preprinted

MOST_DRAWS = 100
"""How often a number is drawn again because it is taken, before the pattern counts as full."""


class Drawn(NamedTuple):
    """The numbers of one card."""

    contract_id: ContractId
    contract: str
    """The same, compact."""
    visual_number: str
    visual_bare: str
    alias: str


def draw(ledger: Ledger, new: Sequence[NewCard], numbers: Numbers) -> list[Drawn]:
    """A contract, a visual number and an alias for each, that no card has ever had.

    Nobody draws the same alias of 60 bits twice; the table would refuse it.

    :raises Conflict: what is drawn is always taken
    """
    contracts = _contracts(ledger, len(new), numbers)
    given = {bare(one.visual_number) for one in new if one.visual_number}
    wanted = sum(not one.visual_number for one in new)
    visuals = iter(_visuals(ledger.connection, wanted, numbers, given))
    draw_alias = numbers.draw_alias
    return [
        Drawn(contract_id, contract, number, name, draw_alias())
        for (contract, contract_id), (name, number) in zip(
            contracts.items(), (_given(one.visual_number) or next(visuals) for one in new), strict=True
        )
    ]


def _given(visual_number: str | None) -> tuple[str, str] | None:
    return (bare(visual_number), visual_number) if visual_number else None


def _contracts(ledger: Ledger, count: int, numbers: Numbers) -> dict[str, ContractId]:
    """The next contracts by their names, without those that a card has from elsewhere."""
    found: dict[str, ContractId] = {}
    while len(found) < count:
        next_ones = map(numbers.contract_of, ledger.next_contracts(count - len(found)))
        named = {contract.compact: contract for contract in next_ones}
        for table in (card, preprinted):
            between = table.c.contract_id.between(min(named), max(named))
            for taken in (
                ledger.connection.execute(select(table.c.contract_id).where(between)).scalars().all()
            ):
                named.pop(taken, None)
        found |= named
    return found


def _visuals(
    connection: Connection, count: int, numbers: Numbers, given: Container[str]
) -> Iterable[tuple[str, str]]:
    """So many different visual numbers that no card has, each with its bare form in front."""
    found: dict[str, str] = {}
    for _ in range(MOST_DRAWS):
        if len(found) >= count:
            return found.items()
        drawn = [numbers.draw_visual() for _ in range(count - len(found))]
        fresh = {name: number for number in drawn if (name := bare(number)) not in given}
        for table in (card, preprinted):
            query = in_list(table.c.visual_bare, table.c.visual_bare)
            for taken in connection.execute(query, {"values": json.dumps(list(fresh))}).scalars().all():
                fresh.pop(taken, None)
        found |= fresh
    if len(found) >= count:
        return found.items()
    raise Conflict(
        f"no free visual number was found in {MOST_DRAWS} draws",
        hint="give desk.visual_number one # more in station.toml",
    )
