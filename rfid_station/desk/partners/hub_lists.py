"""Hubs' own lists, read in the background: whoever began the registration, nobody waits for them."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rfid_station.desk.partners.behind_hubs import list_url, read_clients
from rfid_station.desk.station import Station
from rfid_station.domain.partner import Partner

AGAIN_S = 5.0
"""After so long a list is tried again that could not be read, then after twice as long, and so on."""

LONGEST_S = 3600.0


@dataclass(slots=True)
class _Reading:
    """The list of one hub: when it is to be read, which is never again once it was."""

    partner: Partner
    due_s: float = 0.0
    pause_s: float = field(default_factory=lambda: AGAIN_S)

    def is_of(self, partner: Partner) -> bool:
        """Whether the partner is connected still as it was then."""
        before = self.partner
        return (before.connection, before.client_token_ref) == (partner.connection, partner.client_token_ref)


class HubLists:
    """Reads the list of each hub once for each connection, one after the other, in a thread of its own.

    What was read already is not kept: a process that begins reads all of them. So it does not matter when
    the one before ended, and what hubs told while nobody listened is caught up with.
    """

    def __init__(self, station: Station, log: Callable[[Mapping[str, object]], None]) -> None:
        self._station = station
        self._log = log
        self._readings: dict[str, _Reading] = {}
        self._changed = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="hub-lists", daemon=True)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read while the block runs. A hub that answers just then is left, and asked by the next process."""
        self._thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify()
            self._thread.join(2.0)

    def look_at(self, partners: Iterable[Partner]) -> None:
        """Have the lists of those read that are connected anew. Returns at once."""
        with self._changed:
            before = self._readings
            self._readings = {
                one.name: known if (known := before.get(one.name)) and known.is_of(one) else _Reading(one)
                for one in partners
                if list_url(one)
            }
            self._changed.notify()

    def _run(self) -> None:
        while (reading := self._next()) is not None:
            self._read(reading)

    def _next(self) -> _Reading | None:
        """The list that is due, once there is one; None in the end."""
        with self._changed:
            while not self._is_over:
                first = min(self._readings.values(), key=lambda one: one.due_s, default=None)
                wait_s = first.due_s - time.monotonic() if first else math.inf
                if wait_s <= 0:
                    return first
                self._changed.wait(min(wait_s, LONGEST_S))
        return None

    def _read(self, reading: _Reading) -> None:
        try:
            read_clients(self._station, reading.partner)
        except Exception as trouble:  # noqa: BLE001 - it is tried again, and the others as well
            at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
            self._log({"at": at, "hub_list": reading.partner.name, "trouble": f"{trouble}"})
            reading.due_s = time.monotonic() + reading.pause_s
            reading.pause_s = min(2 * reading.pause_s, LONGEST_S)
        else:
            reading.due_s = math.inf
