"""Print jobs say what they were, and why again; their items say which side of a card."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """What was printed so far were sheets, and on them the fronts of cards."""
    with op.batch_alter_table("print_job", recreate="always") as job:
        job.add_column(sa.Column("kind", sa.String(), nullable=True))
        job.add_column(sa.Column("reason", sa.Text(), nullable=True))
    op.execute("UPDATE print_job SET kind = 'sheet'")
    with op.batch_alter_table("print_job", recreate="always") as job:
        job.alter_column("kind", existing_type=sa.String(), nullable=False)
    _name_the_sides()


def _name_the_sides() -> None:
    """Make the table anew: the side becomes a part of its key."""
    op.execute("CREATE TABLE print_item_before AS SELECT * FROM print_item")
    op.drop_table("print_item")
    op.create_table(
        "print_item",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("sheet_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "sheet_number", "position", "side", name="pk_print_item"),
        sa.ForeignKeyConstraint(["job_id"], ["print_job.id"], name="fk_print_item_job_id"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_print_item_card_id"),
    )
    op.create_index("ix_print_item_card_id", "print_item", ["card_id"])
    op.execute(
        "INSERT INTO print_item (job_id, sheet_number, position, side, card_id)"
        " SELECT job_id, sheet_number, position, 'front', card_id FROM print_item_before"
    )
    op.drop_table("print_item_before")
