"""Options that several commands about printing share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfid_station.cli.completion import card_numbers

DesignName = Annotated[str | None, typer.Option(help="A file in templates/cards. [default: print.design]")]
BrandName = Annotated[str | None, typer.Option(help="A file in templates/brands. [default: print.brand]")]
SheetName = Annotated[str | None, typer.Option(help="A file in templates/sheets. [default: print.sheet]")]
Onto = Annotated[
    int | None, typer.Option(min=1, metavar="JOB", help="Go on with the last sheet of this job.")
]
Reason = Annotated[str | None, typer.Option(help="Why it is printed again.")]
Intent = Annotated[
    Path | None,
    typer.Option(metavar="FILE.ICC", help="The profile of the bureau's press. [default: the bureau's]"),
]
Out = Annotated[Path | None, typer.Option(help="Where the PDF goes. [default: prints/ of the station]")]
Numbers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NUMBER]...",
        help="Only these cards, by any number. [default: all that are made and not printed]",
        autocompletion=card_numbers,
    ),
]
Fleet = Annotated[str | None, typer.Option(help="Only cards of this fleet.")]
Again = Annotated[bool, typer.Option("--again", help="Also those that were printed before.")]
Language = Annotated[str | None, typer.Option(help="Of the texts on the card, as in de.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="List what would be printed.")]
