"""A partner's cursors tell which resync they come after."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """So far nobody counted."""
    op.add_column("partner", sa.Column("resync_no", _LONG, nullable=True))
    op.execute("UPDATE partner SET resync_no = 0")
    with op.batch_alter_table("partner", recreate="auto") as partner:
        partner.alter_column("resync_no", existing_type=_LONG, nullable=False)
