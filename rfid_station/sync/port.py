"""What sync needs from a store and from a partner, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.token import Token


class FeedStore(Protocol):
    """The store as sync sees it. Each method is one transaction."""

    def standing(self, partner: str) -> Standing:
        """Where a partner stands."""

    def changes_after(self, revision: int, lane: Lane, limit: int) -> Sequence[Change]:
        """Up to `limit` changes behind a revision, ascending; only urgent ones in the urgent lane."""

    def newest(self, token_id: int) -> Change | None:
        """A token as it is now: read again just before it is sent."""

    def advance(
        self,
        partner: str,
        lane: Lane,
        cursor: int,
        park: Sequence[Parked] = (),
        unpark: Sequence[int] = (),
    ) -> None:
        """Move a cursor and write or remove the parked rows it passes (token ids in `unpark`), together.

        A cursor never moves back here. Parking a token again replaces its row.
        """

    def record_proof(self, partner: str, token_id: int, revision: int, proven: bool, note: str) -> None:
        """Keep the evidence of a GET at the partner: an audit event."""


class Verdict(StrEnum):
    """How one request to a partner ended."""

    ACKNOWLEDGED = "acknowledged"
    """HTTP 200 or 201 and an OCPI status code 1xxx."""
    REFUSED = "refused"
    """The partner said no to this token."""
    UNREACHABLE = "unreachable"
    """Nothing was sent, or the partner is out of order as a whole."""
    AMBIGUOUS = "ambiguous"
    """It was sent and no answer came: it may have landed."""
    UNAUTHORIZED = "unauthorized"
    """The partner does not accept our client token any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one request, the reason in words, and how long the partner asks to wait."""

    verdict: Verdict
    detail: str = ""
    retry_after_s: float | None = None


class TokenReceiver(Protocol):
    """A partner's Tokens receiver: the two calls that sync makes."""

    def put(self, token: Token) -> Outcome:
        """Create or replace the whole token there."""

    def get(self, token: Token) -> tuple[Outcome, Token | None]:
        """Read it back. Acknowledged without a token means: the partner does not know it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A connected partner as a lane needs it."""

    name: str
    receiver: TokenReceiver
    agreement: Agreement
