"""How a store of an older version becomes one of this version. Forward only.

A new version is a file in `versions/` and an entry in `REVISIONS`. It runs inside one transaction
with the foreign keys off; tables are altered by `op.batch_alter_table`. Whoever rebuilds the table
`event` must create its triggers again.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

REVISIONS: tuple[str, ...] = ("0001", "0002", "0003")
"""Every version there ever was, oldest first. Kept here so that opening a store does not import alembic."""

FOLDER = Path(__file__).parent

VERSION_TABLE = "alembic_version"


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run what is missing up to a version, the newest one, inside the transaction the caller has begun."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    command.upgrade(config, to)
