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
    from rfid_station.desk.person import Claim
    from rfid_station.desk.station import Station


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
    role: Who | None


def note_globals(ctx: typer.Context, station: Path | None, operator: str | None, role: Who | None) -> None:
    """Keep the root's options for the command that follows."""
    ctx.obj = Globals(station, operator, role)


def folder_of(ctx: typer.Context) -> Path:
    """The station's folder; it may not exist."""
    from rfid_station.settings import station_folder

    return station_folder(ctx.obj.station)


def claim_of(ctx: typer.Context) -> Claim:
    """Who is said to be at the keyboard."""
    from rfid_station.desk.person import Claim
    from rfid_station.domain.card import Role

    return Claim(ctx.obj.operator, Role(ctx.obj.role) if ctx.obj.role else None)


@contextmanager
def the_station(ctx: typer.Context, *, to_look: bool = False) -> Iterator[Station]:
    """Open the station for the length of a command. Where people sign in, somebody has to have done so.

    :param to_look: the command changes and reveals nothing, so nobody has to be signed in
    """
    from rfid_station.cli.output import ask_secret
    from rfid_station.desk.station import open_station

    with open_station(folder_of(ctx), claim_of(ctx), ask_secret, to_look=to_look) as station:
        yield station
