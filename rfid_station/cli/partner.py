"""`rfid-station partner`: who gets our cards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli.completion import card_numbers, group_names, partner_names
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import confirm, counted, show_document, show_pairs, show_rows, shown, talk
from rfid_station.domain.token import Whitelist
from rfid_station.errors import WrongCall
from rfid_station.small_file import small_text

if TYPE_CHECKING:
    from rfid_station.desk.partners.agreeing import Terms
    from rfid_station.desk.station import Station
    from rfid_station.domain.agreement import Agreement
    from rfid_station.domain.partner import Partner
    from rfid_station.domain.partner_profile import PartnerProfile
    from rfid_station.ocpi.rehearsal import Rehearsed

app = typer.Typer(help="Partners: the charge point operators that get our cards.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Your name for the partner.", autocompletion=partner_names)
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="A file with the token that the partner gave you; - is stdin."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="A card group that it gets; may be repeated. Unless agreed, it gets every card.",
        autocompletion=group_names,
    ),
]
AllGroups = Annotated[bool, typer.Option("--all-groups", help="It gets every card.")]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DAY", help="First day of the agreement, in UTC; or `open`.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help="Its last day, in UTC; or `open`.")]
TheirWhitelist = Annotated[
    Whitelist | None,
    typer.Option("--whitelist", help="What it is told instead of the card's own. ALWAYS takes a supervisor."),
]
Witness = Annotated[
    str | None,
    typer.Option("--witness", metavar="NAME", help="Who agrees, where ALWAYS takes two people."),
]
NoWhitelist = Annotated[bool, typer.Option("--no-whitelist", help="It is told the card's own whitelist.")]
BlockWithin = Annotated[
    str | None,
    typer.Option("--block-within", metavar="SPAN", help="How soon it is to have a block; 15m unless agreed."),
]
NewWithin = Annotated[
    str | None,
    typer.Option("--new-within", metavar="SPAN", help="How soon it is to have all else; 24h unless agreed."),
]
AsDocument = Annotated[bool, typer.Option("--json", help="One JSON document.")]
AsLines = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def add(
    ctx: typer.Context,
    name: Name,
    versions_url: Annotated[
        str, typer.Argument(metavar="VERSIONS-URL", help="Where the partner's OCPI (or OICP) begins.")
    ],
    token_file: TokenFile = None,
    profile: Annotated[
        str, typer.Option("--profile", help="What it does differently: one of `partner profiles`.")
    ] = "standard",
    group: Groups = None,
    all_groups: AllGroups = False,
    since: Since = None,
    until: Until = None,
    whitelist: TheirWhitelist = None,
    no_whitelist: NoWhitelist = False,
    block_within: BlockWithin = None,
    new_within: NewWithin = None,
    witness: Witness = None,
    as_json: AsDocument = False,
) -> None:
    """Note a partner down, with the token that came out of band. Nothing is sent yet.

    Hubject by OICP (--profile hubject-oicp) takes no token, but the certificate that [oicp] in station.toml
    names, and is connected with that.
    """
    from rfid_station.desk.partners.agreeing import Terms
    from rfid_station.desk.partners.connecting import add_partner

    terms = Terms(
        tuple(group or ()), all_groups, since, until, whitelist, no_whitelist, block_within, new_within
    )
    token = _read_token(token_file) if token_file else None
    with the_station(ctx) as station:
        agreement = terms.first
        partner = add_partner(station, name, versions_url, token, agreement, profile, witness=witness)
        _warn_of_unknown_groups(station, partner)
        _tell(station, partner, f"{partner.name} is {partner.state}", as_json=as_json)
    following = "sync run" if partner.connection else f"partner connect {partner.name}"
    talk(f"next: rfid-station {following}")


@app.command()
def connect(
    ctx: typer.Context, name: Name, token_file: TokenFile = None, as_json: AsDocument = False
) -> None:
    """Register with a partner (OCPI handshake). It gets all cards from then on, and those before.

    A partner that was disconnected, or whose first token is used up, takes a new one: --token-file.
    """
    from rfid_station.desk.partners.connecting import connect_partner, readmit_partner

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
    group: Groups = None,
    all_groups: AllGroups = False,
    since: Since = None,
    until: Until = None,
    whitelist: TheirWhitelist = None,
    no_whitelist: NoWhitelist = False,
    block_within: BlockWithin = None,
    new_within: NewWithin = None,
    witness: Witness = None,
    as_json: AsDocument = False,
) -> None:
    """Make a first token for a partner that will register with us. It is shown this once."""
    from rfid_station.desk.partners.agreeing import Terms
    from rfid_station.desk.partners.invitation import invite_partner

    terms = Terms(
        tuple(group or ()), all_groups, since, until, whitelist, no_whitelist, block_within, new_within
    )
    with the_station(ctx) as station:
        agreement = None if terms.is_empty else terms.first
        invitation = invite_partner(station, name, agreement, profile, witness=witness)
        _warn_of_unknown_groups(station, invitation.partner)
    row = {
        "partner": invitation.partner.name,
        "versions_url": invitation.versions_url,
        "token": invitation.first_token,
    }
    (show_document if as_json else show_pairs)(row)
    talk("hand both to the partner by a safe way; the token is not shown again and lets it register once")
    talk("it ends after 14 days; another one: the same command")
    talk("next: rfid-station serve, and wait for the partner")


@app.command()
def agree(
    ctx: typer.Context,
    name: Name,
    group: Groups = None,
    all_groups: AllGroups = False,
    since: Since = None,
    until: Until = None,
    whitelist: TheirWhitelist = None,
    no_whitelist: NoWhitelist = False,
    block_within: BlockWithin = None,
    new_within: NewWithin = None,
    witness: Witness = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many cards the partner would gain and lose.")
    ] = False,
    as_json: AsDocument = False,
) -> None:
    """Change the agreement with a partner; what is not named stays. Cards that it loses are withdrawn."""
    from rfid_station.desk.partners.agreeing import Terms
    from rfid_station.desk.partners.agreeing import agree as put_into_force

    terms = Terms(
        tuple(group or ()), all_groups, since, until, whitelist, no_whitelist, block_within, new_within
    )
    if terms.is_empty:
        raise WrongCall(
            "nothing is named that is to change", hint=f"rfid-station partner agree {name} --group GROUP"
        )
    with the_station(ctx, to_look=dry_run) as station:
        if dry_run:
            _rehearse(station, name, terms, as_json=as_json)
            return
        partner, effect = put_into_force(station, name, terms, witness=witness)
        if as_json:
            show_document({**_described(station, partner), "gained": effect.gained, "lost": effect.lost})
        else:
            typer.echo(f"{name} {effect}")
        _warn_of_unknown_groups(station, partner)
    if partner.connection:
        talk("next: `rfid-station sync run`, unless `serve` is running")


def _rehearse(station: Station, name: str, terms: Terms, *, as_json: bool) -> None:
    from rfid_station.desk.partners.agreeing import rehearse

    agreement, effect = rehearse(station, name, terms)
    if as_json:
        show_document(
            {"partner": name, **_agreement_row(agreement), "gained": effect.gained, "lost": effect.lost}
        )
    else:
        typer.echo(f"{name} {effect}")
    talk("nothing was changed")


@app.command()
def rotate(ctx: typer.Context, name: Name, token_file: TokenFile = None, as_json: AsDocument = False) -> None:
    """Change both credentials tokens, and read the partner's versions and endpoints anew.

    A partner whose profile says credentials_put = false takes a new first token: --token-file.
    """
    from rfid_station.desk.partners.upkeep import rotate_partner

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
    keep_cards: Annotated[
        bool, typer.Option("--keep-cards", help="Leave the cards there as they are: they may charge on.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0.1, help="Withdraw for so many seconds at most.")
    ] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask me.")] = False,
    as_json: AsDocument = False,
) -> None:
    """Withdraw every card from a partner, then end the connection with it.

    Exit 8 if it has not taken all cards back in time: the connection stays until then, so say it again.
    """
    from rfid_station.desk.partners.upkeep import disconnect_partner

    stays = "Cards that it has stay as they are there." if only_here or keep_cards else "It loses every card."
    confirm(f"End the connection with {name}? {stays}", yes)
    with the_station(ctx) as station:
        partner = disconnect_partner(station, name, only_here=only_here, keep_cards=keep_cards, wait_s=wait)
        _tell(station, partner, f"{partner.name} is {partner.state}", as_json=as_json)
    talk(f"to connect again: rfid-station partner connect {name} --token-file FILE, or partner invite {name}")


@app.command()
def show(ctx: typer.Context, name: Name, as_json: AsDocument = False) -> None:
    """Show all about a partner."""
    with the_station(ctx, to_look=True) as station:
        row = _described(station, station.store.partners.get(name))
    if as_json:
        show_document(row)
    else:
        told = row | {"groups": row["groups"] or "every card", "ending": "yes" if row["ending"] else None}
        show_pairs({key: _lines(value) for key, value in told.items()})


@app.command("list")
def list_(ctx: typer.Context, as_json: AsLines = False) -> None:
    """List partners and how far each one's connection is."""
    with the_station(ctx, to_look=True) as station:
        partners = station.store.partners.all()
    rows = [
        {
            "partner": partner.name,
            "state": _state(partner),
            "version": partner.connection.version if partner.connection else None,
            "parties": ", ".join(map(str, partner.connection.parties)) if partner.connection else None,
            "versions_url": partner.versions_url or None,
            "profile": partner.profile.name,
            "gets": _groups(partner),
            "until": f"{partner.agreement.until}" if partner.agreement.until else None,
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
    from rfid_station.desk.partners.trial import check_trial, try_partner

    with the_station(ctx, to_look=True) as station:
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
    from rfid_station.desk.partners.preview import preview as preview_request
    from rfid_station.desk.support.joining import is_deaf
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        found = the_card(station, card)
        request = preview_request(station, name, found)
        if is_deaf(station, name, found):
            talk(f"no group_id in the protocol of {name}: {found.visual_number} stands alone there")
    if as_json:
        show_document(_request_row(request))
    else:
        typer.echo(_request_text(request))
    talk("nothing was sent")


@app.command()
def check(ctx: typer.Context, name: Name, as_json: AsLines = False) -> None:
    """Tell which cards a partner would refuse, and why, before anything is sent."""
    from rfid_station.desk.partners.preview import check_flight, pre_flight

    with the_station(ctx, to_look=True) as station:
        flight = pre_flight(station, name)
    rows = [{"number": one.number, "uid": one.uid, "reason": one.reason} for one in flight.objections]
    looked_at = f"{counted(flight.cards, 'card')} looked at, as told to {name} in {flight.spoken}"
    show_rows(rows, as_json=as_json, empty=f"{looked_at}: none would be refused")
    check_flight(name, flight)


@app.command()
def profiles(ctx: typer.Context, as_json: AsLines = False) -> None:
    """List what partners may do differently, ready-made."""
    from rfid_station.desk.partners.profiles import all_partner_profiles

    rows = [
        {"profile": profile.name, "title": profile.title, "versions": _versions(profile)}
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
    from rfid_station.desk.partners.profiles import export_profile, write_profile

    with the_station(ctx, to_look=True) as station:
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
    from rfid_station.desk.partners.profiles import import_profile

    with the_station(ctx) as station:
        partner = import_profile(station, name, file)
        _tell(station, partner, f"{partner.name} has the profile {partner.profile.name}", as_json=as_json)
    talk(f"next: rfid-station partner check {partner.name}")


def _warn_of_unknown_groups(station: Station, partner: Partner) -> None:
    from rfid_station.desk.partners.agreeing import unknown_groups

    for group in unknown_groups(station, partner.agreement):
        talk(f"note: no card is in group {group} yet")


def _state(partner: Partner) -> str:
    is_ending = partner.is_ending and partner.connection is not None
    return f"{partner.state}, ending" if is_ending else f"{partner.state}"


def _groups(partner: Partner) -> str:
    groups = partner.agreement.groups
    return "every card" if groups is None else ", ".join(sorted(groups))


def _agreement_row(agreement: Agreement) -> dict[str, Any]:
    from rfid_station.desk.partners.agreeing import span_in_words

    return {
        "groups": None if agreement.groups is None else sorted(agreement.groups),
        "since": f"{agreement.since}" if agreement.since else None,
        "until": f"{agreement.until}" if agreement.until else None,
        "whitelist": f"{agreement.whitelist}" if agreement.whitelist else None,
        "block_within": span_in_words(agreement.level.block_within),
        "new_within": span_in_words(agreement.level.new_within),
    }


def _tell(station: Station, partner: Partner, words: str, *, as_json: bool) -> None:
    if as_json:
        show_document(_described(station, partner))
    else:
        typer.echo(words)


def _connected(partner: Partner) -> str:
    if partner.connection is None:
        return f"{partner.name} is {partner.state}"
    if not partner.profile.reads_back:
        return f"{partner.name} is connected by {partner.connection.version}"
    parties = ", ".join(map(str, partner.connection.parties))
    return f"{partner.name} is connected by OCPI {partner.connection.version} as {parties}"


def _described(station: Station, partner: Partner) -> dict[str, Any]:
    """All about a partner but its secrets."""
    from rfid_station.domain.partner import profile_table

    connection = partner.connection
    contact = station.store.contacts.get(partner.name)
    tokens = station.store.partners.server_tokens(partner.name)
    return {
        "partner": partner.name,
        "state": f"{partner.state}",
        "version": connection.version if connection else None,
        "versions_url": partner.versions_url or None,
        "parties": [str(party) for party in connection.parties] if connection else [],
        "endpoints": [f"{e.identifier} {e.role} {e.url}" for e in connection.endpoints] if connection else [],
        "ending": partner.is_ending and connection is not None,
        "paused": f"{contact.pause}" if contact.pause else None,
        **_agreement_row(partner.agreement),
        "client_token": partner.client_token_ref or None,
        "server_tokens": {f"{use}": number for use, number in tokens.items()},
        "profile": partner.profile.name,
        "deviations": profile_table(partner.profile),
        "accepted_after_block": station.store.usage.alarm_count(partner.name),
        **_behind_row(station, partner),
    }


def _behind_row(station: Station, partner: Partner) -> dict[str, Any]:
    """The parties behind a hub, as it last told; nothing of a partner that told of none."""
    from rfid_station.desk.partners.behind_hubs import clients_of

    told = [f"{one} since {shown(one.last_updated)}" for one in clients_of(station, partner)]
    return {"behind_hub": told} if told or partner.profile.is_hub else {}


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


def _versions(profile: PartnerProfile) -> str:
    return ", ".join(profile.versions) if profile.reads_back else "OICP 2.3"


MOST_TOKEN = 4096
"""Bytes of a token file; a token has 64 characters at most."""


def _read_token(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.readline(MOST_TOKEN).strip()
    try:
        return small_text(path, MOST_TOKEN).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(
            f"the token file {path} cannot be read: {error}", hint="write the token into it as its only line"
        ) from None
