"""One request as our endpoints see it, and one answer as they give it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from rfid_station.ocpi.port import Caller
from rfid_station.ocpi.wire.transport import SUCCESS, date_time

CLIENT_ERROR = 2000
INVALID_PARAMETERS = 2001
SERVER_ERROR = 3000
"""OCPI 2.2.1 status_codes: generic client error, invalid or missing parameters, generic server error."""

Header = tuple[bytes, bytes]

JSON_TYPE: Header = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a partner may ask of us."""

    body_bytes: int = 64 * 1024
    head_bytes: int = 16 * 1024
    head_s: float = 10.0
    """How long a request's head may take to arrive."""
    body_s: float = 10.0
    idle_s: float = 60.0
    """How long a connection is kept for the next request."""
    connections: int = 512
    page: int = 1000
    """The most tokens on a page."""


@dataclass(slots=True)
class Asked:
    """A request whose head and body have arrived."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    caller: Caller | None = None
    server_token: str = field(default="", repr=False)
    endpoint: str = "other"
    """What was asked for, in the words of the access log."""
    uid: str = ""
    """The UID that was asked about, masked."""
    code: int | None = None
    """The OCPI status code of the answer, where the answer itself does not say."""
    trouble: str = ""
    """What broke on our side; for the access log only."""
    routed: str = ""
    """The version of the functional module that answers, if one does: its answers are routed."""

    @property
    def who(self) -> Caller:
        """Who asks; the gate lets nobody pass without."""
        if self.caller is None:
            raise LookupError("an endpoint was reached by nobody")
        return self.caller


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, ready to be sent."""

    status: int
    body: bytes
    code: int | None = None
    """The OCPI status code in it."""
    headers: tuple[Header, ...] = (JSON_TYPE,)

    def having(self, *headers: Header) -> Reply:
        """The same with more headers."""
        if not headers:
            return self
        return Reply(self.status, self.body, self.code, self.headers + headers)


def success(data: bytes) -> Reply:
    """An answer with data that is JSON already."""
    body = b'{"data":%b,"status_code":1000,"status_message":"Success","timestamp":"%b"}'
    return Reply(200, body % (data, _second(int(time.time()))), SUCCESS)


def done() -> Reply:
    """Success that has nothing to tell."""
    return refusal(200, SUCCESS, "Success")


def refusal(status: int, code: int, words: str) -> Reply:
    """An answer without data."""
    told = {"status_code": code, "status_message": words, "timestamp": date_time(datetime.now(UTC))}
    return Reply(status, as_json(told), code)


def not_allowed(*methods: str) -> Reply:
    """HTTP 405: the endpoint has other methods."""
    allow = ", ".join(methods)
    return refusal(405, CLIENT_ERROR, f"only {allow} here").having((b"allow", allow.encode()))


def not_found() -> Reply:
    """HTTP 404: there is no such endpoint."""
    return refusal(404, CLIENT_ERROR, "there is nothing here")


@lru_cache(maxsize=1)
def _second(since_epoch: int) -> bytes:
    """A second of the clock as a DateTime: thousands of answers share it."""
    return date_time(datetime.fromtimestamp(since_epoch, UTC)).encode()


_COMPACT = json.JSONEncoder(separators=(",", ":"))


def as_json(value: object) -> bytes:
    """Compact JSON. Other letters than ASCII are escaped, so that no text can break an answer."""
    return _COMPACT.encode(value).encode("ascii")
