"""What cards' numbers end with, and when each partner was last proven: both were read through before."""

from __future__ import annotations

import json
from typing import Any, Literal

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_NUMBERS = (
    ("uid_backwards", "uid", sa.String(20)),
    ("contract_backwards", "contract_id", sa.String(14)),
    ("visual_backwards", "visual_bare", sa.String()),
)


def upgrade() -> None:
    """Turn the numbers that there are, and read the log for the last proofs."""
    with op.batch_alter_table("card", recreate=_recreate()) as card:
        for name, _, kind in _NUMBERS:
            card.add_column(sa.Column(name, kind, nullable=False, server_default=""))
    _know_how_to_reverse()
    turned = ", ".join(f"{name} = reverse({column})" for name, column, _ in _NUMBERS)
    op.execute(f"UPDATE card SET {turned}")  # noqa: S608 - names of ours
    for name, *_ in _NUMBERS:
        op.create_index(f"ix_card_{name}", "card", [name])
    with op.batch_alter_table("partner", recreate=_recreate()) as partner:
        partner.add_column(sa.Column("last_proof_at", sa.String(27), nullable=True))
    _keep_last_proofs()


def _recreate() -> Literal["always", "never"]:
    """SQLite writes an altered table down in another way than a new one; a server lets no table go."""
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"


def _know_how_to_reverse() -> None:
    if op.get_bind().dialect.name == "sqlite":
        driver: Any = op.get_bind().connection.driver_connection
        driver.create_function("reverse", 1, lambda text: text[::-1])


def _keep_last_proofs() -> None:
    proofs = sa.text("SELECT at, data FROM event WHERE action = 'token.proven' ORDER BY seq")
    last = {json.loads(data)["partner"]: at for at, data in op.get_bind().execute(proofs)}
    keep = sa.text("UPDATE partner SET last_proof_at = :at WHERE name = :name")
    for name, at in last.items():
        op.get_bind().execute(keep, {"name": name, "at": at})
