"""`rfid-station shift`: what was done in a day."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, talk

app = typer.Typer(help="Shifts: what was done in a day.", no_args_is_help=True)


@app.callback()
def shift() -> None:
    """Shifts: what was done in a day."""


@app.command()
def report(
    ctx: typer.Context,
    day: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Which day, in UTC. [default: today]")
    ] = None,
    of: Annotated[
        str | None, typer.Option("--of", metavar="OPERATOR", help="Whose. [default: who works here now]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the PDF goes. [default: prints/ of the station]")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print what an operator did on a day, from the audit log, with a line to sign on."""
    from rfid_station.desk import shift as desk

    with the_station(ctx) as station:
        found = desk.report_of(station, day.date() if day else desk.today(), of or station.actor.name)
        path = desk.write_report(station, found, out)
    if as_json:
        work = dict(found.work)
        show_document({"pdf": path, "operator": found.operator, "began": found.began, "work": work})
        return
    typer.echo(path)
    talk(f"{counted(len(found.incidents), 'incident')}; blank cards are not counted: no lots are kept yet")
