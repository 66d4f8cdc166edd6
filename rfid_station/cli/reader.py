"""`rfid-station reader`: what is plugged in."""

from __future__ import annotations

from typing import Annotated

import typer

from rfid_station.cli.output import show_rows

app = typer.Typer(help="Readers: what is plugged in.", no_args_is_help=True)


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the readers that can be used, with the string to give to --reader."""
    from rfid_station.reader.opening import list_readers

    rows = [
        {"reader": reader.uri, "name": reader.name, "trouble": reader.trouble} for reader in list_readers()
    ]
    show_rows(rows, as_json=as_json, empty="no reader: plug one in, or use --reader sim:ntag213")
