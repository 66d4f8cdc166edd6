"""What a desk may do while the server of its store cannot be reached, as far as it knows for sure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rfid_station.desk.record.lease_note import Noted, noted_lease
from rfid_station.desk.record.own_copy import CopyAge, age_of, own_copy
from rfid_station.desk.record.own_store import store_name
from rfid_station.settings import load_settings

FROM_COPY = (
    "card show",
    "card find",
    "card list",
    "card history",
    "card read",
    "card verify",
    "order show",
    "order list",
    "stock show",
)
"""The commands that answer from the copy. `--full` is not among it: who sees whole UIDs is witnessed."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """What a desk knows without the server."""

    lease: Noted | None
    copy: CopyAge | None

    def words(self) -> Iterator[tuple[str, str]]:
        """In words, each with what it is about."""
        yield "numbers", self._numbers()
        if self.copy:
            yield "works", f"{', '.join(FROM_COPY)}: from {self.copy}"
        else:
            yield "works", "nothing that is in the store: this desk has no copy to look into"
        yield (
            "waits",
            "whatever else is in the store: cards are not issued, blocked, replaced or printed, stock is not "
            "booked, partners are not told; nothing is kept here to be done later",
        )

    def _numbers(self) -> str:
        if self.lease is None:
            return "none that this desk knows to be its own"
        held, at = self.lease.lease, self.lease.at
        if not held.left:
            return f"none were left to {held.place} at {at:%Y-%m-%d %H:%M} UTC"
        return (
            f"contracts {held.next} to {held.last} ({held.left} left) are {held.place}'s own, as of "
            f"{at:%Y-%m-%d %H:%M} UTC; its next cards get them when the server is back"
        )


def cut_off(folder: Path) -> CutOff:
    """What the desk in a folder knows by itself.

    :raises WrongCall: its settings are wrong
    """
    settings = load_settings(folder)
    copy = own_copy(folder, settings)
    return CutOff(noted_lease(folder, store_name(settings, folder)), age_of(copy) if copy else None)
