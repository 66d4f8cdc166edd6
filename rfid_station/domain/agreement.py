"""The bilateral agreement: which of our cards a partner gets, from when to when, and how soon."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from rfid_station.domain.service_level import STANDARD_LEVEL, ServiceLevel
from rfid_station.domain.token import Token, Whitelist


@dataclass(frozen=True, slots=True)
class Agreement:
    """Covers card groups between two days, both included; None leaves that end open."""

    since: date | None = None
    until: date | None = None
    whitelist: Whitelist | None = None
    """Overrides what the token says, where the partner insists."""
    groups: frozenset[str] | None = None
    """Which card groups the partner gets; None is every card."""
    level: ServiceLevel = STANDARD_LEVEL

    def covers(self, today: date) -> bool:
        """Whether the agreement is in force on a day."""
        return (self.since is None or self.since <= today) and (self.until is None or today <= self.until)

    def includes(self, group: str) -> bool:
        """Whether cards of a group are part of it."""
        return self.groups is None or group in self.groups

    def present(self, token: Token) -> Token:
        """The token as this partner is to see it."""
        if self.whitelist is None:
            return token
        return replace(token, whitelist=self.whitelist)
