"""What partners tell of charges: sessions and CDRs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_IS_ALARM = sa.text("is_alarm IS true")


def upgrade() -> None:
    """So far nobody told of any."""
    op.create_table(
        "charge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("their_id", sa.String(39), nullable=False),
        sa.Column("told_as", sa.String(39), nullable=False),
        sa.Column("session_id", sa.String(36), nullable=True),
        sa.Column("began", sa.String(27), nullable=False),
        sa.Column("ended", sa.String(27), nullable=True),
        sa.Column("energy_kwh", sa.String(), nullable=False),
        sa.Column("cost_excl", sa.String(), nullable=True),
        sa.Column("cost_incl", sa.String(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("evse", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("auth_method", sa.String(), nullable=False),
        sa.Column("authorization_reference", sa.String(36), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("is_credit", sa.Boolean(), nullable=False),
        sa.Column("token_uid", sa.String(36), nullable=True),
        sa.Column("token_type", sa.String(), nullable=False),
        sa.Column("contract", sa.String(36), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=True),
        sa.Column("last_updated", sa.String(27), nullable=False),
        sa.Column("received_at", sa.String(27), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("is_alarm", sa.Boolean(), nullable=False),
        sa.Column("stop", sa.Text(), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("refused_at", sa.String(27), nullable=True),
        sa.Column("refused_fields", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_charge"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_charge_partner_id"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_charge_card_id"),
    )
    op.create_index(
        "uq_charge_told_as",
        "charge",
        ["partner_id", "kind", "country_code", "party_id", "told_as"],
        unique=True,
    )
    op.create_index("ix_charge_card_id_began", "charge", ["card_id", "began"])
    op.create_index("ix_charge_began", "charge", ["began"])
    op.create_index(
        "ix_charge_alarm", "charge", ["partner_id"], sqlite_where=_IS_ALARM, postgresql_where=_IS_ALARM
    )
