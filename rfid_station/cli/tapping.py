"""One card on a reader: told about, verified, made blank again. The loop that makes cards is `issuing`."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.cli.output import confirm, counted, note, talk
from rfid_station.desk.inspection import recycle, tell_all, verify
from rfid_station.desk.issue import examine_blank, target_of_blank
from rfid_station.desk.station import Station
from rfid_station.encode.encoder import plan_card
from rfid_station.encode.plan import Plan
from rfid_station.errors import NoCard
from rfid_station.reader.absence import attended
from rfid_station.reader.opening import open_reader
from rfid_station.reader.port import Reader
from rfid_station.reader.trace import traced


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card is tapped, and where the exchange is recorded."""

    reader: str | None = None
    trace: Path | None = None


def show_plan(station: Station, place: Place, profile: str | None, *, as_json: bool) -> None:
    """Print what would be done to the card; nothing is written or reserved."""
    target = target_of_blank(station, station.profile(profile))
    with one_card(station, place) as link:
        identity = examine_blank(station, link, run(link, identify(link.seen, station.roots)), target)
    _show_steps(plan_card(identity, target), as_json)


def read_card(station: Station, place: Place) -> dict[str, Any]:
    """What the card says of itself, and what the store says of it."""
    with one_card(station, place) as link:
        return tell_all(station, link)


def verify_card(station: Station, place: Place, *, as_stranger: bool) -> dict[str, Any]:
    """What was compared and found right."""
    with one_card(station, place) as link:
        verified = verify(station, link, as_stranger=as_stranger)
    key = verified.card.key
    return {
        "number": verified.card.visual_number,
        "state": f"{verified.card.state}",
        "chip": verified.identity.name,
        "profile": verified.card.profile,
        "as_stranger": "as it should be",
        "with_keys": (f"{key}, as it should be" if verified.with_keys else "not tried")
        if key
        else "has none",
    }


def recycle_card(station: Station, place: Place, *, yes: bool, dry_run: bool, as_json: bool) -> None:
    """Make the card blank again."""
    if not dry_run:
        confirm("erase the card on the reader and take its keys off?", yes)
    with one_card(station, place) as link:
        card, plan = recycle(station, link, dry_run=dry_run)
    if dry_run:
        _show_steps(plan, as_json)
        return
    typer.echo(f"{card.visual_number} is {card.state}, and its chip is blank again")


def _show_steps(plan: Plan, as_json: bool) -> None:
    for step in plan.steps:
        row = {"step": f"{step}", "irreversible": step.is_irreversible}
        final = "  (nobody can undo this)" if step.is_irreversible else ""
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else f"{step}{final}")
    talk(f"{counted(len(plan.steps), 'step')} would be done" if plan.steps else "nothing would be written")


@contextmanager
def a_reader(station: Station, uri: str | None, trace: Path | None) -> Iterator[Reader]:
    """Open a reader for the length of a command; with `trace`, everything that passes is recorded."""
    reader = open_reader(uri or station.settings.desk.reader)
    if trace is not None:
        reader = traced(reader, trace)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def one_card(station: Station, place: Place) -> Iterator[CardLink]:
    """The first card that comes onto a reader.

    :raises NoCard: none came before Ctrl-C, or the virtual pile is empty
    """
    with a_reader(station, place.reader, place.trace) as reader, stoppable() as stop:
        talk(f"tap a card on {reader.uri}")
        link = next(attended(reader, stop, note), None)
        if link is None:
            raise NoCard(f"no card came onto {reader.uri}", hint="rfid-station reader list")
        yield link


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and a service's SIGTERM ask for the end instead of breaking a card in two."""
    asked = False

    def ask(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
