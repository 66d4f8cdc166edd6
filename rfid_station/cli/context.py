"""What was said before the noun: which station, who works there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rfid_station.desk.station import Station
    from rfid_station.domain.actor import Actor


class Who(StrEnum):
    """The roles a person at the keyboard may take."""

    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True)
class Globals:
    """The options of the root command."""

    station: Path | None
    operator: str | None
    role: Who


def note_globals(ctx: typer.Context, station: Path | None, operator: str | None, role: Who) -> None:
    """Keep the root's options for the command that follows."""
    ctx.obj = Globals(station, operator, role)


def folder_of(ctx: typer.Context) -> Path:
    """The station's folder; it may not exist."""
    from rfid_station.settings import station_folder

    return station_folder(ctx.obj.station)


def actor_of(ctx: typer.Context) -> Actor:
    """Who is at the keyboard."""
    from rfid_station.desk.station import actor_at_keyboard
    from rfid_station.domain.card import Role

    return actor_at_keyboard(ctx.obj.operator, Role(ctx.obj.role))


@contextmanager
def the_station(ctx: typer.Context) -> Iterator[Station]:
    """Open the station for the length of a command."""
    from rfid_station.cli.output import ask_secret
    from rfid_station.desk.station import open_station

    with open_station(folder_of(ctx), actor_of(ctx), ask_secret) as station:
        yield station
