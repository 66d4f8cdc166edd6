"""What OCPI needs to know about us and about whom to let in.

Two words: the *client token* is what we show when we call a partner, the *server token* is
what a partner shows when it calls us. Neither is ever printed or logged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Party


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


class PartnerBook(Protocol):
    """Whom our server lets in. Server tokens are kept and compared as hashes."""

    def partner_of(self, server_token: str) -> str | None:
        """The name of the partner that may use this server token, or None."""
