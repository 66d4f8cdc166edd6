"""Where a store lies, read from its URL. Standard library only."""

from __future__ import annotations

from pathlib import Path

from rfid_station.errors import WrongCall

_SQLITE = "sqlite:///"


def path_of(url: str) -> Path:
    """The file that a URL like `sqlite:///station.db` names, as an absolute path.

    Everything behind the third slash is the path as it stands; nothing in it is decoded.

    :raises WrongCall: the URL is not one of a SQLite file
    """
    path = url.removeprefix(_SQLITE)
    if path == url or path in ("", ":memory:"):
        raise WrongCall(
            f"{url!r} is not the address of a store",
            hint='set store.url to a file, as in url = "sqlite:///station.db"',
        )
    return Path(path).absolute()
