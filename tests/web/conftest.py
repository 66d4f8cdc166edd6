"""Stations whose cards have pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from page_world import Served, served
from stations import CLERK

from rfid_station.desk.people import slow_hash
from rfid_station.desk.station import Station, open_station
from rfid_station.encode import key_ring


@pytest.fixture(autouse=True)
def quick_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretching takes the time that it is for; here it is only to be done."""
    monkeypatch.setattr(key_ring, "_STRETCHING", {"n": 2, "r": 1, "p": 1})
    monkeypatch.setattr(slow_hash, "_COST", 2)
    monkeypatch.setattr(slow_hash, "_NOBODYS", slow_hash._NOBODYS.replace(":16384:", ":2:"))
    monkeypatch.setenv("RFID_STATION_KEYS__PASSPHRASE", "env:DESK_PHRASE")
    monkeypatch.setenv("DESK_PHRASE", "four words by chance")


@pytest.fixture
def inactive(folder: Path) -> Iterator[Station]:
    """A station whose cards leave inactive."""
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, CLERK) as station:
        yield station


@pytest.fixture
def pages(inactive: Station) -> Iterator[Served]:
    with served(inactive) as running:
        yield running
