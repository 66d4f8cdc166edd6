"""Where a store lies, read from its URL. Standard library only."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from rfid_station.errors import WrongCall

_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"

Secret = str
"""What lets us into a server. Never in a URL, a message or a log."""


def path_of(url: str) -> Path:
    """The file that a URL like `sqlite:///station.db` names, as an absolute path.

    Everything behind the third slash is the path as it stands; nothing in it is decoded.

    :raises WrongCall: the URL is not one of a SQLite file
    """
    path = url.removeprefix(_SQLITE)
    if path == url or path in ("", ":memory:"):
        raise WrongCall(
            f"{without_password(url)!r} is not the address of a store",
            hint='set store.url to a file, as in url = "sqlite:///station.db",'
            f' or to a server, as in url = "{_POSTGRESQL}desk@db.example/station"',
        )
    return Path(path).absolute()


def is_on_server(url: str) -> bool:
    """Whether a URL is that of a database of a PostgreSQL server."""
    return url.startswith(_POSTGRESQL)


def check_address(url: str) -> None:
    """Let a URL pass that names a place for a store.

    :raises WrongCall: it does not, or has a password in it
    """
    if is_on_server(url):
        check_server(url)
    else:
        path_of(url)


def check_server(url: str) -> None:
    """Let the URL of a server pass that names a database, and no password.

    :raises WrongCall: it names none, or a password
    """
    shown = without_password(url)
    if shown != url:
        raise WrongCall(
            f"store.url has a password in it: {shown}",
            hint='take it out, and say where it lies: password = "file:database" in [store]',
        )
    try:
        database = urlsplit(url).path.strip("/")
    except ValueError as error:
        raise WrongCall(f"{shown} is no address: {error}", hint="correct store.url") from None
    if not database:
        raise WrongCall(
            f"{shown} names no database", hint=f'as in url = "{_POSTGRESQL}desk@db.example/station"'
        )


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    front, at, rest = url.rpartition("@")
    scheme, slashes, user = front.partition("://")
    if at and slashes and ":" in user:
        url = f"{scheme}://{user.partition(':')[0]}:…@{rest}"
    place, mark, query = url.partition("?")
    if any(name.lower().endswith("password") for name in parse_qs(query, keep_blank_values=True)):
        return f"{place}{mark}…"
    return url
