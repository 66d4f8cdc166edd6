"""A reader that went away while cards are waited for: no error, as it may come back, but worth saying."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from rfid_station.errors import NoReader
from rfid_station.reader.port import Reader


@runtime_checkable
class MayBeAway(Protocol):
    """A reader that knows whether it is there."""

    @property
    def absence(self) -> NoReader | None:
        """Why no card can come, as of the last look; None while the reader is there."""


def why_away(reader: Reader) -> NoReader | None:
    """Why no card can come; None while the reader is there, or does not know."""
    return reader.absence if isinstance(reader, MayBeAway) else None
