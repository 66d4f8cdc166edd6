"""Sessions and CDRs as partners tell them, read into `domain.charge.Charge`, in every version.

What we have no use for (charging periods, tariffs, signed data, meters, remarks) is not kept. 2.1.1 names
the contract and describes the whole location; since 2.2 a `cdr_token` names the UID, and a session only the
ids of its place. 2.3.0 writes a price before taxes and lists the taxes; both ways are read in both versions.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0 mod_sessions (Session object), mod_cdrs (CDR object, CdrToken,
CdrLocation), types (Price).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from rfid_station.domain.charge import Charge, ChargeKind, Cost, Place, ToldToken
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.ocpi.seen import seen
from rfid_station.ocpi.wire.authorize import uid_readings
from rfid_station.ocpi.wire.fields import ASCII, CiString36, CountryCode, PartyId
from rfid_station.ocpi.wire.transport import WireModel, exact_instant

MOST = 1e12
"""No charge costs or draws more, in any currency."""

SHORT = 100
"""Characters of a place that are kept."""


def _date_time(text: str) -> str:
    exact_instant(text)
    return text


def _short(text: str) -> str:
    return seen(text, length=SHORT)


DateTime = Annotated[str, StringConstraints(max_length=64, pattern=ASCII), AfterValidator(_date_time)]
Number = Annotated[float, Field(ge=-MOST, le=MOST, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_short)]
"""What people read. Longer than the specification allows is cut, not refused: the charge counts."""
CdrId = Annotated[str, StringConstraints(min_length=1, max_length=39, pattern=ASCII)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$")]
Word = Annotated[str, StringConstraints(max_length=64, pattern=ASCII)]
"""An enumeration, open to values that we do not know."""


class Tax(WireModel):
    """What we read of TaxAmount (2.3.0 types)."""

    amount: Number


class Price(WireModel):
    """Price class of 2.2.1 (types)."""

    excl_vat: Number
    incl_vat: Number | None = None


class PriceBeforeTaxes(WireModel):
    """Price class of 2.3.0 (types)."""

    before_taxes: Number
    taxes: Annotated[list[Tax], Field(max_length=100)] | None = None


class CdrToken(WireModel):
    """CdrToken class (mod_cdrs). 2.2 has no party in it."""

    country_code: CountryCode | None = None
    party_id: PartyId | None = None
    uid: CiString36
    type: Word
    contract_id: CiString36


class CdrLocation(WireModel):
    """What we keep of CdrLocation (mod_cdrs)."""

    id: CiString36 | None = None
    name: Text | None = None
    address: Text | None = None
    city: Text | None = None
    country: Word | None = None
    evse_uid: CiString36 | None = None
    evse_id: Text | None = None
    connector_id: CiString36 | None = None


class Evse211(WireModel):
    """What we keep of EVSE (2.1.1 mod_locations)."""

    uid: Text | None = None
    evse_id: Text | None = None


class Location211(WireModel):
    """What we keep of Location (2.1.1 mod_locations)."""

    id: Text | None = None
    name: Text | None = None
    address: Text | None = None
    city: Text | None = None
    country: Word | None = None
    evses: Annotated[list[Evse211], Field(max_length=20)] | None = None


class Session(WireModel):
    """Session object (2.2.1 and 2.3.0 mod_sessions)."""

    country_code: CountryCode
    party_id: PartyId
    id: CiString36
    start_date_time: DateTime
    end_date_time: DateTime | None = None
    kwh: Number
    cdr_token: CdrToken
    auth_method: Word | None = None
    authorization_reference: CiString36 | None = None
    location_id: CiString36 | None = None
    evse_uid: CiString36 | None = None
    connector_id: CiString36 | None = None
    currency: Currency
    total_cost: Price | PriceBeforeTaxes | None = None
    status: Word
    last_updated: DateTime


class Session211(WireModel):
    """Session object of 2.1.1. Its party stands in the URL alone."""

    id: CiString36
    start_datetime: DateTime
    end_datetime: DateTime | None = None
    kwh: Number
    auth_id: CiString36
    auth_method: Word | None = None
    location: Location211 | None = None
    currency: Currency
    total_cost: Number | None = None
    status: Word
    last_updated: DateTime


class Cdr(WireModel):
    """CDR object (2.2.1 and 2.3.0 mod_cdrs)."""

    country_code: CountryCode
    party_id: PartyId
    id: CdrId
    start_date_time: DateTime
    end_date_time: DateTime
    session_id: CiString36 | None = None
    cdr_token: CdrToken
    auth_method: Word | None = None
    authorization_reference: CiString36 | None = None
    cdr_location: CdrLocation | None = None
    currency: Currency
    total_cost: Price | PriceBeforeTaxes
    total_energy: Number
    total_time: Number | None = None
    credit: bool | None = None
    credit_reference_id: CdrId | None = None
    last_updated: DateTime


class Cdr211(WireModel):
    """CDR object of 2.1.1. It names no party: who tells it has one."""

    id: CiString36
    start_date_time: DateTime
    stop_date_time: DateTime
    auth_id: CiString36
    auth_method: Word | None = None
    location: Location211 | None = None
    currency: Currency
    total_cost: Number
    total_energy: Number
    total_time: Number | None = None
    last_updated: DateTime


def read_session(version: str, data: object, party: Party, profile: PartnerProfile) -> Charge:
    """Read a Session object.

    :param party: whose URL it was told at
    :raises ValidationError: it is none
    """
    if version == "2.1.1":
        return _session_211(Session211.model_validate(data), party, profile)
    session = Session.model_validate(data)
    return Charge(
        kind=ChargeKind.SESSION,
        party=_party(session.country_code, session.party_id),
        id=session.id,
        began=exact_instant(session.start_date_time),
        ended=exact_instant(session.end_date_time) if session.end_date_time else None,
        energy_kwh=_decimal(session.kwh),
        cost=_cost(session.total_cost, session.currency),
        place=Place(session.location_id or "", session.evse_uid or ""),
        token=_token(session.cdr_token, profile),
        auth_method=session.auth_method or "",
        authorization_reference=session.authorization_reference,
        last_updated=exact_instant(session.last_updated),
        status=session.status.upper(),
        told=_kept(session),
        version=version,
    )


def read_cdr(version: str, data: object, party: Party, profile: PartnerProfile) -> Charge:
    """Read a CDR object.

    :param party: who tells it, where it does not say so itself (2.1.1)
    :raises ValidationError: it is none
    """
    if version == "2.1.1":
        return _cdr_211(Cdr211.model_validate(data), party, profile)
    cdr = Cdr.model_validate(data)
    where = cdr.cdr_location or CdrLocation()
    return Charge(
        kind=ChargeKind.CDR,
        party=_party(cdr.country_code, cdr.party_id),
        id=cdr.id,
        began=exact_instant(cdr.start_date_time),
        ended=exact_instant(cdr.end_date_time),
        energy_kwh=_decimal(cdr.total_energy),
        cost=_cost(cdr.total_cost, cdr.currency),
        place=Place(_named(where), where.evse_id or where.evse_uid or "", (where.country or "").upper()),
        token=_token(cdr.cdr_token, profile),
        auth_method=cdr.auth_method or "",
        authorization_reference=cdr.authorization_reference,
        last_updated=exact_instant(cdr.last_updated),
        session_id=cdr.session_id,
        is_credit=bool(cdr.credit),
        told=_kept(cdr),
        version=version,
    )


def merged(told: str, part: Mapping[str, object]) -> dict[str, object]:
    """A session that was told before, with the members of a PATCH in place of its own."""
    whole: dict[str, object] = json.loads(told)
    return whole | dict(part)


def _session_211(session: Session211, party: Party, profile: PartnerProfile) -> Charge:
    return Charge(
        kind=ChargeKind.SESSION,
        party=party,
        id=session.id,
        began=exact_instant(session.start_datetime),
        ended=exact_instant(session.end_datetime) if session.end_datetime else None,
        energy_kwh=_decimal(session.kwh),
        cost=_cost_211(session.total_cost, session.currency),
        place=_place_211(session.location),
        token=_token_211(session.auth_id, profile),
        auth_method=session.auth_method or "",
        authorization_reference=None,
        last_updated=exact_instant(session.last_updated),
        status=session.status.upper(),
        told=_kept(session),
        version="2.1.1",
    )


def _cdr_211(cdr: Cdr211, party: Party, profile: PartnerProfile) -> Charge:
    return Charge(
        kind=ChargeKind.CDR,
        party=party,
        id=cdr.id,
        began=exact_instant(cdr.start_date_time),
        ended=exact_instant(cdr.stop_date_time),
        energy_kwh=_decimal(cdr.total_energy),
        cost=_cost_211(cdr.total_cost, cdr.currency),
        place=_place_211(cdr.location),
        token=_token_211(cdr.auth_id, profile),
        auth_method=cdr.auth_method or "",
        authorization_reference=None,
        last_updated=exact_instant(cdr.last_updated),
        told=_kept(cdr),
        version="2.1.1",
    )


def _party(country_code: str, party_id: str) -> Party:
    return Party(country_code.upper(), party_id.upper())


def _token(told: CdrToken, profile: PartnerProfile) -> ToldToken:
    party = _party(told.country_code, told.party_id) if told.country_code and told.party_id else None
    readings = tuple(uid_readings(told.uid, profile))
    return ToldToken(told.uid, told.type.upper(), told.contract_id, party, readings)


def _token_211(auth_id: str, profile: PartnerProfile) -> ToldToken:
    """A contract; some partners write the UID there."""
    return ToldToken(None, "RFID", auth_id, readings=tuple(uid_readings(auth_id, profile)))


def _cost(price: Price | PriceBeforeTaxes | None, currency: str) -> Cost | None:
    match price:
        case None:
            return None
        case Price():
            incl = None if price.incl_vat is None else _decimal(price.incl_vat)
            return Cost(_decimal(price.excl_vat), incl, currency.upper())
    before = _decimal(price.before_taxes)
    taxes = None if price.taxes is None else sum((_decimal(tax.amount) for tax in price.taxes), before)
    return Cost(before, taxes, currency.upper())


def _cost_211(total: float | None, currency: str) -> Cost | None:
    return None if total is None else Cost(_decimal(total), None, currency.upper())


def _place_211(where: Location211 | None) -> Place:
    if where is None:
        return Place()
    evse = next((evse.evse_id or evse.uid or "" for evse in where.evses or ()), "")
    return Place(_named(where), evse, (where.country or "").upper())


def _named(where: CdrLocation | Location211) -> str:
    return _short(", ".join(filter(None, (where.name or where.address or where.id, where.city))))


def _decimal(number: float) -> Decimal:
    """What was written, to ten decimals: a float's shortest text is the number that it came from."""
    return round(Decimal(repr(number)), 10).normalize() + 0


def _kept(told: WireModel) -> str:
    kept: dict[str, Any] = told.model_dump(exclude_none=True)
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
