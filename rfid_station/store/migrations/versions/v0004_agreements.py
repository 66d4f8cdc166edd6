"""Agreements speak of card groups, what a partner lost is written down, and so is how it was last seen."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.String(27)


def upgrade() -> None:
    """Put every card into its fleet's group; a partner so far gets every card, as before."""
    _give_cards_a_group()
    _widen_partners()
    _create_covers()
    _create_hub_clients()
    op.execute(
        "INSERT INTO cover (partner_id, card_group, is_covered, since, until)"
        " SELECT id, '*', since IS NULL OR since <= date('now'), 0, 0 FROM partner"
    )


def _give_cards_a_group() -> None:
    _add("card", sa.Column("card_group", sa.String(), nullable=True))
    op.execute(
        "UPDATE card SET card_group = coalesce("
        "(SELECT nullif(trim(driver.fleet), '') FROM driver WHERE driver.id = card.driver_id), 'general')"
    )
    _require("card", "card_group", sa.String())
    _add("token", sa.Column("card_group", sa.String(), nullable=True))
    _add("token", sa.Column("grouped_at", _LONG, nullable=True))
    op.execute(
        "UPDATE token SET grouped_at = 1,"
        " card_group = (SELECT card.card_group FROM card WHERE card.id = token.card_id)"
    )
    _require("token", "card_group", sa.String())
    _require("token", "grouped_at", _LONG)
    op.create_index("ix_token_card_group_created_seq", "token", ["card_group", "created_seq"])
    op.create_index("ix_token_last_updated", "token", ["last_updated"])
    _add("meta", sa.Column("stamp_floor", _MOMENT, nullable=True))


def _widen_partners() -> None:
    columns: list[sa.Column[Any]] = [
        sa.Column("groups", sa.Text(), nullable=True),
        sa.Column("block_within_s", sa.Integer(), nullable=True),
        sa.Column("new_within_s", sa.Integer(), nullable=True),
        sa.Column("is_ending", sa.Boolean(), nullable=True),
        sa.Column("cover_no", _LONG, nullable=True),
        sa.Column("met_at", _MOMENT, nullable=True),
        sa.Column("paused_at", _MOMENT, nullable=True),
        sa.Column("paused_by", sa.String(), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("down_since", _MOMENT, nullable=True),
        sa.Column("last_success_at", _MOMENT, nullable=True),
        sa.Column("last_pull_at", _MOMENT, nullable=True),
    ]
    with op.batch_alter_table("partner", recreate="always") as partner:
        for column in columns:
            partner.add_column(column)
    op.execute("UPDATE partner SET block_within_s = 900, new_within_s = 86400, is_ending = 0, cover_no = 0")
    op.execute(
        "UPDATE partner SET met_at = (SELECT min(event.at) FROM event"
        " WHERE event.subject = 'partner:' || partner.name"
        " AND event.action IN ('partner.connected', 'partner.registered'))"
    )
    with op.batch_alter_table("partner", recreate="always") as partner:
        partner.alter_column("block_within_s", existing_type=sa.Integer(), nullable=False)
        partner.alter_column("new_within_s", existing_type=sa.Integer(), nullable=False)
        partner.alter_column("is_ending", existing_type=sa.Boolean(), nullable=False)
        partner.alter_column("cover_no", existing_type=_LONG, nullable=False)


def _create_covers() -> None:
    op.create_table(
        "cover",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("card_group", sa.String(), nullable=False),
        sa.Column("is_covered", sa.Boolean(), nullable=False),
        sa.Column("since", _LONG, nullable=False),
        sa.Column("until", _LONG, nullable=False),
        sa.Column("stamp", _MOMENT),
        sa.PrimaryKeyConstraint("partner_id", "card_group", name="pk_cover"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_cover_partner_id"),
    )
    op.create_table(
        "withdrawn",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("revision", _LONG, nullable=False),
        sa.Column("contract_id", sa.String(14), nullable=False),
        sa.Column("visual_number", sa.String(), nullable=False),
        sa.Column("whitelist", sa.String(), nullable=False),
        sa.Column("last_updated", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "token_id", name="pk_withdrawn"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_withdrawn_partner_id"),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name="fk_withdrawn_token_id"),
    )
    op.create_index("ix_withdrawn_partner_id_revision", "withdrawn", ["partner_id", "revision"])
    op.create_index("ix_withdrawn_token_id", "withdrawn", ["token_id"])


def _create_hub_clients() -> None:
    op.create_table(
        "hub_client",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("last_updated", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "country_code", "party_id", "role", name="pk_hub_client"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_hub_client_partner_id"),
    )


def _add(table: str, column: sa.Column[Any]) -> None:
    with op.batch_alter_table(table, recreate="always") as altered:
        altered.add_column(column)


def _require(table: str, column: str, kind: sa.types.TypeEngine[Any]) -> None:
    with op.batch_alter_table(table, recreate="always") as altered:
        altered.alter_column(column, existing_type=kind, nullable=False)
