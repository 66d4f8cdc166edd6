"""A real terminal of its own for a program: keys go in, what a person would see comes out."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.02, 0.2
"""Each look is a program that takes time from the one that is waited for: look less and less often."""


@dataclass(frozen=True)
class Terminal:
    """One window of a private tmux, with a shell in it."""

    socket: Path
    folder: Path

    def tell(self, *command: str) -> str:
        return subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self.socket, *command],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        ).stdout

    def keys(self, *names: str) -> None:
        """Press keys by the names that tmux knows; any other text is typed."""
        self.tell("send-keys", *names)

    def run(self, command: str) -> None:
        self.tell("send-keys", "-l", "--", command)
        self.keys("Enter")

    def wipe(self) -> None:
        """Take away what earlier commands have shown."""
        self.tell("send-keys", "-R")

    def screen(self) -> str:
        return self.tell("capture-pane", "-p")

    def until(self, pattern: str) -> str:
        """The first screen that shows this."""
        deadline, pause_s = time.monotonic() + PATIENCE_S, _FIRST_LOOK_S
        while not re.search(pattern, screen := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing like {pattern!r} came up:\n{screen}")
            time.sleep(pause_s)
            pause_s = min(1.3 * pause_s, _LAST_LOOK_S)
        return screen

    def kill_what_runs(self) -> None:
        """End what the shell still waits for, where a test that failed has left it so."""
        shell = self.tell("display-message", "-p", "#{pane_pid}").strip()
        for child in Path(f"/proc/{shell}/task/{shell}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)

    def resize(self, columns: int, rows: int) -> None:
        self.tell("resize-window", "-x", f"{columns}", "-y", f"{rows}")


@contextmanager
def a_terminal(
    folder: Path,
    columns: int = 80,
    rows: int = 24,
    environment: Mapping[str, str] | None = None,
    shell: Sequence[str] = ("sh",),
) -> Iterator[Terminal]:
    terminal = Terminal(folder / "tmux", folder)
    given = {**os.environ, "PS1": "$ ", "LC_ALL": "C.UTF-8", **(environment or {})}
    subprocess.run(
        [
            *("tmux", "-f", "/dev/null", "-S", terminal.socket),
            *("new-session", "-d", "-x", f"{columns}", "-y", f"{rows}", "-c", folder),
            *(word for name, value in (environment or {}).items() for word in ("-e", f"{name}={value}")),
            *shell,
        ],
        env=given,
        check=True,
        timeout=PATIENCE_S,
    )
    try:
        yield terminal
    finally:
        terminal.tell("kill-server")


def station_command(folder: Path, *words: str) -> str:
    """`rfid-station` as it is typed into a shell."""
    return shlex.join([sys.executable, "-m", "rfid_station", "--station", str(folder), *words])
