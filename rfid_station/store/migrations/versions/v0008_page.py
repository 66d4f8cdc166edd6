"""How far the taps of a card have counted, as its page saw them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """So far no tap was seen."""
    op.create_table(
        "tap",
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("spent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("card_id", name="pk_tap"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_tap_card_id"),
    )
