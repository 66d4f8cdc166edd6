"""A virtual charging station for callers without an event loop: it has one of its own, in a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from rfid_station.simulator.ocpp.memory import Memory
from rfid_station.simulator.ocpp.station import ChargingStation, Habits, Tapped

DONE_WITHIN_S = 30.0

_T = TypeVar("_T")


class DrivenStation:
    """One station. Use it as a context manager; it has no line until it is connected."""

    def __init__(
        self, url: str, name: str = "CP1", habits: Habits | None = None, memory: Memory | None = None
    ) -> None:
        self.memory = memory or Memory()
        self._station = ChargingStation(url, name, habits or Habits(), self.memory)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"station {name}", daemon=True)
        # The library logs whole messages, UIDs and all.
        logging.getLogger("ocpp").setLevel(logging.CRITICAL)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._station.disconnect())
        self._do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def connect(self) -> list[Tapped]:
        """Open the line; what the central system made of transactions that began without one.

        :raises OSError: nobody is there, or it speaks another protocol
        """
        return self._do(self._station.connect())

    def disconnect(self) -> None:
        """Lose the line."""
        self._do(self._station.disconnect())

    def tap(self, id_tag: str) -> Tapped:
        """Hold a card to it."""
        return self._do(self._station.tap(id_tag))

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DONE_WITHIN_S)
