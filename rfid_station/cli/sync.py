"""`rfid-station sync`: what partners should hold, and hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import card_numbers
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
def prove(
    ctx: typer.Context,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NUMBER]...",
            help="Only these cards, by any number. [default: all]",
            autocompletion=card_numbers,
        ),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0.1, help="Give up after so many seconds.")] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Read tokens back from every partner and compare; exit 7 if one differs. What differs is owed again."""
    from rfid_station.desk.delivery import check_proven, prove, tokens_of
    from rfid_station.desk.lookup import the_card

    with the_station(ctx) as station:
        cards = [the_card(station, number) for number in numbers] if numbers else None
        tokens = tokens_of(station, cards)
        confirmations = prove(station, list(tokens), wait)
    rows = [
        {
            "partner": one.partner,
            "number": tokens[one.token_id],
            "answer": f"{one.answer}",
            "detail": one.detail,
        }
        for one in confirmations
    ]
    shown = rows if as_json else [row for row in rows if row["answer"] != "confirmed"]
    show_rows(shown, as_json=as_json, empty=_proven_in_words(len(confirmations), len(tokens)))
    check_proven(confirmations)


def _proven_in_words(read_back: int, tokens: int) -> str:
    if not read_back:
        return "nothing was read back: there is no card yet, or no partner is connected"
    return f"{counted(tokens, 'card')}, read back {counted(read_back, 'time')}: all as they should be"


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
