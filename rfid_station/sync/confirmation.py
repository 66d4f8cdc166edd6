"""What a partner says about one token that was pushed at once, in words for the one who waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Token, Whitelist


class PushAnswer(StrEnum):
    """How far a push at once came at a partner."""

    CONFIRMED = "confirmed"
    """Acknowledged, and read back equal; or acknowledged by a partner that shows nothing."""
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
    """The reason, in words. Empty when confirmed and proven."""
    at: datetime
    may_accept: str
    """What may still happen at the partner's chargers, in words."""
    next_step: str
    """What happens next without anybody's doing, or what somebody has to do."""
    risk: Risk
    """The same as `may_accept`, for whoever has words of their own."""
    is_valid: bool
    """What the partner is told: whether the card may charge."""
    is_hub: bool = False
    """Whether operators stand behind the partner, of whom its answer says nothing."""
    confirmed_at: datetime | None = None
    """When the partner acknowledged this state."""
    proven_at: datetime | None = None
    """When it was read back equal."""
    cached_until: datetime | None = None
    """Until when its chargers may go by the state before, as it declares; None if unknown or not at all."""

    @property
    def is_confirmed(self) -> bool:
        """Whether the partner holds the token as it is now: proven, or by its word if it shows nothing."""
        return self.answer is PushAnswer.CONFIRMED


class Risk(StrEnum):
    """What a partner's chargers may do with a card."""

    ACCEPTS = "accepts"
    MAY_REFUSE = "may refuse"
    REFUSES = "refuses"
    REFUSES_OR_ASKS = "refuses or asks"
    ASKS_OR_REFUSES = "asks or refuses"
    ASKS = "asks"
    MAY_ACCEPT_EVERYWHERE = "may accept everywhere"
    MAY_ACCEPT = "may accept"
    MAY_ACCEPT_OFFLINE = "may accept offline"


def risk_of(token: Token, profile: PartnerProfile = STANDARD, *, is_held: bool) -> Risk:
    """What a partner's chargers may do with a card (OCPI 2.2.1, mod_tokens, WhitelistType).

    :param token: the newest state, as this partner sees it
    :param profile: whether they may ask us; where they may not, they go by what they hold
    :param is_held: whether the partner is known to hold it
    """
    if token.valid and (profile.asks or token.whitelist is not Whitelist.NEVER):
        return Risk.ACCEPTS if is_held else Risk.MAY_REFUSE
    whitelist = token.whitelist if profile.asks else Whitelist.ALWAYS
    return _BLOCKED_AND_HELD[whitelist] if is_held else _BLOCKED_AND_UNKNOWN[whitelist]


def told(
    risk: Risk, profile: PartnerProfile = STANDARD, *, is_held: bool, cached_until: datetime | None = None
) -> str:
    """The risk at one partner in words, with what its profile declares of hubs and caches."""
    words = IN_WORDS[risk]
    if profile.is_hub:
        words += "; the hub confirmed it, the operators behind it are unknown" if is_held else "; it is a hub"
    if cached_until:
        words += f"; its chargers may go by the state before until {cached_until:%Y-%m-%dT%H:%M:%SZ}"
    return words


def cached_until(token: Token, profile: PartnerProfile, confirmed_at: datetime | None) -> datetime | None:
    """Until when chargers may go by the state before; None if unknown, or if they keep none."""
    if confirmed_at is None or not profile.cache_minutes or token.whitelist is Whitelist.NEVER:
        return None
    return confirmed_at + timedelta(minutes=profile.cache_minutes)


IN_WORDS = {
    Risk.ACCEPTS: "accepts the card",
    Risk.MAY_REFUSE: "may refuse the card until it has learned of it",
    Risk.REFUSES: "refuses the card",
    Risk.REFUSES_OR_ASKS: "refuses the card, or asks us and hears no",
    Risk.ASKS_OR_REFUSES: "asks us and hears no; refuses the card when it cannot reach us",
    Risk.ASKS: "asks us and hears no",
    Risk.MAY_ACCEPT_EVERYWHERE: "may go on accepting the card at all its chargers, and never asks us",
    Risk.MAY_ACCEPT: "may go on accepting the card without asking us",
    Risk.MAY_ACCEPT_OFFLINE: "asks us and hears no, but may accept the card when it cannot reach us",
}

_BLOCKED_AND_HELD = {
    Whitelist.ALWAYS: Risk.REFUSES,
    Whitelist.ALLOWED: Risk.REFUSES_OR_ASKS,
    Whitelist.ALLOWED_OFFLINE: Risk.ASKS_OR_REFUSES,
    Whitelist.NEVER: Risk.ASKS,
}

_BLOCKED_AND_UNKNOWN = {
    Whitelist.ALWAYS: Risk.MAY_ACCEPT_EVERYWHERE,
    Whitelist.ALLOWED: Risk.MAY_ACCEPT,
    Whitelist.ALLOWED_OFFLINE: Risk.MAY_ACCEPT_OFFLINE,
    Whitelist.NEVER: Risk.ASKS,
}
