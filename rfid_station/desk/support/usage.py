"""What a card did, as it is asked about at the desk: its life in one line of time, and a fleet's month."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from rfid_station.desk.batch.writing import neutral
from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.charge import plain
from rfid_station.errors import WrongCall
from rfid_station.store.usage.charge_rows import KeptCharge

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)

SUM = "sum"
"""Stands in place of a card's number, before a currency's sum."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing in a card's life: what we did to it, or where it charged."""

    at: datetime
    what: str
    who: str
    """Who did it, or the partner that tells of it."""
    where: str = ""
    energy_kwh: str = ""
    cost: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A card's CDRs of a month in one currency, or the sum of all in it."""

    number: str
    fleet: str
    reference: str
    charges: int
    energy_kwh: Decimal
    cost_excl: Decimal
    cost_incl: Decimal | None
    """None if a CPO did not say it of one of them."""
    currency: str


@dataclass(frozen=True, slots=True)
class Month:
    """What cards charged in a month, by their CDRs."""

    lines: tuple[Line, ...]
    sums: tuple[Line, ...]
    """One for each currency."""
    unsettled: int
    """Sessions of that month that have no CDR yet, of all fleets."""


def history(station: Station, card: Card) -> list[Step]:
    """A card's life and its charges, the oldest first."""
    life = [
        Step(event.at, event.action, event.actor.name, note=str(event.data.get("reason") or ""))
        for event in station.store.cards.history(card.id)
    ]
    charges = map(_step, station.store.usage.of_card(card.id))
    return sorted([*life, *charges], key=lambda step: step.at)


def _step(kept: KeptCharge) -> Step:
    told = kept.charge
    notes = [
        told.status if told.status != "COMPLETED" else "",
        "credit" if told.is_credit else "",
        f"AFTER BLOCK: {kept.after_stop}" if kept.after_stop else "",
    ]
    return Step(
        told.began,
        f"charge.{told.kind}",
        kept.partner,
        f"{told.place}",
        f"{plain(told.energy_kwh)} kWh",
        f"{told.cost}" if told.cost else "",
        ", ".join(filter(None, notes)),
    )


def month_of(text: str) -> tuple[datetime, datetime]:
    """When a month begins and ends, in UTC; the end is the beginning of the next.

    :raises WrongCall: it is no month
    """
    match = _MONTH.fullmatch(text.strip())
    if not match or not 1 <= int(match[1]) < 9999:
        raise WrongCall(f"{text!r} is no month", hint="write it as 2026-03")
    year, month = int(match[1]), int(match[2])
    end = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=UTC), datetime(*end, 1, tzinfo=UTC)


def report_month(station: Station, month: str, fleet: str | None = None) -> Month:
    """What the cards of a fleet, or all cards, charged in a month, by card and currency.

    :raises WrongCall: it is no month
    """
    since, until = month_of(month)
    charges = station.store.usage.of_fleet(since, until, fleet)
    by_card: dict[tuple[str, str], list[KeptCharge]] = {}
    by_currency: dict[str, list[KeptCharge]] = {}
    for one in charges:
        currency = one.charge.cost.currency if one.charge.cost else ""
        by_card.setdefault((one.number or "", currency), []).append(one)
        by_currency.setdefault(currency, []).append(one)
    lines = (
        _line(number, currency, its[0].fleet or "", its[0].reference or "", its)
        for (number, currency), its in by_card.items()
    )
    sums = (_line(SUM, currency, fleet or "", "", its) for currency, its in sorted(by_currency.items()))
    return Month(tuple(lines), tuple(sums), station.store.usage.unsettled(since, until))


def _line(number: str, currency: str, fleet: str, reference: str, charges: Sequence[KeptCharge]) -> Line:
    """CDRs of one currency added up. A credit CDR takes another one back; its costs are below zero."""
    told = [one.charge for one in charges]
    costs = [charge.cost for charge in told if charge.cost]
    incl = [cost.incl for cost in costs]
    energies = (-abs(charge.energy_kwh) if charge.is_credit else charge.energy_kwh for charge in told)
    return Line(
        number=number,
        fleet=fleet,
        reference=reference,
        charges=sum(-1 if charge.is_credit else 1 for charge in told),
        energy_kwh=sum(energies, Decimal(0)),
        cost_excl=sum((cost.excl for cost in costs), Decimal(0)),
        cost_incl=None if None in incl else sum((one for one in incl if one is not None), Decimal(0)),
        currency=currency,
    )


COLUMNS = ("number", "fleet", "reference", "charges", "energy_kwh", "cost_excl", "cost_incl", "currency")


def write_month(path: Path, month: Month) -> None:
    """Write a month as CSV, the sums last; whole or not at all. Texts are no formulas to a spreadsheet.

    :raises DiskFull: there is no room
    :raises WrongCall: the place cannot be written to
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells((*month.lines, *month.sums)))
    write_whole(path, text.getvalue().encode())


def _cells(lines: Iterable[Line]) -> Iterable[list[str]]:
    for line in lines:
        numbers = [f"{line.charges}", plain(line.energy_kwh), plain(line.cost_excl)]
        incl = "" if line.cost_incl is None else plain(line.cost_incl)
        texts = [neutral(text) for text in (line.number, line.fleet, line.reference)]
        yield [*texts, *numbers, incl, neutral(line.currency)]
