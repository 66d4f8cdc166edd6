"""`rfid-station key`: the master keys that cards' own keys come from. Never shown, never an argument."""

from __future__ import annotations

from typing import Annotated

import typer

from rfid_station.cli.context import the_station
from rfid_station.cli.output import ask_secret, show_rows, talk
from rfid_station.errors import WrongCall

app = typer.Typer(help="Master keys: made, rotated, listed. Never shown.", no_args_is_help=True)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="The key's name, as profiles call it.")]
Components = Annotated[
    int,
    typer.Option(
        min=0,
        max=8,
        help="Ask for so many components instead of drawing the key by chance; they are XORed.",
    ),
]


Witness = Annotated[
    str | None, typer.Option("--witness", metavar="NAME", help="Who agrees, where keys take two people.")
]


@app.command()
def new(ctx: typer.Context, name: KeyName, components: Components = 0, witness: Witness = None) -> None:
    """Make a master key; the first one makes the key ring."""
    _add(ctx, name, components, next_version=False, witness=witness)


@app.command()
def rotate(ctx: typer.Context, name: KeyName, components: Components = 0, witness: Witness = None) -> None:
    """Add a version that new cards get from now on; cards that are out there keep theirs."""
    _add(ctx, name, components, next_version=True, witness=witness)


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a key.")] = False,
) -> None:
    """List keys and versions, with check values, and how many cards have each."""
    with the_station(ctx, to_look=True) as station:
        cards = station.store.cards.counted_by_key()
        rows = [
            {"key": ref.id, "version": ref.version, "check_value": value, "cards": cards.pop(ref, 0)}
            for ref, value in station.cupboard.listing()
        ]
        rows += [
            {"key": ref.id, "version": ref.version, "check_value": "missing", "cards": count}
            for ref, count in sorted(cards.items())
        ]
    show_rows(rows, as_json=as_json, empty="there are no keys yet: rfid-station key new cards")


@app.command()
def passphrase(ctx: typer.Context) -> None:
    """Seal the key ring with another passphrase."""
    from rfid_station.desk.keys.making import change_passphrase

    with the_station(ctx) as station:
        change_passphrase(station, _ask_twice("new passphrase"))
    typer.echo("the key ring is sealed with the new passphrase; copies of it still open with the old one")


def _add(ctx: typer.Context, name: str, components: int, *, next_version: bool, witness: str | None) -> None:
    from rfid_station.desk.keys.making import make_key

    with the_station(ctx) as station:
        parts = [ask_secret(f"component {number} of {components}") for number in range(1, components + 1)]
        ref = make_key(station, name, parts, next_version=next_version, witness=witness)
        kept = "the hardware module" if station.cupboard.is_hardware else f"{station.cupboard.ring_file}"
    typer.echo(f"{ref} is in {kept}")
    talk("keep a copy of the key ring, away from this machine: without it cards cannot be changed any more")


def _ask_twice(question: str) -> str:
    first = ask_secret(question)
    if ask_secret(f"{question}, again") != first:
        raise WrongCall("the two passphrases differ", hint="type it again")
    return first
