"""`rfid-station` as a process of its own that starts in no time, and is spoken to as by `subprocess`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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
            self._process = PROCESSES.Process(target=_Start(arguments, to_out, to_err))
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


class _Start:
    """What the new process does: be the program, with these pipes."""

    def __init__(self, arguments: tuple[str, ...], stdout: int, stderr: int) -> None:
        self._arguments, self._environment, self._ends = arguments, dict(os.environ), (stdout, stderr)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_ends": tuple(map(DupFd, self._ends))}

    def __call__(self) -> None:
        for number, end in enumerate(self._ends, start=1):
            os.dup2(end.detach(), number)
        os.environ.clear()
        os.environ.update(self._environment)
        sys.argv = ["rfid-station", *self._arguments]
        from rfid_station.cli.app import main

        main()
