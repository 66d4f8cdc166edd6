"""A reader that went away while cards are waited for: no error, as it may come back, but worth saying."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rfid_station.chip.exchange import CardLink
from rfid_station.errors import NoReader
from rfid_station.reader.port import Reader

Say = Callable[[str, str | None], None]
"""Tells a person something, and what helps if there is something."""


def why_away(reader: Reader) -> NoReader | None:
    """Why no card can come, as of the last look; None while the reader is there, or does not know.

    One that knows has it as its `absence`.
    """
    absence: NoReader | None = getattr(reader, "absence", None)
    return absence


def attended(reader: Reader, stop: Callable[[], bool], say: Say) -> Iterator[CardLink]:
    """What `reader.cards(stop)` yields; it is said, each time once, that the reader went away or is back.

    :raises NoReader: as `reader.cards` does
    :raises ReaderBusy: the same
    """
    told: str | None = None

    def look() -> None:
        nonlocal told
        absence = why_away(reader)
        before, told = told, absence.message if absence else None
        if absence and told != before:
            say(absence.message, absence.hint)
        elif before and not told:
            say("the reader is back", None)

    def is_over() -> bool:
        look()
        return stop()

    for link in reader.cards(is_over):
        look()
        yield link
