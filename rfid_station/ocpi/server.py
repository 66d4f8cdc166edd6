"""Our own OCPI endpoints, as far as partners need them: versions, details, credentials.

What is listed in the details is served, and the other way round. Every answer is an OCPI
envelope, errors included. Our paths follow from `Us.versions_url`, so a proxy in front of
us must leave them as they are.

Sources: OCPI 2.2.1 version_information_endpoint, credentials (GET), transport_and_format
(authorization header, unique message IDs, Response format).
"""

from __future__ import annotations

import socket
import threading
import uuid
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rfid_station.domain.partner import Endpoint
from rfid_station.errors import StationError, WrongCall
from rfid_station.ocpi.port import PartnerBook, Us
from rfid_station.ocpi.wire.dialect import DIALECTS, Dialect
from rfid_station.ocpi.wire.transport import SUCCESS, envelope

CLIENT_ERROR = 2000
SERVER_ERROR = 3000
"""OCPI 2.2.1 status_codes: generic client error, generic server error."""

START_WITHIN_S = 30.0
STOP_WITHIN_S = 5.0


def create_app(us: Us, book: PartnerBook) -> FastAPI:
    """Build our server. Every endpoint asks for a server token that `book` knows.

    :param book: asked once per request, from threads of a pool
    :raises WrongCall: our versions URL has no path
    """

    def let_in(request: Request) -> None:
        for token in _tokens_in(request.headers.get("authorization", "")):
            if book.partner_of(token) is not None:
                request.state.server_token = token
                return
        raise HTTPException(401, "no server token of ours", {"WWW-Authenticate": "Token"})

    app = FastAPI(
        dependencies=[Depends(let_in)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for url, serve in _served(us):
        path = urlsplit(url).path.rstrip("/")
        for written in (path, f"{path}/"):
            app.add_api_route(written, serve, methods=["GET"], response_model=None)
    app.exception_handler(StarletteHTTPException)(_refuse)
    app.exception_handler(StationError)(_fail)
    app.exception_handler(Exception)(_fail)
    app.add_middleware(MessageIds)
    return app


def _served(us: Us) -> Iterator[tuple[str, Callable[..., JSONResponse]]]:
    """Every URL of ours, and what answers there.

    :raises WrongCall: our versions URL has no path
    """
    if not urlsplit(us.versions_url).path.strip("/"):
        raise WrongCall(
            f"our versions URL {us.versions_url} has no path",
            hint="end it on /ocpi/versions, in table [ocpi] of station.toml",
        )
    base = us.versions_url.rstrip("/").rpartition("/")[0]
    details_urls = {dialect.VERSION: f"{base}/{dialect.VERSION}" for dialect in DIALECTS}
    listed = [{"version": version, "url": url} for version, url in details_urls.items()]
    yield us.versions_url, lambda: _success(listed)
    for dialect in DIALECTS:
        yield from _served_in(us, dialect, details_urls[dialect.VERSION])


def _served_in(
    us: Us, dialect: Dialect, details_url: str
) -> Iterator[tuple[str, Callable[..., JSONResponse]]]:
    credentials_url = f"{details_url}/credentials"
    endpoints = (Endpoint("credentials", "SENDER", credentials_url),)

    def details() -> JSONResponse:
        return _success(dialect.endpoints_to_wire(endpoints))

    def credentials(request: Request) -> JSONResponse:
        return _success(dialect.credentials_to_wire(us, request.state.server_token))

    yield details_url, details
    yield credentials_url, credentials


class MessageIds:
    """Sends a caller's message ids back with the answer, and makes up those that it left out."""

    NAMES = ("X-Request-ID", "X-Correlation-ID")

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (OCPI 2.2.1 transport_and_format, unique message IDs)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        ids = {name: asked.get(name) or str(uuid.uuid4()) for name in self.NAMES}

        async def send_with_ids(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(ids)
            await send(message)

        await self.app(scope, receive, send_with_ids)


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 takes a free one, which `getsockname()` names.

    :raises WrongCall: the port is in use, or the host is not one of this machine
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as refused:
        listener.close()
        raise WrongCall(
            f"cannot listen on {host} port {port}: {refused}",
            hint="stop the program that uses this port, or set another one in table [ocpi] of station.toml",
        ) from None
    return listener


@contextmanager
def serve_in_thread(
    app: FastAPI, host: str = "127.0.0.1", port: int = 0, *, listener: socket.socket | None = None
) -> Iterator[tuple[str, int]]:
    """Serve while the block runs: it begins once requests are answered, and ends when all were.

    :param listener: a socket from `listen`, for whoever has to know the port before the app is built
    :return: the address that is listened on
    :raises WrongCall: the port cannot be taken
    :raises StationError: it does not start
    """
    with listener or listen(host, port) as taken:
        server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=int(STOP_WITHIN_S),
            )
        )
        address = taken.getsockname()[:2]
        thread = threading.Thread(target=server.run, args=([taken],), name="ocpi-server", daemon=True)
        thread.start()
        try:
            if not server.is_up.wait(START_WITHIN_S):
                raise StationError(
                    f"our OCPI server on {host} did not start within {START_WITHIN_S:g} s",
                    hint="try again when this machine is less busy",
                )
            yield address
        finally:
            server.should_exit = True
            thread.join(2 * STOP_WITHIN_S)


class _Server(uvicorn.Server):
    """Tells when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


def _tokens_in(authorization: str) -> Iterator[str]:
    """What the header may mean: Base64 as 2.2.1 says, or the token itself, as some partners write it.

    The printed examples of the specification decode to a token and a line feed, so that is cut off.
    """
    scheme, _, value = authorization.strip().partition(" ")
    written = value.strip()
    if scheme.lower() != "token" or not written:
        return
    with suppress(ValueError):
        yield b64decode(written, validate=True).decode().rstrip()
    yield written


def _success(data: object) -> JSONResponse:
    return _answer(200, SUCCESS, "Success", data=data)


def _answer(
    http_status: int, status_code: int, message: str, headers: Mapping[str, str] | None = None, **data: object
) -> JSONResponse:
    wrapped = envelope(status_code, message, datetime.now(UTC), **data)
    return JSONResponse(wrapped, status_code=http_status, headers=dict(headers or {}))


def _refuse(_: Request, refusal: StarletteHTTPException) -> JSONResponse:
    return _answer(refusal.status_code, CLIENT_ERROR, str(refusal.detail), refusal.headers)


def _fail(_: Request, __: Exception) -> JSONResponse:
    """A fault on our side: said, and not explained to the partner."""
    return _answer(500, SERVER_ERROR, "the server is not in order")
