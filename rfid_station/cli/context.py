"""What was said before the noun: which station, who works there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer

from rfid_station.errors import StationError, StoreUnreachable

if TYPE_CHECKING:
    from rfid_station.desk.people.person import Claim
    from rfid_station.desk.record.own_copy import CopyAge
    from rfid_station.desk.station import Station


Found = TypeVar("Found")


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
    from rfid_station.desk.people.person import Claim
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


@dataclass(frozen=True, slots=True)
class Looked(Generic[Found]):
    """What was found in the store, or in the desk's copy of it."""

    found: Found
    copy: CopyAge | None = None
    """Of the copy, where the server could not be reached."""

    def told(self, row: dict[str, Any]) -> dict[str, Any]:
        """A document for programs, with the age of the copy that it is from."""
        return row | {"copy": copy_document(self.copy)} if self.copy else row


def look(ctx: typer.Context, read: Callable[[Station], Found], *, to_look: bool = True) -> Looked[Found]:
    """Read something in the store or, while its server cannot be reached, in the desk's copy, and say so.

    :param read: may be called twice; what it changes is refused by the copy
    """
    try:
        with the_station(ctx, to_look=to_look) as station:
            return Looked(read(station))
    except StoreUnreachable as unreachable:
        return _look_into_copy(ctx, read, unreachable, to_look=to_look)


def _look_into_copy(
    ctx: typer.Context, read: Callable[[Station], Found], unreachable: StoreUnreachable, *, to_look: bool
) -> Looked[Found]:
    from rfid_station.cli.output import ask_secret, talk
    from rfid_station.desk.record.own_copy import open_station_from_copy, own_copy
    from rfid_station.settings import load_settings

    folder = folder_of(ctx)
    if own_copy(folder, load_settings(folder)) is None:
        raise unreachable
    with open_station_from_copy(folder, claim_of(ctx), ask_secret, to_look=to_look) as (station, age):
        talk(f"from {age}; the server cannot be reached")
        try:
            return Looked(read(station), age)
        except StoreUnreachable:
            raise
        except StationError as error:
            # What is not in the copy may be in the store.
            error.message += f", by the copy of {age.moment}"
            raise


def copy_document(copy: CopyAge | None) -> dict[str, Any] | None:
    """The age of a copy for programs; docs/json.md describes it."""
    if copy is None:
        return None
    return {"at": copy.at, "age_s": None if copy.age is None else int(copy.age.total_seconds())}
