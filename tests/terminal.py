"""The program in a terminal of its own, with somebody who answers what it asks."""

from __future__ import annotations

import os
import pty
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from unittest.mock import patch

from warm_processes import PROCESSES
from warm_program import Start

DEADLINE_S = 60.0


class Terminal:
    """A running command, and all that it has shown."""

    def __init__(self, process: BaseProcess, screen: int) -> None:
        self._process = process
        self._screen = screen
        self._seen = 0
        self.shown = ""

    def answer(self, question: str, typed: str) -> None:
        """Wait for a question, and type an answer: after the last space, when nothing is shown any more."""
        self._read_until(f"{question}: ")
        os.write(self._screen, f"{typed}\n".encode())

    def end(self) -> int | None:
        """Wait for the end; the exit code."""
        self._read_until(None)
        self._process.join(DEADLINE_S)
        return self._process.exitcode

    def _read_until(self, words: str | None) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while words is None or words not in self.shown[self._seen :]:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{words!r} was not shown, but: {self.shown[self._seen :]!r}")
            more = self._more()
            if not more:
                if words is None:
                    return
                raise AssertionError(f"ended without {words!r}: {self.shown[self._seen :]!r}")
            self.shown += more
        self._seen = self.shown.index(words, self._seen) + len(words)

    def _more(self) -> str:
        try:
            return os.read(self._screen, 4096).decode()
        except OSError:
            return ""


@contextmanager
def at_a_terminal(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run `rfid-station --station FOLDER …` where somebody sits; both outputs go to the same screen."""
    screen, line = pty.openpty()
    with patch.dict(os.environ, {"TERM": "dumb", "COLUMNS": "200", **(environment or {})}):
        start = Start(("--station", str(folder), *arguments), dict.fromkeys(range(3), line))
    process = PROCESSES.Process(target=start)
    process.start()
    os.close(line)
    try:
        yield Terminal(process, screen)
    finally:
        process.kill()
        process.join()
        os.close(screen)
