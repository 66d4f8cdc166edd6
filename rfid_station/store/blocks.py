"""Who blocked a card: what a driver blocked, a driver may undo, and nothing else."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Role
from rfid_station.errors import MoveNotAllowed
from rfid_station.store.card_rows import subject_of
from rfid_station.store.tables import event

_BLOCKER = (
    select(event.c.role)
    .where(event.c.subject == bindparam("subject"), event.c.action == f"card.{CardState.BLOCKED}")
    .order_by(event.c.seq.desc())
    .limit(1)
)


def blocked_by(connection: Connection, card_id: int) -> Role | None:
    """In which role somebody blocked a card last; None if nobody ever did."""
    role = connection.execute(_BLOCKER, {"subject": subject_of(card_id)}).scalar_one_or_none()
    return Role(role) if role else None


def refuse_block_of_others(connection: Connection, before: Card, to: CardState, actor: Actor) -> None:
    """Let a move pass, unless it is a driver's and undoes what somebody else blocked.

    :raises MoveNotAllowed: it does
    """
    is_undoing = before.state is CardState.BLOCKED and to is CardState.ACTIVE
    if actor.role is Role.DRIVER and is_undoing and blocked_by(connection, before.id) is not Role.DRIVER:
        raise MoveNotAllowed(
            f"card {before.visual_number} was not blocked by its driver",
            hint=f"support ends the block: rfid-station card unblock {before.visual_number}",
        )
