"""`rfid-station card`: made, found, stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli import press
from rfid_station.cli.completion import card_numbers, group_names
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import confirm, show_document, show_pairs, show_rows, shown, talk
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.errors import ExitCode, MoveNotAllowed

if TYPE_CHECKING:
    from rfid_station.desk.regrouping import Regrouped
    from rfid_station.desk.station import Station
    from rfid_station.desk.stopping import Stopped


class BlockReason(StrEnum):
    """Why a card is blocked."""

    LOST = "lost"
    STOLEN = "stolen"


class SpoilReason(StrEnum):
    """Why a card that never charged is given up."""

    DAMAGED = "damaged"
    ENCODE_FAILED = "encode_failed"
    MISPRINT = "misprint"


app = typer.Typer(help="Cards: made, found, stopped.", no_args_is_help=True)

Number = Annotated[
    str,
    typer.Argument(
        metavar="NUMBER",
        help="Any number of the card in any form: visual number, contract ID, UID, alias or link.",
        autocompletion=card_numbers,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
ReaderUri = Annotated[
    str | None,
    typer.Option("--reader", help="Which reader, as `reader list` names it. [default: desk.reader]"),
]
ProfileName = Annotated[
    str | None,
    typer.Option("--profile", help="What is written; `card profiles` lists them. [default: desk.profile]"),
]
Trace = Annotated[
    Path | None,
    typer.Option("--trace", metavar="FILE", help="Record every exchange with the card, secrets masked."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
WaitForPartners = Annotated[
    float | None,
    typer.Option("--wait", min=0.1, help="Ask partners again and again for so many seconds. [default: once]"),
]
ReceiptFile = Annotated[
    Path | None,
    typer.Option(
        "--receipt", metavar="FILE", help="Write a receipt, in the card's language: .pdf, .txt or .json."
    ),
]


@app.command()
def issue(
    ctx: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(help="A fleet's CSV file: a card for each of its rows.", metavar="FLEET.CSV"),
    ] = None,
    reader: ReaderUri = None,
    profile: ProfileName = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many cards.")] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            help="The cards' group, where the file names none. [default: the fleet's name]",
            autocompletion=group_names,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tap one card and print what would be written to it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to what nobody can undo.")] = False,
    trace: Trace = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card.")] = False,
) -> None:
    """Make cards, one after the other: tap, wait for green, take it away, tap the next.

    Ends when all rows have their card, or at Ctrl-C; the card in hand is finished first.
    Run again after an interruption: rows that have their card are left alone.
    """
    from rfid_station.cli import issuing, tapping

    with the_station(ctx) as station:
        if dry_run:
            tapping.show_plan(station, tapping.Place(reader, trace), profile, as_json=as_json)
        else:
            issuing.issue(station, issuing.Wish(file, reader, profile, count, as_json, yes, trace, group))


@app.command()
def read(ctx: typer.Context, reader: ReaderUri = None, trace: Trace = None, as_json: AsJson = False) -> None:
    """Tell everything about the card on the reader, and write nothing."""
    from rfid_station.cli import tapping

    with the_station(ctx) as station:
        row = tapping.read_card(station, tapping.Place(reader, trace))
    _show_one(row, as_json)


@app.command()
def verify(
    ctx: typer.Context,
    reader: ReaderUri = None,
    stranger: Annotated[
        bool, typer.Option("--stranger", help="Use no keys: see what anybody sees, and cannot do.")
    ] = False,
    trace: Trace = None,
    as_json: AsJson = False,
) -> None:
    """Compare the card on the reader with what the store says it should be; exit 5 if it differs."""
    from rfid_station.cli import tapping

    with the_station(ctx) as station:
        row = tapping.verify_card(station, tapping.Place(reader, trace), as_stranger=stranger)
    _show_one(row, as_json)


@app.command()
def recycle(
    ctx: typer.Context,
    reader: ReaderUri = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be written.")] = False,
    trace: Trace = None,
    as_json: AsJson = False,
) -> None:
    """Bring a spoiled or retired card back to blank, where its chip allows it."""
    from rfid_station.cli import tapping

    with the_station(ctx) as station:
        place = tapping.Place(reader, trace)
        tapping.recycle_card(station, place, yes=yes, dry_run=dry_run, as_json=as_json)


@app.command()
def profiles(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the profiles: what each takes, writes and protects."""
    from rfid_station.desk.station import all_profiles

    rows = [
        {
            "profile": profile.name,
            "title": profile.title,
            "writes": f"{profile.content}",
            "protects": f"{profile.protection}",
            "key": profile.key,
            "irreversible": profile.irreversible if as_json else _told(profile.irreversible),
            "chips": sorted(profile.chips) if as_json else f"{len(profile.chips)}",
        }
        for profile in all_profiles(folder_of(ctx))
    ]
    show_rows(rows, as_json=as_json, empty="there are no profiles")


@app.command()
def show(ctx: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Show one card: what it is, who has it, where it is known, what happened to it."""
    from rfid_station.desk.lookup import describe, the_card

    with the_station(ctx) as station:
        row = describe(station, the_card(station, number))
    if as_json:
        show_document(row)
    else:
        partners = [
            {
                "partner": at_partner["partner"],
                "holds": at_partner["holds"],
                "read_back": _read_back(at_partner["read_back"]),
            }
            for at_partner in row["partners"]
        ]
        told = row | {"partners": partners}
        show_pairs(
            {name: _lines(value) if isinstance(value, list) else value for name, value in told.items()}
        )


@app.command()
def find(ctx: typer.Context, text: Number, as_json: AsJson = False) -> None:
    """Find cards by any number in any form, or by a driver's name."""
    with the_station(ctx) as station:
        cards = station.store.cards.search(text)
    _show_cards(cards, as_json=as_json, empty=f"no card has {text!r} in any form")
    if not cards:
        raise typer.Exit(ExitCode.FAILED)


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[CardState | None, typer.Option(help="Only cards in this state.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Only cards of this fleet.")] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="Only cards in this group.", autocompletion=group_names),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List cards, the oldest first."""
    with the_station(ctx) as station:
        cards = station.store.cards.listing(state=state, fleet=fleet, group=group, limit=limit)
    _show_cards(cards, as_json=as_json, empty="no card fits")


@app.command()
def block(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[BlockReason, typer.Option(help="What happened to it.")] = BlockReason.LOST,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Stop a lost or stolen card everywhere, at once, and say who confirmed it; exit 8 if not all did."""
    handing = _Handing(wait, receipt, is_watched=True)
    _move_and_push(
        ctx, number, CardState.BLOCKED, Reason(reason), dry_run=dry_run, as_json=as_json, handing=handing
    )


@app.command()
def unblock(
    ctx: typer.Context,
    number: Number,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a found card charge again. Takes --role support."""
    handing = _Handing(wait, receipt, is_watched=True)
    _move_and_push(
        ctx, number, CardState.ACTIVE, Reason.FOUND, dry_run=dry_run, as_json=as_json, handing=handing
    )


@app.command()
def activate(ctx: typer.Context, number: Number, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Let an issued card charge."""
    _move_and_push(ctx, number, CardState.ACTIVE, None, dry_run=dry_run, as_json=as_json)


@app.command()
def spoil(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[SpoilReason, typer.Option(help="What is wrong with it.")] = SpoilReason.DAMAGED,
    yes: Yes = False,
) -> None:
    """Give up a card that never charged; its order line is open again. Final."""
    from rfid_station.desk.lookup import the_card
    from rfid_station.desk.stopping import move_card

    with the_station(ctx) as station:
        card = the_card(station, number)
        confirm(f"give up card {card.visual_number} for good?", yes)
        card = move_card(station, card, CardState.SPOILED, Reason(reason))
    typer.echo(f"{card.visual_number} is {card.state}")


@app.command()
def move(
    ctx: typer.Context,
    numbers: Annotated[
        list[str],
        typer.Argument(
            metavar="NUMBER...", help="The cards, by any number of theirs.", autocompletion=card_numbers
        ),
    ],
    group: Annotated[
        str, typer.Option("--group", help="The group to put them into.", autocompletion=group_names)
    ],
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card.")] = False,
) -> None:
    """Put cards into another group, and say which partners gain and lose them by that."""
    from rfid_station.desk.lookup import the_card
    from rfid_station.desk.regrouping import regroup

    with the_station(ctx) as station:
        cards = list({card.id: card for card in (the_card(station, number) for number in numbers)}.values())
        moved = regroup(station, cards, group, dry_run=dry_run)
    if as_json:
        show_rows([_regrouped_row(one) for one in moved], as_json=True, empty="")
    else:
        for one in moved:
            typer.echo(_regrouped_in_words(one, dry_run=dry_run))
    if dry_run:
        talk("nothing was changed")
    elif any(one.gained_by or one.lost_by for one in moved):
        talk("next: `rfid-station sync run`, unless `serve` is running")


def _regrouped_row(one: Regrouped) -> dict[str, Any]:
    return {
        "number": one.card.visual_number,
        "was": one.before,
        "group": one.group,
        "gained_by": list(one.gained_by),
        "lost_by": list(one.lost_by),
    }


def _regrouped_in_words(one: Regrouped, *, dry_run: bool) -> str:
    if not one.is_moved:
        return f"{one.card.visual_number} is in {one.group} already"
    words = f"{one.card.visual_number} {'would go' if dry_run else 'goes'} from {one.before} to {one.group}"
    gained = f"gained by {', '.join(one.gained_by)}" if one.gained_by else ""
    lost = f"lost by {', '.join(one.lost_by)}" if one.lost_by else ""
    return "; ".join(filter(None, (words, gained, lost)))


@dataclass(frozen=True, slots=True)
class _Handing:
    """How long to wait for partners, and what the one who asked is given."""

    wait_s: float | None = None
    receipt: Path | None = None
    is_watched: bool = False


def _move_and_push(
    ctx: typer.Context,
    number: str,
    to: CardState,
    reason: Reason | None,
    *,
    dry_run: bool,
    as_json: bool,
    handing: _Handing | None = None,
) -> None:
    from rfid_station.cli.stop_view import watching
    from rfid_station.desk.lookup import the_card
    from rfid_station.desk.receipt import check_receipt_path, receipt_of, write_receipt
    from rfid_station.desk.stopping import check, move_and_push

    handing = handing or _Handing()
    if handing.receipt:
        check_receipt_path(handing.receipt)
    is_quiet = as_json or handing.wait_s is None or not handing.is_watched
    with the_station(ctx) as station:
        card = the_card(station, number)
        if reason is None and card.state is CardState.BLOCKED:
            raise MoveNotAllowed(
                f"card {card.visual_number} is blocked, {card.reason}",
                hint=f"if it was found: rfid-station --role support card unblock {card.visual_number}",
            )
        if dry_run:
            check(station, card, to, reason)
            partners = ", ".join(_told_of(station, card))
            talk(f"{card.visual_number} would become {to}; it would be pushed to: {partners or 'nobody yet'}")
            return
        with watching(is_quiet=is_quiet) as watch:
            result = move_and_push(station, card, to, reason, wait_s=handing.wait_s, watch=watch)
        _show_stop(result, as_json)
        if handing.receipt:
            write_receipt(handing.receipt, receipt_of(station, result))
            talk(f"the receipt is in {handing.receipt}")
    result.check_confirmed()


def _told_of(station: Station, card: Card) -> list[str]:
    """The connected partners that hear of a card."""
    token_id = station.store.feed.token_id_of(card.id)
    return [
        partner.name
        for partner in station.store.partners.all()
        if token_id and partner.connection and station.store.feed.newest(partner.name, token_id)
    ]


def _show_stop(result: Stopped, as_json: bool) -> None:
    from rfid_station.desk.receipt import behind_row

    rows = [
        {
            "partner": one.partner,
            "answer": f"{one.answer}",
            "at": one.at,
            "may_accept": one.may_accept,
            "detail": one.detail,
            "next": one.next_step,
            "confirmed_at": one.confirmed_at,
            "proven_at": one.proven_at,
            "cached_until": one.cached_until,
            "is_hub": one.is_hub,
            "behind_hub": behind_row(result.behind.get(one.partner)),
            "due_at": result.due.get(one.partner),
        }
        for one in result.confirmations
    ]
    if as_json:
        show_document({**_row(result.card), "partners": rows, "not_connected": result.not_connected})
        return
    typer.echo(f"{result.card.visual_number} is {result.card.state}")
    for row in rows:
        typer.echo(f"{row['partner']}: {row['answer']} at {shown(row['at'])}, {row['may_accept']}")
        due = None if row["answer"] == "confirmed" or not row["due_at"] else f"due by {shown(row['due_at'])}"
        for more in filter(None, (row["detail"], row["next"], due)):
            typer.echo(f"  {more}")
    if not rows:
        talk("no partner is connected that gets this card, so nobody has to be told")


def _show_one(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_document(row)
        return
    told = {name.replace("_", " "): _told(value) for name, value in row.items() if value not in (None, [])}
    show_pairs(told)


def _told(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def _show_cards(cards: list[Card], *, as_json: bool, empty: str) -> None:
    rows = [_row(card) if as_json else _short_row(card) for card in cards]
    show_rows(rows, as_json=as_json, empty=empty)


def _short_row(card: Card) -> dict[str, Any]:
    return {
        "number": card.visual_number,
        "state": f"{card.state}, {card.reason}" if card.reason else f"{card.state}",
        "contract": f"{card.contract_id}",
        "uid": card.uid.masked,
        "driver": card.driver.name if card.driver else None,
        "fleet": card.driver.fleet if card.driver else None,
        "group": card.group,
    }


def _row(card: Card) -> dict[str, Any]:
    return {
        "number": card.visual_number,
        "state": f"{card.state}",
        "reason": card.reason,
        "contract": f"{card.contract_id}",
        "uid": card.uid.masked,
        "chip": card.chip,
        "driver": card.driver.name if card.driver else None,
        "fleet": card.driver.fleet if card.driver else None,
        "group": card.group,
        "changed": card.changed_at,
    }


def _read_back(at: datetime | None) -> str:
    return f"read back {shown(at)}" if at else ""


def _lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        "  ".join(shown(value) for value in row.values() if value not in (None, "")) for row in rows
    )


press.register_for_cards(app)
