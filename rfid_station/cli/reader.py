"""`rfid-station reader`: what is plugged in."""

from __future__ import annotations

from typing import Annotated

import typer

from rfid_station.cli.output import show_rows
from rfid_station.errors import ExitCode

app = typer.Typer(help="Readers: what is plugged in.", no_args_is_help=True)


@app.callback()
def readers() -> None:
    """Readers: what is plugged in."""


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the readers, with the string to give to --reader; exit 3 if none can be used."""
    from rfid_station.reader.opening import list_readers

    found = list_readers()
    rows = [{"reader": reader.uri, "name": reader.name, "trouble": reader.trouble} for reader in found]
    show_rows(rows, as_json=as_json, empty="no reader is plugged in; sim:ntag213 is a virtual one")
    if not any(reader.trouble is None for reader in found):
        raise typer.Exit(ExitCode.NO_CARD)
