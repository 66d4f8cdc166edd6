"""What a partner says about one token that was pushed at once, in words for the one who waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rfid_station.domain.token import Token, Whitelist


class PushAnswer(StrEnum):
    """How far a push at once came at a partner."""

    CONFIRMED = "confirmed"
    """Acknowledged, and read back equal."""
    ACKNOWLEDGED = "acknowledged"
    """Acknowledged, but not read back equal."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """Nothing was sent, or the partner is out of order."""
    AMBIGUOUS = "ambiguous"
    """It was sent and never acknowledged: it may have landed."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One partner's answer. Whatever is not confirmed stays owed to the partner."""

    partner: str
    token_id: int
    revision: int
    answer: PushAnswer
    detail: str
    """The reason, in words. Empty when confirmed."""
    at: datetime
    may_accept: str
    """What may still happen at the partner's chargers, in words."""
    next_step: str
    """What happens next without anybody's doing, or what somebody has to do."""

    @property
    def is_confirmed(self) -> bool:
        """Whether the partner was proven to hold the token as it is now."""
        return self.answer is PushAnswer.CONFIRMED


def may_accept(token: Token, *, is_held: bool) -> str:
    """What a partner's chargers may do with a card (OCPI 2.2.1, mod_tokens, WhitelistType).

    :param token: the newest state, as this partner sees it
    :param is_held: whether the partner is known to hold it
    """
    if token.valid:
        return "accepts the card" if is_held else "may refuse the card until it has learned of it"
    return _BLOCKED_AND_HELD[token.whitelist] if is_held else _BLOCKED_AND_UNKNOWN[token.whitelist]


_BLOCKED_AND_HELD = {
    Whitelist.ALWAYS: "refuses the card",
    Whitelist.ALLOWED: "refuses the card, or asks us and hears no",
    Whitelist.ALLOWED_OFFLINE: "asks us and hears no; refuses the card when it cannot reach us",
    Whitelist.NEVER: "asks us and hears no",
}

_BLOCKED_AND_UNKNOWN = {
    Whitelist.ALWAYS: "may go on accepting the card at all its chargers, and never asks us",
    Whitelist.ALLOWED: "may go on accepting the card without asking us",
    Whitelist.ALLOWED_OFFLINE: "asks us and hears no, but may accept the card when it cannot reach us",
    Whitelist.NEVER: "asks us and hears no",
}
