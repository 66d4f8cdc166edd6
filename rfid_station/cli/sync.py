"""`rfid-station sync`: what partners should hold, and hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_rows, talk

if TYPE_CHECKING:
    from rfid_station.sync.report import LaneReport

app = typer.Typer(help="Sync: what partners should hold, and hold.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a partner.")]


@app.command()
def run(
    ctx: typer.Context,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 60.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring every partner to the newest state; exit 7 if one refuses or cannot be reached."""
    from rfid_station.desk.delivery import check_settled, deliver, standings

    with the_station(ctx) as station:
        reports = standings(station) if dry_run else deliver(station, wait)
    _show(reports, as_json)
    if dry_run:
        talk(f"{counted(sum(report.behind for report in reports), 'token')} would be sent")
        return
    check_settled(reports)


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Say how far each partner is, without asking anybody."""
    from rfid_station.desk.delivery import standings

    with the_station(ctx) as station:
        _show(standings(station), as_json)


def _show(reports: list[LaneReport], as_json: bool) -> None:
    rows = [_row(report, as_json) for report in reports]
    show_rows(rows, as_json=as_json, empty="no partner is connected: rfid-station partner list")
    for report in reports:
        for alarm in report.alarms:
            talk(f"alarm: {alarm}")


def _row(report: LaneReport, as_json: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "partner": report.partner,
        "state": f"{report.state}",
        "revision": f"{report.cursor}/{report.head}",
        "owed": report.behind,
        "uncertain": len(report.parked),
        "detail": report.detail,
    }
    if as_json:
        row |= {
            "cursor": report.cursor,
            "head": report.head,
            "sent": report.puts,
            "last_error": report.last_error,
        }
    return row
