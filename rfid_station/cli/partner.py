"""`rfid-station partner`: who gets our cards."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import card_numbers, partner_names
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import confirm, counted, show_document, show_pairs, show_rows, talk
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.domain.agreement import Agreement
    from rfid_station.domain.partner import Partner
    from rfid_station.ocpi.rehearsal import Rehearsed

app = typer.Typer(help="Partners: the charge point operators that get our cards.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Your name for the partner.", autocompletion=partner_names)
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="A file with the token that the partner gave you; - is stdin."),
]
Since = Annotated[
    datetime | None, typer.Option("--since", formats=["%Y-%m-%d"], help="First day of the agreement.")
]
Until = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="Its last day.")]
AsDocument = Annotated[bool, typer.Option("--json", help="One JSON document.")]
AsLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


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
    profile: Annotated[
        str, typer.Option("--profile", help="What it does differently: one of `partner profiles`.")
    ] = "standard",
    since: Since = None,
    until: Until = None,
    as_json: AsDocument = False,
) -> None:
    """Note a partner down, with the token that came out of band. Nothing is sent yet."""
    from rfid_station.desk.partners import add_partner

    token = _read_token(token_file)
    with the_station(ctx) as station:
        partner = add_partner(station, name, versions_url, token, _agreement(since, until), profile)
        _tell(station, partner, f"{partner.name} is {partner.state}", as_json=as_json)
    talk(f"next: rfid-station partner connect {partner.name}")


@app.command()
def connect(
    ctx: typer.Context, name: Name, token_file: TokenFile = None, as_json: AsDocument = False
) -> None:
    """Register with a partner (OCPI handshake). It gets all cards from then on, and those before.

    A partner that was disconnected, or whose first token is used up, takes a new one: --token-file.
    """
    from rfid_station.desk.partners import connect_partner, readmit_partner

    token = _read_token(token_file) if token_file else None
    with the_station(ctx) as station:
        if token is not None:
            readmit_partner(station, name, None, token)
        partner = connect_partner(station, name)
        _tell(station, partner, _connected(partner), as_json=as_json)
    talk("next: rfid-station sync run")


@app.command()
def invite(
    ctx: typer.Context,
    name: Name,
    profile: Annotated[
        str | None, typer.Option("--profile", help="What it does differently: one of `partner profiles`.")
    ] = None,
    since: Since = None,
    until: Until = None,
    as_json: AsDocument = False,
) -> None:
    """Make a first token for a partner that will register with us. It is shown this once."""
    from rfid_station.desk.partner_invitation import invite_partner

    agreement = _agreement(since, until) if since or until else None
    with the_station(ctx) as station:
        invitation = invite_partner(station, name, agreement, profile)
    row = {
        "partner": invitation.partner.name,
        "versions_url": invitation.versions_url,
        "token": invitation.first_token,
    }
    (show_document if as_json else show_pairs)(row)
    talk("hand both to the partner by a safe way; the token is not shown again and lets it register once")
    talk("next: rfid-station serve, and wait for the partner")


@app.command()
def rotate(ctx: typer.Context, name: Name, token_file: TokenFile = None, as_json: AsDocument = False) -> None:
    """Change both credentials tokens, and read the partner's versions and endpoints anew.

    A partner whose profile says credentials_put = false takes a new first token: --token-file.
    """
    from rfid_station.desk.partner_upkeep import rotate_partner

    token = _read_token(token_file) if token_file else None
    with the_station(ctx) as station:
        partner = rotate_partner(station, name, token)
        _tell(station, partner, f"{partner.name} has new tokens, and so have we", as_json=as_json)


@app.command()
def disconnect(
    ctx: typer.Context,
    name: Name,
    only_here: Annotated[
        bool, typer.Option("--only-here", help="Do not ask the partner, who may keep us registered.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask me.")] = False,
    as_json: AsDocument = False,
) -> None:
    """End the connection with a partner. Cards that it has stay as they are there."""
    from rfid_station.desk.partner_upkeep import disconnect_partner

    confirm(f"End the connection with {name}? It hears of no change of a card from then on.", yes)
    with the_station(ctx) as station:
        partner = disconnect_partner(station, name, only_here=only_here)
        _tell(station, partner, f"{partner.name} is {partner.state}", as_json=as_json)
    talk(f"to connect again: rfid-station partner connect {name} --token-file FILE, or partner invite {name}")


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsDocument = False) -> None:
    """Show all about a partner."""
    with the_station(ctx) as station:
        row = _described(station, station.store.partners.get(name))
    if as_json:
        show_document(row)
    else:
        show_pairs({key: _lines(value) for key, value in row.items()})


@app.command("list")
def list_(ctx: typer.Context, as_json: AsLines = False) -> None:
    """List partners and how far each one's connection is."""
    with the_station(ctx) as station:
        partners = station.store.partners.all()
    rows = [
        {
            "partner": partner.name,
            "state": f"{partner.state}",
            "version": partner.connection.version if partner.connection else None,
            "parties": ", ".join(map(str, partner.connection.parties)) if partner.connection else None,
            "versions_url": partner.versions_url or None,
            "profile": partner.profile.name,
        }
        for partner in partners
    ]
    show_rows(
        rows,
        as_json=as_json,
        empty="no partner yet: rfid-station partner add NAME VERSIONS-URL --token-file FILE",
    )


@app.command("test")
def try_(ctx: typer.Context, name: Name, as_json: AsLines = False) -> None:
    """Try a connection step by step: versions, details, credentials, one card read back. Changes nothing."""
    from rfid_station.desk.partner_trial import check_trial, try_partner

    with the_station(ctx) as station:
        steps = list(try_partner(station, name))
    rows = [
        {"step": step.name, "result": "good" if step.is_good else "failed", "detail": step.detail}
        for step in steps
    ]
    show_rows(rows, as_json=as_json, empty="")
    check_trial(name, steps)


@app.command()
def preview(
    ctx: typer.Context,
    name: Name,
    card: Annotated[
        str, typer.Argument(metavar="CARD", help="Any number of the card.", autocompletion=card_numbers)
    ],
    as_json: AsDocument = False,
) -> None:
    """Show the exact request that brings a card to a partner. Nothing is sent; the token is masked."""
    from rfid_station.desk.lookup import the_card
    from rfid_station.desk.partner_preview import preview as preview_request

    with the_station(ctx) as station:
        request = preview_request(station, name, the_card(station, card))
    if as_json:
        show_document(_request_row(request))
    else:
        typer.echo(_request_text(request))
    talk("nothing was sent")


@app.command()
def check(ctx: typer.Context, name: Name, as_json: AsLines = False) -> None:
    """Tell which cards a partner would refuse, and why, before anything is sent."""
    from rfid_station.desk.partner_preview import check_flight, pre_flight

    with the_station(ctx) as station:
        flight = pre_flight(station, name)
    rows = [{"number": one.number, "uid": one.uid, "reason": one.reason} for one in flight.objections]
    looked_at = f"{counted(flight.cards, 'card')} looked at, as told to {name} in OCPI {flight.version}"
    show_rows(rows, as_json=as_json, empty=f"{looked_at}: none would be refused")
    check_flight(name, flight)


@app.command()
def profiles(ctx: typer.Context, as_json: AsLines = False) -> None:
    """List what partners may do differently, ready-made."""
    from rfid_station.desk.partner_profiles import all_partner_profiles

    rows = [
        {"profile": profile.name, "title": profile.title, "versions": ", ".join(profile.versions)}
        for profile in all_partner_profiles(folder_of(ctx))
    ]
    show_rows(rows, as_json=as_json, empty="no profile")


@app.command()
def export(
    ctx: typer.Context,
    name: Name,
    out: Annotated[Path | None, typer.Option("--out", help="A file to write, instead of stdout.")] = None,
) -> None:
    """Write a partner's profile as a file that can be changed and imported. There is no secret in it."""
    from rfid_station.desk.partner_profiles import export_profile, write_profile

    with the_station(ctx) as station:
        text = export_profile(station.store.partners.get(name))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_profile(out, text)
        talk(f"wrote {out}")


@app.command("import")
def import_(
    ctx: typer.Context,
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A profile; its name is the file's.")],
    as_json: AsDocument = False,
) -> None:
    """Give a partner the profile in a file. It counts for the next request."""
    from rfid_station.desk.partner_profiles import import_profile

    with the_station(ctx) as station:
        partner = import_profile(station, name, file)
        _tell(station, partner, f"{partner.name} has the profile {partner.profile.name}", as_json=as_json)
    talk(f"next: rfid-station partner check {partner.name}")


def _agreement(since: datetime | None, until: datetime | None) -> Agreement:
    from rfid_station.domain.agreement import Agreement

    return Agreement(since and since.date(), until and until.date())


def _tell(station: Station, partner: Partner, words: str, *, as_json: bool) -> None:
    if as_json:
        show_document(_described(station, partner))
    else:
        typer.echo(words)


def _connected(partner: Partner) -> str:
    if partner.connection is None:
        return f"{partner.name} is {partner.state}"
    parties = ", ".join(map(str, partner.connection.parties))
    return f"{partner.name} is connected by OCPI {partner.connection.version} as {parties}"


def _described(station: Station, partner: Partner) -> dict[str, Any]:
    """All about a partner but its secrets."""
    from rfid_station.domain.partner import profile_table

    connection, agreement = partner.connection, partner.agreement
    tokens = station.store.partners.server_tokens(partner.name)
    return {
        "partner": partner.name,
        "state": f"{partner.state}",
        "version": connection.version if connection else None,
        "versions_url": partner.versions_url or None,
        "parties": [str(party) for party in connection.parties] if connection else [],
        "endpoints": [f"{e.identifier} {e.role} {e.url}" for e in connection.endpoints] if connection else [],
        "since": f"{agreement.since}" if agreement.since else None,
        "until": f"{agreement.until}" if agreement.until else None,
        "whitelist": f"{agreement.whitelist}" if agreement.whitelist else None,
        "client_token": partner.client_token_ref or None,
        "server_tokens": {f"{use}": number for use, number in tokens.items()},
        "profile": partner.profile.name,
        "deviations": profile_table(partner.profile),
    }


def _lines(value: object) -> object:
    """Lists and tables for people: an entry a line."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {entry}" for key, entry in value.items())
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _request_row(request: Rehearsed) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": request.headers,
        "body": request.body,
    }


def _request_text(request: Rehearsed) -> str:
    headers = [f"{name}: {value}" for name, value in request.headers.items()]
    return "\n".join([f"{request.method} {request.url}", *headers, "", request.body])


def _read_token(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.readline().strip()
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(
            f"the token file {path} cannot be read: {error}", hint="write the token into it as its only line"
        ) from None
