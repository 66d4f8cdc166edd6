"""Stations to test with: a folder, an empty store, a virtual reader, and a view that remembers."""

from __future__ import annotations

import atexit
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import SystemRandom
from tempfile import mkdtemp

import pytest
from postgresql_base import Base
from postgresql_cluster import Cluster

from rfid_station.desk.issue import Issued, Stage
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, create_station, open_station
from rfid_station.desk.tally import Phase, Tally
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Driver, Role
from rfid_station.domain.order import OrderLine
from rfid_station.errors import StationError
from rfid_station.reader.opening import open_reader
from rfid_station.store.opening import create_store

CLERK = Actor("Tess", Role.CLERK)
SUPPORT = Actor("Sam", Role.SUPPORT)
LINES = [OrderLine(f"fleet:{n}", Driver(f"Driver {n}", f"{n}", "Fleet", "de")) for n in (1, 2, 3)]


@dataclass
class Diary:
    """A view that writes down what it was told."""

    entries: list[str] = field(default_factory=list)

    def turned(self, tally: Tally) -> None:
        if tally.phase is not Phase.IN_HAND:
            self.entries.append(f"{tally.phase}")

    def stage(self, stage: Stage, words: str) -> None:
        self.entries.append(f"{stage}")

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        self.entries.append("issued again" if issued.was_resumed else "issued")

    def failed(self, error: StationError, tally: Tally) -> None:
        self.entries.append(f"{type(error).__name__}: {error.message}")

    def said(self, words: str, hint: str | None = None) -> None:
        self.entries.append(words)


@cache
def _pristine() -> Path:
    """One new station to copy from: making its tables anew for every test takes longer than the test."""
    folder = Path(mkdtemp(prefix="station-"))
    atexit.register(shutil.rmtree, folder)
    create_station(folder / "station", CLERK, profile="link", reader="sim:ntag213")
    return folder / "station"


def new_station(folder: Path, profile: str = "link") -> Path:
    shutil.copytree(_pristine(), folder)
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('profile = "link"', f'profile = "{profile}"'))
    return folder


def issue_from(
    station: Station,
    uri: str,
    lines: list[OrderLine] | None = None,
    count: int | None = None,
    view: Diary | None = None,
    profile: str | None = None,
) -> Tally:
    """Run the station loop over a virtual pile until it is empty."""
    reader = open_reader(uri)
    try:
        run = Run(station, station.profile(profile), lines, count, view or Diary())
        return issue_cards(run, reader, lambda: False)
    finally:
        reader.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_station(tmp_path / "station")


@pytest.fixture(scope="session")
def station_base(cluster: Cluster) -> Iterator[Base]:
    """A database for stations of this worker, one after the other."""
    base = Base(cluster, cluster.make())
    create_store(base.url, actor=CLERK).close()
    base.keep()
    yield base
    base.drop()


ENGINES = ("sqlite", "postgresql")


def on_engine(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Let the store of a new station lie where a fixture's parameter says: in its file, or on a server."""
    if request.param == "postgresql":
        base: Base = request.getfixturevalue("station_base")
        base.reset()
        settings = folder / "station.toml"
        # No copy: it would be made by a program of its own, beside the test.
        entries = f'url = "{base.url}"\ncopy_minutes = 0'
        settings.write_text(settings.read_text().replace('url = "sqlite:///station.db"', entries))
        (folder / "station.db").unlink()
    return folder


@pytest.fixture
def station(folder: Path) -> Iterator[Station]:
    with open_station(folder, CLERK) as opened:
        yield opened


@pytest.fixture
def support(folder: Path) -> Iterator[Station]:
    with open_station(folder, SUPPORT) as opened:
        yield opened


def listening_anywhere(folder: Path, *, timeout_s: float) -> Path:
    """Let a station listen on a free port, and wait no longer than this for a partner; its folder."""
    address = f"127.0.0.1:{_a_port_that_stays_free()}"
    settings = folder / "station.toml"
    text = re.sub(r"127\.0\.0\.1:\d+", address, settings.read_text())
    settings.write_text(text.replace("timeout_s = 10.0", f"timeout_s = {timeout_s}"))
    return folder


def _a_port_that_stays_free() -> int:
    """A port below those that the system gives to connections: one of those may be taken meanwhile."""
    while True:
        port = SystemRandom().randrange(15_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
