"""What sync needs from a store and from a partner, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.token import Token

__all__ = ["FeedStore", "Outcome", "Peer", "TokenReceiver", "Verdict"]


class FeedStore(Protocol):
    """The store as sync sees it. Each method is one transaction, and may be called from any thread."""

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


class TokenReceiver(Protocol):
    """A partner's Tokens receiver: the two calls that sync makes.

    Neither raises: whatever happens is an outcome. Both give up by themselves after their time limit,
    and may be called from several threads at once.
    """

    def put(self, token: Token) -> Outcome:
        """Create or replace the whole token there (OCPI 2.2.1, mod_tokens 3.1)."""

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:
        """Read the token back and compare it with this one, which is what the partner should hold.

        Acknowledged with an empty list: the partner holds exactly this token. Acknowledged with
        sentences: it answered, and they say what differs (or that it does not know the token).
        None when the request was not acknowledged.
        """


@dataclass(frozen=True, slots=True)
class Peer:
    """A connected partner as a lane needs it."""

    name: str
    receiver: TokenReceiver
    agreement: Agreement
