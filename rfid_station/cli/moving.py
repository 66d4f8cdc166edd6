"""A card moved by a command: checked, done, pushed, shown, and a receipt written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rfid_station.cli.card_view import card_row
from rfid_station.cli.context import the_station
from rfid_station.cli.output import show_document, shown, talk
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.errors import StillPending

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.desk.support.stopping import Stopped
    from rfid_station.sync.drive import Watch


@dataclass(frozen=True, slots=True)
class Handing:
    """How it is asked for: how long to wait for partners, and what the one who asked is given."""

    wait_s: float | None = None
    receipt: Path | None = None
    is_watched: bool = False
    dry_run: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a card, and why."""

    to: CardState
    reason_for: Callable[[Card], Reason | None]
    """Raises what the card's own state speaks against it."""


Do = Callable[["Station", Card, "Watch | None"], "Stopped"]


def move(ctx: typer.Context, number: str, wanted: Wanted, handing: Handing) -> None:
    """Move a card and bring the news to every partner, or say what would happen."""
    from rfid_station.desk.support.stopping import check, move_and_push

    def would(station: Station, card: Card) -> str:
        check(station, card, wanted.to, wanted.reason_for(card))
        partners = ", ".join(told_of(station, card))
        return f"become {wanted.to}; it would be pushed to: {partners or 'nobody yet'}"

    def do(station: Station, card: Card, watch: Watch | None) -> Stopped:
        reason = wanted.reason_for(card)
        return move_and_push(station, card, wanted.to, reason, wait_s=handing.wait_s, watch=watch)

    change(ctx, number, would, do, handing)


def move_each(ctx: typer.Context, numbers: Sequence[str], wanted: Wanted, handing: Handing) -> None:
    """Move several cards; all of them, whatever partners have not confirmed of one.

    :raises StillPending: of the last one that was not confirmed
    """
    pending: StillPending | None = None
    for number in numbers:
        try:
            move(ctx, number, wanted, handing)
        except StillPending as late:
            pending = late
    if pending:
        raise pending


def charging_with(ctx: typer.Context, number: str) -> list[str]:
    """The numbers of cards that act as one with a card and may charge, or will."""
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        others = station.store.joined.others(the_card(station, number))
    return [one.visual_number for one in others if one.state in (CardState.ACTIVE, CardState.ISSUED)]


def change(
    ctx: typer.Context, number: str, would: Callable[[Station, Card], str], do: Do, handing: Handing
) -> None:
    """Do something to a card that partners hear of, show what they say, and write a receipt."""
    from rfid_station.cli.stop_view import watching
    from rfid_station.desk.support.lookup import the_card
    from rfid_station.desk.support.receipt import check_receipt_path, receipt_of, write_receipt

    if handing.receipt:
        check_receipt_path(handing.receipt)
    is_quiet = handing.as_json or handing.wait_s is None or not handing.is_watched
    with the_station(ctx) as station:
        card = the_card(station, number)
        if handing.dry_run:
            talk(f"{card.visual_number} would {would(station, card)}")
            return
        with watching(is_quiet=is_quiet) as watch:
            result = do(station, card, watch)
        show_stop(result, handing.as_json)
        if handing.receipt:
            write_receipt(handing.receipt, receipt_of(station, result))
            talk(f"the receipt is in {handing.receipt}")
    result.check_confirmed()


def told_of(station: Station, card: Card) -> list[str]:
    """The connected partners that hear of a card."""
    token_id = station.store.feed.token_id_of(card.id)
    return [
        partner.name
        for partner in station.store.partners.all()
        if token_id and partner.connection and station.store.feed.newest(partner.name, token_id)
    ]


def show_stop(result: Stopped, as_json: bool) -> None:
    """What became of a card, and what every partner said of it."""
    from rfid_station.desk.support.receipt import behind_row

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
        show_document({**card_row(result.card), "partners": rows, "not_connected": result.not_connected})
        return
    typer.echo(f"{result.card.visual_number} is {result.card.state}")
    for row in rows:
        typer.echo(f"{row['partner']}: {row['answer']} at {shown(row['at'])}, {row['may_accept']}")
        due = None if row["answer"] == "confirmed" or not row["due_at"] else f"due by {shown(row['due_at'])}"
        for more in filter(None, (row["detail"], row["next"], due)):
            typer.echo(f"  {more}")
    if not rows:
        talk("no partner is connected that gets this card, so nobody has to be told")
