"""A reader that went away while cards are waited for: no error, as it may come back, but worth saying."""

from __future__ import annotations

from rfid_station.errors import NoReader
from rfid_station.reader.port import Reader


def why_away(reader: Reader) -> NoReader | None:
    """Why no card can come, as of the last look; None while the reader is there, or does not know.

    One that knows has it as its `absence`.
    """
    absence: NoReader | None = getattr(reader, "absence", None)
    return absence
