"""A driver's row, made inside a transaction that others have begun."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from rfid_station.domain.card import Driver
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.search import search_text
from rfid_station.store.tables import driver

_INSERT = Prepared(insert(driver).values(id=next_id(driver)).returning(driver.c.id))


def add_driver(connection: Connection, whom: Driver) -> int:
    """Keep a person, and return the row's number."""
    values = {
        "name": whom.name,
        "reference": whom.reference,
        "fleet": whom.fleet,
        "language": whom.language,
        "search_text": search_text(whom),
    }
    ((driver_id,),) = _INSERT.rows(connection, values)
    return int(driver_id)
