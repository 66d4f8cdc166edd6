"""Blank stock by lots, work orders, packing, operators, shifts; numbers printed before a chip has them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_IS_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """So far nobody counted blanks, and every card came of none."""
    _stock()
    _orders()
    _packing()
    _people()
    with op.batch_alter_table("card", recreate="always") as card:
        card.add_column(sa.Column("lot_id", sa.Integer(), nullable=True))
        card.add_column(sa.Column("group_id", sa.String(36), nullable=True))
        card.create_foreign_key("fk_card_lot_id", "lot", ["lot_id"], ["id"])
    op.create_index("ix_card_lot_id_state", "card", ["lot_id", "state"])
    op.create_index("ix_card_group_id", "card", ["group_id"])


def _stock() -> None:
    op.create_table(
        "lot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("supplier", sa.String(), nullable=False),
        sa.Column("chip", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("received_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lot"),
        sa.UniqueConstraint("name", name="uq_lot_name"),
    )
    op.create_table(
        "lot_uid",
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_lot_uid"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_lot_uid_lot_id"),
    )
    op.create_index("ix_lot_uid_lot_id", "lot_uid", ["lot_id"])
    op.create_table(
        "stock_balance",
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("lot_id", "account", "place", name="pk_stock_balance"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_stock_balance_lot_id"),
        sa.CheckConstraint("quantity >= 0", name="not_negative"),
    )
    op.create_table(
        "stock_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("from_account", sa.String(), nullable=True),
        sa.Column("from_place", sa.String(), nullable=False),
        sa.Column("to_account", sa.String(), nullable=False),
        sa.Column("to_place", sa.String(), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("witness", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stock_entry"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_stock_entry_lot_id"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_stock_entry_card_id"),
        sa.CheckConstraint("quantity > 0", name="moves_something"),
    )
    op.create_index("ix_stock_entry_lot_id_at", "stock_entry", ["lot_id", "at"])
    op.create_table(
        "stock_count",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("witness", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_stock_count"),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name="fk_stock_count_lot_id"),
    )
    op.create_index("ix_stock_count_place_at", "stock_count", ["place", "at"])


def _orders() -> None:
    op.create_table(
        "work_order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("closed_at", sa.String(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_work_order"),
        sa.UniqueConstraint("name", name="uq_work_order_name"),
    )
    op.create_table(
        "order_item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("driver_id", sa.Integer(), nullable=True),
        sa.Column("card_group", sa.String(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("cancelled_at", sa.String(27), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_order_item"),
        sa.UniqueConstraint("line", name="uq_order_item_line"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_order_item_order_id"),
        sa.ForeignKeyConstraint(["driver_id"], ["driver.id"], name="fk_order_item_driver_id"),
    )
    op.create_index("ix_order_item_driver_id", "order_item", ["driver_id"])
    op.create_index("uq_order_item_order_id_place", "order_item", ["order_id", "place"], unique=True)
    op.create_table(
        "preprinted",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("order_id", sa.Integer(), nullable=True),
        sa.Column("order_item_id", sa.Integer(), nullable=True),
        sa.Column("contract_id", sa.String(14), nullable=False),
        sa.Column("visual_number", sa.String(), nullable=False),
        sa.Column("visual_bare", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("made_at", sa.String(27), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=True),
        sa.Column("spoiled_at", sa.String(27), nullable=True),
        sa.Column("spoil_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_preprinted"),
        sa.UniqueConstraint("contract_id", name="uq_preprinted_contract_id"),
        sa.UniqueConstraint("visual_bare", name="uq_preprinted_visual_bare"),
        sa.UniqueConstraint("alias", name="uq_preprinted_alias"),
        sa.UniqueConstraint("card_id", name="uq_preprinted_card_id"),
        sa.ForeignKeyConstraint(["order_id"], ["work_order.id"], name="fk_preprinted_order_id"),
        sa.ForeignKeyConstraint(["order_item_id"], ["order_item.id"], name="fk_preprinted_order_item_id"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_preprinted_card_id"),
    )
    op.create_index("ix_preprinted_order_id", "preprinted", ["order_id"])
    op.create_index("ix_preprinted_order_item_id", "preprinted", ["order_item_id"])
    with op.batch_alter_table("print_item", recreate="always") as print_item:
        print_item.alter_column("card_id", existing_type=sa.Integer(), nullable=True)
        print_item.add_column(sa.Column("preprinted_id", sa.Integer(), nullable=True))
        print_item.create_foreign_key("fk_print_item_preprinted_id", "preprinted", ["preprinted_id"], ["id"])
        print_item.create_check_constraint("of_something", "card_id IS NOT NULL OR preprinted_id IS NOT NULL")
    op.create_index("ix_print_item_preprinted_id", "print_item", ["preprinted_id"])


def _packing() -> None:
    op.create_table(
        "parcel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tracking", sa.String(), nullable=False),
        sa.Column("carrier", sa.String(), nullable=False),
        sa.Column("dispatched_at", sa.String(27), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_parcel"),
        sa.UniqueConstraint("tracking", name="uq_parcel_tracking"),
    )
    op.create_table(
        "packed",
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.Column("parcel_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.String(27), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("with_letter", sa.Boolean(), nullable=False),
        sa.Column("was_tapped", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("card_id", name="pk_packed"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_packed_card_id"),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcel.id"], name="fk_packed_parcel_id"),
    )
    op.create_index("ix_packed_parcel_id", "packed", ["parcel_id"])


def _people() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("pin_hash", sa.String(), nullable=False),
        sa.Column("wrong_pins", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.String(27), nullable=True),
        sa.Column("recovery_hash", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("name", name="uq_operator_name"),
    )
    op.create_table(
        "shift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("began_at", sa.String(27), nullable=False),
        sa.Column("ended_at", sa.String(27), nullable=True),
        sa.Column("ticket_hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shift"),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name="fk_shift_operator_id"),
    )
    op.create_index(
        "uq_shift_open_place",
        "shift",
        ["place"],
        unique=True,
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )
    op.create_index("ix_shift_operator_id", "shift", ["operator_id"])
