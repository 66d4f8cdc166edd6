"""`rfid-station` as a process of its own that starts in no time, and is spoken to as by `subprocess`."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import DupFd
from typing import Any, Self, TextIO

from warm_processes import PROCESSES


class WarmProgram:
    """As `subprocess.Popen(["rfid-station", *arguments], stdout=PIPE, stderr=PIPE, text=True)`.

    In a `with`, it is ended at the end, whatever it does.
    """

    def __init__(self, *arguments: str) -> None:
        out, to_out = os.pipe()
        err, to_err = os.pipe()
        try:
            self._process = PROCESSES.Process(target=Start(arguments, {1: to_out, 2: to_err}))
            self._process.start()
        finally:
            os.close(to_out)
            os.close(to_err)
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self.pid: int = self._process.pid or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.communicate()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("rfid-station", timeout)
        return self._process.exitcode

    def communicate(self, timeout: float = 60.0) -> tuple[str, str]:
        """What it still says, until it has ended; where it takes too long, it is ended."""
        with ThreadPoolExecutor() as both:
            said = [both.submit(_rest_of, pipe) for pipe in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return said[0].result(), said[1].result()


def _rest_of(pipe: TextIO) -> str:
    if pipe.closed:
        return ""
    with pipe:
        return pipe.read()


class Start:
    """What the new process does: be the program, with these files in place of its own.

    Where its stdin is one of them, it is a terminal, and is that of the process from then on.
    """

    def __init__(self, arguments: tuple[str, ...], files: dict[int, int]) -> None:
        self._arguments, self._environment, self._files = arguments, dict(os.environ), files

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_files": {number: DupFd(file) for number, file in self._files.items()}}

    def __call__(self) -> None:
        for number, file in self._files.items():
            os.dup2(file.detach(), number)
        os.environ.clear()
        os.environ.update(self._environment)
        if 0 in self._files:
            _sit_down_at_terminal()
        sys.argv = ["rfid-station", *self._arguments]
        from rfid_station.cli.app import main

        main()


def _sit_down_at_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
