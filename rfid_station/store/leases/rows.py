"""Rows of leases, read as values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, delete, select

from rfid_station.domain.lease import Lease
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.tables import lease

_LEASES = select(
    lease.c.place,
    lease.c.first_number,
    lease.c.next_number,
    lease.c.last_number,
    lease.c.leased_at,
    lease.c.leased_by,
)
_OF = Prepared(_LEASES.where(lease.c.place == bindparam("desk")))
_GIVEN_BACK = _LEASES.where(lease.c.place.is_(None)).order_by(lease.c.first_number)
_TAKE_OUT = delete(lease).where(lease.c.place.is_(None), lease.c.first_number == bindparam("first"))


def lease_of(connection: Connection, place: str) -> Lease | None:
    """What a desk holds; maybe all of it is given out."""
    row = _OF.first(connection, {"desk": place})
    return _read(row) if row else None


def oldest_given_back(connection: Connection) -> Lease | None:
    """The numbers that were given back and come first."""
    row = connection.execute(_GIVEN_BACK.limit(1)).one_or_none()
    return _read(row) if row else None


def take_out(connection: Connection, given_back: Lease) -> None:
    """Let numbers that were given back be somebody's."""
    connection.execute(_TAKE_OUT, {"first": given_back.first})


def all_leases(connection: Connection) -> list[Lease]:
    """Every lease, by its numbers."""
    return [_read(row) for row in connection.execute(_LEASES.order_by(lease.c.first_number))]


def values_of(held: Lease) -> dict[str, Any]:
    """A lease as its row."""
    return {
        "place": held.place,
        "first_number": held.first,
        "next_number": held.next,
        "last_number": held.last,
        "leased_at": held.leased_at,
        "leased_by": held.leased_by,
    }


def _read(row: Any) -> Lease:  # noqa: ANN401 - a row
    return Lease(*row)
