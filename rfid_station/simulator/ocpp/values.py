"""What both sides of OCPP talk about, apart from how a version writes it.

Sources: OCPP 1.6, IdTagInfo and AuthorizationStatus; OCPP 2.0.1 Part 2, IdTokenInfoType and
AuthorizationStatusEnumType, whose words these are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

ACCEPTED = "Accepted"
UNKNOWN = "Unknown"

ANSWERED_WITHIN_S = 10.0
"""How long one side waits for the other's answer."""

SUBPROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1"}
"""How a version is called while the websocket opens."""


@dataclass(frozen=True, slots=True)
class IdInfo:
    """What somebody says of a card."""

    status: str
    until: datetime | None = None
    """When it is to be forgotten; None for never."""
    words: str = ""
    """For the driver; 1.6 has no place for it."""

    @property
    def is_accepted(self) -> bool:
        """Whether the card may charge."""
        return self.status == ACCEPTED

    def is_kept(self, at: datetime) -> bool:
        """Whether it still counts at a moment."""
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a local authorization list. Without info the card is to be struck off."""

    id_tag: str
    info: IdInfo | None


@dataclass(frozen=True, slots=True)
class Started:
    """A transaction that was told to the central system, and what that says of the card now."""

    transaction: str
    info: IdInfo


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def stamp(at: datetime) -> str:
    """A moment as both versions write it (RFC 3339)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: object) -> datetime | None:
    """Read a moment; None where there is none."""
    return datetime.fromisoformat(text) if isinstance(text, str) else None
