"""The gate: every request passes it, in and out.

It limits what is read, asks who comes, finds the endpoint, and writes down what was answered. A plain ASGI
application: what partners ask all day does not go through a framework.

Sources: OCPI 2.2.1 transport_and_format (authorization header, unique message IDs, routing headers).
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, runtime_checkable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rfid_station.ocpi.fresh_id import fresh_id
from rfid_station.ocpi.invitation import is_over
from rfid_station.ocpi.port import Caller, PartnerBook, Us
from rfid_station.ocpi.server.patience import Patience
from rfid_station.ocpi.server.record import Log, Metrics, access_line
from rfid_station.ocpi.server.request import (
    CLIENT_ERROR,
    SERVER_ERROR,
    Asked,
    Header,
    Limits,
    Reply,
    as_json,
    not_allowed,
    not_found,
    refusal,
)
from rfid_station.ocpi.server.tokens import TokensSender

Health = Callable[[], Mapping[str, bool]]
"""What has to work for us to work, by name, and whether it does."""

MESSAGE_IDS = (b"x-request-id", b"x-correlation-id")

_CLOSE: Header = (b"connection", b"close")
_TO, _FROM = (
    (b"ocpi-to-country-code", b"ocpi-to-party-id"),
    (b"ocpi-from-country-code", b"ocpi-from-party-id"),
)
_FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


@runtime_checkable
class QuickBook(PartnerBook, Protocol):
    """A book that knows some callers by heart."""

    def recall(self, server_token: str) -> Caller | None:
        """Who may use this server token, if that is known at once and certain; None says nothing."""


class Refused(Exception):
    """A request that is not read any further."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Gate:
    """Our server as an ASGI application."""

    def __init__(
        self,
        us: Us,
        book: PartnerBook,
        *,
        tokens: Sequence[tuple[str, TokensSender]],
        configuration: ASGIApp,
        limits: Limits,
        metrics: Metrics,
        log: Log | None,
        health: Health | None,
    ) -> None:
        party = us.party
        told = (party.country_code.encode(), party.party_id.encode())
        self._from_us = tuple(zip(_FROM, told, strict=True))
        self._book = book
        self._recall = book.recall if isinstance(book, QuickBook) else None
        self._tokens = tokens
        self._configuration = configuration
        self._limits = limits
        self._metrics = metrics
        self._log = log
        self._health = health
        self._patience = Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        began_s = time.perf_counter()
        asked = Asked(scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]))
        reply = await self._replied(asked, scope, receive)
        await self._send(asked, reply, send)
        took_s = time.perf_counter() - began_s
        self._metrics.note(asked.endpoint, reply.status, took_s)
        if self._log:
            self._log(access_line(asked, reply, took_s))

    async def _replied(self, asked: Asked, scope: Scope, receive: Receive) -> Reply:
        """An answer, whatever happens."""
        try:
            return await self._reply(asked, scope, receive)
        except Refused as refused:
            return refused.reply
        except Exception as trouble:  # noqa: BLE001 - a fault of ours: said, and not explained to the partner
            asked.trouble = f"{type(trouble).__name__}: {trouble}"[:500]
            return refusal(500, SERVER_ERROR, "the server is not in order")

    async def _reply(self, asked: Asked, scope: Scope, receive: Receive) -> Reply:
        self._check_head(scope)
        if self._health and asked.path in ("/healthz", "/metrics"):
            return await self._operations(asked, scope)
        sender, rest = self._sender_of(scope["raw_path"].decode("ascii", "replace"))
        if sender:
            asked.endpoint = "tokens"
            await self._let_in(asked, scope)
            if asked.who.is_guest:
                raise _nobody()
            asked.body = await self._body(asked, receive)
            return (await sender.reply(asked, rest)).having(*self._routing(asked, sender.version))
        await self._let_in(asked, scope)
        asked.body = await self._body(asked, receive)
        reply = await _captured(self._configuration, asked, scope)
        return reply.having(*self._routing(asked, asked.routed)) if asked.routed else reply

    def _check_head(self, scope: Scope) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        for name, value in scope["headers"]:
            size += len(name) + len(value)
        if size > self._limits.head_bytes:
            most = self._limits.head_bytes
            raise Refused(refusal(431, CLIENT_ERROR, f"more than {most} bytes of headers").having(_CLOSE))

    def _sender_of(self, path: str) -> tuple[TokensSender | None, str]:
        """The Tokens sender that a path belongs to, and the rest of the path."""
        for prefix, sender in self._tokens:
            if path.startswith(prefix):
                return sender, path[len(prefix) :]
        return None, ""

    async def _let_in(self, asked: Asked, scope: Scope) -> None:
        """Find out who comes.

        :raises Refused: nobody we know, or one who has shown too many wrong tokens
        """
        shown = _tokens_in(asked.headers.get(b"authorization", b""))
        for token in shown:
            recalled = caller = self._recall(token) if self._recall else None
            if caller is None:
                self._check_patience(_caller_address(asked, scope), shown)
                caller = await asyncio.to_thread(self._book.caller_of, token)
            if caller is not None and not (caller.is_guest and is_over(token, datetime.now(UTC).date())):
                asked.caller, asked.server_token = caller, token
                if recalled is None:
                    self._patience.note_good(token)
                return
        if shown:
            self._patience.note_wrong(_caller_address(asked, scope))
        raise _nobody()

    def _check_patience(self, address: str, shown: Sequence[str]) -> None:
        wait_s = self._patience.wait_s(address, shown)
        if wait_s:
            reply = refusal(429, CLIENT_ERROR, "too many wrong tokens: wait")
            raise Refused(reply.having((b"retry-after", str(wait_s).encode())))

    async def _body(self, asked: Asked, receive: Receive) -> bytes:
        """The whole body of a request that may have one.

        :raises Refused: it is too long, or comes too slowly
        """
        announced = asked.headers.get(b"content-length", b"0")
        if asked.method in ("GET", "HEAD") or _has_no_body(asked.headers):
            return b""
        too_long = Refused(
            refusal(413, CLIENT_ERROR, f"more than {self._limits.body_bytes} bytes").having(_CLOSE)
        )
        if announced.isdigit() and len(announced) < 19 and int(announced) > self._limits.body_bytes:
            raise too_long
        read = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while True:
                    message = await receive()
                    read += message.get("body", b"")
                    if len(read) > self._limits.body_bytes:
                        raise too_long
                    if not message.get("more_body"):
                        return bytes(read)
        except TimeoutError:
            words = f"the body did not come within {self._limits.body_s:g} s"
            raise Refused(refusal(408, CLIENT_ERROR, words).having(_CLOSE)) from None

    async def _operations(self, asked: Asked, scope: Scope) -> Reply:
        """What whoever runs this server looks at. Tells nothing about partners but to this machine."""
        asked.endpoint = asked.path.strip("/")
        if asked.method != "GET":
            return not_allowed("GET")
        if asked.path == "/metrics":
            if not _is_local(asked, scope):
                return not_found()
            text = await asyncio.to_thread(self._metrics.text)
            return Reply(200, text.encode(), headers=((b"content-type", b"text/plain; version=0.0.4"),))
        checks = dict(await asyncio.to_thread(self._health)) if self._health else {}
        is_well = all(checks.values())
        told = {"status": "ok" if is_well else "failing", "checks": checks}
        return Reply(200 if is_well else 503, as_json(told))

    def _routing(self, asked: Asked, version: str) -> tuple[Header, ...]:
        """Routing headers of an answer: from us, to whoever asked (OCPI 2.2.1, routing headers)."""
        if version == "2.1.1":
            return ()
        country, party = (asked.headers.get(name, b"") for name in _FROM)
        if not asked.who.profile.routing and not (country and party):
            return ()
        if (len(country), len(party)) != (2, 3):
            return self._from_us
        return (*self._from_us, (_TO[0], country), (_TO[1], party))

    async def _send(self, asked: Asked, reply: Reply, send: Send) -> None:
        """Send an answer; a caller's message ids come back, and those that are missing are made up."""
        ids = [(name, asked.headers.get(name) or fresh_id().encode()) for name in MESSAGE_IDS]
        length = (b"content-length", str(len(reply.body)).encode())
        headers = [*reply.headers, length, *ids]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if asked.method == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})


def _has_no_body(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers


def _nobody() -> Refused:
    reply = refusal(401, CLIENT_ERROR, "no server token of ours")
    return Refused(reply.having((b"www-authenticate", b"Token")))


@lru_cache(maxsize=256)
def _tokens_in(authorization: bytes) -> tuple[str, ...]:
    """What the header may mean: Base64 as 2.2.1 says, or the token itself, as in 2.1.1 and by some partners.

    The printed examples of the specification decode to a token and a line feed, so that is cut off.
    """
    scheme, _, value = authorization.decode("latin-1").strip().partition(" ")
    written = value.strip()
    if scheme.lower() != "token" or not written:
        return ()
    try:
        return b64decode(written, validate=True).decode().rstrip(), written
    except ValueError:
        return (written,)


def _is_local(asked: Asked, scope: Scope) -> bool:
    """Whether a program on this machine asks for itself; a proxy says for whom it does."""
    client = scope.get("client")
    if not client or any(name in asked.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _caller_address(asked: Asked, scope: Scope) -> str:
    """Who calls: the neighbour, or whom a proxy on this machine names last, which nobody else can write."""
    client = scope.get("client")
    neighbour = str(client[0]) if client else ""
    named = asked.headers.get(b"x-forwarded-for", b"").decode("latin-1").rpartition(",")[2].strip()
    return named if named and neighbour in ("127.0.0.1", "::1") else neighbour


async def _captured(app: ASGIApp, asked: Asked, scope: Scope) -> Reply:
    """The answer of an application that has the request already."""
    started: list[Message] = []
    body = bytearray()

    async def receive() -> Message:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        else:
            body.extend(message.get("body", b""))

    await app({**scope, "state": {"asked": asked}}, receive, send)
    headers = tuple((name, value) for name, value in started[0]["headers"] if name != b"content-length")
    return Reply(started[0]["status"], bytes(body), None, headers)
