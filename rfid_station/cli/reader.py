"""`rfid-station reader`: what is plugged in, and what a reader that is a keyboard typed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rfid_station.cli.output import note, show_rows, talk
from rfid_station.errors import ExitCode, NoCard, ReadBackDiffers, StationError, WrongCall

app = typer.Typer(
    help="Readers: what is plugged in, and what a keyboard-wedge reader types.", no_args_is_help=True
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.callback()
def readers() -> None:
    """Readers: what is plugged in, and what a keyboard-wedge reader types."""


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the readers, with the string to give to --reader; exit 3 if none can be used."""
    from rfid_station.reader.opening import list_readers

    found = list_readers()
    rows = [{"reader": reader.uri, "name": reader.name, "trouble": reader.trouble} for reader in found]
    show_rows(rows, as_json=as_json, empty="no reader is plugged in; sim:ntag213 is a virtual one")
    if not any(reader.trouble is None for reader in found):
        raise typer.Exit(ExitCode.NO_CARD)


@app.command()
def typed(
    text: Annotated[
        str | None, typer.Argument(help="What was typed; without it, one line is waited for.")
    ] = None,
    uid: Annotated[str | None, typer.Option(help="The same card's UID, as another reader read it.")] = None,
    reader: Annotated[str | None, typer.Option(help="Read the same card on this reader to compare.")] = None,
    as_json: AsJson = False,
) -> None:
    """Name the form in which a keyboard-wedge reader types UIDs; certain with the same card's UID only."""
    from rfid_station.reader.wedge import form_of, recognise

    line = text if text is not None else _next_line()
    known = _known(uid, reader)
    if known is None:
        found = recognise(line)
    else:
        certain = form_of(line, known)
        found = [certain] if certain else []
    rows = [
        {
            "uid": one.raw.hex().upper(),
            "whole": one.is_whole,
            "form": one.form.name.lower().replace("_", "-"),
            "layout": one.layout.name.lower().replace("_", "-"),
            "words": one.words,
        }
        for one in found
    ]
    if not rows:
        raise _nothing_fits(line.strip(), known)
    show_rows(rows, as_json=as_json, empty="")


def _nothing_fits(line: str, known: bytes | None) -> StationError:
    if known is None:
        return WrongCall(f"{line!r} is no UID in any form", hint="tap the card on the wedge reader again")
    return ReadBackDiffers(
        f"{line!r} does not write the UID of that card in any form we know",
        hint="see that it is the same card, then try again",
    )


def _next_line() -> str:
    """Wait for the reader to type.

    :raises WrongCall: nothing was typed
    """
    talk("tap a card on the keyboard-wedge reader")
    line = sys.stdin.readline()
    if not line.strip():
        raise WrongCall(
            "nothing was typed", hint="write it as an argument: rfid-station reader typed 04E10CDA993C80"
        )
    return line


def _known(uid: str | None, reader: str | None) -> bytes | None:
    """The UID to compare with, if there is one.

    :raises NoCard: no card came onto the other reader
    """
    if uid is not None:
        from rfid_station.domain.uid import parse_uid

        return parse_uid(uid).raw
    if reader is None:
        return None
    from rfid_station.cli.tapping import stoppable
    from rfid_station.reader.absence import attended
    from rfid_station.reader.opening import open_reader

    opened = open_reader(reader)
    try:
        with stoppable() as stop:
            talk(f"tap the same card on {opened.uri}")
            link = next(attended(opened, stop, note), None)
            if link is None:
                raise NoCard(f"no card came onto {opened.uri}", hint="rfid-station reader list")
            return link.uid()
    finally:
        opened.close()
