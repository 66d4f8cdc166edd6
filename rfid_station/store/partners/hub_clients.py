"""Parties behind hubs, each in the newest state that its hub told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from rfid_station.domain.hub_client import ConnectionStatus, HubClient
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict
from rfid_station.store.engines.engine import Database
from rfid_station.store.partners.partner_rows import partner_row
from rfid_station.store.tables import hub_client

MOST_CLIENTS = 10_000
"""Of one hub."""


class HubClients:
    """The parties behind every hub. An `ocpi.port.HubClientBook`."""

    def __init__(self, database: Database, most: int = MOST_CLIENTS) -> None:
        self._database = database
        self._most = most

    def put(self, hub: str, client: HubClient) -> None:
        """Keep what a hub tells, unless something newer is known; what is known already costs no write.

        :raises Conflict: it tells of more parties than there can be
        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            if not self._is_news(connection, hub, client):
                return
        with self._database.write() as connection:
            if self._is_news(connection, hub, client):
                self._write(connection, hub, client)

    def get(self, hub: str, party: Party) -> HubClient | None:
        """What a hub told of one party; the newest, if it has several roles."""
        told = [one for one in self.all(hub) if one.party == party]
        return max(told, key=lambda one: one.last_updated, default=None)

    def all(self, hub: str) -> list[HubClient]:
        """Everything that a hub told, in order of its parties.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            of_hub = hub_client.c.partner_id == partner_row(connection, hub).id
            rows = connection.execute(
                select(hub_client)
                .where(of_hub)
                .order_by(hub_client.c.country_code, hub_client.c.party_id, hub_client.c.role)
            )
            return [_client_from(row) for row in rows]

    def _is_news(self, connection: Connection, hub: str, client: HubClient) -> bool:
        row = connection.execute(select(hub_client).where(*_key(connection, hub, client))).one_or_none()
        if row is None:
            return True
        known = _client_from(row)
        return known != client and known.last_updated <= client.last_updated

    def _write(self, connection: Connection, hub: str, client: HubClient) -> None:
        connection.execute(delete(hub_client).where(*_key(connection, hub, client)))
        partner_id = partner_row(connection, hub).id
        count = select(func.count()).where(hub_client.c.partner_id == partner_id)
        if connection.execute(count).scalar_one() >= self._most:
            raise Conflict(f"hub {hub} tells of more than {self._most} parties")
        connection.execute(
            insert(hub_client).values(
                partner_id=partner_id,
                country_code=client.party.country_code,
                party_id=client.party.party_id,
                role=client.role,
                status=client.status.value,
                last_updated=client.last_updated,
            )
        )


def _key(connection: Connection, hub: str, client: HubClient) -> tuple[Any, ...]:
    return (
        hub_client.c.partner_id == partner_row(connection, hub).id,
        hub_client.c.country_code == client.party.country_code,
        hub_client.c.party_id == client.party.party_id,
        hub_client.c.role == client.role,
    )


def _client_from(row: Row[Any]) -> HubClient:
    return HubClient(
        Party(row.country_code, row.party_id), row.role, ConnectionStatus(row.status), row.last_updated
    )
