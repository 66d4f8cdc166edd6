"""A partner charge point operator, as the desk knows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.token import Party


class PartnerState(StrEnum):
    """How far the connection to a partner is."""

    ADDED = "added"
    """It gave us a first token."""
    INVITED = "invited"
    """We gave it a first token, and it has not come yet."""
    CONNECTING = "connecting"
    """Our first handshake with it is going on, or was killed in the middle."""
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """It was connected. A new first token, from either side, connects it again."""


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
    """Where its OCPI begins; empty until an invited partner has told us."""
    client_token_ref: str
    """Empty where we have none."""
    agreement: Agreement
    connection: Connection | None = None
    profile: PartnerProfile = STANDARD
    is_ending: bool = False
    """It is to lose every card, and its connection then."""


class TokenUse(StrEnum):
    """What a server token is good for, in the order of its life."""

    GUEST = "guest"
    """It invites to register, and dies with the first use of the token that the registration gave."""
    OFFERED = "offered"
    """We told it in a handshake of ours that has not ended."""
    GRANTED = "granted"
    """We told it in an answer. Whether that arrived is known when the partner first shows it."""
    VALID = "valid"
    """It lets the partner in."""


def profile_table(profile: PartnerProfile) -> dict[str, object]:
    """A profile as the table of its file: what differs from a partner that keeps the specification."""
    table: dict[str, object] = {"title": profile.title}
    for entry in fields(profile):
        value = getattr(profile, entry.name)
        if entry.name not in ("name", "title") and value != getattr(STANDARD, entry.name):
            table[entry.name] = _plain(value)
    return table


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
