"""Calls of a virtual CPO to somebody else, each looked at as closely as the specification allows.

Sources: OCPI transport_and_format (Response format, authorization header, unique message IDs, message
routing) of 2.1.1, 2.2.1 and 2.3.0.
"""

from __future__ import annotations

import http.client
import json
import uuid
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from rfid_station.simulator.cpo.edition import Edition, Encoding
from rfid_station.simulator.cpo.rules import date_time

CALL_WITHIN_S = 5.0

MESSAGE_IDS = ("X-Request-ID", "X-Correlation-ID")

Party = tuple[str, str]
"""Country code and party id."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call ended. `http_status` 0: no answer; `status_code` None: no OCPI in it."""

    method: str
    url: str
    http_status: int = 0
    status_code: int | None = None
    words: str = ""
    data: object = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    complaints: tuple[str, ...] = ()
    """What in the answer breaks the specification."""

    @property
    def is_success(self) -> bool:
        """HTTP 200 or 201, and an OCPI code of success."""
        return (
            self.http_status in (200, 201) and self.status_code is not None and self.status_code // 1000 == 1
        )

    def header(self, name: str) -> str:
        """A header of the answer, whatever its case; empty if it has none."""
        return next((value for given, value in self.headers.items() if given.lower() == name.lower()), "")

    def __str__(self) -> str:
        return f"{self.method} {self.url}: HTTP {self.http_status}, OCPI {self.status_code}, {self.words}"


@dataclass(frozen=True, slots=True)
class Line:
    """How one platform is called: what is shown to it, and by whom. Routed calls carry both parties."""

    edition: Edition
    token: str = field(repr=False)
    encoding: Encoding
    us: Party
    them: Party | None = None

    def call(self, method: str, url: str, body: object = None, *, is_routed: bool = False) -> Heard:
        """Make one call. Redirects are not followed: nobody who is looked at here may send one."""
        headers = self._headers(is_routed, body is not None)
        content = None if body is None else json.dumps(body).encode()
        try:
            response, answered = _exchange(method, url, content, headers)
        except (OSError, ValueError, http.client.HTTPException) as trouble:
            return Heard(method, url, words=f"no answer ({trouble!r})")
        envelope, trouble_in_body = _envelope(answered)
        code = envelope.get("status_code")
        complaints = [
            *trouble_in_body,
            *self._complaints_about(response, headers, is_routed),
        ]
        return Heard(
            method,
            url,
            response.status,
            code if isinstance(code, int) and not isinstance(code, bool) else None,
            str(envelope.get("status_message") or ""),
            envelope.get("data"),
            dict(response.headers),
            tuple(complaints),
        )

    def _headers(self, is_routed: bool, has_body: bool) -> dict[str, str]:
        headers = {}
        if self.encoding is not Encoding.NONE:
            headers["Authorization"] = f"Token {_shown(self.token, self.encoding)}"
        if self.edition.has_message_ids:
            headers |= {name: str(uuid.uuid4()) for name in MESSAGE_IDS}
        if is_routed and self.edition.has_routing and self.them:
            headers |= _routing(self.us, self.them)
        if has_body:
            headers["Content-Type"] = "application/json"
        return headers

    def _complaints_about(
        self, response: http.client.HTTPResponse, asked: Mapping[str, str], is_routed: bool
    ) -> Iterator[str]:
        """What is wrong with the headers of an answer."""
        kind = (response.headers.get("Content-Type") or "").partition(";")[0].strip()
        if kind != "application/json":
            yield f"Content-Type is {kind!r}"
        for name in MESSAGE_IDS:
            if name in asked and response.headers.get(name) != asked[name]:
                yield f"{name} was not sent back"
        if is_routed and self.edition.has_routing and self.them and response.status < 400:
            for name, value in _routing(self.them, self.us).items():
                if (response.headers.get(name) or "").lower() != value.lower():
                    yield f"{name} is {response.headers.get(name)!r}, not {value!r}"


def _exchange(
    method: str, url: str, content: bytes | None, headers: Mapping[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    """Make one request.

    :raises OSError: nobody answers
    :raises ValueError: the URL is none
    :raises http.client.HTTPException: what answers is no web server
    """
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds:
        raise ValueError(f"{url} is no URL of the web")
    connection = kinds[parts.scheme](parts.netloc, timeout=CALL_WITHIN_S)
    try:
        target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        connection.request(method, target, content, dict(headers))
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def _envelope(answered: bytes) -> tuple[dict[str, object], list[str]]:
    """What came, and what is wrong with it (transport_and_format, Response format)."""
    try:
        envelope = json.loads(answered)
    except (ValueError, RecursionError):
        return {}, ["the answer is not JSON"]
    if not isinstance(envelope, dict):
        return {}, ["the answer is no object"]
    complaints = []
    code = envelope.get("status_code")
    if not isinstance(code, int) or isinstance(code, bool) or not 1000 <= code <= 4999:
        complaints.append(f"status_code is {code!r}")
    trouble = date_time(envelope.get("timestamp"))
    if trouble:
        complaints.append(f"timestamp {trouble}")
    if not isinstance(envelope.get("status_message", ""), str):
        complaints.append("status_message is no string")
    return envelope, complaints


def _shown(token: str, encoding: Encoding) -> str:
    return token if encoding is Encoding.CLEAR else b64encode(token.encode()).decode()


def _routing(sender: Party, receiver: Party) -> dict[str, str]:
    """The routing headers of what one party sends to another."""
    return {
        "OCPI-from-country-code": sender[0],
        "OCPI-from-party-id": sender[1],
        "OCPI-to-country-code": receiver[0],
        "OCPI-to-party-id": receiver[1],
    }


class Failed(Exception):
    """A deed that came to nothing, with what was heard last, if anything was."""

    def __init__(self, words: str, heard: Heard | None = None, code: int = 3001) -> None:
        super().__init__(words)
        self.words = words
        self.heard = heard
        self.code = code
        """What somebody is answered whose own registration fails by this."""
