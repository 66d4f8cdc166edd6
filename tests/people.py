"""Stations where people sign in: Sue is a supervisor, Tess a clerk, Sam at the phone."""

from __future__ import annotations

import atexit
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from stations import new_station

from rfid_station.desk.people.operators import add_operator
from rfid_station.desk.people.person import Claim
from rfid_station.desk.people.sign_in import start_shift
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import Role
from rfid_station.errors import WrongCall

PINS = {"Sue": "739104", "Tess": "482915", "Sam": "905173"}
ROLES = {"Sue": Role.SUPERVISOR, "Tess": Role.CLERK, "Sam": Role.SUPPORT}
WRONG = "111222"
CODES: dict[str, str] = {}
"""The recovery codes of the station that others are copied from."""


@dataclass
class Typist:
    """Answers each question by the PIN of whoever it names, and remembers what was asked."""

    pins: dict[str, str] = field(default_factory=lambda: dict(PINS))
    asked: list[str] = field(default_factory=list)

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        for name, pin in self.pins.items():
            if name.casefold() in question.casefold():
                return pin
        raise WrongCall(f"nobody is here to be asked for the {question}")


@dataclass
class Watch:
    """A clock that moves when it is told to."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@cache
def _pristine() -> Path:
    place = Path(mkdtemp(prefix="people-"))
    atexit.register(shutil.rmtree, place)
    folder = place / "station"
    new_station(folder)
    for name in ("Sue", "Tess", "Sam"):
        with open_station(folder, Claim(None if name == "Sue" else "Sue"), Typist()) as station:
            CODES[name] = add_operator(station, name, ROLES[name]).recovery_code
    return folder


def station_with_people(folder: Path) -> Path:
    return Path(shutil.copytree(_pristine(), folder))


@contextmanager
def signed_in(folder: Path, name: str, typist: Typist | None = None) -> Iterator[Station]:
    """Sign somebody in at the station's place, and open it as them."""
    typist = typist or Typist()
    with open_station(folder, Claim(), typist, to_look=True) as station:
        start_shift(station, name)
    with open_station(folder, Claim(), typist) as station:
        yield station
