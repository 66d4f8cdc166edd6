"""What stands before the OCPI server: links on cards go to their pages, all else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from rfid_station.desk.driver.page import DriverDesk
from rfid_station.desk.paper.designs import Workshop
from rfid_station.desk.station import Station
from rfid_station.encode.keys import KeySource
from rfid_station.errors import WrongCall
from rfid_station.web.asgi import App, Receive, Scope, Send
from rfid_station.web.card_page import CardPage
from rfid_station.web.limits import Tries
from rfid_station.web.look import look_of

Log = Callable[[Mapping[str, object]], None]

_ALIAS = "{alias}"


def pages_path(link: str) -> str:
    """The path that all links on cards begin with, as `/c/`.

    :raises WrongCall: they do not end in `/…/{alias}`
    """
    parts = urlsplit(link)
    prefix = parts.path.removesuffix(_ALIAS)
    if not parts.path.endswith(f"/{_ALIAS}") or parts.query or parts.fragment or not prefix.strip("/"):
        raise WrongCall(
            f"no page can be served at desk.link = {link!r}",
            hint="let it end in a path like /c/{alias}, or set serve = false in table [page] of station.toml",
        )
    return prefix


@contextmanager
def card_pages(
    station: Station, keys: KeySource | None, log: Log | None, *, tries: Tries | None = None
) -> Iterator[Callable[[App], App]]:
    """Pages of a station's cards, to be put before another application while the block runs.

    :param keys: what taps are checked with; without them only codes are taken
    :raises WrongCall: the links on cards lead to no path of ours, or the brand cannot be read
    """
    prefix = pages_path(station.settings.desk.link)
    look = look_of(Workshop(station.folder, station.settings).brand())

    def trouble(words: str) -> None:
        if log:
            log({"page": words})

    desk = DriverDesk(station, keys, trouble=trouble)
    page = CardPage(desk, look, prefix, proxies=station.settings.page.proxies, tries=tries, log=log)

    def before(behind: App) -> App:
        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            is_page = scope["type"] == "http" and _is_below(scope["path"], prefix)
            await (page if is_page else behind)(scope, receive, send)

        return front

    try:
        yield before
    finally:
        page.close()
        desk.close()


def _is_below(path: str, prefix: str) -> bool:
    """Whether a path leads to a page, in capitals too: a printed code holds its link in capitals."""
    return path[: len(prefix)].lower() == prefix.lower()
