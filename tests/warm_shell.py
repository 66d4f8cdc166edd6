"""A shell in a terminal that knows one program, read in before: a line is what stands behind its name.

What is to be in the environment of a command stands before it, as for any shell. After each command it says
its number, its exit code, and whether it left the terminal in the modes that it found.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import termios
import traceback
from importlib import import_module
from itertools import count

import warm_statements  # noqa: F401 - has all in it that most commands read

from rfid_station.cli.app import _NOUNS, main

for place in _NOUNS.values():
    import_module(f"rfid_station.cli.{place.partition('.')[0]}")


def live() -> None:
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    for number in count(1):
        line = input("$ ")
        modes = termios.tcgetattr(0)
        code = done(line)
        is_kept = termios.tcgetattr(0) == modes
        termios.tcsetattr(0, termios.TCSADRAIN, modes)
        sys.stdout.write(f"{number}:rc={code}, terminal {'as it was' if is_kept else 'changed'}\n")


def done(line: str) -> int:
    """Run a command in the foreground of the terminal; its exit code."""
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        be_the_program(line)
    _, status = os.waitpid(child, 0)
    os.tcsetpgrp(0, os.getpid())
    return os.waitstatus_to_exitcode(status)


def be_the_program(line: str) -> None:
    words = shlex.split(line)
    while words and re.match(r"\w+=", words[0]):
        os.environ.update([words.pop(0).split("=", 1)])
    sys.argv = ["rfid-station", *words]
    code = 1
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown as an interpreter shows it
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    live()
