"""Sending a file to a print queue of CUPS, by its own commands `lp` and `lpstat`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rfid_station.domain.nearest import nearest
from rfid_station.errors import PrintError

_PATIENCE_S = 30.0
_REQUEST = re.compile(r"request id is (\S+)")


def queues() -> list[str]:
    """The names of the print queues that this machine knows.

    :raises PrintError: there is no CUPS, or it does not answer
    """
    return _run("lpstat", "-e").split()


def check_queue(name: str) -> None:
    """See that there is a queue, before anything is printed for it.

    :raises PrintError: there is no CUPS, or it has no queue of that name
    """
    known = queues()
    if name not in known:
        raise PrintError(
            f"there is no print queue {name!r}",
            hint=f"{nearest(name, known)}there are: {', '.join(known) or 'none'};"
            " leave --printer out to get a file only",
        )


def send(queue: str, file: Path, title: str, options: Mapping[str, str]) -> str:
    """Hand a file to a queue, and return the name that CUPS gives the request, as `desk-17`.

    :raises PrintError: CUPS does not take it
    """
    told = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    answer = _run("lp", "-d", queue, "-t", title, *told, "--", str(file))
    request = _REQUEST.search(answer)
    return request[1] if request else queue


def _run(program: str, *arguments: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise PrintError(
            f"this machine has no CUPS: there is no {program}",
            hint="install it (on Debian: cups-client), or leave --printer out to get a file only",
        )
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system, its arguments in a list
            [path, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PrintError(f"{program} has not answered for {_PATIENCE_S:g} s", hint="lpstat -t") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit {done.returncode}"
        if program == "lpstat" and "No destinations added" in said:
            return ""
        raise PrintError(f"{program} refuses this: {said}", hint="lpstat -t")
    return done.stdout
