"""Contract numbers that desks take for themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """So far every number came from the counter, and goes on from there."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("first_number", _LONG, nullable=False),
        sa.Column("next_number", _LONG, nullable=False),
        sa.Column("last_number", _LONG, nullable=False),
        sa.Column("leased_at", sa.String(27), nullable=False),
        sa.Column("leased_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lease"),
        sa.UniqueConstraint("place", name="uq_lease_place"),
    )
