"""What the tests share to be quick: statements that were compiled, and memory that no test gives back."""

from __future__ import annotations

import gc
from pathlib import Path

from shared_statements import COMPILED
from sqlalchemy import URL, bindparam, create_engine, literal, select

from rfid_station.store.engines.postgresql import postgresql_engine


def test_a_statement_is_compiled_once_for_all_files(tmp_path: Path) -> None:
    statement = select(literal("told by no other test"), bindparam("one", 1))
    before = len(COMPILED)
    for number in (1, 2, 3):
        with create_engine(f"sqlite:///{tmp_path / str(number)}").connect() as connection:
            assert connection.execute(statement, {"one": number}).one()[1] == number
    assert len(COMPILED) == before + 1


def test_drivers_do_not_share_what_they_compile() -> None:
    server = postgresql_engine(URL.create("postgresql+psycopg"), None)
    file = create_engine("sqlite://")
    assert server.dialect != file.dialect
    assert len({server.dialect, file.dialect, create_engine("sqlite://").dialect}) == 2


def test_garbage_is_still_collected() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000
