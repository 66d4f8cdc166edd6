"""`rfid-station card`: made, found, stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rfid_station.cli import press, support
from rfid_station.cli.card_options import (
    AsJson,
    DryRun,
    Full,
    Number,
    ProfileName,
    ReaderUri,
    Trace,
    Yes,
)
from rfid_station.cli.card_view import card_row, reveal, short_card_row
from rfid_station.cli.completion import card_numbers, group_names, lot_names
from rfid_station.cli.context import folder_of, look, the_station
from rfid_station.cli.output import confirm, show_document, show_pairs, show_rows, shown, talk
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.order import OrderLine, Way
from rfid_station.errors import ExitCode, WrongCall

if TYPE_CHECKING:
    from rfid_station.cli.issuing import Wish
    from rfid_station.desk.partners.regrouping import Regrouped
    from rfid_station.desk.station import Station
    from rfid_station.store.search import Clue, Exactness, Hits


LAST_EVENTS = 12
"""So many events of a card are shown to people; programs get all."""


class SpoilReason(StrEnum):
    """Why a card that never charged is given up."""

    DAMAGED = "damaged"
    ENCODE_FAILED = "encode_failed"
    MISPRINT = "misprint"


app = typer.Typer(help="Cards: made, found, stopped.", no_args_is_help=True)


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
    lot: Annotated[
        str | None,
        typer.Option(
            "--lot",
            help="Take the blanks from this lot. [default: the oldest that fits]",
            autocompletion=lot_names,
        ),
    ] = None,
    replacements: Annotated[
        bool, typer.Option("--replacements", help="Make the cards that `card replace` asked for.")
    ] = False,
    order: Annotated[
        str | None, typer.Option("--order", metavar="NAME", help="A card for each open line of a work order.")
    ] = None,
    scan: Annotated[
        bool, typer.Option("--scan", help="The cards are printed already: scan each number, then tap.")
    ] = False,
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
    Keys are shown at the bottom of the screen: undo, skip, spoil, pause, quit.
    """
    from rfid_station.cli import issuing, tapping

    with the_station(ctx) as station:
        if dry_run:
            tapping.show_plan(station, tapping.Place(reader, trace), profile, as_json=as_json)
        else:
            lines = _lines_to_make(station, file, order, replacements)
            wish = issuing.Wish(file, reader, profile, count, as_json, yes, trace, group, lines, lot=lot)
            issuing.issue(station, _as_ordered(station, wish, order, scan=scan))


def _lines_to_make(
    station: Station, file: Path | None, order: str | None, replacements: bool
) -> Sequence[OrderLine] | None:
    """The lines that something else than a fleet file says; None where nothing does."""
    if sum((file is not None, order is not None, replacements)) > 1:
        raise WrongCall(
            "a fleet file, --order and --replacements are three things", hint="leave two of them out"
        )
    if replacements:
        from rfid_station.desk.support.replacing import lines

        return lines(station)
    if order is not None:
        from rfid_station.desk.fulfilment.orders import open_lines

        return open_lines(station, order)
    return None


def _as_ordered(station: Station, wish: Wish, name: str | None, *, scan: bool) -> Wish:
    """The wish as a work order says it, where one does: its profile, and whether its cards are scanned."""
    if name is not None:
        order = station.store.orders.get(name)
        scan = scan or order.way is Way.PRINT_FIRST
        wish = replace(wish, order=order.name, profile=wish.profile or order.profile)
    if not scan:
        return wish
    from rfid_station.desk.fulfilment.preprinting import preprinted_by_scan

    return replace(wish, scan=partial(preprinted_by_scan, station, order=name))


@app.command()
def read(ctx: typer.Context, reader: ReaderUri = None, trace: Trace = None, as_json: AsJson = False) -> None:
    """Tell everything about the card on the reader, and write nothing."""
    from rfid_station.cli import tapping

    seen = look(ctx, lambda station: tapping.read_card(station, tapping.Place(reader, trace)))
    row = seen.found
    if seen.copy:
        row |= {"state": f"{row['state']}, by the copy of {seen.copy.moment}"}
    _show_one(seen.told(row) if as_json else row, as_json)


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

    place = tapping.Place(reader, trace)
    seen = look(ctx, lambda station: tapping.verify_card(station, place, as_stranger=stranger))
    _show_one(seen.told(seen.found) if as_json else seen.found, as_json)


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
def show(ctx: typer.Context, number: Number, full: Full = False, as_json: AsJson = False) -> None:
    """Show one card: what to say to its driver, what it is, where it is known, what happened to it."""
    from rfid_station.desk.support.lookup import describe, the_card

    def read(station: Station) -> dict[str, Any]:
        card = the_card(station, number)
        reveal(station, [card], full)
        return describe(station, card) | ({"uid": card.uid.hex} if full else {})

    seen = look(ctx, read, to_look=False)
    row = seen.found
    if seen.copy:
        row |= {"say": f"As of {seen.copy.moment}: {row['say']}"}
    if as_json:
        show_document(seen.told(row))
    else:
        show_pairs(_shown_card(row))


def _shown_card(row: dict[str, Any]) -> dict[str, Any]:
    """All about a card as people read it; the newest events only."""
    partners = [
        {
            "partner": at_partner["partner"],
            "holds": at_partner["holds"],
            "read_back": _read_back(at_partner["read_back"]),
        }
        for at_partner in row["partners"]
    ]
    events = row["history"][-LAST_EVENTS:]
    older = len(row["history"]) - len(events)
    token = row["token"]
    told = row | {
        "say": "\n".join(wrap(row["say"], 90)),
        "token": f"{'valid' if token['valid'] else 'not valid'}, {token['whitelist']}" if token else None,
        "packed": _shown_packed(row["packed"]),
        "acts_with": _lines(row["acts_with"]),
        "last_used": _shown_use(row["last_used"]),
        "alarms": "\n".join(
            f"{shown(one['began'])}  {one['partner']}  {one['evidence']}" for one in row["alarms"]
        ),
        "partners": _lines(partners),
        "printed": _lines(row["printed"]),
        "history": (f"… {older} before\n" if older else "") + _lines(events),
    }
    always = ("say", "number", "state", "partners", "history")
    return {name.replace("_", " "): value for name, value in told.items() if value or name in always}


def _shown_use(used: dict[str, Any] | None) -> str | None:
    """A card's newest charge, in a line."""
    if used is None:
        return None
    return "  ".join(shown(value) for value in used.values() if value not in (None, ""))


def _shown_packed(packed: dict[str, Any] | None) -> str | None:
    """How a card lies in its envelope, in a line, and the parcel that it left in, in another."""
    if packed is None:
        return None
    letter = "with its letter" if packed["with_letter"] else "without a letter"
    how = letter if packed["was_tapped"] else f"{letter}, by its printed code"
    words = f"{shown(packed['at'])}  {packed['who']}  {how}"
    if packed["tracking"]:
        words += f"\n{shown(packed['dispatched'])}  left in parcel {packed['tracking']} {packed['carrier']}"
    return words.rstrip()


@app.command()
def history(
    ctx: typer.Context,
    number: Number,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show a card's life and its charges in one line of time, the oldest first."""
    from dataclasses import asdict

    from rfid_station.desk.support.lookup import the_card
    from rfid_station.desk.support.usage import history as steps_of

    seen = look(ctx, lambda station: steps_of(station, the_card(station, number)))
    rows = [asdict(step) for step in seen.found]
    show_rows(
        list(map(seen.told, rows)) if as_json else rows, as_json=as_json, empty="nothing has happened to it"
    )


@app.command()
def find(
    ctx: typer.Context,
    text: Annotated[
        str,
        typer.Argument(
            metavar="WHATEVER",
            help="Any number in any form, or a part of one; an order or its line, a driver, a tracking "
            "number, or `job 12`.",
        ),
    ],
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Look for a part in old cards, too: it takes a while among many.")
    ] = False,
    full: Full = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card.")] = False,
) -> None:
    """Find cards by any number in any form, a part of one, an order, a driver, a print job or a parcel."""
    from rfid_station.desk.support.lookup import odd_check_digit

    warning = odd_check_digit(text)
    if warning:
        talk(warning)

    def read(station: Station) -> Hits:
        hits = station.store.cards.find(text, limit, everywhere=everywhere)
        reveal(station, [hit.card for hit in hits], full)
        return hits

    seen = look(ctx, read)
    hits = seen.found
    rows = [
        (card_row if as_json else short_card_row)(hit.card, full)
        | {"found_by": _found_by(hit.clue, hit.exactness)}
        for hit in hits
    ]
    if as_json:
        rows = list(map(seen.told, rows))
    show_rows(rows, as_json=as_json, empty=f"no card has {text!r} in any form")
    if hits.left_out:
        talk(f"what only contains {text!r} was not looked for in the oldest {hits.left_out:,} cards: --all")
    if not hits:
        raise typer.Exit(ExitCode.FAILED)
    if len(hits) == limit:
        talk(f"these are the first {limit}; there may be more")


def _found_by(clue: Clue, exactness: Exactness) -> str:
    words = clue.name.lower().replace("_", " ")
    return words if exactness.name == "WHOLE" else f"{exactness.name.lower()} of {words}"


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[CardState | None, typer.Option(help="Only cards in this state.")] = None,
    fleet: Annotated[str | None, typer.Option(help="Only cards of this fleet.")] = None,
    group: Annotated[
        str | None,
        typer.Option("--group", help="Only cards in this group.", autocompletion=group_names),
    ] = None,
    expiring: Annotated[
        str | None,
        typer.Option("--expiring", metavar="30d", help="Only those that end within so many days."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    full: Full = False,
    as_json: AsJson = False,
) -> None:
    """List cards, the oldest first; those that end soon by their last day."""

    def read(station: Station) -> list[Card]:
        if expiring is None:
            cards = station.store.cards.listing(state=state, fleet=fleet, group=group, limit=limit)
        else:
            ending = _ending(station, expiring)
            cards = [card for card in ending if _fits(card, state, fleet, group)][:limit]
        reveal(station, cards, full)
        return cards

    seen = look(ctx, read)
    cards = seen.found
    rows = [(card_row if as_json else short_card_row)(card, full) for card in cards]
    if as_json:
        rows = list(map(seen.told, rows))
    if expiring is not None and not as_json:
        rows = [row | {"last day": f"{card.valid_until}"} for row, card in zip(rows, cards, strict=True)]
    show_rows(rows, as_json=as_json, empty="no card fits")


def _ending(station: Station, within: str) -> list[Card]:
    """The cards that end within so many days.

    :raises WrongCall: the days cannot be read
    """
    days = re.fullmatch(r"(\d{1,4})d?", within.strip(), re.ASCII)
    if not days:
        raise WrongCall(f"{within!r} is no number of days", hint="write it as 30d")
    return station.store.dates.ending(station.store.database.clock().date() + timedelta(int(days[1])))


def _fits(card: Card, state: CardState | None, fleet: str | None, group: str | None) -> bool:
    of_fleet = card.driver.fleet if card.driver else None
    return state in (None, card.state) and fleet in (None, of_fleet) and group in (None, card.group)


@app.command()
def spoil(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[SpoilReason, typer.Option(help="What is wrong with it.")] = SpoilReason.DAMAGED,
    yes: Yes = False,
) -> None:
    """Give up a card that never charged; its order line is open again. Final."""
    from rfid_station.desk.support.lookup import the_card
    from rfid_station.desk.support.stopping import move_card

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
    from rfid_station.desk.partners.regrouping import regroup
    from rfid_station.desk.support.lookup import the_card

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


def _read_back(at: datetime | None) -> str:
    return f"read back {shown(at)}" if at else ""


def _lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        "  ".join(shown(value) for value in row.values() if value not in (None, "")) for row in rows
    )


press.register_for_cards(app)
support.register(app)
