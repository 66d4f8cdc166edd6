"""Numbers on plastic between the tables and `domain.order`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select

from rfid_station.domain.card import Driver
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.order import Preprinted
from rfid_station.store.tables import driver, order_item, preprinted, work_order

PREPRINTED = select(
    preprinted,
    order_item.c.line,
    order_item.c.valid_until,
    order_item.c.driver_id,
    work_order.c.name.label("order_name"),
    driver.c.name.label("driver_name"),
    driver.c.reference,
    driver.c.fleet,
    driver.c.language,
).select_from(
    preprinted.outerjoin(work_order, work_order.c.id == preprinted.c.order_id)
    .outerjoin(order_item, order_item.c.id == preprinted.c.order_item_id)
    .outerjoin(driver, driver.c.id == order_item.c.driver_id)
)


def preprinted_of(row: Row[Any]) -> Preprinted:
    """Numbers on plastic, from a row of `PREPRINTED`."""
    whom = None
    if row.driver_id is not None:
        whom = Driver(row.driver_name, row.reference, row.fleet, row.language)
    return Preprinted(
        id=row.id,
        contract_id=parse_contract_id(row.contract_id),
        visual_number=row.visual_number,
        alias=row.alias,
        line=row.line,
        order=row.order_name,
        driver=whom,
        valid_until=row.valid_until,
        card_id=row.card_id,
        spoil_reason=None if row.spoiled_at is None else row.spoil_reason or "",
    )


def preprinted_subject(preprinted_id: int) -> str:
    """What the audit log calls plastic without a chip."""
    return f"preprinted:{preprinted_id}"
