"""Cards between the tables and `domain.card`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select, union_all

from rfid_station.domain.card import Card, CardState, Claim, Driver, Reason, Replacement, ReplaceWhen
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.errors import WrongCall
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.tables import IS_LIVING, card, driver

CARDS = select(card, driver.c.name, driver.c.reference, driver.c.fleet, driver.c.language).select_from(
    card.outerjoin(driver)
)
_WITH_UID = CARDS.where(card.c.uid == bindparam("uid"), IS_LIVING)
_FOR_LINE = CARDS.where(card.c.order_line == bindparam("line"), IS_LIVING)
LIVING_WITH_UID = Prepared(_WITH_UID)
LIVING_FOR_LINE = Prepared(_FOR_LINE)
RIVALS = Prepared(union_all(_WITH_UID, _FOR_LINE))
"""The living cards that have a UID or an order line."""
_BY_ID = Prepared(CARDS.where(card.c.id == bindparam("card_id")))


def subject_of(card_id: int) -> str:
    """What the audit log calls a card."""
    return f"card:{card_id}"


def card_of(row: Any) -> Card:  # noqa: ANN401 - a row
    """A card from a row of `CARDS`."""
    return Card(
        id=row.id,
        uid=CardUid(bytes.fromhex(row.uid)),
        chip=row.chip,
        profile=row.profile,
        state=CardState(row.state),
        reason=Reason(row.reason) if row.reason else None,
        contract_id=parse_contract_id(row.contract_id),
        visual_number=row.visual_number,
        alias=row.alias,
        order_line=row.order_line,
        driver=_driver_of(row),
        changed_at=row.changed_at,
        plan_digest=row.plan_digest,
        key=KeyRef(row.key_id, row.key_version) if row.key_id else None,
        group=row.card_group,
        replaces=row.replaces_id,
        replacement=_replacement_of(row),
        valid_until=row.valid_until,
        claim=Claim(row.claim_attempts) if row.claim_hash else None,
        lot=row.lot_id,
        group_id=row.group_id,
    )


def card_row(connection: Connection, card_id: int) -> Any:  # noqa: ANN401 - a row
    """The row of one card.

    :raises WrongCall: there is none
    """
    row = _BY_ID.first(connection, {"card_id": card_id})
    if row is None:
        raise WrongCall(f"there is no card with id {card_id}", hint="rfid-station card list")
    return row


def first_card(connection: Connection, query: Prepared, **wanted: str) -> Card | None:
    """The one card that a query finds, if there is one."""
    row = query.first(connection, wanted)
    return card_of(row) if row else None


def successor_of(connection: Connection, old: Card) -> Card | None:
    """The card that replaces, or is to replace, another: not a spoiled one."""
    query = CARDS.where(
        card.c.contract_id == old.contract_id.compact, card.c.replaces_id == old.id, IS_LIVING
    )
    row = connection.execute(query).first()
    return card_of(row) if row else None


def _replacement_of(row: Any) -> Replacement | None:  # noqa: ANN401
    if row.replace_when is None:
        return None
    return Replacement(ReplaceWhen(row.replace_when), Reason(row.replace_reason))


def _driver_of(row: Any) -> Driver | None:  # noqa: ANN401
    if row.driver_id is None:
        return None
    return Driver(name=row.name, reference=row.reference, fleet=row.fleet, language=row.language)
