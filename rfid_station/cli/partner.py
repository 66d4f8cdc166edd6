"""`rfid-station partner`: who gets our cards."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rfid_station.cli.completion import partner_names
from rfid_station.cli.context import the_station
from rfid_station.cli.output import show_rows, talk
from rfid_station.errors import WrongCall

app = typer.Typer(help="Partners: the charge point operators that get our cards.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Your name for the partner.", autocompletion=partner_names)
]


@app.command()
def add(
    ctx: typer.Context,
    name: Name,
    versions_url: Annotated[
        str, typer.Argument(metavar="VERSIONS-URL", help="Where the partner's OCPI begins.")
    ],
    token_file: Annotated[
        Path,
        typer.Option("--token-file", help="A file with the token that the partner gave you; - is stdin."),
    ],
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day of the agreement.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Its last day.")] = None,
) -> None:
    """Note a partner down, with the token that came out of band. Nothing is sent yet."""
    from rfid_station.desk.partners import add_partner
    from rfid_station.domain.agreement import Agreement

    agreement = Agreement(since and since.date(), until and until.date())
    token = _read_token(token_file)
    with the_station(ctx) as station:
        partner = add_partner(station, name, versions_url, token, agreement)
    typer.echo(f"{partner.name} is {partner.state}")
    talk(f"next: rfid-station partner connect {partner.name}")


@app.command()
def connect(ctx: typer.Context, name: Name) -> None:
    """Register with a partner (OCPI handshake). It gets all cards from then on, and those before."""
    from rfid_station.desk.partners import connect_partner

    with the_station(ctx) as station:
        partner = connect_partner(station, name)
    connection = partner.connection
    if connection:
        parties = ", ".join(map(str, connection.parties))
        typer.echo(f"{partner.name} is connected by OCPI {connection.version} as {parties}")
    talk("next: rfid-station sync run")


@app.command("list")
def list_(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List partners and how far each one's connection is."""
    with the_station(ctx) as station:
        partners = station.store.partners.all()
    rows = [
        {
            "partner": partner.name,
            "state": f"{partner.state}",
            "version": partner.connection.version if partner.connection else None,
            "parties": ", ".join(map(str, partner.connection.parties)) if partner.connection else None,
            "versions_url": partner.versions_url,
        }
        for partner in partners
    ]
    show_rows(
        rows,
        as_json=as_json,
        empty="no partner yet: rfid-station partner add NAME VERSIONS-URL --token-file FILE",
    )


def _read_token(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.readline().strip()
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(
            f"the token file {path} cannot be read: {error}", hint="write the token into it as its only line"
        ) from None
