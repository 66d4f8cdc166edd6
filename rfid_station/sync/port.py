"""What sync needs from a store and from a partner, and nothing more."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.service_level import Owed
from rfid_station.domain.token import Token

__all__ = ["ContactBook", "FeedStore", "Outcome", "Peer", "SwiftReceiver", "TokenReceiver", "Verdict"]


class FeedStore(Protocol):
    """The store as sync sees it. Each method is one transaction, and may be called from any thread."""

    def age(self) -> Hashable:
        """What is another one whenever anything was changed, or what is due by the day."""

    def enforce(self, partner: str) -> None:
        """Give the partner, and take from it, what its agreement says today; end cards whose day is over."""

    def standing(self, partner: str, *, counted: bool = True) -> Standing:
        """Where a partner stands.

        :param counted: without it `behind` is 1 whatever lies there: counting takes long in a long backlog
        """

    def changes_after(self, partner: str, revision: int, lane: Lane, limit: int) -> Sequence[Change]:
        """Up to `limit` changes that concern a partner, ascending; only urgent ones in the urgent lane.

        A token is as this partner is to see it: with the whitelist that it insists on, and not valid when
        its agreement does not cover the card any more.
        """

    def newest(self, partner: str, token_id: int) -> Change | None:
        """A token as a partner is to see it now, read again just before it is sent; None if it is not to."""

    def advance(
        self,
        partner: str,
        lane: Lane,
        cursor: int,
        park: Sequence[Parked] = (),
        unpark: Sequence[int] = (),
        resync: int = 0,
    ) -> None:
        """Move a cursor and write or remove the parked rows it passes (token ids in `unpark`), together.

        A cursor never moves back here, and stays where it is when `resync` is not the partner's any more:
        then somebody set it back meanwhile. Parking a token again replaces its row.
        """

    def rewind(self, partner: str, actor: Actor) -> int:
        """Set both cursors back to zero, so that every token is owed again; how many these are."""

    def renew(self, partner: str, token_id: int) -> None:
        """Give a token a new revision and a later time, though nothing else in it changed."""

    def owed(self, partner: str) -> Owed:
        """What the partner has not acknowledged, and since when."""

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


@runtime_checkable
class SwiftReceiver(TokenReceiver, Protocol):
    """One that can be asked from within an event loop as well: many at once need no thread each."""

    async def put_soon(self, token: Token) -> Outcome:
        """What `put` does."""

    async def prove_soon(self, token: Token) -> tuple[Outcome, list[str] | None]:
        """What `prove` does."""


class ContactBook(Protocol):
    """Writes down for every process how one partner is met: `Standing.met`. May be used from any thread."""

    def note_down(self, since: datetime | None) -> None:
        """Since when it is down; None when that is over."""

    def note_success(self, at: datetime) -> None:
        """It acknowledged something."""


class _NoBook:
    """Remembers nothing: what was met lasts as long as its courier."""

    def note_down(self, since: datetime | None) -> None:
        pass

    def note_success(self, at: datetime) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Peer:
    """A connected partner as a lane needs it."""

    name: str
    receiver: TokenReceiver
    agreement: Agreement
    profile: PartnerProfile = STANDARD
    book: ContactBook = field(default_factory=_NoBook)
    """Outlives the process; without one, nothing does."""
