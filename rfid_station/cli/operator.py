"""`rfid-station operator`: who signs in at the desks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.context import Who, the_station
from rfid_station.cli.output import confirm, show_document, show_rows, talk

if TYPE_CHECKING:
    from rfid_station.desk.people.operators import Enrolled

app = typer.Typer(help="Operators: who signs in, in which role.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The operator's name.")]
AsDocument = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command()
def add(
    ctx: typer.Context,
    name: Name,
    role: Annotated[Who, typer.Option("--role", help="What they may act as.")] = Who.CLERK,
    pin: Annotated[
        str | None,
        typer.Option(
            "--pin",
            metavar="REFERENCE",
            help="Where the PIN lies: env:NAME or file:NAME. [default: asked for]",
        ),
    ] = None,
    as_json: AsDocument = False,
) -> None:
    """Let somebody sign in. From the first one on, whoever changes something has to be signed in.

    The first has to be a supervisor. The recovery code is shown this once: it belongs into a safe.
    """
    from rfid_station.desk.people.operators import add_operator
    from rfid_station.domain.card import Role

    with the_station(ctx) as station:
        is_first = not station.store.operators.any()
        enrolled = add_operator(station, name, Role(role), pin)
    _show(enrolled, f"{enrolled.operator.name} may sign in as {enrolled.operator.role}", as_json=as_json)
    if is_first:
        talk("from now on whoever changes something has to sign in")
        talk(f"next: rfid-station shift start --operator {name!r}, and add a second supervisor")


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an operator.")] = False,
) -> None:
    """List who may sign in, and who might once."""
    with the_station(ctx, to_look=True) as station:
        operators = station.store.operators.all()
    rows = [
        {
            "operator": one.name,
            "role": f"{one.role}",
            "state": "removed" if not one.is_active else "locked" if one.is_locked else "active",
            "wrong_pins": one.wrong_pins,
            "since": one.created_at,
        }
        for one in operators
    ]
    empty = "nobody signs in here, and names are trusted: rfid-station operator add NAME --role supervisor"
    show_rows(rows, as_json=as_json, empty=empty)


@app.command()
def remove(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask me.")] = False,
) -> None:
    """Let somebody sign in no more. The name stays theirs in the audit log, and cannot be given again."""
    from rfid_station.desk.people.operators import remove_operator

    confirm(f"Let {name} sign in no more?", yes)
    with the_station(ctx) as station:
        gone = remove_operator(station, name)
    typer.echo(f"{gone.name} is no operator any more")


@app.command()
def unlock(ctx: typer.Context, name: Name) -> None:
    """Take PINs again of somebody who typed too many wrong ones."""
    from rfid_station.desk.people.operators import unlock_operator

    with the_station(ctx) as station:
        known = unlock_operator(station, name)
    typer.echo(f"{known.name} may sign in again")


@app.command()
def pin(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Whose; another's takes a supervisor. [default: yours]"),
    ] = None,
) -> None:
    """Change your PIN; or as a supervisor give somebody a new one, which they type."""
    from rfid_station.desk.people.operators import change_pin

    with the_station(ctx) as station:
        known = change_pin(station, name)
    typer.echo(f"{known.name} has a new PIN")


@app.command()
def recover(ctx: typer.Context, name: Name, as_json: AsDocument = False) -> None:
    """Give somebody a new PIN by the recovery code from the safe, when no supervisor can."""
    from rfid_station.desk.people.operators import recover_operator

    with the_station(ctx, to_look=True) as station:
        enrolled = recover_operator(station, name)
    _show(enrolled, f"{enrolled.operator.name} has a new PIN, and is unlocked", as_json=as_json)


def _show(enrolled: Enrolled, words: str, *, as_json: bool) -> None:
    known, code = enrolled.operator, enrolled.recovery_code
    if as_json:
        show_document({"operator": known.name, "role": f"{known.role}", "recovery_code": code})
        return
    typer.echo(words)
    typer.echo(f"recovery code: {code}")
    talk(f"put that code into a safe: it is shown this once, and gives {known.name} a new PIN if one is lost")
