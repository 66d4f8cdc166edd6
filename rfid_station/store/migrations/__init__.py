"""How a store of an older version becomes one of this version. Forward only.

A new version is a file in `versions/` and an entry in `REVISIONS`. It runs inside one transaction
with the foreign keys off; tables are altered by `op.batch_alter_table`. Whoever rebuilds the table
`event` must create its triggers again.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, insert, text

from rfid_station.errors import StoreTooNew
from rfid_station.store.tables import METADATA, meta

REVISIONS: tuple[str, ...] = (
    *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"),
    *("0011", "0012"),
)
"""Every version there ever was, oldest first. Kept here so that opening a store does not import alembic."""

FOLDER = Path(__file__).parent

VERSION_TABLE = "alembic_version"


def check_version(version: str | None) -> None:
    """Let a change pass of a store that is still of this version: another program may have brought it up.

    :raises StoreTooNew: it is of another one
    """
    if version != REVISIONS[-1]:
        raise StoreTooNew(
            f"the store has version {version} by now, and this program knows {REVISIONS[-1]}",
            hint="install the rfid-station that the others run, and start this one again",
        )


def create(connection: Connection) -> None:
    """Make everything as it is in the newest version, in the transaction the caller has begun.

    Ten times as fast as all migrations one after the other, which lead to the same (a test compares the two).
    """
    METADATA.create_all(connection)
    if connection.dialect.name == "sqlite":
        for done, verb in (("updated", "UPDATE"), ("deleted", "DELETE")):
            connection.exec_driver_sql(
                f"CREATE TRIGGER event_is_never_{done} BEFORE {verb} ON event "
                f"BEGIN SELECT RAISE(ABORT, 'an event is never {done}'); END"
            )
    if connection.dialect.name == "postgresql":
        from rfid_station.store.engines.postgresql import compare_bytewise, protect_events

        compare_bytewise(connection)
        protect_events(connection)
    counters = ("revision", "token_count", "contract_count", "event_count")
    first = {"id": 1, **dict.fromkeys(counters, 0), "event_hash": "0" * 64, "stamp_floor": None}
    connection.execute(insert(meta), first)
    connection.exec_driver_sql(
        f"CREATE TABLE {VERSION_TABLE} (\nversion_num VARCHAR(32) NOT NULL,\n"
        f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num)\n)"
    )
    connection.execute(text(f"INSERT INTO {VERSION_TABLE} VALUES (:newest)"), {"newest": REVISIONS[-1]})  # noqa: S608


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run what is missing up to a version, the newest one, inside the transaction the caller has begun."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    command.upgrade(config, to)
    if connection.dialect.name == "postgresql":
        from rfid_station.store.engines.postgresql import compare_bytewise

        compare_bytewise(connection)
