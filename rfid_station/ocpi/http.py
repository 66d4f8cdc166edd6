"""HTTP to partners and hubs, behind one method: the only place that knows the library.

Its own error classes are not to be gone by: a connection that closed after the request was sent is a
`ConnectError` there, and a partner that does not answer a `ConnectTimeoutError`. What tells is the chain of
causes, in which hyper names the phase; and where that says nothing, something may have been sent.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pyreqwest.client import Client, ClientBuilder, SyncClient, SyncClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.request import BaseRequestBuilder

from rfid_station.ocpi.reach import PUBLIC, LookUp, OutOfReach, Place, Reach, look_up

LARGEST_ANSWER = 1 << 20
"""Bytes of an answer that are read at most."""
_IDLE_S = 4.0
"""Idle connections are given up a little before the 5 s after which common servers close them."""
_READ_AHEAD = 1 << 16

_NOT_CONNECTED = "client error (Connect)"
_REFUSES_US = re.compile(r"received fatal alert: (\w*Certificate\w*|UnknownCA|AccessDenied|HandshakeFailure)")
"""The alerts of TLS about who we are (RFC 8446, 6.2); in TLS 1.3 they come in place of the answer."""
_MOST_CLIENTS = 256
_NAME_LASTS_S = 60.0
"""How long the addresses of a name are gone by."""

Pin = tuple[str, str]
"""A name, and the one address that it stands for."""

_Client = TypeVar("_Client", ClientBuilder, SyncClientBuilder)
_Building = TypeVar("_Building", bound=BaseRequestBuilder)


class HttpRequest(NamedTuple):
    """A request, ready to the last byte."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        """Without headers and body, which may hold a credentials token."""
        return f"HttpRequest({self.method!r}, {self.url!r})"


class HttpAnswer(NamedTuple):
    """An answer that came whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes | None
    """None where it is larger than `LARGEST_ANSWER`."""

    def __repr__(self) -> str:
        """Without headers and content, which may hold a credentials token."""
        return f"HttpAnswer({self.status})"


class NoAnswer(Exception):
    """No whole answer came. `was_sent` is False only if the request certainly never left us.

    With `refuses_us` TLS ended over our certificate: whatever was sent, nobody has read it.
    """

    def __init__(self, words: str, *, was_sent: bool = True, refuses_us: bool = False) -> None:
        super().__init__(words)
        self.words = words
        self.was_sent = was_sent
        self.refuses_us = refuses_us


class UnusableIdentity(Exception):
    """A certificate and its key with which TLS cannot be spoken."""


class Transport(Protocol):
    """Makes requests. May be shared between threads."""

    def exchange(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        """One request and its whole answer, both within the time. Redirects are answers.

        :raises NoAnswer: none came, or it broke off
        """

    async def exchange_soon(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        """The same from within an event loop, for who has many requests under way at once.

        :raises NoAnswer: none came, or it broke off
        """

    def close(self) -> None:
        """Close the connections."""


class Origin:
    """The transport that sends: TLS verified by the system's trust, kept connections, no cookies.

    Partners elsewhere are reached by the proxy that the environment names, which then looks up their names;
    this machine never is.

    :param identity: our client certificate with its chain, and its private key in clear, as PEM
    :param roots: certificates to be trusted as well, as PEM
    :param reach: what may be called
    :raises UnusableIdentity: TLS cannot be spoken with it
    """

    def __init__(
        self,
        identity: bytes = b"",
        roots: bytes = b"",
        reach: Reach = PUBLIC,
        look_up: LookUp = look_up,
    ) -> None:
        self._identity = identity
        self._roots = roots
        self._reach = reach
        self._look_up = look_up
        self._found: dict[str, tuple[float, list[Place]]] = {}
        if identity:
            _client(identity, roots, None, past_any_proxy=False)

    def exchange(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        """One request and its whole answer, both within the time. Redirects are answers.

        :raises NoAnswer: none came, or it broke off
        """
        if threading.current_thread() is threading.main_thread():
            # The library does not look at signals while it waits: Ctrl-C would wait with it.
            return _beside(self, request, timeout_s)
        ends_s = time.monotonic() + timeout_s
        *others, last = self._places(request.url)
        for place in others:
            try:
                return self._send(request, place, timeout_s, ends_s)
            except NoAnswer as trouble:
                if trouble.was_sent:
                    raise
        return self._send(request, last, timeout_s, ends_s)

    async def exchange_soon(self, request: HttpRequest, timeout_s: float) -> HttpAnswer:
        """The same from within an event loop, for who has many requests under way at once.

        :raises NoAnswer: none came, or it broke off
        """
        ends_s = time.monotonic() + timeout_s
        found = self._remembered(_origin(request.url))
        *others, last = found or await asyncio.to_thread(self._places, request.url)
        for place in others:
            try:
                return await self._send_soon(request, place, timeout_s, ends_s)
            except NoAnswer as trouble:
                if trouble.was_sent:
                    raise
        return await self._send_soon(request, last, timeout_s, ends_s)

    def _places(self, url: str) -> list[Place]:
        origin = _origin(url)
        found = self._remembered(origin)
        if found:
            return found
        try:
            found = self._reach.places(url, None if _is_by_proxy(origin) else self._look_up)
        except OutOfReach as trouble:
            raise NoAnswer(str(trouble), was_sent=False) from None
        self._found[origin] = time.monotonic() + _NAME_LASTS_S, found
        return found

    def _remembered(self, origin: str) -> list[Place]:
        until_s, found = self._found.get(origin, (0.0, []))
        return found if time.monotonic() < until_s else []

    def _send(self, request: HttpRequest, place: Place, timeout_s: float, ends_s: float) -> HttpAnswer:
        try:
            client = _client(self._identity, self._roots, _pin(place), past_any_proxy=_is_direct(place))
            building = _built(client.request(request.method, request.url), request, _left_s(ends_s))
            with building.build_streamed() as answer:
                read = answer.body_reader.read(LARGEST_ANSWER + 1)
                return _answer(answer.status, answer.headers, bytes(read or b""))
        except PyreqwestError as trouble:
            raise _explained(trouble, timeout_s) from None

    async def _send_soon(
        self, request: HttpRequest, place: Place, timeout_s: float, ends_s: float
    ) -> HttpAnswer:
        try:
            client = _client_soon(self._identity, self._roots, _pin(place), past_any_proxy=_is_direct(place))
            building = _built(client.request(request.method, request.url), request, _left_s(ends_s))
            async with building.build_streamed() as answer:
                read = await answer.body_reader.read(LARGEST_ANSWER + 1)
                return _answer(answer.status, answer.headers, bytes(read or b""))
        except PyreqwestError as trouble:
            raise _explained(trouble, timeout_s) from None

    def close(self) -> None:
        """Do nothing: the connections are everybody's, and are given up when they were idle for a while."""


def _built(building: _Building, request: HttpRequest, timeout_s: float) -> _Building:
    # The library takes a list over in half the time that a mapping takes.
    building = building.headers(list(request.headers.items())).timeout(timedelta(seconds=timeout_s))
    building = building.streamed_read_buffer_limit(_READ_AHEAD)
    return building if request.body is None else building.body_bytes(request.body)


def _answer(status: int, headers: Mapping[str, str], content: bytes) -> HttpAnswer:
    return HttpAnswer(status, headers, content if len(content) <= LARGEST_ANSWER else None)


@lru_cache(_MOST_CLIENTS)
def _client(identity: bytes, roots: bytes, pin: Pin | None, *, past_any_proxy: bool) -> SyncClient:
    """Made once for each certificate that we show: reading whom we trust takes longer than a dozen calls."""
    try:
        return _configured(SyncClientBuilder(), identity, roots, pin, past_any_proxy=past_any_proxy).build()
    except (ValueError, PyreqwestError) as trouble:
        if not identity:
            raise
        raise UnusableIdentity(_causes(trouble)[-1]) from None


@lru_cache(_MOST_CLIENTS)
def _client_soon(identity: bytes, roots: bytes, pin: Pin | None, *, past_any_proxy: bool) -> Client:
    """The same for event loops, however many there are. The identity was tried already."""
    return _configured(ClientBuilder(), identity, roots, pin, past_any_proxy=past_any_proxy).build()


def _configured(
    plain: _Client, identity: bytes, roots: bytes, pin: Pin | None, *, past_any_proxy: bool
) -> _Client:
    plain = plain.gzip(False).brotli(False).zstd(False).deflate(False)
    plain = plain.follow_redirects(False).referer(False).pool_idle_timeout(timedelta(seconds=_IDLE_S))
    if roots:
        plain = plain.add_root_certificate_pem(roots)
    if past_any_proxy:
        plain = plain.no_proxy()
    if pin:
        plain = plain.resolve(*pin, 0)
    return plain.identity_pem(identity) if identity else plain


def _origin(url: str) -> str:
    """Scheme, host and port of a URL."""
    return "/".join(url.split("/", 3)[:3])


def _pin(place: Place) -> Pin | None:
    return (place.host, place.address) if place.address else None


def _is_direct(place: Place) -> bool:
    """Whether no proxy comes between: this machine, and what was looked up here."""
    return place.address is not None or place.is_here


def _is_by_proxy(origin: str) -> bool:
    """Whether the environment names a proxy for that."""
    parts = urlsplit(origin)
    proxies = getproxies_environment()
    is_named = parts.scheme in proxies or "all" in proxies
    return is_named and not proxy_bypass(parts.hostname or "")


def _left_s(ends_s: float) -> float:
    return max(ends_s - time.monotonic(), 0.001)


def _beside(origin: Origin, request: HttpRequest, timeout_s: float) -> HttpAnswer:
    future: Future[HttpAnswer] = Future()

    def run() -> None:
        try:
            future.set_result(origin.exchange(request, timeout_s))
        except BaseException as trouble:  # noqa: BLE001 - raised in the thread that waits
            future.set_exception(trouble)

    threading.Thread(target=run, name="http", daemon=True).start()
    return future.result()


def _explained(trouble: PyreqwestError, timeout_s: float) -> NoAnswer:
    causes = _causes(trouble)
    was_sent = _NOT_CONNECTED not in causes
    if isinstance(trouble, RequestTimeoutError):
        return NoAnswer(f"no answer within {timeout_s:g} s", was_sent=was_sent)
    refuses_us = any(_REFUSES_US.fullmatch(cause) for cause in causes)
    return NoAnswer(causes[-1], was_sent=was_sent and not refuses_us, refuses_us=refuses_us)


def _causes(trouble: Exception) -> list[str]:
    """What happened in words, the cause of all last. Never empty."""
    details = getattr(trouble, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()] or [str(trouble.args[0])]


def split_url(url: str) -> SplitResult:
    """The parts of a URL.

    :raises ValueError: it is none
    """
    parts = urlsplit(url)
    _ = parts.port
    return parts


def followed(url: str, location: str) -> str | None:
    """Where a redirect leads, if that is the same scheme, host and port."""
    try:
        target = urljoin(url, location)
        here, there = split_url(url), split_url(target)
    except ValueError:
        return None
    is_same = _place(here) == _place(there) and "@" not in there.netloc
    return target if is_same else None


def _place(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
