"""`rfid-station card`, as support agents use it: stopped, let go on, ended, replaced, activated."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.card_options import (
    AsJson,
    AsLines,
    DryRun,
    Number,
    ProfileName,
    ReaderUri,
    ReceiptFile,
    WaitForPartners,
    Yes,
)
from rfid_station.cli.card_view import card_row
from rfid_station.cli.completion import card_numbers
from rfid_station.cli.context import the_station
from rfid_station.cli.moving import Handing, Wanted, change, charging_with, move, move_each
from rfid_station.cli.output import confirm, counted, show_document, show_rows, talk
from rfid_station.cli.trying import try_card
from rfid_station.domain.card import Card, CardState, Reason, Replacement, ReplaceWhen
from rfid_station.errors import MoveNotAllowed, WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.desk.support.joining import Joining
    from rfid_station.desk.support.stopping import Stopped
    from rfid_station.sync.drive import Watch


class BlockReason(StrEnum):
    """Why a card is blocked."""

    LOST = "lost"
    STOLEN = "stolen"


class SuspendReason(StrEnum):
    """Why we suspend a card."""

    UNPAID = "unpaid"
    FRAUD = "fraud"


class RetireReason(StrEnum):
    """Why a card's life ends."""

    RETURNED = "returned"
    REQUESTED = "requested"
    DAMAGED = "damaged"
    LOST = "lost"
    STOLEN = "stolen"
    UNPAID = "unpaid"
    FRAUD = "fraud"


class ReplaceReason(StrEnum):
    """Why a card is replaced."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"
    DATE_PASSED = "date_passed"


def register(app: typer.Typer) -> None:
    """Add these commands to `rfid-station card`."""
    for command in (block, unblock, suspend, activate, expire, retire, replace, join, part):
        app.command()(command)
    app.command("expire-on")(expire_on)
    app.command("claim-code")(claim_code)
    app.command("try")(try_card)


def block(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[BlockReason, typer.Option(help="What happened to it.")] = BlockReason.LOST,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    with_group: Annotated[
        bool, typer.Option("--with-group", help="Also the fob and every card that acts with it.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Stop a lost or stolen card everywhere, at once, and say who confirmed it; exit 8 if not all did."""
    wanted = Wanted(CardState.BLOCKED, lambda _card: Reason(reason))
    others = charging_with(ctx, number)
    if with_group:
        if receipt is not None and others:
            raise WrongCall("a receipt is about one card", hint="block them one after the other")
        move_each(ctx, [number, *others], wanted, Handing(wait, receipt, True, dry_run, as_json))
        return
    for other in others:
        talk(f"{other} acts with it and goes on; --with-group blocks it too")
    move(ctx, number, wanted, Handing(wait, receipt, True, dry_run, as_json))


def unblock(
    ctx: typer.Context,
    number: Number,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a found card charge again (--role support), or a settled one (--role supervisor)."""

    def why(card: Card) -> Reason:
        return Reason.SETTLED if card.state is CardState.SUSPENDED else Reason.FOUND

    move(ctx, number, Wanted(CardState.ACTIVE, why), Handing(wait, receipt, True, dry_run, as_json))


def suspend(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[SuspendReason, typer.Option(help="Why we stop it.")],
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Stop a card so that only a supervisor lets it go on. Takes --role support."""
    wanted = Wanted(CardState.SUSPENDED, lambda _card: Reason(reason))
    move(ctx, number, wanted, Handing(wait, receipt, True, dry_run, as_json))


def activate(
    ctx: typer.Context,
    number: Number,
    code: Annotated[
        str | None,
        typer.Option("--code", help="The claim code from the driver's letter."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let an issued card charge. If it takes another's place, that one ends now."""
    handing = Handing(dry_run=dry_run, as_json=as_json)
    if code is None:
        move(ctx, number, Wanted(CardState.ACTIVE, _no_reason), handing)
        return
    from rfid_station.desk.support.claiming import claim

    typed = code
    change(
        ctx,
        number,
        lambda _station, _card: "become active if the code is right; it is not tried now",
        lambda station, card, _watch: claim(station, card, typed),
        handing,
    )


def claim_code(
    ctx: typer.Context,
    numbers: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER...", help="The cards, by any number.", autocompletion=card_numbers),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.CSV", help="Write what `letter print` reads."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a new claim code for cards. It is shown once; an older one is void.

    By it the driver activates the card, and later reports it lost or found. After 10 wrong codes it takes
    --role supervisor.
    """
    from rfid_station.desk.support.claiming import check_codes_path, draw_code, write_codes
    from rfid_station.desk.support.lookup import the_card

    if out is not None:
        check_codes_path(out)
    with the_station(ctx) as station:
        cards = [the_card(station, number) for number in numbers]
        drawn = [draw_code(station, card) for card in cards]
    if out is not None:
        write_codes(out, drawn)
        talk(f"{counted(len(drawn), 'code')} in {out}; print the letters, then delete it")
        return
    rows = [{"number": one.card.visual_number, "claim_code": one.code} for one in drawn]
    show_rows(rows, as_json=as_json, empty="")


def expire(
    ctx: typer.Context,
    number: Number,
    wait: WaitForPartners = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """End a card now as one whose date has passed. Takes --role supervisor. Final."""
    _agree(f"end card {number} for good?", yes or dry_run)
    wanted = Wanted(CardState.EXPIRED, lambda _card: Reason.DATE_PASSED)
    move(ctx, number, wanted, Handing(wait, None, True, dry_run, as_json))


def retire(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[RetireReason, typer.Option(help="Why its life ends.")] = RetireReason.RETURNED,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """End a card that nobody uses any more. Takes --role support. Final."""
    _agree(f"end card {number} for good?", yes or dry_run)
    wanted = Wanted(CardState.RETIRED, lambda _card: Reason(reason))
    move(ctx, number, wanted, Handing(wait, receipt, True, dry_run, as_json))


def replace(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[ReplaceReason, typer.Option(help="What happened to the old one.")] = ReplaceReason.LOST,
    when: Annotated[
        ReplaceWhen | None, typer.Option(help="When the old one stops. [default: desk.replace_when]")
    ] = None,
    make: Annotated[bool, typer.Option("--make", help="Make it now, of the blank on the reader.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Ask for no new card any more.")] = False,
    reader: ReaderUri = None,
    profile: ProfileName = None,
    wait: WaitForPartners = None,
    receipt: ReceiptFile = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    yes: Yes = False,
) -> None:
    """Put a new card in another's place: same contract, driver and group; another number and UID.

    The new one is made here with --make, or at the desk by `card issue --replacements`.
    """
    from rfid_station.desk.support import replacing

    def wanted(station: Station) -> Replacement:
        return Replacement(ReplaceWhen(when or station.settings.desk.replace_when), Reason(reason))

    def would(station: Station, card: Card) -> str:
        return replacing.preview(station, card, wanted(station))

    def do(station: Station, card: Card, watch: Watch | None) -> Stopped:
        return replacing.ask(station, card, wanted(station), wait_s=wait, watch=watch)

    if cancel:
        with the_station(ctx) as station:
            card = replacing.withdraw(station, number)
        talk(f"no card is made in place of {card.visual_number}; it is {card.state}")
        return
    change(ctx, number, would, do, Handing(wait, receipt, True, dry_run, as_json))
    if dry_run:
        return
    if make:
        _make(ctx, number, reader, profile, as_json=as_json, yes=yes)
    else:
        talk("next: `rfid-station card issue --replacements`, and lay a blank on the reader")


def expire_on(
    ctx: typer.Context,
    number: Number,
    day: Annotated[str, typer.Argument(metavar="DATE", help="Its last day, as in 2027-12-31, or `never`.")],
    as_json: AsJson = False,
) -> None:
    """Say on which day a card ends; a later one renews it. Partners are told when the day is over (UTC)."""
    from rfid_station.desk.support.lookup import the_card

    until = None if day == "never" else _day(day)
    with the_station(ctx) as station:
        card = station.store.dates.set(the_card(station, number).id, until, station.actor)
    if as_json:
        show_document(card_row(card))
    elif card.state is CardState.EXPIRED:
        talk(f"{card.visual_number} has expired: {until} is over; next: `rfid-station sync run`")
    else:
        talk(f"{card.visual_number} ends after {until}" if until else f"{card.visual_number} has no last day")


def _day(text: str) -> date:
    """Read a day.

    :raises WrongCall: it is none
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongCall(f"{text!r} is not a day", hint="write it as 2027-12-31, or `never`") from None


def _make(
    ctx: typer.Context, number: str, reader: str | None, profile: str | None, *, as_json: bool, yes: bool
) -> None:
    from rfid_station.cli import issuing
    from rfid_station.desk.support.lookup import the_card
    from rfid_station.desk.support.replacing import line_for

    with the_station(ctx) as station:
        line = line_for(the_card(station, number))
        issuing.issue(station, issuing.Wish(None, reader, profile, 1, as_json, yes, lines=(line,)))


def _no_reason(card: Card) -> None:
    """Let a card pass that was never activated.

    :raises MoveNotAllowed: it was stopped, which takes more than that
    """
    if card.state is CardState.BLOCKED:
        raise MoveNotAllowed(
            f"card {card.visual_number} is blocked, {card.reason}",
            hint=f"if it was found: rfid-station --role support card unblock {card.visual_number}",
        )


def join(
    ctx: typer.Context,
    number: Number,
    others: Annotated[
        list[str],
        typer.Argument(
            metavar="OTHER...", help="What is to act with it, by any number.", autocompletion=card_numbers
        ),
    ],
    any_driver: Annotated[
        bool, typer.Option("--any-driver", help="Also cards of several drivers, or of nobody known.")
    ] = False,
    as_json: AsLines = False,
) -> None:
    """Let a card and a fob act as one: what one starts, the other stops. Each can be blocked by itself."""
    from rfid_station.desk.support import joining
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        cards = [the_card(station, each) for each in (number, *others)]
        _show_joining(joining.join(station, cards, any_driver=any_driver), as_json)


def part(ctx: typer.Context, number: Number, as_json: AsLines = False) -> None:
    """Let a card stand alone again; of two that act as one both do."""
    from rfid_station.desk.support import joining
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        _show_joining(joining.part(station, the_card(station, number)), as_json)


def _show_joining(joining: Joining, as_json: bool) -> None:
    rows = [
        {"number": card.visual_number, "state": f"{card.state}", "group_id": card.group_id}
        for card in joining.cards
    ]
    show_rows(rows, as_json=as_json, empty="")
    if joining.deaf:
        talk(f"no such groups in the protocol of {', '.join(joining.deaf)}: there each card stands alone")
    talk("next: `rfid-station sync run`, unless `serve` is running")


def _agree(question: str, yes: bool) -> None:
    confirm(question, yes)
