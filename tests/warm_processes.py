"""Processes of tests that begin at once: forks of one interpreter that has read in all that they need.

A worker has one such interpreter, started for whoever comes first, so it reads in what anybody needs. It
finds the tests' own modules by PYTHONPATH, as Python 3.11 tells `sys.path` to the forks only; without, each
fork reads for a second. It inherits the environment that all tests begin with, not what one of them has set.
"""

from __future__ import annotations

import os
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

READ_IN = [
    "pytest",
    "hypothesis",
    "alembic.command",
    "stations",
    "warm_processes",
    "rfid_station.cli.app",
    "rfid_station.desk.batch.running",
    "rfid_station.desk.loop",
    "rfid_station.desk.serving",
    "rfid_station.reader.sim",
    "rfid_station.store.opening",
    "rfid_station.store.engines.postgresql_database",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvloop",
    "warm_statements",
]
_AT_FIRST: dict[str, str] = {}


class _WarmProcess(ForkServerProcess):
    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802 - multiprocessing calls it so
        _warm_up()
        return ForkServerProcess._Popen(process)


class _WarmContext(ForkServerContext):
    Process = _WarmProcess


PROCESSES = _WarmContext()
"""As from `multiprocessing.get_context`."""


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    _AT_FIRST.update(os.environ)


@cache
def _warm_up() -> None:
    PROCESSES.set_forkserver_preload(READ_IN)
    now = dict(os.environ)
    places = [str(Path(__file__).parent), *filter(None, [_AT_FIRST.get("PYTHONPATH")])]
    try:
        _become(_AT_FIRST | {"PYTHONPATH": os.pathsep.join(places)})
        forkserver.ensure_running()
    finally:
        _become(now)


def _become(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
