"""What every reader driver provides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from rfid_station.chip.exchange import CardLink


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """A reader that could be opened: the URI to open it with, its name, and what stands in the way."""

    uri: str
    name: str
    trouble: str | None = None


class Reader(Protocol):
    """One open reader. Not to be shared between threads."""

    @property
    def uri(self) -> str:
        """The string it was opened with."""

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield each card that comes, once, until `stop()` is true (asked at least every 0.2 s).

        A card that lies on the reader at the start counts as coming. When the caller asks for the
        next card, the one before must have left first: a card left lying is not a new card, and
        an exchange of cards of the same type is noticed. A link is dead once the next one is asked for.
        The service or the reader going away ends nothing: the driver waits until it is back.

        :raises NoReader: the reader does not exist, or nothing that could drive it is installed
        :raises ReaderBusy: another program holds it
        """

    def close(self) -> None:
        """Give the reader back."""
