"""`rfid-station serve` as a process of its own that is started in no time.

One interpreter that has imported everything waits to be forked; each start is a fork of it, which has its own
signals, threads and files as a program that a user starts.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from warm_processes import PROCESSES


def run_program(arguments: list[str], log: str) -> None:
    """Be the program, in a process of its own."""
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ["NO_COLOR"] = "1"
    sys.argv = ["rfid-station", *arguments]
    from rfid_station.cli.app import main

    main()


class ServedProcess:
    """The program, and what it wrote."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder.parent / f"stderr-{len(list(folder.parent.iterdir()))}"
        self.log.touch()
        arguments = ["--station", str(folder), "serve", *options]
        self._process = PROCESSES.Process(target=run_program, args=(arguments, str(self.log)))
        self._process.start()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def said(self, words: str) -> bool:
        is_alive = self.is_alive
        if words in self.log.read_text():
            return True
        assert is_alive, self.log.read_text()
        return False

    def requests(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def send(self, number: signal.Signals) -> None:
        os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        self._process.kill()
        self._process.join(60)

    def ended(self) -> int | None:
        """Its exit code, when it has come to its end."""
        self._process.join(60)
        return self._process.exitcode

    def end(self, by: signal.Signals = signal.SIGTERM) -> int | None:
        self.send(by)
        return self.ended()
