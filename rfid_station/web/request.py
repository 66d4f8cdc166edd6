"""A request for a page: who asks, in which language, and what was sent."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import parse_qsl

from rfid_station.web.asgi import Receive, Scope
from rfid_station.web.words import language_for

Address = IPv4Address | IPv6Address

MOST_BODY_BYTES = 2048
BODY_S = 10.0
MOST_FIELDS = 8

_FORM = b"application/x-www-form-urlencoded"
_NETWORK_BITS = 64
"""Of an IPv6 address: who has one has all behind it."""
_OTHER_SITES = (b"cross-site", b"same-site")


class Refused(Exception):
    """A body that is not read."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request."""

    method: str
    rest: str
    """The path behind the prefix of the pages."""
    query: str
    headers: Mapping[bytes, bytes]
    who: str
    """Whom limits are for: an IPv4 address, or an IPv6 network. Never written down."""
    is_secure: bool
    """Whether it came by TLS, to us or to our proxy."""
    language: str
    """Which of ours the phone likes best."""

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether the browser says that another site's page sent it."""
        return self.headers.get(b"sec-fetch-site", b"") in _OTHER_SITES


def request_of(scope: Scope, prefix: str, proxies: Collection[Address]) -> Request:
    """Read the head of a request.

    :param proxies: who is believed when it says for whom it asks
    """
    headers = dict(scope["headers"])
    peer = _address((scope.get("client") or ("",))[0])
    is_proxied = peer in proxies
    who = (_forwarded(headers) if is_proxied else None) or peer
    said_tls = is_proxied and headers.get(b"x-forwarded-proto", b"").strip().lower() == b"https"
    return Request(
        scope["method"],
        scope["path"][len(prefix) :],
        scope["query_string"].decode("latin-1"),
        headers,
        _network(who) if who else "",
        scope.get("scheme") == "https" or said_tls,
        language_for(headers.get(b"accept-language", b"")),
    )


async def form_of(request: Request, receive: Receive) -> dict[str, str]:
    """Read the form that was sent; of a name that is there twice, nothing.

    :raises Refused: it is no form, too long, or too slow
    """
    if request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != _FORM:
        raise Refused(415)
    body = await _body(request, receive)
    try:
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Refused(400) from None
    names = [name for name, _ in pairs]
    return {name: value for name, value in pairs if names.count(name) == 1}


async def _body(request: Request, receive: Receive) -> bytes:
    announced = request.headers.get(b"content-length", b"0")
    if not announced.isdigit() or len(announced) > 18 or int(announced) > MOST_BODY_BYTES:
        raise Refused(413)
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400)
                read += message.get("body", b"")
                if len(read) > MOST_BODY_BYTES:
                    raise Refused(413)
                if not message.get("more_body"):
                    return bytes(read)
    except TimeoutError:
        raise Refused(408) from None


def _forwarded(headers: Mapping[bytes, bytes]) -> Address | None:
    """For whom our proxy asks: the last it added, since all before may be made up."""
    return _address(headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip())


def _address(written: str) -> Address | None:
    try:
        return ipaddress.ip_address(written)
    except ValueError:
        return None


def _network(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return f"{address}"
    if address.ipv4_mapped:
        return f"{address.ipv4_mapped}"
    return f"{int(address) >> (128 - _NETWORK_BITS):x}"
