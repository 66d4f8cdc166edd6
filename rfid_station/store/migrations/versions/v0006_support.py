"""Cards replace others on their contract, end on a day, are claimed by a code; drivers have indexes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_MAY_EXPIRE = sa.text(
    "valid_until IS NOT NULL"
    " AND state NOT IN ('reserved', 'encoding', 'spoiled', 'replaced', 'expired', 'retired')"
)
_IS_TO_BE_REPLACED = sa.text("replace_when IS NOT NULL")


def upgrade() -> None:
    """So far every card is the first of its contract, and none ends on a day."""
    with op.batch_alter_table("card", recreate="always") as card:
        card.add_column(sa.Column("contract_card", sa.Integer(), nullable=False, server_default="1"))
        card.add_column(sa.Column("replaces_id", sa.Integer(), nullable=True))
        card.add_column(sa.Column("replace_when", sa.String(), nullable=True))
        card.add_column(sa.Column("replace_reason", sa.String(), nullable=True))
        card.add_column(sa.Column("valid_until", sa.Date(), nullable=True))
        card.add_column(sa.Column("claim_hash", sa.String(), nullable=True))
        card.add_column(sa.Column("claim_attempts", sa.Integer(), nullable=False, server_default="0"))
        card.create_foreign_key("fk_card_replaces_id", "card", ["replaces_id"], ["id"])
        card.drop_constraint("uq_card_contract_id", type_="unique")
    op.create_index(
        "uq_card_contract_id_contract_card", "card", ["contract_id", "contract_card"], unique=True
    )
    op.create_index("ix_card_may_expire", "card", ["valid_until"], sqlite_where=_MAY_EXPIRE)
    op.create_index("ix_card_to_be_replaced", "card", ["replace_when"], sqlite_where=_IS_TO_BE_REPLACED)
    op.create_index("ix_driver_reference", "driver", ["reference"])
    op.create_index("ix_driver_search_text", "driver", ["search_text"])
