"""Partners have a profile, and a server token says what it is good for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Give every partner so far the standard profile; a token that was new was offered by us."""
    with op.batch_alter_table("partner", recreate="always") as partner:
        partner.add_column(sa.Column("profile", sa.String(), nullable=True))
        partner.add_column(sa.Column("profile_table", sa.Text(), nullable=True))
    op.execute(
        """UPDATE partner SET profile = 'standard', profile_table = '{"title":"keeps the specification"}'"""
    )
    with op.batch_alter_table("partner", recreate="always") as partner:
        partner.alter_column("profile", existing_type=sa.String(), nullable=False)
        partner.alter_column("profile_table", existing_type=sa.Text(), nullable=False)
    with op.batch_alter_table("server_token", recreate="always") as server_token:
        server_token.add_column(sa.Column("use", sa.String(), nullable=True))
    op.execute("UPDATE server_token SET use = CASE WHEN is_new THEN 'offered' ELSE 'valid' END")
    with op.batch_alter_table("server_token", recreate="always") as server_token:
        server_token.alter_column("use", existing_type=sa.String(), nullable=False)
        server_token.drop_column("is_new")
