"""`rfid-station letter` and `label`: what goes into and onto the envelope with a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli.completion import card_numbers
from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, talk
from rfid_station.cli.print_options import BrandName, Out, Reason

if TYPE_CHECKING:
    from rfid_station.desk.paper.letters import Paper, Recipient
    from rfid_station.desk.station import Station
    from rfid_station.domain.card import Card

app = typer.Typer(help="Letters: what a card is glued to.", no_args_is_help=True)
labels = typer.Typer(help="Labels: addresses for envelopes and parcels.", no_args_is_help=True)

Numbers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NUMBER]...",
        help="Only these cards, by any number. [default: all that are made]",
        autocompletion=card_numbers,
    ),
]
Fleet = Annotated[str | None, typer.Option(help="Only cards of this fleet.")]
Addresses = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A CSV file: number or reference, company, name, street, postcode, city, claim_code …",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command("print")
def print_letters(
    ctx: typer.Context,
    numbers: Numbers = None,
    fleet: Fleet = None,
    addresses: Addresses = None,
    template: Annotated[str, typer.Option(help="A file in templates/letters.")] = "carrier",
    brand: BrandName = None,
    language: Annotated[
        str | None, typer.Option(help="Of the letter, as in de. [default: the driver's]")
    ] = None,
    reason: Reason = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Print a letter for each card: address, the card's place, claim code, how to activate."""
    from rfid_station.desk.paper import letters

    with the_station(ctx) as station:
        wish = letters.PaperWish(
            template=template,
            brand=brand,
            language=language,
            reason=reason,
            out=out,
            recipients=_recipients(addresses),
        )
        _show(letters.print_letters(station, _cards(station, numbers, fleet), wish), as_json, "letter")


@labels.command("print")
def print_labels(
    ctx: typer.Context,
    addresses: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV file with addresses.")],
    numbers: Numbers = None,
    fleet: Fleet = None,
    sheet: Annotated[str, typer.Option(help="A file in templates/sheets, for labels.")] = "labels-l7160",
    start: Annotated[int, typer.Option(min=1, help="The first free position of a used sheet.")] = 1,
    brand: BrandName = None,
    reason: Reason = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Print a label for each card that has an address in the file."""
    from rfid_station.desk.paper import letters

    with the_station(ctx) as station:
        wish = letters.PaperWish(
            sheet=sheet,
            brand=brand,
            start_position=start,
            reason=reason,
            out=out,
            recipients=_recipients(addresses),
        )
        _show(letters.print_labels(station, _cards(station, numbers, fleet), wish), as_json, "label")


def _cards(station: Station, numbers: list[str] | None, fleet: str | None) -> list[Card]:
    from rfid_station.desk.paper.letters import PACKED
    from rfid_station.desk.support.lookup import the_card

    if numbers:
        return [the_card(station, number) for number in numbers]
    return [card for card in station.store.cards.listing(fleet=fleet) if card.state in PACKED]


def _recipients(path: Path | None) -> dict[str, Recipient]:
    from rfid_station.desk.paper.letters import read_recipients

    return read_recipients(path) if path else {}


def _show(made: Paper, as_json: bool, noun: str) -> None:
    if as_json:
        show_document({"pdf": made.pdf, "cards": made.cards, "pages": made.pages, "job": made.job})
        return
    typer.echo(made.pdf)
    talk(f"{counted(made.cards, noun)} on {counted(made.pages, 'page')}")
