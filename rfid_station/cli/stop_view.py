"""Partners while a card is stopped: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rfid_station.cli.output import shown, talk

if TYPE_CHECKING:
    from rich.table import Table

    from rfid_station.sync.confirmation import Confirmation
    from rfid_station.sync.drive import Watch


@contextmanager
def watching(*, is_quiet: bool) -> Iterator[Watch | None]:
    """Show on stderr what partners say, as long as the block lasts; nothing where only data is wanted."""
    if is_quiet:
        yield None
    elif sys.stderr.isatty():
        with _live() as watch:
            yield watch
    else:
        yield _Lines().watch


@contextmanager
def _live() -> Iterator[Watch]:
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        yield lambda seen: live.update(table_of(seen), refresh=True)


class _Lines:
    """Says each change of a partner once."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def watch(self, seen: Sequence[Confirmation]) -> None:
        for one in seen:
            line = f"{one.partner}: {answer_of(one)}" + (f", {one.detail}" if one.detail else "")
            if self._said.get(one.partner) != line:
                self._said[one.partner] = line
                talk(line)


def table_of(seen: Sequence[Confirmation]) -> Table:
    """One row a partner."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("partner", "answer", "confirmed", "proven", "may still happen"):
        table.add_column(name, no_wrap=name != "may still happen")
    for one in seen:
        style = "green" if one.is_confirmed else "yellow" if one.confirmed_at else "red"
        row = (one.partner, answer_of(one), _time(one.confirmed_at), _time(one.proven_at), one.may_accept)
        table.add_row(*map(escape, row), style=style)
    return table


def answer_of(one: Confirmation) -> str:
    """How far it came; what a hub confirms is confirmed by the hub alone."""
    return f"{one.answer} by the hub, CPOs unknown" if one.is_hub and one.confirmed_at else f"{one.answer}"


def _time(at: datetime | None) -> str:
    return shown(at) if at else "-"
