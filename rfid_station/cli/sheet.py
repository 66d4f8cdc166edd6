"""`rfid-station sheet`: cards onto paper or plastic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfid_station.cli.completion import card_numbers
from rfid_station.cli.context import the_station
from rfid_station.cli.output import counted, show_document, show_rows, talk

app = typer.Typer(help="Sheets: cards onto paper or plastic.", no_args_is_help=True)


@app.command("print")
def print_(
    ctx: typer.Context,
    numbers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NUMBER]...",
            help="Only these cards, by any number. [default: all that are made and not printed]",
            autocompletion=card_numbers,
        ),
    ] = None,
    fleet: Annotated[str | None, typer.Option(help="Only cards of this fleet.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also those that were printed before.")] = False,
    design: Annotated[
        str | None, typer.Option(help="A file in templates/cards. [default: print.design]")
    ] = None,
    brand: Annotated[
        str | None, typer.Option(help="A file in templates/brands. [default: print.brand]")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="A file in templates/sheets. [default: print.sheet]")
    ] = None,
    start: Annotated[int, typer.Option(min=1, help="The first free position of a used sheet.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Where the PDF goes. [default: prints/ of the station]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be printed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print cards on sheets: a PDF with crop marks and bleed, and a picture of its first sheet."""
    from rfid_station.desk import sheets
    from rfid_station.desk.lookup import the_card

    with the_station(ctx) as station:
        if numbers:
            cards = [the_card(station, number) for number in numbers]
        else:
            cards = sheets.cards_to_print(station, fleet, again=again)
        if dry_run:
            rows = [{"number": card.visual_number, "contract": f"{card.contract_id}"} for card in cards]
            show_rows(rows, as_json=as_json, empty="nothing would be printed")
            return
        made = sheets.print_sheets(station, cards, sheets.Wish(design, brand, sheet, start, out))
    if as_json:
        show_document(
            {
                "pdf": made.pdf,
                "preview": made.preview,
                "cards": made.cards,
                "sheets": made.sheets,
                "job": made.job,
            }
        )
        return
    typer.echo(made.pdf)
    talk(f"{counted(made.cards, 'card')} on {counted(made.sheets, 'sheet')}")
    talk(f"a picture of the first: {made.preview}")
