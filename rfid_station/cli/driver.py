"""`rfid-station driver`: the people that cards are made for, shown and forgotten."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rfid_station.cli.card_options import AsJson, DryRun, Yes
from rfid_station.cli.card_view import card_row
from rfid_station.cli.context import the_station
from rfid_station.cli.output import confirm, counted, show_document, show_pairs, talk
from rfid_station.domain.card import Card

app = typer.Typer(help="Drivers: shown, forgotten.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="The driver's reference, whole, as in the fleet's file.")
]


@app.command()
def show(ctx: typer.Context, reference: Reference, as_json: AsJson = False) -> None:
    """Show what is kept of a driver, as they may ask for it. That you saw it goes into the audit log."""
    with the_station(ctx) as station:
        cards = station.store.drivers.cards_of(reference)
        people = station.store.drivers.people(reference)
        station.store.cards.note_revealed(cards, station.actor)
    row: dict[str, Any] = {
        "reference": reference,
        "names": sorted({person.name for person in people}),
        "fleets": sorted({person.fleet for person in people}),
        "languages": sorted({person.language for person in people if person.language}),
        "cards": [card_row(card, full=True) for card in cards] if as_json else _lines(cards),
    }
    if as_json:
        show_document(row)
    else:
        show_pairs({key: value if isinstance(value, str) else ", ".join(value) for key, value in row.items()})


@app.command()
def erase(
    ctx: typer.Context,
    reference: Reference,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Forget a driver for good: name, reference and language. Cards, their history and their UIDs stay.

    Takes --role supervisor, and that no card of theirs may charge any more.
    """
    from rfid_station.desk.record.own_copy import forget_own_copy

    with the_station(ctx) as station:
        cards = station.store.drivers.cards_of(reference)
        if dry_run:
            talk(
                f"driver {reference} would be forgotten; {counted(len(cards), 'card')} would stay, of nobody"
            )
            return
        confirm(f"forget driver {reference} and leave {counted(len(cards), 'card')} of nobody?", yes)
        cards = station.store.drivers.erase(reference, station.actor)
        backups = station.store.backups()
        forget_own_copy(station.folder)
    if as_json:
        show_document({"cards": [card.visual_number for card in cards], "backups": backups})
        return
    talk(f"the driver is forgotten; {counted(len(cards), 'card')} stay, of nobody")
    talk("not here, and yours to delete: the fleet's file, printed sheets and letters, copies of the store")
    for name in backups:
        talk(f"  {name}")


def _lines(cards: list[Card]) -> str:
    return "\n".join(f"{card.visual_number}  {card.state}  {card.uid.masked}" for card in cards)
