"""Numbers of new cards: a contract, a visual number and an alias that neither a card nor plastic ever had."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, or_, select, union_all

from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.ledger import Ledger
from rfid_station.store.tables import card, preprinted

MOST_DRAWS = 100
"""How often a number is drawn again because it is taken, before the pattern counts as full."""

_UNIQUE = ("contract_id", "visual_bare", "alias")
_WITH_NUMBER = Prepared(
    union_all(
        *(
            select(*(table.c[name] for name in _UNIQUE)).where(
                or_(*(table.c[name] == bindparam(name) for name in _UNIQUE))
            )
            for table in (card, preprinted)
        )
    )
)


@dataclass(frozen=True, slots=True)
class Draws:
    """Where new numbers come from. The contract is asked for first."""

    contract_of: Callable[[int], ContractId]
    """Called with the next number that no contract has had."""
    visual: Callable[[], str]
    alias: Callable[[], str]


def draw_numbers(ledger: Ledger, draws: Draws) -> tuple[ContractId, str, str]:
    """A contract, a visual number and an alias that nobody has ever had. What is taken is drawn again.

    :raises Conflict: what is drawn is always taken
    """
    contract_id = draws.contract_of(ledger.next_contract())
    visual_number, alias = draws.visual(), draws.alias()
    for _ in range(MOST_DRAWS):
        wanted = {"contract_id": contract_id.compact, "visual_bare": bare(visual_number), "alias": alias}
        taken = _taken(ledger.connection, wanted)
        if not taken:
            return contract_id, visual_number, alias
        if "contract_id" in taken:
            contract_id = draws.contract_of(ledger.next_contract())
        if "visual_bare" in taken:
            visual_number, refused = draws.visual(), visual_number
            if visual_number == refused:  # It follows the contract, and is drawn anew after that.
                contract_id = draws.contract_of(ledger.next_contract())
        if "alias" in taken:
            alias = draws.alias()
    raise Conflict(
        f"no free number was found in {MOST_DRAWS} draws; the last was {visual_number} for {contract_id}",
        hint="give desk.visual_number one # more in station.toml",
    )


def _taken(connection: Connection, wanted: Mapping[str, str]) -> set[str]:
    """Which of the wanted numbers are on a card, living or not, or on plastic."""
    rows = _WITH_NUMBER.rows(connection, wanted)
    return {name for name, value in wanted.items() if any(getattr(row, name) == value for row in rows)}
