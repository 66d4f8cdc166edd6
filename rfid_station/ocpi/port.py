"""What OCPI needs to know about us, about whom to let in, and about what they may see.

Two words: the *client token* is what we show when we call a partner, the *server token* is
what a partner shows when it calls us. Neither is ever printed or logged.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from rfid_station.domain.charge import Charge, Posted
from rfid_station.domain.hub_client import HubClient
from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party, Token


@dataclass(frozen=True, slots=True)
class Us:
    """Who we are towards every partner."""

    party: Party
    name: str
    versions_url: str
    """Where partners reach our versions endpoint."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What a finished handshake gives: the connection, and the client token to use from now on."""

    connection: Connection
    client_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who called us, by the server token that was shown."""

    partner: str
    is_guest: bool = False
    """The token only invites to register: it opens versions, details and credentials and nothing else."""
    is_registered: bool = True
    profile: PartnerProfile = STANDARD


class PartnerBook(Protocol):
    """Whom our server lets in. Server tokens are kept and compared as hashes."""

    def caller_of(self, server_token: str) -> Caller | None:
        """Who may use this server token, or None. Takes the same time whichever it is compared with."""


@dataclass(frozen=True, slots=True)
class CredentialsReply:
    """What our credentials endpoint answers (OCPI 2.2.1 credentials)."""

    http_status: int
    status_code: int
    status_message: str
    data: dict[str, object] | None = field(default=None, repr=False)


class CredentialsDesk(Protocol):
    """Registers partners who come to us. May call them back, so it takes as long as they do."""

    def get(self, caller: Caller, shown_token: str, version: str) -> CredentialsReply:
        """The credentials that this caller uses for us."""

    def post(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        """Register: their token, our answer. 405 for who is registered already."""

    def put(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        """A new version, other endpoints, or other tokens. 405 for who is not registered."""

    def delete(self, caller: Caller) -> CredentialsReply:
        """Unregister. 405 for who is not registered."""


@dataclass(frozen=True, slots=True)
class TokenPage:
    """One page of a partner's tokens, in order of creation."""

    tokens: Sequence[Token | None]
    """None in the place of a token whose revision the caller knows already."""
    total: int
    """How many fit the filters, whatever the page."""
    after: int | None
    """Where the next page goes on (an opaque place in the order of creation); None on the last page."""
    revisions: Sequence[int] = ()
    """One for each token: a state of a token that is told again has the same one, and no other state has."""
    style: str = ""
    """Two partners of one style are presented the same tokens in the same way."""


class Allowed(StrEnum):
    """What we say to a partner that asks whether a token may charge (OCPI 2.2.1 mod_tokens, AllowedType)."""

    ALLOWED = "ALLOWED"
    BLOCKED = "BLOCKED"
    EXPIRED = "EXPIRED"
    NO_CREDIT = "NO_CREDIT"
    NOT_ALLOWED = "NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Decision:
    """Our answer to one real-time authorization."""

    allowed: Allowed
    token: Token
    reference: str
    """`authorization_reference`: at most 36 characters; the partner copies it into session and CDR."""
    words: str = ""
    """For the driver, in the card's language; empty for none."""


class TokenShelf(Protocol):
    """What partners may see of our tokens: each what its agreement covers, as it is presented to it."""

    def page(
        self,
        partner: str,
        *,
        date_from: datetime | None,
        date_to: datetime | None,
        after: int | None,
        offset: int,
        limit: int,
        known: Container[int] = (),
    ) -> TokenPage:
        """Tokens with `date_from` <= last_updated < `date_to`, from `after` (`offset` counts from there).

        A filtered first page waits until every change that has its stamp already is committed: whoever
        goes on from the end of its window would miss it for ever.

        :param known: revisions that need not be told again, of the style that `style` names
        """

    def style(self, partner: str) -> str:
        """How tokens are presented to a partner at present."""

    def one(self, partner: str, uid: str, type_: str) -> Token | None:
        """One token by its UID in any case, or None."""

    def decide(self, partner: str, uid: str, type_: str) -> Decision | None:
        """Decide a real-time authorization and keep it for the record; None for an unknown token."""


class HubClientBook(Protocol):
    """What hubs told about the parties behind them; of two states of a party the newer one stays."""

    def put(self, hub: str, client: HubClient) -> None:
        """Keep what a hub tells, unless something newer is known.

        :raises Conflict: it tells of more parties than there can be
        """

    def get(self, hub: str, party: Party) -> HubClient | None:
        """What a hub told of one party; the newest, if it has several roles."""


class ChargeBook(Protocol):
    """What partners told of charges: sessions in their newest state, CDRs as they were first told."""

    def parties_of(self, partner: str) -> tuple[Party, ...]:
        """The CPO roles that a partner's credentials name."""

    def session(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        """What is kept of a session: JSON in the words of who told it; None if that is another version."""

    def put_session(self, partner: str, session: Charge) -> None:
        """Keep a session, unless something newer is known.

        :raises Conflict: the partner tells of too many charges with tokens that are not ours
        """

    def cdr(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        """What is kept of a CDR: JSON in the words of who told it; None if that is another version."""

    def post_cdr(self, partner: str, cdr: Charge) -> Posted:
        """Keep a CDR, once and for all. Another one of the same id is noted, and changes nothing.

        :raises Conflict: the partner tells of too many charges with tokens that are not ours
        """
