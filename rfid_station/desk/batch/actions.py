"""What a file of changes may ask for, and the words for it."""

from __future__ import annotations

from enum import StrEnum

from rfid_station.domain.card import CardState


class Action(StrEnum):
    """What is to be done to a card."""

    BLOCK = "block"
    UNBLOCK = "unblock"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RETIRE = "retire"
    EXPIRE = "expire"
    REPLACE = "replace"
    """Ask for a new card in its place."""
    UPDATE = "update"
    """Change what its other cells say."""


MOVES_TO = {
    Action.BLOCK: CardState.BLOCKED,
    Action.UNBLOCK: CardState.ACTIVE,
    Action.ACTIVATE: CardState.ACTIVE,
    Action.SUSPEND: CardState.SUSPENDED,
    Action.RETIRE: CardState.RETIRED,
    Action.EXPIRE: CardState.EXPIRED,
}
"""The state that an action brings a card to."""

STOPS = frozenset({Action.BLOCK, Action.SUSPEND, Action.RETIRE, Action.EXPIRE, Action.REPLACE})
"""What takes rights away: for many cards at once it takes two people, where people sign in."""

WORDS = {action.value: action for action in Action} | {
    "sperren": Action.BLOCK,
    "entsperren": Action.UNBLOCK,
    "aktivieren": Action.ACTIVATE,
    "aussetzen": Action.SUSPEND,
    "stilllegen": Action.RETIRE,
    "ablaufen": Action.EXPIRE,
    "ersetzen": Action.REPLACE,
    "ändern": Action.UPDATE,
    "aendern": Action.UPDATE,
}
"""What files call an action, in small letters."""
