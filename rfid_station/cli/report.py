"""`rfid-station report`: what cards did out there, as charge point operators tell it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import partner_names
from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, show_rows, shown, talk

if TYPE_CHECKING:
    from rfid_station.desk.station import Station

app = typer.Typer(help="Reports: what cards did out there.", no_args_is_help=True)

AsLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def usage(
    ctx: typer.Context,
    month: Annotated[str, typer.Option("--month", metavar="YYYY-MM", help="When charges began, in UTC.")],
    fleet: Annotated[str | None, typer.Option("--fleet", help="Only cards of this fleet.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write it there, the sums last.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Report what cards charged in a month, by CDRs: by card and in sum, each currency for itself."""
    from rfid_station.cli.usage_view import month_row
    from rfid_station.desk.support.usage import report_month, write_month

    with the_station(ctx, to_look=True) as station:
        found = report_month(station, month, fleet)
    if csv:
        write_month(csv, found)
    lines, sums = map(month_row, found.lines), map(month_row, found.sums)
    if as_json:
        show_document({"cards": list(lines), "sums": list(sums), "unsettled": found.unsettled})
    elif csv:
        typer.echo(csv)
    else:
        show_rows([*lines, *sums], as_json=False, empty=f"no CDR of {month}")
    if found.unsettled and not as_json:
        talk(f"{counted(found.unsettled, 'session')} of that month have no CDR yet, and are not in it")


@app.command()
def unusual(
    ctx: typer.Context,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="How far back is looked, and what is long unused.")
    ] = 90,
    as_json: AsLines = False,
) -> None:
    """Report what asks for a look: unused cards, two countries within the hour, charges after a block."""
    with the_station(ctx, to_look=True) as station:
        rows = [*_travels(station, days), *_after_blocks(station, days), *_idle(station, days)]
    show_rows(rows, as_json=as_json, empty=f"nothing unusual within {days} days")


def _travels(station: Station, days: int) -> list[dict[str, Any]]:
    since = station.store.database.clock() - timedelta(days=days)
    return [
        _unusual(
            "two countries",
            later.number,
            later.charge.began,
            f"{earlier.charge.place} ({earlier.partner}) until "
            f"{shown(earlier.charge.ended or earlier.charge.began)}, "
            f"then {later.charge.place} ({later.partner})",
        )
        for earlier, later in station.store.usage.in_two_countries(since)
    ]


def _after_blocks(station: Station, days: int) -> list[dict[str, Any]]:
    since = station.store.database.clock() - timedelta(days=days)
    return [
        _unusual("after block", one.number, one.charge.began, f"at {one.partner}: {one.after_stop}")
        for one in station.store.usage.after_stop(since)
    ]


def _idle(station: Station, days: int) -> list[dict[str, Any]]:
    since = station.store.database.clock() - timedelta(days=days)
    return [
        _unusual(
            "dormant" if one.last_used else "never used",
            one.card.visual_number,
            one.since,
            f"last used {shown(one.last_used)}" if one.last_used else f"made {shown(one.since)}",
        )
        for one in station.store.usage.idle(since)
    ]


def _unusual(what: str, number: str | None, at: object, words: str) -> dict[str, Any]:
    return {"what": what, "number": number, "at": at, "words": words}


@app.command()
def alarms(
    ctx: typer.Context,
    partner: Annotated[
        str | None,
        typer.Option("--partner", help="Only at this partner.", autocompletion=partner_names),
    ] = None,
    as_json: AsLines = False,
) -> None:
    """Report charges that a partner let begin although it knew that the card was stopped: the evidence."""
    from rfid_station.cli.usage_view import alarm_row

    with the_station(ctx, to_look=True) as station:
        if partner is not None:
            station.store.partners.get(partner)
        found = station.store.usage.alarms(partner)
    rows = [alarm_row(one, as_json=as_json) for one in found]
    show_rows(rows, as_json=as_json, empty="no card was accepted after its partner knew that it was stopped")


@app.command()
def strangers(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    full: Annotated[
        bool, typer.Option("--full", help="Show whole UIDs. That you saw them goes into the audit log.")
    ] = False,
    as_json: AsLines = False,
) -> None:
    """Report what partners told and we do not count: charges with tokens that are not ours."""
    from rfid_station.cli.usage_view import stranger_row

    with the_station(ctx, to_look=not full) as station:
        found = station.store.usage.unknown(limit)
        if full and found:
            station.store.audit.append(station.actor, "usage.revealed", "usage", charges=len(found))
    rows = [stranger_row(one, full=full) for one in found]
    show_rows(rows, as_json=as_json, empty="every charge that was told is one of our cards'")


@app.command()
def refused(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    as_json: AsLines = False,
) -> None:
    """Report CDRs that came once more, and otherwise: the first one stays, and the partner owes a word."""
    from rfid_station.cli.usage_view import charge_row, short_charge_row

    with the_station(ctx, to_look=True) as station:
        found = station.store.usage.refused(limit)
    row = charge_row if as_json else short_charge_row
    rows = [
        row(one) | {"times": one.refused, "last": one.refused_at, "differs_in": one.refused_fields}
        for one in found
    ]
    show_rows(rows, as_json=as_json, empty="no CDR came a second time, and otherwise")
