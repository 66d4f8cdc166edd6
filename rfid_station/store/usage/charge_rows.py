"""Charges between the table and `domain.charge`, and which card a told token is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, not_, or_, select

from rfid_station.domain.card import CardState
from rfid_station.domain.charge import AfterStop, Charge, ChargeKind, Cost, Place, Stop, ToldToken, plain
from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.token import Party, Whitelist
from rfid_station.errors import WrongCall
from rfid_station.store.chain import canonical_json
from rfid_station.store.tables import card, charge, driver, moment_text, partner, token

_CDR = charge.alias("cdr")

IS_SETTLED: ColumnElement[bool] = and_(
    charge.c.kind == ChargeKind.SESSION.value,
    exists().where(
        _CDR.c.kind == ChargeKind.CDR.value,
        _CDR.c.partner_id == charge.c.partner_id,
        _CDR.c.card_id == charge.c.card_id,
        or_(_CDR.c.session_id == charge.c.told_as, _CDR.c.began == charge.c.began),
    ),
)
"""Whether a session of ours has its CDR: then that is the charge, and the session would count it twice. 2.1.1
does not say to which session a CDR belongs, so those are one that began at the same second."""

CHARGES = select(
    charge, partner.c.name.label("partner"), card.c.visual_number, driver.c.fleet, driver.c.reference
).select_from(charge.join(partner).outerjoin(card).outerjoin(driver))
ONCE = CHARGES.where(not_(IS_SETTLED))
"""Each charge once: its CDR, or its session as long as there is none."""


@dataclass(frozen=True, slots=True)
class KeptCharge:
    """A charge, and what we know of it beyond what its CPO says."""

    charge: Charge
    partner: str
    card_id: int | None
    number: str | None
    """The card's visual number; None where the token is not one of ours."""
    fleet: str | None
    reference: str | None
    """Of the card's driver, if it has one."""
    received_at: datetime
    after_stop: AfterStop | None
    is_alarm: bool
    refused: int
    refused_at: datetime | None
    refused_fields: str | None


def card_of_token(connection: Connection, told: ToldToken, began: datetime) -> int | None:
    """Which card of ours a told token is; None for a token that is unknown, or somebody else's.

    By its UID. 2.1.1 names the contract alone: of the cards on it, the one that was the newest at that time.
    """
    for uid in told.readings:
        row = connection.execute(
            select(token.c.card_id, token.c.country_code, token.c.party_id).where(
                token.c.uid == uid, token.c.type == told.type
            )
        ).one_or_none()
        if row and told.party in (None, Party(row.country_code, row.party_id)):
            return int(row.card_id)
    return _card_of_contract(connection, told.contract, began) if told.uid is None else None


def _card_of_contract(connection: Connection, contract: str, began: datetime) -> int | None:
    try:
        compact = parse_contract_id(contract).compact
    except WrongCall:
        return None
    query = (
        select(card.c.id, card.c.created_at)
        .join_from(card, token)
        .where(card.c.contract_id == compact)
        .order_by(card.c.contract_card)
    )
    cards = connection.execute(query).all()
    there = [row for row in cards if row.created_at <= began]
    newest = there[-1] if there else next(iter(cards), None)
    return int(newest.id) if newest else None


def charge_columns(told: Charge, card_id: int | None, after: AfterStop | None) -> dict[str, Any]:
    """A charge as columns of its table."""
    return {
        "kind": told.kind.value,
        "country_code": told.party.country_code,
        "party_id": told.party.party_id,
        "their_id": told.id,
        "told_as": told.id.upper(),
        "session_id": told.session_id.upper() if told.session_id else None,
        "began": told.began,
        "ended": told.ended,
        "energy_kwh": plain(told.energy_kwh),
        "cost_excl": plain(told.cost.excl) if told.cost else None,
        "cost_incl": plain(told.cost.incl) if told.cost and told.cost.incl is not None else None,
        "currency": told.cost.currency if told.cost else None,
        "location": told.place.location,
        "evse": told.place.evse,
        "country": told.place.country,
        "auth_method": told.auth_method,
        "authorization_reference": told.authorization_reference,
        "status": told.status,
        "is_credit": told.is_credit,
        "token_uid": told.token.uid,
        "token_type": told.token.type,
        "contract": told.token.contract,
        "card_id": card_id,
        "last_updated": told.last_updated,
        "version": told.version,
        "told": told.told,
        "is_alarm": bool(after and after.is_alarm),
        "stop": _stop_text(after.stop) if after else None,
    }


def kept_charge(row: Row[Any]) -> KeptCharge:
    """A charge from a row of `CHARGES`."""
    told = _charge_of(row)
    return KeptCharge(
        told,
        row.partner,
        row.card_id,
        row.visual_number,
        row.fleet,
        row.reference,
        row.received_at,
        AfterStop(_stop_of(row.stop), told.began) if row.stop else None,
        row.is_alarm,
        row.refused,
        row.refused_at,
        row.refused_fields,
    )


def _charge_of(row: Row[Any]) -> Charge:
    incl = Decimal(row.cost_incl) if row.cost_incl is not None else None
    return Charge(
        kind=ChargeKind(row.kind),
        party=Party(row.country_code, row.party_id),
        id=row.their_id,
        began=row.began,
        ended=row.ended,
        energy_kwh=Decimal(row.energy_kwh),
        cost=Cost(Decimal(row.cost_excl), incl, row.currency) if row.cost_excl is not None else None,
        place=Place(row.location, row.evse, row.country),
        token=ToldToken(row.token_uid, row.token_type, row.contract),
        auth_method=row.auth_method,
        authorization_reference=row.authorization_reference,
        last_updated=row.last_updated,
        status=row.status,
        session_id=row.session_id,
        is_credit=row.is_credit,
        told=row.told,
        version=row.version,
    )


def _stop_text(stop: Stop) -> str:
    moments = {
        name: moment_text(value) if isinstance(value, datetime) else value
        for name, value in asdict(stop).items()
    }
    return canonical_json(moments)


def _stop_of(text: str) -> Stop:
    kept = json.loads(text)
    return Stop(
        state=CardState(kept["state"]),
        reason=kept["reason"],
        stopped_at=datetime.fromisoformat(kept["stopped_at"]),
        proven_at=datetime.fromisoformat(kept["proven_at"]) if kept["proven_at"] else None,
        acknowledged=kept["acknowledged"],
        due_at=datetime.fromisoformat(kept["due_at"]),
        whitelist=Whitelist(kept["whitelist"]),
        cache_minutes=kept["cache_minutes"],
    )
