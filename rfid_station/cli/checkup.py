"""`rfid-station doctor`: the check-up, one line a finding."""

from __future__ import annotations

import typer

from rfid_station.cli.context import claim_of, folder_of
from rfid_station.cli.output import show_rows, talk
from rfid_station.desk.checkup import Level, check_up
from rfid_station.errors import ExitCode

_MARKS = {Level.OK: "ok  ", Level.WARNING: "warn", Level.FAILURE: "FAIL"}


def run(ctx: typer.Context, *, as_json: bool) -> None:
    """Look at everything; exit 1 if something would stop the day."""
    findings = check_up(folder_of(ctx), claim_of(ctx))
    if as_json:
        rows = [
            {"what": one.what, "level": f"{one.level}", "words": one.words, "remedy": one.remedy}
            for one in findings
        ]
        show_rows(rows, as_json=True, empty="nothing was found")
    else:
        for one in findings:
            typer.echo(f"{_MARKS[one.level]}  {one.what:<9}  {one.words}")
            if one.remedy:
                typer.echo(f"{'':<15}  → {one.remedy}")
    if any(one.level is Level.FAILURE for one in findings):
        raise typer.Exit(ExitCode.FAILED)
    if not as_json:
        talk("ready")
