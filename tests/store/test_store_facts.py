from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from store_world import url_of

from rfid_station.errors import WrongCall
from rfid_station.store.engines.sqlite_facts import has_wal_reset_fault, sqlite_facts

FAULTY = [(3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 0), (3, 51, 2)]
SOUND = [(3, 6, 23), (3, 44, 6), (3, 44, 9), (3, 50, 7), (3, 50, 10), (3, 51, 3), (3, 52, 0), (4, 0, 0)]


@pytest.mark.parametrize("version", FAULTY)
def test_versions_with_the_wal_reset_fault(version: tuple[int, int, int]) -> None:
    assert has_wal_reset_fault(version)


@pytest.mark.parametrize("version", SOUND)
def test_versions_without_it(version: tuple[int, int, int]) -> None:
    assert not has_wal_reset_fault(version)


def test_facts_of_a_store(path: Path) -> None:
    facts = sqlite_facts(url_of(path))
    assert (facts.version, facts.path, facts.exists, facts.journal_mode) == (
        sqlite3.sqlite_version,
        path,
        True,
        "wal",
    )
    assert facts.has_wal_reset_fault == has_wal_reset_fault(sqlite3.sqlite_version_info)
    assert 0 < facts.free_bytes <= shutil.disk_usage(path.parent).total


def test_facts_of_a_store_that_is_not_there_yet(tmp_path: Path) -> None:
    facts = sqlite_facts(url_of(tmp_path / "not" / "yet" / "station.db"))
    assert (facts.exists, facts.journal_mode) == (False, None)
    assert facts.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_facts_of_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear driver, " * 500)
    assert sqlite_facts(url_of(path)).journal_mode is None


def test_facts_of_a_wrong_address() -> None:
    with pytest.raises(WrongCall, match="is not the address of a store"):
        sqlite_facts("postgresql://db/station")


@pytest.mark.parametrize("module", ["rfid_station.store", "rfid_station.store.engines.sqlite_facts"])
def test_doctor_needs_no_sql_package(module: str) -> None:
    packages = {"sqlalchemy", "sqlmodel", "alembic", "pydantic"}
    code = f"import sys, {module}; print(sorted({packages} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_a_store_needs_no_alembic(path: Path) -> None:
    code = (
        "import sys\nfrom rfid_station.store.opening import open_store\n"
        f"open_store({url_of(path)!r}).close()\nprint('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
