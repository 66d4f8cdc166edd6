"""The charges that a virtual CPO tells of: Session and CDR objects of each version.

Whoever drives it gives what is to stand in them; all but `uid` has a default, and a CDR lasts an hour:

    uid, id, began, ended, kwh, cost, taxes, currency, status, country, city, location_id, evse_uid, evse_id,
    session_id, auth_method, authorization_reference, credit_reference_id, last_updated

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_sessions (Session object), mod_cdrs (CDR object), types (Price).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from rfid_station.simulator.cpo.rules import JsonObject

Party = tuple[str, str]

_DEFAULTS: JsonObject = {
    "kwh": 11.5,
    "cost": 4.6,
    "taxes": 0.97,
    "currency": "EUR",
    "status": "COMPLETED",
    "country": "NLD",
    "city": "Utrecht",
    "location_id": "LOC1",
    "evse_uid": "3256",
    "evse_id": "NL*CPX*E3256",
    "auth_method": "WHITELIST",
}


def session_object(version: str, us: Party, token: Mapping[str, object], given: JsonObject) -> JsonObject:
    """A Session object about a token.

    :raises TypeError: a number is none
    """
    said = _said(given)
    common: JsonObject = {
        "id": said["id"],
        "kwh": _number(said, "kwh"),
        "auth_method": said["auth_method"],
        "currency": said["currency"],
        "status": said["status"],
        "last_updated": said["last_updated"],
    }
    if version == "2.1.1":
        times = {"start_datetime": said["began"], "end_datetime": said["ended"]}
        told = {"auth_id": token["auth_id"], "location": _location(said), "total_cost": _number(said, "cost")}
        return _without_nothing(common | times | told)
    times = {"start_date_time": said["began"], "end_date_time": said["ended"]}
    place = {name: said[name] for name in ("location_id", "evse_uid")} | {"connector_id": "1"}
    return _without_nothing(
        _owner(us)
        | common
        | times
        | place
        | {
            "cdr_token": _cdr_token(token),
            "authorization_reference": said.get("authorization_reference"),
            "total_cost": _price(version, said),
        }
    )


def cdr_object(version: str, us: Party, token: Mapping[str, object], given: JsonObject) -> JsonObject:
    """A CDR object about a token.

    :raises TypeError: a number is none
    :raises ValueError: a time is none
    """
    said = _said(given)
    ended = said["ended"] or _text(datetime.fromisoformat(str(said["began"])) + timedelta(hours=1))
    period = {
        "start_date_time": said["began"],
        "dimensions": [{"type": "ENERGY", "volume": _number(said, "kwh")}],
    }
    common: JsonObject = {
        "id": said["id"],
        "start_date_time": said["began"],
        "auth_method": said["auth_method"],
        "currency": said["currency"],
        "charging_periods": [period],
        "total_energy": _number(said, "kwh"),
        "total_time": 1.0,
        "last_updated": said["last_updated"],
    }
    if version == "2.1.1":
        told = {"auth_id": token["auth_id"], "location": _location(said), "total_cost": _number(said, "cost")}
        return common | told | {"stop_date_time": ended}
    return _without_nothing(
        _owner(us)
        | common
        | {
            "end_date_time": ended,
            "session_id": said.get("session_id"),
            "cdr_token": _cdr_token(token),
            "authorization_reference": said.get("authorization_reference"),
            "cdr_location": _cdr_location(said),
            "total_cost": _price(version, said),
            "credit": True if said.get("credit_reference_id") else None,
            "credit_reference_id": said.get("credit_reference_id"),
        }
    )


def _said(given: JsonObject) -> JsonObject:
    now = _text(datetime.now(UTC))
    made_up = {"id": str(uuid.uuid4()), "began": now, "ended": None, "last_updated": now}
    return _DEFAULTS | made_up | {name: value for name, value in given.items() if value is not None}


def _owner(us: Party) -> JsonObject:
    return {"country_code": us[0], "party_id": us[1]}


def _cdr_token(token: Mapping[str, object]) -> JsonObject:
    return {name: token[name] for name in ("country_code", "party_id", "uid", "type", "contract_id")}


def _price(version: str, said: JsonObject) -> JsonObject:
    cost, taxes = _number(said, "cost"), _number(said, "taxes")
    if version == "2.3.0":
        return {"before_taxes": cost, "taxes": [{"name": "VAT", "amount": taxes}]}
    return {"excl_vat": cost, "incl_vat": round(cost + taxes, 4)}


def _location(said: JsonObject) -> JsonObject:
    """Location object of 2.1.1, with the EVSE alone that was used."""
    return {
        "id": said["location_id"],
        "type": "ON_STREET",
        "name": f"Station {said['location_id']}",
        "address": "Laan 1",
        "city": said["city"],
        "postal_code": "1234 AB",
        "country": said["country"],
        "coordinates": {"latitude": "52.090736", "longitude": "5.121420"},
        "evses": [
            {
                "uid": said["evse_uid"],
                "evse_id": said["evse_id"],
                "status": "AVAILABLE",
                "connectors": [],
                "last_updated": said["last_updated"],
            }
        ],
        "last_updated": said["last_updated"],
    }


def _cdr_location(said: JsonObject) -> JsonObject:
    return {
        "id": said["location_id"],
        "name": f"Station {said['location_id']}",
        "address": "Laan 1",
        "city": said["city"],
        "postal_code": "1234 AB",
        "country": said["country"],
        "coordinates": {"latitude": "52.090736", "longitude": "5.121420"},
        "evse_uid": said["evse_uid"],
        "evse_id": said["evse_id"],
        "connector_id": "1",
        "connector_standard": "IEC_62196_T2",
        "connector_format": "SOCKET",
        "connector_power_type": "AC_3_PHASE",
    }


def _number(said: JsonObject, name: str) -> float:
    value = said[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is a number")
    return value


def _without_nothing(told: JsonObject) -> JsonObject:
    return {name: value for name, value in told.items() if value is not None}


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
