"""How `stock` looks: lots, entries, counts, and the taps of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from rfid_station.cli.output import counted, show_pairs, talk
from rfid_station.domain.stock import Account

if TYPE_CHECKING:
    from rfid_station.desk.batch.findings import Finding
    from rfid_station.desk.fulfilment.goods_in import Looked
    from rfid_station.desk.station import Station
    from rfid_station.domain.stock import Counted, Entry, Lot, Standing


def say_looked(looked: Looked) -> None:
    """Say what came of one tap of a sample."""
    sign = "ok  " if looked.is_good else "fail" if looked.counts else "same"
    talk(f"{sign}  {looked.taken}/{looked.wanted}  {looked.words}")


def say_state(lot: Lot) -> None:
    """Say whether cards may be made of a lot, and why."""
    typer.echo(f"lot {lot.name} is {lot.state}: {lot.state_reason}")


def say_standing(station: Station, lot: str) -> None:
    """Say where a lot's blanks stand now."""
    show_pairs(pairs(station.store.stock.standing(lot)))


def show_finding(finding: Finding) -> None:
    """Say what is wrong with a maker's list, and what helps."""
    talk(f"{finding.level}: {finding.place} {finding.words}")
    if finding.remedy:
        talk(f"  {finding.remedy}")


def variance(one: Counted) -> str:
    """What a count found, in words."""
    number = abs(one.variance)
    words = "missing" if one.variance < 0 else "more than expected"
    return f"lot {one.lot} at {one.place}: {counted(number, 'blank')} {words}"


def lot_row(standing: Standing) -> dict[str, Any]:
    """A lot in the table of all."""
    lot = standing.lot
    numbers = {account.replace("_", " "): standing.on(account) for account in Account}
    places = ", ".join(f"{spot.place} {count}" for spot, count in standing.balances.items() if spot.kept_by)
    return {
        "lot": lot.name,
        "chip": lot.chip,
        "state": f"{lot.state}",
        "received": standing.received,
        **numbers,
        "lies at": places,
    }


def document(standing: Standing) -> dict[str, Any]:
    """A lot for programs; docs/json.md describes it."""
    lot = standing.lot
    return {
        "lot": lot.name,
        "supplier": lot.supplier,
        "chip": lot.chip,
        "state": lot.state,
        "state_reason": lot.state_reason,
        "received_at": lot.received_at,
        "received": standing.received,
        **{account.value: standing.on(account) for account in Account},
        "places": {spot.place: count for spot, count in standing.balances.items() if spot.kept_by},
    }


def pairs(standing: Standing) -> dict[str, Any]:
    """A lot for people."""
    lot = standing.lot
    head = {
        "lot": f"{lot.name}, {lot.chip} from {lot.supplier}",
        "state": f"{lot.state}: {lot.state_reason}",
        "received": standing.received,
    }
    return head | {f"{spot}": count for spot, count in standing.balances.items()}


def entry_row(entry: Entry) -> dict[str, Any]:
    """An entry, for people and programs."""
    return {
        "at": entry.at,
        "blanks": entry.quantity,
        "from": f"{entry.source}" if entry.source else "outside",
        "to": f"{entry.target}",
        "who": entry.actor,
        "witness": entry.witness,
        "reason": entry.reason,
    }


def count_row(one: Counted) -> dict[str, Any]:
    """A count, for people and programs."""
    return {
        "lot": one.lot,
        "place": one.place,
        "counted": one.counted,
        "variance": one.variance,
        "witness": one.witness,
    }
