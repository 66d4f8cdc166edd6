from __future__ import annotations

import errno
import logging
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgresql_base import Base
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import StatementError
from store_world import ANN, START, Clock, contents, issue, make_older_store, reserve, sql, tell, url_of

from rfid_station.domain.card import CardState, Reason
from rfid_station.errors import Conflict, DiskFull, StoreError, StoreTooNew, WrongCall
from rfid_station.store import migrations
from rfid_station.store.engines import sqlite
from rfid_station.store.ledger import Ledger
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.tables import METADATA

REVISIONS = migrations.REVISIONS
NEWEST = REVISIONS[-1]


def test_a_new_store_is_private_durable_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "new" / "station.db"
    with create_store(url_of(path), actor=ANN) as store:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.with_name("station.db-wal").stat().st_mode) == 0o600
        assert [event.action for event in store.audit.events()] == ["store.created"]
        assert store.audit.check().is_sound
        assert store.path == path
        assert store.migration is None
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    assert not path.with_name("station.db-wal").exists()


def test_every_connection_is_durable_and_keeps_references(path: Path) -> None:
    with open_store(url_of(path)) as store:
        for transaction in (store._database.read, store._database.write):
            with transaction() as connection:
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
                assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
                assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 10_000


def test_only_a_note_does_not_wait_for_the_disk(path: Path) -> None:
    with open_store(url_of(path)) as store:
        database = store._database
        begun = (database.note, database.write, database.note, database.read, database.rebuild)
        waits = []
        for transaction in begun:
            with transaction() as connection:
                waits.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert waits == [1, 2, 1, 1, 2]


def test_a_writer_takes_the_lock_when_it_begins(store: Store, path: Path) -> None:
    with (
        store._database.write(),
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")


def test_a_reader_sees_one_moment(store: Store) -> None:
    with store._database.read() as connection:
        count = "SELECT count(*) FROM card"
        assert connection.exec_driver_sql(count).scalar_one() == 0
        reserve(store, 1)
        assert connection.exec_driver_sql(count).scalar_one() == 0
    assert len(store.cards.listing()) == 1


def test_making_a_store_twice_is_a_conflict(path: Path) -> None:
    before = contents(path)
    with pytest.raises(Conflict, match=r"there is a store at .*station.db already"):
        create_store(url_of(path), actor=ANN)
    assert contents(path) == before


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    sql(path, "CREATE TABLE bookmark (url)")
    before = path.read_bytes()
    with pytest.raises(Conflict, match="is a database of another program"):
        create_store(url_of(path), actor=ANN)
    with pytest.raises(StoreError, match="is not a store of this program"):
        open_store(url_of(path))
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear driver, " * 500)
    before = path.read_bytes()
    for call in (lambda: open_store(url_of(path)), lambda: create_store(url_of(path), actor=ANN)):
        with pytest.raises(StoreError, match="is damaged, or not a store") as refused:
            call()
        assert refused.value.hint
    assert path.read_bytes() == before


def test_a_missing_store_is_said_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    with pytest.raises(StoreError, match=f"there is no store at {path}") as refused:
        open_store(url_of(path))
    assert refused.value.hint == "rfid-station init"
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_init_leaves_behind_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    path.touch()
    with pytest.raises(StoreError, match="is not a store") as refused:
        open_store(url_of(path))
    assert refused.value.hint == "rfid-station init"
    create_store(url_of(path), actor=ANN).close()
    open_store(url_of(path)).close()


@pytest.mark.parametrize("torn_at", ["after the tables", "before the counters"])
def test_an_init_torn_late_leaves_an_empty_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn_at: str
) -> None:
    path = tmp_path / "station.db"
    create = migrations.create

    def create_and_tear(connection: Connection) -> None:
        create(connection)
        raise KeyboardInterrupt

    def tear(_: Ledger) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as torn:
        if torn_at == "after the tables":
            torn.setattr(migrations, "create", create_and_tear)
        else:
            torn.setattr(Ledger, "settle", tear)
        with pytest.raises(KeyboardInterrupt):
            create_store(url_of(path), actor=ANN)
    assert sql(path, "SELECT name FROM sqlite_master") == []
    with create_store(url_of(path), actor=ANN) as store:
        assert store.audit.check().is_sound


def test_a_store_that_goes_away_is_an_error_and_not_a_new_store(store: Store, path: Path) -> None:
    store.close()
    path.unlink()
    with pytest.raises(StoreError, match="cannot be opened"):
        store.cards.listing()
    assert not path.exists()


def test_a_torn_file_is_said_to_be_damaged(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(5000)
    with pytest.raises(StoreError, match="is damaged"):
        open_store(url_of(path))


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "a#b?c=d.db", "ü.db", "a&mode=memory.db"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    create_store(url_of(path), actor=ANN).close()
    with open_store(url_of(path)) as store:
        reserve(store, 1)
    assert path in tmp_path.iterdir()
    assert sql(path, "SELECT count(*) FROM card") == [(1,)]


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql://db/x", "a.db", ""]
)
def test_an_address_that_is_no_file_is_a_wrong_call(url: str) -> None:
    for call in (lambda: open_store(url), lambda: create_store(url, actor=ANN)):
        with pytest.raises(WrongCall, match="is not the address of a store") as refused:
            call()
        assert "store.url" in str(refused.value.hint)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        create_store(url_of(tmp_path / "file" / "station.db"), actor=ANN)


def test_a_store_that_another_program_keeps_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    with open_store(url_of(path)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked") as refused:
            reserve(store, 1)
        assert "try again" in str(refused.value.hint)
        assert store.cards.listing() == []
        other.execute("ROLLBACK")
        assert reserve(store, 1).state is CardState.RESERVED


def test_a_clock_without_a_time_zone_is_a_mistake(path: Path) -> None:
    with (
        open_store(url_of(path), clock=lambda: START.replace(tzinfo=None)) as store,
        pytest.raises((ValueError, StatementError), match="has no time zone"),
    ):
        reserve(store, 1)


def test_another_connection_that_switches_to_wal_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite answers "busy" at once here, however long its own time-out is."""
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    answers: list[sqlite3.OperationalError | None] = [busy, busy, None]

    class Rival:
        def execute(self, _: str) -> None:
            answer = answers.pop(0)
            if answer:
                raise answer

    sqlite._write_ahead(Rival())
    assert answers == []
    answers += [busy]
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", -1.0)
    with pytest.raises(sqlite3.OperationalError):
        sqlite._write_ahead(Rival())


def test_opening_does_not_need_the_migrations(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "upgrade", None)
    open_store(url_of(path)).close()


# Versions


def test_the_list_of_versions_is_the_folder_of_versions() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [migrations.REVISIONS[-1]]
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(migrations.REVISIONS)


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """An empty store of the first version, brought to the newest one."""
    path = tmp_path / "migrated.db"
    make_older_store(path, "0001")
    open_store(url_of(path)).close()
    return path


def test_migrations_and_tables_agree(migrated: Path) -> None:
    engine = create_engine(url_of(migrated))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_a_new_store_and_a_migrated_one_agree_word_for_word(migrated: Path, tmp_path: Path) -> None:
    """Comparing metadata does not see conditions of indexes, checks, names of keys, and triggers."""
    new = tmp_path / "new.db"
    create_store(url_of(new), actor=ANN).close()
    assert schema(migrated) == schema(new)
    assert sql(migrated, "SELECT * FROM alembic_version") == sql(new, "SELECT * FROM alembic_version")
    beginnings = "SELECT id, revision, token_count, contract_count, stamp_floor FROM meta"
    assert sql(migrated, beginnings) == sql(new, beginnings)


def schema(path: Path) -> dict[str, list[str]]:
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
    rows = sql(path, query)  # SQLite quotes the name of a table that was rebuilt
    written = {str(name): str(text).replace('"', "") for name, text in rows}
    return {name: sorted(line.strip(" ,\t") for line in text.splitlines()) for name, text in written.items()}


def test_a_store_of_a_newer_version_is_left_alone(path: Path) -> None:
    sql(path, "UPDATE alembic_version SET version_num = '0100'")
    before = contents(path)
    with pytest.raises(
        StoreTooNew, match=f"has version 0100, and this program knows {NEWEST} at most"
    ) as refused:
        open_store(url_of(path))
    assert "pip install --upgrade" in str(refused.value.hint)
    assert contents(path) == before


@pytest.mark.parametrize("statement", ["DELETE FROM alembic_version", "DROP TABLE alembic_version"])
def test_a_store_without_a_version_is_no_store(path: Path, statement: str) -> None:
    sql(path, statement)
    with pytest.raises(StoreError, match="is not a store"):
        open_store(url_of(path))


def test_a_program_older_than_its_store_stops(store: Store, place: Path | Base) -> None:
    """Another desk brings the store to a new version while this one is at work."""
    reserve(store, 1)
    sql(place, "UPDATE alembic_version SET version_num = '0100'")
    with pytest.raises(StoreTooNew, match="has version 0100 by now") as refused:
        reserve(store, 2)
    assert "start this one again" in str(refused.value.hint)
    with pytest.raises(StoreTooNew, match="has version 0100 by now"), store.database.note():
        pass
    with pytest.raises(StoreTooNew, match="this program knows"):
        open_store(url_of(place))
    sql(place, "UPDATE alembic_version SET version_num = ?", migrations.REVISIONS[-1])
    assert [card.id for card in store.cards.listing()] == [1]


ONE_MORE = """
import sqlalchemy as sa
from alembic import op

revision = "0099"
down_revision = "{newest}"

def upgrade():
    with op.batch_alter_table("card") as card:
        card.add_column(sa.Column("colour", sa.String(), nullable=False, server_default="white"))
        card.alter_column("chip", existing_type=sa.String(), type_=sa.String(40))
    {more}
"""


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program that knows one version more. It rebuilds the table that most others point to."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "versions" / "v0099_next.py"
    script.write_text(ONE_MORE.format(newest=NEWEST, more=""))
    monkeypatch.setattr(migrations, "FOLDER", folder)
    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "0099"))
    return script


def fill(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card = issue(store, 1)
        issue(store, 2)
        store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)


@pytest.mark.usefixtures("next_version")
def test_an_older_store_is_copied_and_then_brought_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "REVISIONS", REVISIONS)
        fill(path)
    before = contents(path)
    with open_store(url_of(path), clock=Clock()) as store:
        assert store.migration is not None
        assert (store.migration.before, store.migration.after) == (NEWEST, "0099")
        assert store.migration.backup == path.with_name(f"station.db.{NEWEST}.20261122T080000250000.backup")
        assert contents(store.migration.backup) == before
        assert stat.S_IMODE(store.migration.backup.stat().st_mode) == 0o600
        assert store.audit.check().is_sound
        assert issue(store, 3).state is CardState.ACTIVE
    assert sql(path, "SELECT DISTINCT colour FROM card") == [("white",)]
    with open_store(url_of(path)) as again:
        assert again.migration is None
    assert len(list(path.parent.glob("*.backup"))) == 1


@pytest.mark.parametrize(
    "more",
    ["raise RuntimeError('torn')", "op.execute('DELETE FROM driver WHERE id = 1')", "op.execute('nonsense')"],
)
def test_a_migration_that_fails_leaves_the_store_as_it_was(
    path: Path, next_version: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "REVISIONS", REVISIONS)
        fill(path)
        sql(path, "INSERT INTO driver VALUES (1, 'Jan', '', '', NULL, 'jan')")
        sql(path, "UPDATE card SET driver_id = 1")
    next_version.write_text(ONE_MORE.format(newest=NEWEST, more=more))
    before = contents(path)
    with pytest.raises((RuntimeError, StoreError)):
        open_store(url_of(path))
    assert contents(path) == before


@pytest.mark.usefixtures("next_version")
@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, StoreError)]
)
def test_without_a_copy_there_is_no_migration(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[StoreError]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr(sqlite.os, "fsync", refuse)
    before = contents(path)
    with pytest.raises(StoreError) as refused:
        open_store(url_of(path))
    assert type(refused.value) is kind
    assert contents(path) == before
    assert list(path.parent.glob("*.backup")) == []


@pytest.mark.usefixtures("next_version")
def test_a_copy_is_never_written_over(path: Path) -> None:
    open_store(url_of(path), clock=Clock()).close()
    (backup,) = path.parent.glob("*.backup")
    kept = backup.read_bytes()
    sql(path, f"UPDATE alembic_version SET version_num = '{NEWEST}'")
    with pytest.raises(StoreError, match="cannot be made: File exists"):
        open_store(url_of(path), clock=Clock())
    assert backup.read_bytes() == kept


@pytest.mark.usefixtures("next_version")
def test_two_programs_open_an_older_store_at_once(path: Path) -> None:
    stores: list[Store] = []
    barrier = threading.Barrier(2)

    def run() -> None:
        barrier.wait(60)
        stores.append(open_store(url_of(path)))

    programs = [threading.Thread(target=run) for _ in range(2)]
    for program in programs:
        program.start()
    for program in programs:
        program.join(60)
    assert len(stores) == 2
    for number, store in enumerate(stores):
        assert issue(store, number).state is CardState.ACTIVE
        store.close()


def test_migrating_says_nothing_and_leaves_logging_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def handlers() -> list[object]:
        loggers = [
            logging.getLogger(name) for name in ("", "alembic", "alembic.runtime.migration", "sqlalchemy")
        ]
        return [(log.name, log.level, log.disabled, tuple(log.handlers)) for log in loggers]

    before = handlers()
    create_store(url_of(tmp_path / "station.db"), actor=ANN).close()
    assert handlers() == before
    assert capfd.readouterr() == ("", "")
