"""Files that the desk hands out: whole, or not there at all."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from rfid_station.errors import DiskFull, WrongCall


def write_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a half.

    `mode` is who may read a file that is new, as the umask leaves it.

    :raises DiskFull: there is no room; the old file is untouched
    :raises WrongCall: the place cannot be written to, or is a device or another thing that is no file
    """
    if path.exists() and not path.is_file():
        raise WrongCall(f"{path} is not a file", hint="name a file that is new, or that may be replaced")
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(
                f"there is no room for {path} ({len(content)} bytes)", hint=f"df -h {path.parent}"
            ) from None
        raise WrongCall(f"{path} cannot be written: {error.strerror}", hint=f"ls -ld {path.parent}") from None
