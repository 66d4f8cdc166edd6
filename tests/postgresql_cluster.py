"""A PostgreSQL server of the tests' own: one for all workers of a run, a database for each test.

It speaks on a socket in a folder alone, waits for no disk, and is run by an account without rights where
the tests are root's: PostgreSQL refuses to serve root.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

PATIENCE_S = 60.0
PASSWORD = "a password: 'of' the & database%40"
"""Of the account `locked`; every other one is believed."""

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "listen_addresses": "",
    "jit": "off",
}
_numbers = count(1)


@dataclass(frozen=True)
class Cluster:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, account: str = "station") -> str:
        return f"postgresql+psycopg://{account}@/{database}?host={quote(str(self.folder), safe='/')}"

    def connect(self, database: str, **more: object) -> psycopg.Connection[tuple[object, ...]]:
        arguments = {"host": str(self.folder), "user": "station", "autocommit": True, **more}
        return psycopg.connect(dbname=database, **arguments)

    def execute(self, statement: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(statement)

    def make(self, template: str = "template0", more: str = "") -> str:
        """A new database; its name."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        options = " ".join(f"-c {name}={value!r}" for name, value in SETTINGS.items())
        self.run("pg_ctl", "start", "-w", "-l", str(self.folder / "log"), "-o", f"-k {self.folder} {options}")

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    def run(self, program: str, *arguments: str) -> None:
        account = {"user": _ACCOUNT, "group": _ACCOUNT_GROUP, "extra_groups": []} if _IS_ROOT else {}
        done = subprocess.run(
            [program_path(program), *arguments],
            env={"PATH": os.environ["PATH"], "PGDATA": str(self.data), "LC_ALL": "C"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            **account,
        )
        log = self.folder / "log"
        assert done.returncode == 0, done.stdout.decode() + (log.read_text() if log.exists() else "")


_IS_ROOT = os.geteuid() == 0
_ACCOUNT = pwd.getpwnam("nobody").pw_uid
_ACCOUNT_GROUP = pwd.getpwnam("nobody").pw_gid


def program_path(name: str) -> str:
    """Debian keeps the programs of a server where no PATH leads."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = str(places[0]) if places else shutil.which(name)
    assert found, f"{name} of PostgreSQL is not here: run `make setup`"
    return found


@contextmanager
def private_cluster() -> Iterator[Cluster]:
    """A running server of its own, gone in the end."""
    cluster = start_cluster()
    try:
        yield cluster
    finally:
        end_cluster(cluster)


def start_cluster() -> Cluster:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")))  # a socket's path has to be short
    try:
        _make(cluster)
        cluster.start()
    except BaseException:
        shutil.rmtree(cluster.folder)
        raise
    cluster.execute(f"CREATE ROLE locked LOGIN SUPERUSER PASSWORD {_quoted(PASSWORD)}")
    return cluster


def end_cluster(cluster: Cluster) -> None:
    cluster.stop()
    shutil.rmtree(cluster.folder)


def _make(cluster: Cluster) -> None:
    if _IS_ROOT:
        os.chown(cluster.folder, _ACCOUNT, _ACCOUNT_GROUP)
    cluster.folder.chmod(0o755)
    # A language whose order is not that of the bytes, so that what relies on it is seen to fail.
    order = ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=en", "--locale=C"]
    cluster.run("initdb", "--no-sync", "--username=station", "--auth=trust", *order)
    access = cluster.data / "pg_hba.conf"
    access.write_text("local all locked scram-sha-256\nlocal all all trust\n")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Cluster]:
    """The server of this run: whoever needs it first starts it, the last one to leave stops it."""
    root = tmp_path_factory.getbasetemp()
    shared = root if worker_id == "master" else root.parent
    users, place = shared / "postgresql.users", shared / "postgresql.folder"
    with _alone(shared):
        if not users.exists() or not users.read_text().strip():
            place.write_text(str(start_cluster().folder))
        users.write_text((users.read_text() if users.exists() else "") + f"{worker_id}\n")
    running = Cluster(Path(place.read_text()))
    yield running
    with _alone(shared):
        left = [name for name in users.read_text().split() if name != worker_id]
        users.write_text("".join(f"{name}\n" for name in left))
        if not left:
            end_cluster(running)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "postgresql.lock").open("w") as lock:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline, "another worker holds the server for too long"
                time.sleep(0.02)
        yield
