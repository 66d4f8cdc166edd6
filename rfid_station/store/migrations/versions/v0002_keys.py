"""Cards say which master key their own keys are derived from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Two columns more, empty for all cards so far: none of them has keys."""
    with op.batch_alter_table("card", recreate="always") as card:
        card.add_column(sa.Column("key_id", sa.String(), nullable=True))
        card.add_column(sa.Column("key_version", sa.Integer(), nullable=True))
