from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_world import ANN, Clock, do_not_wait, url_of

from rfid_station.store.opening import Store, create_store, open_store


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store's file, to be copied: making one takes the migrations."""
    path = tmp_path_factory.mktemp("blank") / "station.db"
    create_store(url_of(path), actor=ANN, clock=Clock()).close()
    return path


@pytest.fixture
def path(blank_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(blank_store, tmp_path / "station.db"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    """An empty store that does not wait for the disk."""
    with open_store(url_of(path), clock=clock) as opened:
        do_not_wait(opened)
        yield opened
