"""`rfid-station store`: whether the record can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import show_document, show_rows, talk
from rfid_station.errors import ExitCode

app = typer.Typer(help="The store: whether the record can be trusted.", no_args_is_help=True)


@app.command()
def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Verify the audit log's chain and everything that has to hold between the tables."""
    with the_station(ctx, to_look=True) as station:
        report = station.store.audit.check()
    chain = report.chain
    if as_json:
        show_document(
            {"events": chain.events, "chain": chain.why or "whole", "findings": list(report.findings)}
        )
    else:
        typer.echo(f"audit log  {chain.events} events, {chain.why or 'chain whole'}")
        for finding in report.findings:
            typer.echo(f"finding    {finding}")
    if not report.is_sound:
        talk("this store was changed by something else than this program: keep the file and restore a backup")
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def copy(
    ctx: typer.Context,
    to: Annotated[
        str, typer.Option("--to", help="sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")
    ],
    to_password: Annotated[
        str | None, typer.Option(help="Where the password lies: env:NAME, file:NAME or keyring:NAME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Copy the store to another engine, where nothing is yet. Nobody else can write meanwhile."""
    from rfid_station.desk.store_copy import copy_own_store

    with the_station(ctx) as station:
        copied = copy_own_store(station, to, to_password)
    if as_json:
        show_document({"to": copied.place, "rows": copied.rows, "events": copied.events, "head": copied.head})
        return
    for table, rows in copied.rows.items():
        typer.echo(f"{table:<14} {rows}")
    typer.echo(f"audit log  {copied.events} events, chain whole, {copied.head[:16]}…")
    talk(f"copied to {copied.place}; it is used when every desk's station.toml says so in [store]")


@app.command()
def log(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many events.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Show the newest events of the audit log, the newest last."""
    with the_station(ctx, to_look=True) as station:
        events = station.store.audit.newest(limit)
    rows = [
        {
            "seq": event.seq,
            "at": event.at,
            "who": event.actor.name,
            "role": f"{event.actor.role}",
            "what": event.action,
            "subject": event.subject,
            "data": event.data if as_json else _words(event.data),
        }
        for event in events
    ]
    show_rows(rows, as_json=as_json, empty="nothing has happened yet")


def _words(data: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if value not in (None, ""))
