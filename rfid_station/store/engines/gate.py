"""How many threads use the store at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 8
"""Threads that are let in, and connections that are kept: more would only wait for the interpreter inside."""


class Gate:
    """Lets so many threads in at once. Whoever is inside may come in again."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._places = threading.BoundedSemaphore(at_once)
        self._mine = threading.local()

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Wait for a place, and have it for the block."""
        if getattr(self._mine, "is_inside", False):
            yield
            return
        with self._places:
            self._mine.is_inside = True
            try:
                yield
            finally:
                self._mine.is_inside = False
