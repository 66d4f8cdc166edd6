"""What a driver may want of a card, without anybody's help."""

from __future__ import annotations

from enum import StrEnum

from rfid_station.domain.card import Card, CardState, Reason, Role


class DriverWish(StrEnum):
    """One thing that the card's page can do."""

    ACTIVATE = "activate"
    LOST = "lost"
    FOUND = "found"

    @property
    def move(self) -> tuple[CardState, Reason | None]:
        """Where the card goes, and why."""
        return _MOVES[self]


_MOVES: dict[DriverWish, tuple[CardState, Reason | None]] = {
    DriverWish.ACTIVATE: (CardState.ACTIVE, None),
    DriverWish.LOST: (CardState.BLOCKED, Reason.LOST),
    DriverWish.FOUND: (CardState.ACTIVE, Reason.FOUND),
}


def wishes(card: Card, blocked_by: Role | None) -> tuple[DriverWish, ...]:
    """What a driver may want of this card now, the likeliest first.

    :param blocked_by: who blocked it last; only what a driver blocked, a driver ends
    """
    if card.state is CardState.ISSUED:
        return (DriverWish.ACTIVATE, DriverWish.LOST)
    if card.state is CardState.ACTIVE:
        return (DriverWish.LOST,)
    if card.state is CardState.BLOCKED and blocked_by is Role.DRIVER:
        return (DriverWish.FOUND,)
    return ()
