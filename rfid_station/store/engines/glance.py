"""Reading for a server that answers many at once: the store is looked at once in a turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

from rfid_station.store.engines.snapshot import Snapshots


class Glance:
    """Lookups by whoever answers requests within an event loop; other threads look anew each time.

    Whatever is answered in a turn of the loop had arrived before the turn began. So one look within it is
    late enough for all, and what each lookup costs beside itself (a lock and its release, whether anybody
    has committed) is paid once.
    """

    def __init__(self, connect: Callable[[], Snapshots]) -> None:
        self._of_turn = connect()
        self._elsewhere = connect()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._age: Hashable = None

    def rows(self, statement: str, *values: object) -> list[Any]:
        """What a statement finds, as in `Snapshots`.

        :raises StoreError: the store cannot be used
        """
        return self._looking().rows(statement, *values)

    def age(self) -> Hashable:
        """What is another one whenever somebody else has committed.

        :raises StoreError: the store cannot be used
        """
        snapshots = self._looking()
        return self._age if snapshots is self._of_turn else snapshots.age()

    def close(self) -> None:
        """Let go of the store."""
        self._of_turn.close()
        self._elsewhere.close()

    def _looking(self) -> Snapshots:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._elsewhere
        if self._loop is not loop:
            self._begin(loop)
        return self._of_turn

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        self._end()
        self._of_turn.hold()
        self._age = self._of_turn.age()
        self._loop = loop
        loop.call_soon(self._end)

    def _end(self) -> None:
        self._loop = None
        self._of_turn.let_go()
