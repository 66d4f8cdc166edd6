"""Lines of JSON on stderr from a thread of their own: a terminal or pipe that stalls holds nobody up."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

MOST_LINES = 10_000
"""How many lines wait for whoever reads; beyond that they are counted and left out."""

_END_S = 1.0
"""How long the end waits for what was not read yet."""

Line = Mapping[str, object]


class LineLog:
    """Takes lines at once and writes them when it can."""

    def __init__(self, fd: int, most: int = MOST_LINES) -> None:
        """Write to a file descriptor: the lock of Python's own stderr is needed when the program ends."""
        self._fd = fd
        self._lines: queue.Queue[Line | None] = queue.Queue(most)
        self._left_out = 0
        self._writer = threading.Thread(target=self._run, name="line-log", daemon=True)
        self._writer.start()

    def write(self, line: Line) -> None:
        """Take a line. Returns at once; when nobody reads for long, it is left out."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def close(self) -> None:
        """Write what waits, unless nobody reads."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=_END_S)
            self._writer.join(_END_S)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._put_left_out()
            self._put(line)
        self._put_left_out()

    def _put_left_out(self) -> None:
        left_out, self._left_out = self._left_out, 0
        if left_out:
            self._put({"log": f"{left_out} lines were left out: nobody read them"})

    def _put(self, line: Line) -> None:
        text = json.dumps(line, separators=(",", ":")) + "\n"
        rest = text.encode("utf-8", "backslashreplace")
        with suppress(OSError):  # whoever read has gone
            while rest:
                rest = rest[os.write(self._fd, rest) :]


@contextmanager
def line_log() -> Iterator[LineLog]:
    """A log on stderr for as long as the block runs."""
    sys.stderr.flush()
    log = LineLog(_stderr())
    try:
        yield log
    finally:
        log.close()


def _stderr() -> int:
    try:
        return sys.stderr.fileno()
    except (OSError, AttributeError):
        return 2
