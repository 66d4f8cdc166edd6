"""The first version: everything."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.String(27)
_HASH = sa.String(64)
_IS_LIVING = sa.text("state != 'spoiled'")
_IS_URGENT = sa.text("urgent IS true")


def upgrade() -> None:
    """Create the tables, the guards of the audit log, and the counters at zero."""
    _create_meta()
    _create_cards()
    _create_tokens()
    _create_partners()
    _create_events()
    _create_prints()


def _create_meta() -> None:
    meta = op.create_table(
        "meta",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", _LONG, nullable=False),
        sa.Column("token_count", _LONG, nullable=False),
        sa.Column("contract_count", _LONG, nullable=False),
        sa.Column("event_count", _LONG, nullable=False),
        sa.Column("event_hash", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_meta"),
        sa.CheckConstraint("id = 1", name=op.f("ck_meta_one_row")),
    )
    counters = ("revision", "token_count", "contract_count", "event_count")
    op.bulk_insert(meta, [{"id": 1, **dict.fromkeys(counters, 0), "event_hash": "0" * 64}])


def _create_cards() -> None:
    op.create_table(
        "driver",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("fleet", sa.String(), nullable=False),
        sa.Column("language", sa.String()),
        sa.Column("search_text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_driver"),
    )
    op.create_index("ix_driver_fleet", "driver", ["fleet"])
    op.create_table(
        "card",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("chip", sa.String(), nullable=False),
        sa.Column("profile", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("contract_id", sa.String(14), nullable=False),
        sa.Column("visual_number", sa.String(), nullable=False),
        sa.Column("visual_bare", sa.String(), nullable=False),
        sa.Column("alias", sa.String(), nullable=False),
        sa.Column("order_line", sa.String()),
        sa.Column("driver_id", sa.Integer()),
        sa.Column("plan_digest", sa.String()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_card"),
        sa.UniqueConstraint("contract_id", name="uq_card_contract_id"),
        sa.UniqueConstraint("visual_bare", name="uq_card_visual_bare"),
        sa.UniqueConstraint("alias", name="uq_card_alias"),
        sa.ForeignKeyConstraint(["driver_id"], ["driver.id"], name="fk_card_driver_id"),
    )
    for column in ("uid", "state", "driver_id"):
        op.create_index(f"ix_card_{column}", "card", [column])
    for column in ("uid", "order_line"):
        op.create_index(
            f"uq_card_living_{column}",
            "card",
            [column],
            unique=True,
            sqlite_where=_IS_LIVING,
            postgresql_where=_IS_LIVING,
        )


def _create_tokens() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.Column("created_seq", _LONG, nullable=False),
        sa.Column("revision", _LONG, nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("uid", sa.String(20), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("party_id", sa.String(3), nullable=False),
        sa.Column("contract_id", sa.String(14), nullable=False),
        sa.Column("visual_number", sa.String(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("group_id", sa.String()),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("whitelist", sa.String(), nullable=False),
        sa.Column("language", sa.String()),
        sa.Column("last_updated", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_token_card_id"),
        sa.UniqueConstraint("card_id", name="uq_token_card_id"),
        sa.UniqueConstraint("created_seq", name="uq_token_created_seq"),
        sa.UniqueConstraint("revision", name="uq_token_revision"),
    )
    op.create_index("uq_token_uid_type", "token", ["uid", "type"], unique=True)
    op.create_index(
        "ix_token_urgent_revision",
        "token",
        ["revision"],
        sqlite_where=_IS_URGENT,
        postgresql_where=_IS_URGENT,
    )


def _create_partners() -> None:
    op.create_table(
        "partner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("versions_url", sa.String(), nullable=False),
        sa.Column("client_token_ref", sa.String(), nullable=False),
        sa.Column("connection", sa.Text()),
        sa.Column("since", sa.Date()),
        sa.Column("until", sa.Date()),
        sa.Column("whitelist", sa.String()),
        sa.Column("bulk_cursor", _LONG, nullable=False),
        sa.Column("urgent_cursor", _LONG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_partner"),
        sa.UniqueConstraint("name", name="uq_partner_name"),
    )
    op.create_table(
        "server_token",
        sa.Column("hash", _HASH, nullable=False),
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("is_new", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_server_token"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_server_token_partner_id"),
    )
    op.create_index("ix_server_token_partner_id", "server_token", ["partner_id"])
    op.create_table(
        "parked",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("revision", _LONG, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("must_verify", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("partner_id", "token_id", name="pk_parked"),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_parked_partner_id"),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name="fk_parked_token_id"),
    )


def _create_events() -> None:
    op.create_table(
        "event",
        sa.Column("seq", _LONG, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("previous_hash", _HASH, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_event"),
    )
    op.create_index("ix_event_subject_seq", "event", ["subject", "seq"])
    if op.get_context().dialect.name == "sqlite":
        for done, verb in (("updated", "UPDATE"), ("deleted", "DELETE")):
            op.execute(
                f"CREATE TRIGGER event_is_never_{done} BEFORE {verb} ON event "
                f"BEGIN SELECT RAISE(ABORT, 'an event is never {done}'); END"
            )


def _create_prints() -> None:
    op.create_table(
        "print_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("design", sa.String(), nullable=False),
        sa.Column("sheet", sa.String(), nullable=False),
        sa.Column("file_sha256", _HASH, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_print_job"),
    )
    op.create_table(
        "print_item",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("sheet_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("card_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "sheet_number", "position", name="pk_print_item"),
        sa.ForeignKeyConstraint(["job_id"], ["print_job.id"], name="fk_print_item_job_id"),
        sa.ForeignKeyConstraint(["card_id"], ["card.id"], name="fk_print_item_card_id"),
    )
    op.create_index("ix_print_item_card_id", "print_item", ["card_id"])
