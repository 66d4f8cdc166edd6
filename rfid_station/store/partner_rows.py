"""Partners between the tables and `domain.partner`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, select

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Connection as PartnerConnection
from rfid_station.domain.partner import Endpoint, Partner, PartnerState, profile_table
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party, Whitelist
from rfid_station.errors import WrongCall
from rfid_station.store.chain import canonical_json
from rfid_station.store.tables import partner


def partner_row(connection: Connection, name: str) -> Row[Any]:
    """The row of one partner.

    :raises WrongCall: there is none with this name
    """
    row = connection.execute(select(partner).where(partner.c.name == name)).one_or_none()
    if row is None:
        names = connection.execute(select(partner.c.name).order_by(partner.c.name)).scalars().all()
        known = f"known partners: {', '.join(names)}" if names else "rfid-station partner add --help"
        raise WrongCall(f"there is no partner {name!r}", hint=known)
    return row


def partner_from(row: Row[Any]) -> Partner:
    """A partner from its row."""
    return Partner(
        name=row.name,
        state=PartnerState(row.state),
        versions_url=row.versions_url,
        client_token_ref=row.client_token_ref,
        agreement=Agreement(row.since, row.until, Whitelist(row.whitelist) if row.whitelist else None),
        connection=_connection_from(row.connection) if row.connection else None,
        profile=profile_from(row.profile, row.profile_table),
    )


def profile_columns(profile: PartnerProfile) -> dict[str, str]:
    """A profile as the columns of its partner."""
    return {"profile": profile.name, "profile_table": canonical_json(profile_table(profile))}


@lru_cache(maxsize=256)
def profile_from(name: str, table: str) -> PartnerProfile:
    """A profile from its columns. Kept, because every request of a partner asks for it."""
    return PartnerProfile.from_table(name, json.loads(table))


def connection_text(connection: PartnerConnection) -> str:
    """A connection as the table keeps it."""
    return canonical_json(asdict(connection))


def _connection_from(text: str) -> PartnerConnection:
    kept = json.loads(text)
    return PartnerConnection(
        version=kept["version"],
        versions_url=kept["versions_url"],
        endpoints=tuple(Endpoint(**endpoint) for endpoint in kept["endpoints"]),
        parties=tuple(Party(**party) for party in kept["parties"]),
    )
