"""`rfid-station packing`: card and letter into one envelope, envelopes into parcels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.card_options import AsJson, Number, ReaderUri
from rfid_station.cli.completion import card_numbers
from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, note, talk
from rfid_station.cli.print_options import Out
from rfid_station.errors import CardLost, CardRefused, Conflict, NoCard, StationError

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.domain.card import Card
    from rfid_station.store.orders.packing import Parcel

app = typer.Typer(
    help="Packing: card and letter into one envelope, envelopes into parcels.", no_args_is_help=True
)

Tracking = Annotated[str, typer.Option("--tracking", metavar="NUMBER", help="The parcel's tracking number.")]
Carrier = Annotated[str, typer.Option("--carrier", help="Who carries it.")]

_REFUSALS = (Conflict, CardLost, CardRefused)
"""What concerns one card or letter, and lets the packing go on."""


@app.command("list")
def list_(
    ctx: typer.Context,
    order: Annotated[str, typer.Argument(help="The fleet file that was ordered by, without its ending.")],
    out: Out = None,
) -> None:
    """Print what goes into the parcel of an order, with boxes to tick."""
    from rfid_station.desk.paper import letters

    with the_station(ctx) as station:
        typer.echo(letters.write_packing_list(station, letters.cards_of_order(station, order), order, out))


@app.command()
def run(
    ctx: typer.Context,
    order: Annotated[str | None, typer.Option("--order", help="Only cards of this order.")] = None,
    no_letter: Annotated[bool, typer.Option("--no-letter", help="The cards go without letters.")] = False,
    no_reader: Annotated[
        bool, typer.Option("--no-reader", help="Scan the code on the card instead of tapping it; weaker.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many cards.")] = None,
    reader: ReaderUri = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a card.")] = False,
) -> None:
    """Pack cards, one after the other: tap the card, scan the code on its letter, take both, the next.

    The scanner types on standard input. A wrong pair is refused; exit 6 if a card was refused and not packed.
    """
    from rfid_station.cli.scanner import Scanner
    from rfid_station.cli.tapping import stoppable

    with the_station(ctx) as station, stoppable() as stop:
        if order is not None:
            station.store.orders.get(order)
        work = _Work(station, Scanner(stop).line, order, count, with_letter=not no_letter, as_json=as_json)
        if no_reader:
            _scan_cards(work)
        else:
            _tap_cards(work, reader, stop)
    talk(f"{counted(len(work.packed), 'card')} packed")
    if work.refused:
        raise typer.Exit(work.refused[-1][1].exit_code)
    if not work.packed:
        raise NoCard("no card was packed", hint="rfid-station packing run --no-reader, or tap a card")


@app.command()
def undo(
    ctx: typer.Context,
    number: Number,
    reason: Annotated[str, typer.Option(help="Why it is taken out.")],
) -> None:
    """Take a card out of its envelope again."""
    from rfid_station.desk.fulfilment import packing
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        card = the_card(station, number)
        packing.unpack(station, card, reason)
    talk(f"{card.visual_number} is not packed any more")


@app.command()
def dispatch(
    ctx: typer.Context,
    numbers: Annotated[
        list[str],
        typer.Argument(metavar="NUMBER...", help="The cards, by any number.", autocompletion=card_numbers),
    ],
    tracking: Tracking,
    carrier: Carrier = "",
    as_json: AsJson = False,
) -> None:
    """Send packed cards off in one parcel. For all of an order: `order dispatch`."""
    from rfid_station.desk.support.lookup import the_card

    with the_station(ctx) as station:
        send(station, [the_card(station, number) for number in numbers], tracking, carrier, as_json)


def send(station: Station, cards: list[Card], tracking: str, carrier: str, as_json: bool) -> Parcel:
    """Dispatch cards, and say so."""
    from rfid_station.cli.output import show_document
    from rfid_station.desk.fulfilment.packing import dispatch

    parcel = dispatch(station, cards, tracking, carrier)
    if as_json:
        numbers = [card.visual_number for card in cards]
        show_document({"tracking": parcel.tracking, "carrier": parcel.carrier, "cards": numbers})
    else:
        talk(f"parcel {parcel.tracking} left with {counted(len(cards), 'card')}")
    return parcel


@dataclass(slots=True)
class _Work:
    """A run of packing: what it works with, and what came of it."""

    station: Station
    scan: Callable[[], str | None]
    order: str | None
    count: int | None
    with_letter: bool
    as_json: bool
    packed: set[int] = field(default_factory=set)
    refused: list[tuple[int | None, StationError]] = field(default_factory=list)
    """What was refused and not put right since, with the card in hand if it was known."""
    is_over: bool = False
    """Nobody scans any more."""

    @property
    def is_complete(self) -> bool:
        return self.is_over or (self.count is not None and len(self.packed) >= self.count)


def _tap_cards(work: _Work, uri: str | None, stop: Callable[[], bool]) -> None:
    from rfid_station.cli.tapping import a_reader
    from rfid_station.desk.fulfilment.packing import card_on_reader
    from rfid_station.reader.absence import attended
    from rfid_station.reader.signal import signal

    with a_reader(work.station, uri, None) as reader:
        talk(f"tap a card on {reader.uri}")
        for link in attended(reader, lambda: stop() or work.is_complete, note):
            signal(reader, ok=_try(work, partial(card_on_reader, work.station, link), tapped=True))


def _scan_cards(work: _Work) -> None:
    from rfid_station.desk.fulfilment.packing import card_by_code

    talk("scan the code on a card; its chip is not read, so this is weaker than a tap")
    for text in _lines(work):
        _try(work, partial(card_by_code, work.station, text), tapped=False)


def _lines(work: _Work) -> Iterator[str]:
    while not work.is_complete and (text := work.scan()) is not None:
        yield text


def _try(work: _Work, card_in_hand: Callable[[], Card], *, tapped: bool) -> bool:
    """Pack the card in hand, and say whether it is packed now."""
    card = None
    try:
        card = card_in_hand()
        is_packed = _pack(work, card, tapped=tapped)
    except _REFUSALS as error:
        if not isinstance(error, CardLost):
            work.refused.append((card.id if card else None, error))
        _refused(work, card, error)
        return False
    if is_packed:
        work.packed.add(card.id)
        work.refused = [refusal for refusal in work.refused if refusal[0] != card.id]
    return is_packed


def _pack(work: _Work, card: Card, *, tapped: bool) -> bool:
    from rfid_station.desk.fulfilment import packing

    letter = None
    packing.check_packable(work.station, card, work.order)
    if work.with_letter:
        whom = f", for {card.driver.name}" if card.driver else ""
        talk(f"{card.visual_number}{whom}: scan its letter")
        letter = work.scan()
        if letter is None:
            work.is_over = True
            return False
    packed = packing.pack(work.station, card, letter, was_tapped=tapped, order=work.order)
    if work.as_json:
        row = {"number": card.visual_number, "packed": True, "with_letter": packed.with_letter}
        typer.echo(json.dumps(row | {"was_tapped": packed.was_tapped}))
    else:
        typer.echo(f"{card.visual_number}  packed{'' if letter is None else ' with its letter'}")
    return True


def _refused(work: _Work, card: Card | None, error: StationError) -> None:
    if work.as_json:
        number = card.visual_number if card else None
        typer.echo(json.dumps({"number": number, "packed": False, "words": error.message}))
    talk(f"not packed: {error.message}")
    if error.hint:
        talk(f"hint: {error.hint}")
