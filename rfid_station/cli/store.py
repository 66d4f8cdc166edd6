"""`rfid-station store`: whether the record can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.card_options import AsJson
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import show_document, show_rows, talk
from rfid_station.errors import ExitCode, StoreUnreachable, WrongCall

if TYPE_CHECKING:
    from rfid_station.store.leases.holding import NumberCount

app = typer.Typer(help="The store: whether the record can be trusted.", no_args_is_help=True)


@app.command()
def check(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Verify the audit log, all that has to hold between the tables, and that no secret is missing."""
    from rfid_station.desk.record.backups import missing_secrets

    with the_station(ctx, to_look=True) as station:
        report = station.store.audit.check()
        missing = list(missing_secrets(station)) if report.is_sound else []
        count = station.store.leases.count() if report.is_sound else None
    chain = report.chain
    if as_json:
        show_document(
            {
                "events": chain.events,
                "chain": chain.why or "whole",
                "findings": list(report.findings),
                "missing": missing,
                "numbers": number_row(count) if count else None,
            }
        )
    else:
        typer.echo(f"audit log  {chain.events} events, {chain.why or 'chain whole'}")
        if count:
            typer.echo(f"numbers    {number_words(count)}")
        for finding in report.findings:
            typer.echo(f"finding    {finding}")
        for one in missing:
            typer.echo(f"missing    {one}")
    if missing:
        talk("put secrets/ and keys.ring of this station back where they belong")
        raise typer.Exit(ExitCode.FAILED)
    if not report.is_sound:
        talk("this store was changed by something else than this program: keep the file and restore a backup")
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def copy(
    ctx: typer.Context,
    to: Annotated[
        str | None, typer.Option("--to", help="sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Make this desk's own copy anew, for when the server is away.")
    ] = False,
    to_password: Annotated[
        str | None, typer.Option(help="Where the password lies: env:NAME, file:NAME or keyring:NAME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Copy the store to another engine, where nothing is yet. Nobody else can write meanwhile.

    With --keep: make the copy that this desk looks into while the server is away. Others write on.
    """
    if keep == (to is not None):
        raise WrongCall("where to?", hint="rfid-station store copy --to URL, or --keep")
    if to is None:
        _keep_copy(folder_of(ctx), as_json)
        return
    from rfid_station.desk.record.store_copy import copy_own_store

    with the_station(ctx) as station:
        copied = copy_own_store(station, to, to_password)
    if as_json:
        show_document({"to": copied.place, "rows": copied.rows, "events": copied.events, "head": copied.head})
        return
    for table, rows in copied.rows.items():
        typer.echo(f"{table:<14} {rows}")
    typer.echo(f"audit log  {copied.events} events, chain whole, {copied.head[:16]}…")
    talk(f"copied to {copied.place}; it is used when every desk's station.toml says so in [store]")


def _keep_copy(folder: Path, as_json: bool) -> None:
    from rfid_station.desk.record.own_copy import keep_own_copy

    made = keep_own_copy(folder)
    if as_json:
        show_document({"file": str(made.file), "at": made.at})
    else:
        typer.echo(f"{made.file}: as of {made.at:%Y-%m-%d %H:%M} UTC")


@app.command()
def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show whether the store can be reached, who holds which numbers, and this desk's copy; exit 1 if not."""
    from rfid_station.cli.cut_off_view import cut_off_document, lease_row, lease_words
    from rfid_station.desk.record.cut_off import cut_off

    known, leases, count, trouble = cut_off(folder_of(ctx)), None, None, None
    try:
        with the_station(ctx, to_look=True) as station:
            leases, count = station.store.leases.all(), station.store.leases.count()
    except StoreUnreachable as error:
        trouble = error
    if as_json:
        show_document(
            {
                "reachable": trouble is None,
                **cut_off_document(known),
                "leases": None if leases is None else [lease_row(one) for one in leases],
                "numbers": number_row(count) if count else None,
            }
        )
    elif trouble is None:
        typer.echo("store      can be reached")
        for held in leases or ():
            typer.echo(f"numbers    {lease_words(held)}")
        typer.echo(f"copy       {known.copy or 'none'}")
    if trouble:
        raise trouble


@app.command("give-back")
def give_back(
    ctx: typer.Context,
    place: Annotated[str | None, typer.Argument(help="The desk. [default: this one]")] = None,
) -> None:
    """Let other desks have the numbers that a desk holds. For another desk it takes a supervisor."""
    from rfid_station.desk.record.lease_note import forget_lease

    with the_station(ctx) as station:
        own = station.settings.desk.place
        given = station.store.leases.give_back(place or own, station.actor)
        if given.place == own:
            forget_lease(station.folder)
    typer.echo(f"{given.place} gave back {given.next} to {given.last} ({given.left})")


def number_words(count: NumberCount) -> str:
    """What became of contract numbers, in a line."""
    return (
        f"{count.counted} counted off: {count.on_cards} on cards, {count.on_plastic} on plastic, "
        f"{count.leased} leased, {count.left_out} left out (no loss: nothing has them)"
    )


def number_row(count: NumberCount) -> dict[str, int]:
    """What became of contract numbers, for programs."""
    return {
        "counted": count.counted,
        "on_cards": count.on_cards,
        "on_plastic": count.on_plastic,
        "leased": count.leased,
        "left_out": count.left_out,
    }


@app.command()
def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A new file; by default one in backups/, named by the time.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Write the store into a file while desks work on, and read it through."""
    from rfid_station.desk.record.backups import back_up_own_store

    with the_station(ctx) as station:
        made = back_up_own_store(station, file)
    if as_json:
        show_document({"file": str(made.file), "events": made.events, "head": made.head})
        return
    typer.echo(f"{made.file}: {made.events} events, chain whole, {made.head[:16]}…")
    talk("names and UIDs are in it, no secrets; secrets/, keys.ring and station.toml are kept apart from it")


@app.command()
def restore(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup.")],
    discard_newer: Annotated[
        bool, typer.Option("--discard-newer", help="Give up what the store has and the backup has not.")
    ] = False,
    skip_numbers: Annotated[
        int, typer.Option(min=0, help="Contract numbers left out, where the old store cannot say how many.")
    ] = 10_000,
    to: Annotated[
        str | None, typer.Option("--to", help="Another place where nothing is, as for `store copy`.")
    ] = None,
    to_password: Annotated[
        str | None, typer.Option(help="Where the password lies: env:NAME, file:NAME or keyring:NAME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Make the store of a backup; the old one is kept. Nobody may use the store meanwhile."""
    from rfid_station.cli.context import claim_of, folder_of
    from rfid_station.cli.output import ask_secret
    from rfid_station.cli.restored_view import restored_document, tell_restored
    from rfid_station.desk.record.backups import Wish, restore_own_store

    wish = Wish(file, discard_newer, skip_numbers, to, to_password)
    restored = restore_own_store(folder_of(ctx), claim_of(ctx), wish, ask_secret)
    if as_json:
        show_document(restored_document(restored))
    else:
        tell_restored(restored, is_elsewhere=to is not None)


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
