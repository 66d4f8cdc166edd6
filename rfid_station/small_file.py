"""Files that people bring, read up to the size that makes sense: a gigabyte of TOML is nobody's settings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rfid_station.errors import WrongCall

MOST_BYTES = 1 << 20
"""Of settings, templates, profiles, tokens: those that ship have some kilobytes."""


def small_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """What a file holds. Of a device or a pipe no more is read either.

    :raises WrongCall: it holds more
    :raises OSError: it cannot be read
    """
    with path.open("rb") as file:
        read = file.read(most + 1)
    if len(read) > most:
        raise WrongCall(
            f"{path} has more than {_amount(most)}, which is no such file",
            hint=f"ls -l {path}; name the file that was meant",
        )
    return read


def small_text(path: Path, most: int = MOST_BYTES, encoding: str = "utf-8") -> str:
    """The same as text, with every line end as a line feed.

    :raises WrongCall: it holds more
    :raises OSError: it cannot be read
    :raises UnicodeDecodeError: it is no text
    """
    text = small_bytes(path, most).decode(encoding)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def table_of(text: str) -> dict[str, Any]:
    """A TOML text as a table.

    :raises tomllib.TOMLDecodeError: it is none, or nested as nobody writes it
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise tomllib.TOMLDecodeError("it is nested too deeply") from None


def _amount(most: int) -> str:
    return f"{most >> 20} MB" if most >= MOST_BYTES else f"{most >> 10} KB"
