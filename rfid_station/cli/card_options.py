"""Options that several commands about cards share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rfid_station.cli.completion import card_numbers

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
AsLines = Annotated[bool, typer.Option("--json", help="One JSON object a card.")]
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
Full = Annotated[
    bool, typer.Option("--full", help="Show whole UIDs and names. That you saw them goes into the audit log.")
]
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
