"""The bilateral agreement: which of our cards a partner gets, and since when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from rfid_station.domain.token import Token, Whitelist


@dataclass(frozen=True, slots=True)
class Agreement:
    """Covers every card of ours between two days, both included; None leaves that end open."""

    since: date | None = None
    until: date | None = None
    whitelist: Whitelist | None = None
    """Overrides what the token says, where the partner insists."""

    def covers(self, today: date) -> bool:
        """Whether the agreement is in force on a day."""
        return (self.since is None or self.since <= today) and (self.until is None or today <= self.until)

    def present(self, token: Token) -> Token:
        """The token as this partner is to see it."""
        if self.whitelist is None:
            return token
        return replace(token, whitelist=self.whitelist)
