"""Desks that share a store on a server, as their clerks set them up; its password stays where it lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import run
from postgresql_base import Base
from postgresql_cluster import PASSWORD, Cluster

from rfid_station.errors import ExitCode

SHOWN_NEVER = "hush-hush"


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """A database with nothing in it, into which a password lets."""
    base = Base(cluster, cluster.make())
    yield cluster.url(base.name, "locked")
    base.drop()


@pytest.fixture(autouse=True)
def no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be made by a program of its own, beside the test."""
    monkeypatch.setenv("RFID_STATION_STORE__COPY_MINUTES", "0")


def desk(folder: Path, url: str, *more: str) -> str:
    """Set up a desk; everything that was said."""
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    (folder / "secrets" / "database").write_text(f"{PASSWORD}\n")
    made = run(
        folder, "init", "--profile", "link", "--reader", "sim:ntag213?count=2",
        "--store", url, "--store-password", "file:database", *more,
    )  # fmt: skip
    assert made.exit_code == 0, made.stderr
    return f"{made.stdout}{made.stderr}"


def test_two_desks_share_a_store(tmp_path: Path, url: str) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    said = [desk(one, url), desk(two, url, "--join")]

    def done(folder: Path, *arguments: str) -> str:
        result = run(folder, *arguments)
        said.append(f"{result.stdout}{result.stderr}")
        assert result.exit_code == 0, said[-1]
        return result.stdout

    for folder in (one, two):
        done(folder, "card", "issue")
    cards = [json.loads(line) for line in done(one, "card", "list", "--json").splitlines()]
    assert len(cards) == 4
    assert done(two, "card", "list", "--json") == done(one, "card", "list", "--json")
    assert "PostgreSQL 1" in done(two, "doctor")
    assert "chain whole" in done(two, "store", "check")
    copy = tmp_path / "copy" / "station.db"
    supervisor = ("--role", "supervisor", "store", "copy", "--json", "--to")
    assert json.loads(done(one, *supervisor, f"sqlite:///{copy}"))["rows"]["card"] == 4
    refused = run(one, *supervisor, url, "--to-password", "file:database")
    said.append(f"{refused.stdout}{refused.stderr}")
    assert refused.exit_code == ExitCode.CONFLICT
    settings = one / "station.toml"
    settings.write_text(settings.read_text().replace(url, f"sqlite:///{copy}").replace("password =", "# "))
    assert len(done(one, "card", "list", "--json").splitlines()) == 4

    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "secrets"]
    assert len(written) >= 3
    assert not [path for path in written if PASSWORD.encode() in path.read_bytes()]
    assert not [text for text in said if PASSWORD in text]


def test_a_store_that_is_there_is_joined_by_word_only(tmp_path: Path, url: str) -> None:
    desk(tmp_path / "one", url)
    again = tmp_path / "two"
    (again / "secrets").mkdir(parents=True)
    (again / "secrets" / "database").write_text(PASSWORD)
    refused = run(again, "init", "--store", url, "--store-password", "file:database")
    assert refused.exit_code == ExitCode.CONFLICT
    assert "there is a store at" in refused.stderr
    assert not (again / "station.toml").exists()


def test_without_its_password_nobody_is_let_in_and_it_is_not_told(tmp_path: Path, url: str) -> None:
    folder = tmp_path / "one"
    desk(folder, url)
    secret = folder / "secrets" / "database"
    secret.write_text(f"{PASSWORD}!")
    for arguments in (("card", "list"), ("doctor",)):
        refused = run(folder, *arguments)
        assert refused.exit_code != 0
        assert "does not let us in" in f"{refused.stdout}{refused.stderr}"
        assert PASSWORD not in f"{refused.stdout}{refused.stderr}"
    secret.unlink()
    assert "is missing" in run(folder, "card", "list").stderr


@pytest.mark.parametrize(
    "entries",
    [
        f'url = "postgresql+psycopg://desk:{SHOWN_NEVER}@db.example/station"',
        f'url = "postgresql+psycopg://desk@db.example/station"\npassword = "{SHOWN_NEVER}"',
        f'url = "postgresql+psycopg://desk@db.example/station?password={SHOWN_NEVER}"',
        f'url = "postgresql+psycopg://desk@db.example/station"\npasswort = "{SHOWN_NEVER}"',
    ],
)
def test_a_password_in_the_settings_is_refused_and_not_told(folder: Path, entries: str) -> None:
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('url = "sqlite:///station.db"', entries))
    for arguments in (("card", "list"), ("doctor",), ("store", "check")):
        refused = run(folder, *arguments)
        assert refused.exit_code != 0
        assert SHOWN_NEVER not in f"{refused.stdout}{refused.stderr}"
    assert "store" in run(folder, "card", "list").stderr


def test_a_desk_with_a_password_in_its_address_is_not_made(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://desk:{SHOWN_NEVER}@db.example/station"
    refused = run(tmp_path / "desk", "init", "--store", url)
    assert refused.exit_code == ExitCode.WRONG_CALL
    assert SHOWN_NEVER not in f"{refused.stdout}{refused.stderr}"
    assert not (tmp_path / "desk" / "station.toml").exists()
