"""Our server put together: all modules but Tokens go by FastAPI, since nobody waits for them at a charger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from rfid_station.domain.partner import Endpoint
from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import (
    ChargeBook,
    CredentialsDesk,
    CredentialsReply,
    HubClientBook,
    PartnerBook,
    TokenShelf,
    Us,
)
from rfid_station.ocpi.server.gate import Gate, Health
from rfid_station.ocpi.server.hub_clients import HubClientInfoReceiver
from rfid_station.ocpi.server.record import Log, Metrics
from rfid_station.ocpi.server.request import (
    CLIENT_ERROR,
    INVALID_PARAMETERS,
    Asked,
    Limits,
    Reply,
    as_json,
    not_allowed,
    refusal,
    success,
)
from rfid_station.ocpi.server.tokens import TokensSender, Writings
from rfid_station.ocpi.server.usage import CdrsReceiver, SessionsReceiver
from rfid_station.ocpi.wire.dialect import DIALECTS, Dialect

REGISTRATIONS = 8
"""How many partners may register at the same time; each takes as long as its own server does."""

Serve = Callable[[Asked, Request], Awaitable[Reply]]


def create_app(
    us: Us,
    book: PartnerBook,
    *,
    desk: CredentialsDesk | None = None,
    shelf: TokenShelf | None = None,
    hubs: HubClientBook | None = None,
    charges: ChargeBook | None = None,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    log: Log | None = None,
    health: Health | None = None,
) -> Gate:
    """Build our server. Every endpoint asks for a server token that `book` knows.

    :param book: asked once per request, from several threads
    :param desk: registers partners that come to us; without one, credentials can only be read
    :param shelf: what partners may see; without one there is no Tokens module
    :param hubs: keeps what hubs tell; without one there is no HubClientInfo module
    :param charges: keeps what partners tell of charges; without one there is no Sessions and no CDRs module
    :param health: what has to work; without it neither `/healthz` nor `/metrics` is there
    :raises WrongCall: our versions URL has no path
    """
    limits = limits or Limits()
    base = _base_of(us)
    writings = Writings()
    tokens = []
    if shelf:
        tokens = [
            (urlsplit(url).path, TokensSender(dialect, url, shelf, limits, writings))
            for dialect in DIALECTS
            for url in [f"{base}/{dialect.VERSION}/tokens"]
        ]
    return Gate(
        us,
        book,
        tokens=tokens,
        configuration=_configuration(us, base, desk, bool(shelf), hubs, charges),
        limits=limits,
        metrics=metrics or Metrics(),
        log=log,
        health=health,
    )


def _base_of(us: Us) -> str:
    """The URL that all of ours begin with.

    :raises WrongCall: our versions URL has no path
    """
    if not urlsplit(us.versions_url).path.strip("/"):
        raise WrongCall(
            f"our versions URL {us.versions_url} has no path",
            hint="end it on /ocpi/versions, in table [ocpi] of station.toml",
        )
    return us.versions_url.rstrip("/").rpartition("/")[0]


def _configuration(
    us: Us,
    base: str,
    desk: CredentialsDesk | None,
    has_tokens: bool,
    hubs: HubClientBook | None,
    charges: ChargeBook | None,
) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.exception_handler(HTTPException)(_refuse)
    listed = as_json([{"version": d.VERSION, "url": f"{base}/{d.VERSION}"} for d in DIALECTS])
    _add(app, us.versions_url, "versions", ["GET"], _always(listed))
    registrations = ThreadPoolExecutor(REGISTRATIONS, "registration")
    for dialect in DIALECTS:
        url = f"{base}/{dialect.VERSION}"
        listed_here = _endpoints(url, has_tokens, hubs is not None, charges is not None)
        details = dialect.endpoints_to_wire(tuple(listed_here))
        _add(app, url, "details", ["GET"], _always(as_json(details)))
        credentials = _Credentials(us, dialect, desk, registrations)
        methods = ["GET", "POST", "PUT", "DELETE"] if desk else ["GET"]
        _add(app, f"{url}/credentials", "credentials", methods, credentials.serve)
        if hubs and dialect.VERSION != "2.1.1":
            path = f"{url}/hubclientinfo/{{country_code}}/{{party_id}}"
            _add(app, path, "hubclientinfo", ["GET", "PUT"], HubClientInfoReceiver(hubs).serve)
        if charges:
            _add_usage(app, url, dialect.VERSION, charges)
    return app


def _add_usage(app: FastAPI, url: str, version: str, charges: ChargeBook) -> None:
    """What CPOs tell of charges. Ids are open: one may have a slash in it."""
    sessions, cdrs = SessionsReceiver(version, charges), CdrsReceiver(version, f"{url}/cdrs", charges)
    one = "{country_code}/{party_id}/{id:path}"
    _add(app, f"{url}/sessions/{one}", "sessions", ["GET", "PUT", "PATCH"], sessions.serve)
    _add(app, f"{url}/cdrs", "cdrs", ["POST"], cdrs.serve)
    _add(app, f"{url}/cdrs/{one}", "cdrs", ["GET"], cdrs.serve)


def _endpoints(url: str, has_tokens: bool, has_hubs: bool, has_charges: bool) -> list[Endpoint]:
    endpoints = [Endpoint("credentials", "SENDER", f"{url}/credentials")]
    if has_tokens:
        endpoints.append(Endpoint("tokens", "SENDER", f"{url}/tokens"))
    if has_hubs:
        endpoints.append(Endpoint("hubclientinfo", "RECEIVER", f"{url}/hubclientinfo"))
    if has_charges:
        endpoints += [Endpoint(name, "RECEIVER", f"{url}/{name}") for name in ("sessions", "cdrs")]
    return endpoints


def _add(app: FastAPI, url: str, endpoint: str, methods: list[str], serve: Serve) -> None:
    """Serve a URL, with and without a slash at its end."""

    async def answer(request: Request) -> Response:
        asked: Asked = request.state.asked
        asked.endpoint = endpoint
        reply = await serve(asked, request)
        asked.code = reply.code
        response = Response(reply.body, reply.status)
        for name, value in reply.headers:
            response.headers[name.decode()] = value.decode("latin-1")
        return response

    path = urlsplit(url).path.rstrip("/")
    for written in (path, f"{path}/"):
        app.add_api_route(written, answer, methods=methods, response_model=None)


def _always(data: bytes) -> Serve:
    async def serve(_: Asked, __: Request) -> Reply:
        return success(data)

    return serve


class _Credentials:
    """The credentials endpoint of one version (OCPI 2.2.1 credentials, Interfaces and Endpoints)."""

    def __init__(
        self, us: Us, dialect: Dialect, desk: CredentialsDesk | None, registrations: ThreadPoolExecutor
    ) -> None:
        self._us = us
        self._dialect = dialect
        self._desk = desk
        self._registrations = registrations

    async def serve(self, asked: Asked, _: Request) -> Reply:
        """Answer one request; a registration waits for the partner's own server, and nobody else for it."""
        if self._desk is None:
            return success(as_json(self._dialect.credentials_to_wire(self._us, asked.server_token)))
        version, who, desk = self._dialect.VERSION, asked.who, self._desk
        if asked.method == "GET":
            return await self._run(desk.get, who, asked.server_token, version)
        if asked.method == "DELETE":
            return await self._run(desk.delete, who)
        try:
            data = json.loads(asked.body)
        except (ValueError, RecursionError):
            return refusal(400, INVALID_PARAMETERS, "the body is not JSON")
        return await self._run(desk.post if asked.method == "POST" else desk.put, who, version, data)

    async def _run(self, call: Callable[..., CredentialsReply], *given: object) -> Reply:
        told = await asyncio.get_running_loop().run_in_executor(self._registrations, call, *given)
        reply = refusal(told.http_status, told.status_code, told.status_message)
        if told.data is None:
            return reply
        return Reply(
            told.http_status, reply.body[:-1] + b',"data":' + as_json(told.data) + b"}", told.status_code
        )


async def _refuse(_: Request, refused: Exception) -> Response:
    if not isinstance(refused, HTTPException):
        raise refused
    allow = (refused.headers or {}).get("Allow", "")
    reply = not_allowed(allow) if allow else refusal(refused.status_code, CLIENT_ERROR, str(refused.detail))
    headers = {"Allow": allow} if allow else {}
    return Response(reply.body, reply.status, headers, "application/json")
