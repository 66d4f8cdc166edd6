"""What decides about cards in a central system, for whichever version a station speaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rfid_station.simulator.ocpp.values import Entry, IdInfo


class Session(Protocol):
    """A station that is connected, as seen from the central system."""

    id: str

    async def start(self) -> None:
        """Read its messages until the connection ends."""

    async def list_version(self) -> int | None:
        """Which local list it has; None if it takes none."""

    async def send_list(self, version: int, entries: Sequence[Entry], *, is_full: bool) -> bool:
        """Bring it a list, or what changed in it; whether it took that."""


class Judge(Protocol):
    """Decides about cards, and meets stations."""

    async def decide(self, station: str, action: str, id_tag: str) -> IdInfo:
        """Say whether a card may charge."""

    def meet(self, session: Session) -> None:
        """A station has booted."""
