"""`rfid-station sheet`: cards onto paper or plastic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rfid_station.cli import press, sheet_designs
from rfid_station.cli.context import folder_of, the_station
from rfid_station.cli.output import counted, one_of, show_document, show_rows, talk
from rfid_station.cli.print_options import (
    Again,
    BrandName,
    DesignName,
    DryRun,
    Fleet,
    Language,
    Numbers,
    Onto,
    Out,
    Reason,
    SheetName,
)
from rfid_station.errors import WrongCall

if TYPE_CHECKING:
    from rfid_station.desk.paper.sheets import SheetFiles

app = typer.Typer(help="Sheets: cards onto paper or plastic.", no_args_is_help=True)
sheet_designs.register(app)

FlipEdge = Annotated[
    str | None, typer.Option("--flip", help="The edge that a printer flips sheets on: long or short.")
]
Offset = Annotated[
    str | None,
    typer.Option(metavar="X,Y", help="Move the back by mm, right and down; see `sheet calibrate`."),
]


@app.command("print")
def print_(
    ctx: typer.Context,
    numbers: Numbers = None,
    fleet: Fleet = None,
    again: Again = False,
    reason: Reason = None,
    design: DesignName = None,
    brand: BrandName = None,
    sheet: SheetName = None,
    start: Annotated[
        int | None, typer.Option(min=1, help="The first free position of a used sheet. [default: 1]")
    ] = None,
    onto: Onto = None,
    order: Annotated[
        str | None, typer.Option(help="row, column, or stack: cut piles are in order. [default: the sheet's]")
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="Only this side: front or back. [default: what the design has]")
    ] = None,
    flip: FlipEdge = None,
    offset: Offset = None,
    language: Language = None,
    per_file: Annotated[
        int, typer.Option("--per-file", min=1, max=100_000, help="More cards become several files.")
    ] = 10_000,
    out: Out = None,
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Print cards on sheets: a PDF with crop marks and bleed, and a picture of its first sheet."""
    from rfid_station.desk.paper import sheets
    from rfid_station.desk.support.lookup import the_card
    from rfid_station.printing.design import Side
    from rfid_station.printing.layout import Flip, Order

    wish = sheets.Wish(
        design=design,
        brand=brand,
        sheet=sheet,
        start_position=start,
        out=out,
        order=Order(one_of("--order", order, list(Order))) if order else None,
        flip=Flip(one_of("--flip", flip, list(Flip))) if flip else None,
        offset_mm=offset_of(offset),
        sides=(Side(one_of("--side", side, list(Side))),) if side else None,
        language=language,
        onto=onto,
        cards_in_a_file=per_file,
        reason=reason,
    )
    with the_station(ctx) as station:
        if numbers:
            cards = [the_card(station, number) for number in numbers]
        else:
            cards = sheets.cards_to_print(station, fleet, again=again)
        if dry_run:
            rows = [{"number": card.visual_number, "contract": f"{card.contract_id}"} for card in cards]
            show_rows(rows, as_json=as_json, empty="nothing would be printed")
            return
        show_sheets(sheets.print_sheets(station, cards, wish), as_json)


@app.command()
def calibrate(
    ctx: typer.Context, sheet: SheetName = None, flip: FlipEdge = None, offset: Offset = None, out: Out = None
) -> None:
    """Make a page that shows how far off the back is, and where a sheet's positions lie."""
    from rfid_station.desk.paper import sheets
    from rfid_station.printing.layout import Flip

    edge = Flip(one_of("--flip", flip, list(Flip))) if flip else None
    wish = sheets.Wish(sheet=sheet, flip=edge, offset_mm=offset_of(offset), out=out)
    with the_station(ctx, to_look=True) as station:
        typer.echo(sheets.write_calibration(station, wish))
    talk("print both sides without scaling, and hold the sheet against the light")


@app.command()
def layouts(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the sheets that can be printed on, your own and those that ship."""
    from rfid_station.desk.paper import sheets

    rows = [
        {
            "name": layout.source.stem,
            "for": "labels" if layout.is_label else "cards",
            "positions": len(layout.slots),
            "paper": f"{layout.paper.width:g} × {layout.paper.height:g} mm",
            "colors": f"{layout.color_space}",
            "title": layout.title,
        }
        for layout in sheets.all_layouts(folder_of(ctx))
    ]
    show_rows(rows, as_json=as_json, empty="there are no sheets")


def offset_of(text: str | None) -> tuple[float, float] | None:
    """Two numbers with a comma between, in mm.

    :raises WrongCall: they are not, or move by more than 20 mm
    """
    if text is None:
        return None
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        x = y = float("nan")
    if not (abs(x) <= 20 and abs(y) <= 20):
        raise WrongCall(f"--offset cannot be {text!r}", hint="write two numbers of mm, as in --offset 0.5,-1")
    return (x, y)


def show_sheets(made: SheetFiles, as_json: bool) -> None:
    """Say which files were made."""
    if as_json:
        document = {"pdf": made.pdf, "preview": made.preview, "cards": made.cards, "sheets": made.sheets}
        files = [
            {"pdf": f"{file.pdf}", "job": file.job, "cards": file.cards, "sheets": file.sheets}
            for file in made.files
        ]
        show_document({**document, "job": made.job, "files": files})
        return
    for file in made.files:
        typer.echo(file.pdf)
    talk(f"{counted(made.cards, 'card')} on {counted(made.sheets, 'sheet')}")
    talk(f"a picture of the first: {made.preview}")


press.register_for_sheets(app)
