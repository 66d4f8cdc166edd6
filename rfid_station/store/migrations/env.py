"""What alembic runs: the caller's connection, in the caller's transaction, without a word."""

from __future__ import annotations

from alembic import context

from rfid_station.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
)
context.run_migrations()
