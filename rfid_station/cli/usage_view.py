"""Charges as rows of a list, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rfid_station.domain.charge import plain
from rfid_station.domain.uid import masked

if TYPE_CHECKING:
    from rfid_station.desk.support.usage import Line
    from rfid_station.store.usage.charge_rows import KeptCharge


def charge_row(kept: KeptCharge) -> dict[str, Any]:
    """A charge of one of our cards; docs/json.md describes it."""
    told = kept.charge
    cost = told.cost
    return {
        "number": kept.number,
        "partner": kept.partner,
        "party": f"{told.party}",
        "kind": f"{told.kind}",
        "id": told.id,
        "began": told.began,
        "ended": told.ended,
        "where": f"{told.place}",
        "energy_kwh": plain(told.energy_kwh),
        "cost_excl": plain(cost.excl) if cost else None,
        "cost_incl": plain(cost.incl) if cost and cost.incl is not None else None,
        "currency": cost.currency if cost else None,
        "status": told.status or None,
        "auth_method": told.auth_method or None,
    }


def short_charge_row(kept: KeptCharge) -> dict[str, Any]:
    """A charge for people."""
    told = kept.charge
    return {
        "number": kept.number,
        "partner": kept.partner,
        "began": told.began,
        "where": f"{told.place}",
        "energy": f"{plain(told.energy_kwh)} kWh",
        "cost": f"{told.cost}" if told.cost else None,
        "kind": f"{told.kind} {told.id}",
    }


def alarm_row(kept: KeptCharge, *, as_json: bool) -> dict[str, Any]:
    """A charge after its card was stopped, with the evidence."""
    after = kept.after_stop
    if not as_json or after is None:
        return short_charge_row(kept) | {"evidence": f"{after}"}
    stop = after.stop
    return charge_row(kept) | {
        "is_alarm": kept.is_alarm,
        "basis": after.basis,
        "known_at": after.known_at,
        "state": f"{stop.state}",
        "reason": stop.reason,
        "stopped_at": stop.stopped_at,
        "proven_at": stop.proven_at,
        "acknowledged": stop.acknowledged,
        "whitelist": f"{stop.whitelist}",
        "cache_minutes": stop.cache_minutes,
        "within_cache": after.is_within_cache,
        "evidence": f"{after}",
    }


def stranger_row(kept: KeptCharge, *, full: bool = False) -> dict[str, Any]:
    """A charge with a token that is not ours."""
    token = kept.charge.token
    uid = token.uid or ""
    row = charge_row(kept)
    del row["number"]
    return {
        "token": (uid if full else masked(uid)) or None,
        "type": token.type,
        "contract": token.contract,
    } | row


def month_row(line: Line) -> dict[str, Any]:
    """A card's month in one currency, or a sum."""
    return {
        "number": line.number,
        "fleet": line.fleet or None,
        "reference": line.reference or None,
        "charges": line.charges,
        "energy_kwh": plain(line.energy_kwh),
        "cost_excl": plain(line.cost_excl),
        "cost_incl": None if line.cost_incl is None else plain(line.cost_incl),
        "currency": line.currency or None,
    }
