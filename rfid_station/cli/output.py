"""How things are shown: data on stdout, talk on stderr, JSON for programs, tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from rfid_station.errors import StationError, WrongCall

Row = Mapping[str, Any]

_WIDEST = 500
"""Characters in a line of a table."""


def show_error(error: StationError) -> None:
    """Say what went wrong with the value, and what helps."""
    typer.echo(f"error: {error.message}", err=True)
    if error.hint:
        typer.echo(f"\nhint: {error.hint}", err=True)


def talk(words: str) -> None:
    """Say something to the person, out of the way of the data."""
    typer.echo(words, err=True)


def note(words: str, hint: str | None = None) -> None:
    """Say something by the way, and what helps."""
    talk(f"note  {words}")
    if hint:
        talk(f"      {hint}")


def shown(value: object) -> str:
    """Any value as text: times in UTC to the second, nothing as an empty text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return "" if value is None else str(value)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 card`, `2 cards`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def confirm(question: str, yes: bool) -> None:
    """Ask before what cannot be taken back. `yes` answers for whoever has said so before.

    :raises WrongCall: nobody is at a terminal to answer
    :raises StationError: the answer was no
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongCall(f"nobody is here to answer: {question}", hint="add --yes")
    if not typer.confirm(question, err=True):
        raise StationError("nothing was changed: the answer was no")


def ask_secret(question: str) -> str:
    """Ask for something that is not shown while it is typed.

    :raises WrongCall: nobody is at a terminal to answer
    """
    if not sys.stdin.isatty():
        raise WrongCall(
            f"nobody is here to be asked for the {question}",
            hint='set keys.passphrase (or keys.pin) to "env:NAME" or "keyring:NAME" in station.toml',
        )
    answer: str = typer.prompt(question, hide_input=True, err=True)
    return answer


def show_document(document: Row) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=shown))


def show_rows(rows: Sequence[Row], *, as_json: bool, empty: str) -> None:
    """Print rows: one JSON object a line, or a table. `empty` is said on stderr where there is none."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False, default=shown))
    elif rows:
        _table(rows)
    if not rows:
        talk(empty)


def show_pairs(row: Row) -> None:
    """Print one thing for people: a line per entry, names aligned."""
    width = max(map(len, row))
    for name, value in row.items():
        lines = shown(value).splitlines() or [""]
        typer.echo(f"{name:<{width}}  {lines[0]}")
        for line in lines[1:]:
            typer.echo(f"{'':<{width}}  {line}")


def _table(rows: Sequence[Row]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(_plain(value) for value in row.values()))
    # A row is one line, also in a pipe and in a small terminal: numbers are there to be copied.
    needed = Console(width=_WIDEST).measure(table).maximum
    console = Console()
    console.width = max(console.width, needed)
    console.print(table)


def _plain(value: object) -> str:
    from rich.markup import escape

    return escape(shown(value))


def one_of(option: str, given: str, words: list[str]) -> str:
    """A word that is one of a few.

    :raises WrongCall: it is none of them
    """
    if given not in words:
        raise WrongCall(f"{option} cannot be {given!r}", hint=f"add {option} with one of: {', '.join(words)}")
    return given
