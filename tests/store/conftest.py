from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from postgresql_base import Base
from postgresql_cluster import Cluster
from store_world import ANN, Clock, do_not_wait, url_of

from rfid_station.store.opening import Store, create_store, open_store

ENGINES = ("sqlite", "postgresql")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "of_sqlite: is about SQLite alone, though it asks for a store")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What asks for a `store` or its `place` runs on both engines; what asks for a `path` is about a file."""
    if "engine" in metafunc.fixturenames:
        is_about_a_file = "path" in metafunc.fixturenames or metafunc.definition.get_closest_marker(
            "of_sqlite"
        )
        metafunc.parametrize("engine", ENGINES[:1] if is_about_a_file else ENGINES, scope="function")


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store's file, to be copied: making one takes the migrations."""
    path = tmp_path_factory.mktemp("blank") / "station.db"
    create_store(url_of(path), actor=ANN, clock=Clock()).close()
    return path


@pytest.fixture(scope="session")
def blank_base(cluster: Cluster) -> Iterator[Base]:
    """A database with an empty store, one for each worker."""
    base = Base(cluster, cluster.make())
    create_store(base.url, actor=ANN, clock=Clock()).close()
    base.keep()
    yield base
    base.drop()


@pytest.fixture
def path(blank_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(blank_store, tmp_path / "station.db"))


@pytest.fixture
def base(blank_base: Base) -> Base:
    """A database with an empty store."""
    blank_base.reset()
    return blank_base


@pytest.fixture
def place(engine: str, request: pytest.FixtureRequest) -> Path | Base:
    """An empty store on either engine."""
    found: Path | Base = request.getfixturevalue("path" if engine == "sqlite" else "base")
    return found


@pytest.fixture
def nowhere(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Path | Base]]:
    """Places on either engine where nothing is yet."""
    made: list[Base] = []
    cluster: Cluster | None = request.getfixturevalue("cluster") if engine == "postgresql" else None

    def another() -> Path | Base:
        if cluster is None:
            return tmp_path / f"{next(numbers)}.db"
        made.append(Base(cluster, cluster.make()))
        return made[-1]

    numbers = count()
    yield another
    for base in made:
        base.drop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(place: Path | Base, clock: Clock) -> Iterator[Store]:
    """An empty store that does not wait for the disk."""
    with open_store(url_of(place), clock=clock) as opened:
        do_not_wait(opened)
        yield opened
