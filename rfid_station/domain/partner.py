"""A partner charge point operator, as the desk knows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.token import Party


class PartnerState(StrEnum):
    """How far the connection to a partner is."""

    ADDED = "added"
    CONNECTING = "connecting"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One OCPI module of a partner: identifier, role (SENDER or RECEIVER) and URL."""

    identifier: str
    role: str
    url: str


@dataclass(frozen=True, slots=True)
class Connection:
    """What a finished handshake leaves behind, the client token apart."""

    version: str
    versions_url: str
    endpoints: tuple[Endpoint, ...]
    parties: tuple[Party, ...]
    """The CPO roles that the partner's credentials name."""

    def url_of(self, identifier: str, role: str) -> str | None:
        """The URL of a module in a role, if the partner has it."""
        for endpoint in self.endpoints:
            if (endpoint.identifier, endpoint.role) == (identifier, role):
                return endpoint.url
        return None


@dataclass(frozen=True, slots=True)
class Partner:
    """One partner. The client token itself lies outside the store; this says where."""

    name: str
    state: PartnerState
    versions_url: str
    client_token_ref: str
    agreement: Agreement
    connection: Connection | None = None
