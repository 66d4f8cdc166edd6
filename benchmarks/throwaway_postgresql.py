"""A PostgreSQL server of a benchmark's own: on a socket in a folder, gone in the end.

It waits for the disk as a real one does. Debian's programs refuse to serve root, so that an account without
rights runs them where the benchmark is root's.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": "200",
    "jit": "off",
}
ACCOUNT = "station"
_IS_ROOT = os.geteuid() == 0
_numbers = count(1)


@dataclass(frozen=True)
class Cluster:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{ACCOUNT}@/{database}?host={quote(str(self.folder), safe='/')}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(dbname=database, host=str(self.folder), user=ACCOUNT, autocommit=True)

    def make(self) -> str:
        """A new database; its name."""
        name = f"bench_{next(_numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def run(self, program: str, *arguments: str) -> None:
        rights = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
        subprocess.run(
            [program_path(program), *arguments],
            env={"PATH": os.environ["PATH"], "PGDATA": str(self.data), "LC_ALL": "C"},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            **(rights if _IS_ROOT else {}),  # type: ignore[call-overload]
        )


def program_path(name: str) -> str:
    """Debian keeps the programs of a server where no PATH leads."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = str(places[0]) if places else shutil.which(name)
    if not found:
        raise SystemExit(f"{name} of PostgreSQL is not here: run `make setup`")
    return found


@contextmanager
def throwaway_cluster(**settings: str) -> Iterator[Cluster]:
    """A running server. Whoever ends the benchmark ends it, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # On a socket in it: its path has to be short.
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="bench-pg-")))
    try:
        if _IS_ROOT:
            os.chown(cluster.folder, pwd.getpwnam("nobody").pw_uid, -1)
        cluster.folder.chmod(0o755)
        cluster.run("initdb", f"--username={ACCOUNT}", "--auth=trust", "--encoding=UTF8", "--locale=C")
        options = " ".join(f"-c {name}={value!r}" for name, value in {**SETTINGS, **settings}.items())
        log = str(cluster.folder / "log")
        cluster.run("pg_ctl", "start", "-w", "-l", log, "-o", f"-k {cluster.folder} {options}")
        try:
            yield cluster
        finally:
            cluster.run("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(cluster.folder)
