"""Lines that a barcode scanner types, or that a script writes, waited for so that Ctrl-C still ends it."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable

_LOOK_EVERY_S = 0.2
_AT_ONCE = 4096


class Scanner:
    """Standard input line by line. A plain read would not end at Ctrl-C while a card lies on the reader."""

    def __init__(self, stop: Callable[[], bool]) -> None:
        self._stop = stop
        self._waiting = b""
        self._is_over = False

    def line(self) -> str | None:
        """The next line that is not empty; None at the end of the input, or when it is to stop."""
        while (text := self._next()) is not None:
            if text.strip():
                return text.strip()
        return None

    def _next(self) -> str | None:
        try:
            source = sys.stdin.fileno()
        except (OSError, io.UnsupportedOperation):
            return sys.stdin.readline() or None
        while b"\n" not in self._waiting and not self._is_over:
            if self._stop():
                return None
            if select.select([source], [], [], _LOOK_EVERY_S)[0]:
                data = os.read(source, _AT_ONCE)
                self._is_over = not data
                self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode("utf-8", "replace") + "\n" if line or not self._is_over else None
