"""Partners between the tables and `domain.partner`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.contact import Contact, Pause
from rfid_station.domain.partner import Connection as PartnerConnection
from rfid_station.domain.partner import Endpoint, Partner, PartnerState, profile_table
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.service_level import ServiceLevel
from rfid_station.domain.token import Party, Whitelist
from rfid_station.errors import WrongCall
from rfid_station.store.chain import canonical_json
from rfid_station.store.tables import partner

_BY_NAME = select(partner).where(partner.c.name == bindparam("of"))


def partner_row(connection: Connection, name: str) -> Row[Any]:
    """The row of one partner.

    :raises WrongCall: there is none with this name
    """
    row = connection.execute(_BY_NAME, {"of": name}).one_or_none()
    if row is None:
        names = connection.execute(select(partner.c.name).order_by(partner.c.name)).scalars().all()
        known = f"known partners: {', '.join(names)}" if names else "rfid-station partner add --help"
        raise WrongCall(f"there is no partner {name!r}", hint=known)
    return row


def owed_anew() -> dict[str, int | ColumnElement[int]]:
    """What changes in a partner's row when it is owed everything anew."""
    return {"bulk_cursor": 0, "urgent_cursor": 0, "resync_no": partner.c.resync_no + 1}


def partner_from(row: Row[Any]) -> Partner:
    """A partner from its row."""
    return Partner(
        name=row.name,
        state=PartnerState(row.state),
        versions_url=row.versions_url,
        client_token_ref=row.client_token_ref,
        agreement=agreement_of(row),
        connection=_connection_from(row.connection) if row.connection else None,
        profile=profile_from(row.profile, row.profile_table),
        is_ending=row.is_ending,
    )


def agreement_of(row: Row[Any]) -> Agreement:
    """An agreement from its partner's row."""
    return Agreement(
        since=row.since,
        until=row.until,
        whitelist=Whitelist(row.whitelist) if row.whitelist else None,
        groups=None if row.groups is None else frozenset(json.loads(row.groups)),
        level=ServiceLevel(timedelta(seconds=row.block_within_s), timedelta(seconds=row.new_within_s)),
    )


def contact_of(row: Row[Any]) -> Contact:
    """How a partner was last met, from its row."""
    return Contact(row.down_since, row.last_success_at, row.last_pull_at, pause_of(row))


def pause_of(row: Row[Any]) -> Pause | None:
    """By whose word a partner is left alone, from its row."""
    return Pause(row.paused_at, row.paused_by or "", row.pause_reason or "") if row.paused_at else None


def agreement_columns(agreement: Agreement) -> dict[str, Any]:
    """An agreement as the columns of its partner."""
    return {
        "since": agreement.since,
        "until": agreement.until,
        "whitelist": agreement.whitelist,
        "groups": None if agreement.groups is None else canonical_json(sorted(agreement.groups)),
        "block_within_s": int(agreement.level.block_within.total_seconds()),
        "new_within_s": int(agreement.level.new_within.total_seconds()),
    }


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
