"""An eMSP written by hand with nothing but HTTP and JSON, for the virtual CPO to talk to, and a caller.

It knows OCPI 2.1.1, 2.2.1 and 2.3.0 and does as the specification says, unless `spoil` is told otherwise.
"""

from __future__ import annotations

import http.client
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

INVITATION = "invitation-of-the-emsp-5Wq"
STAMP = "2026-01-15T09:30:00Z"

Answer = tuple[int, dict[str, Any], dict[str, str]]


def token(uid: str, version: str = "2.2.1", **changed: Any) -> dict[str, Any]:
    """A token as a partner is told of it."""
    common = {
        "uid": uid,
        "type": "RFID",
        "issuer": "Example Mobility",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": STAMP,
    }
    if version == "2.1.1":
        return {**common, "auth_id": "DE-EXM-C00000042-5", **changed}
    return {
        "country_code": "DE",
        "party_id": "EXM",
        **common,
        "contract_id": "DE-EXM-C00000042-5",
        **changed,
    }


def credentials(version: str, token: str, url: str) -> dict[str, Any]:
    party = {"country_code": "DE", "party_id": "EXM", "business_details": {"name": "Example Mobility"}}
    if version == "2.1.1":
        return {"token": token, "url": url, **party}
    return {"token": token, "url": url, "roles": [{"role": "EMSP", **party}]}


def in_header(version: str, token: str) -> str:
    return f"Token {token if version == '2.1.1' else b64encode(token.encode()).decode()}"


def from_base64(shown: str) -> str:
    try:
        return b64decode(shown).decode()
    except ValueError:
        return ""


class Emsp(ThreadingHTTPServer):
    """Speaks one version; `tokens` are listed, `allowed` decides."""

    daemon_threads = True

    def __init__(self, version: str = "2.2.1") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.version = version
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.versions_url = f"{self.base}/versions"
        self.lets_in = {INVITATION}
        self.client_token = ""
        self.cpo_url = ""
        self.handed_out = 0
        self.seen_by_call_back: list[Any] = []
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.tokens: list[dict[str, Any]] = []
        self.page_size = 2
        self.sends_back = True
        self.spoil: Callable[[str, str, Answer], Answer] = lambda method, path, answer: answer
        self.during_post: Callable[[], None] = lambda: None
        self.info: Answer | None = None

    def answer(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        shown = headers.get("Authorization", "").removeprefix("Token ")
        known = shown if self.version == "2.1.1" else from_base64(shown)
        if known not in self.lets_in:
            return 401, said(2000), {}
        if parts.path == "/versions":
            return 200, said(1000, [{"version": self.version, "url": f"{self.base}/ocpi"}]), {}
        if parts.path == "/ocpi":
            return 200, said(1000, {"version": self.version, "endpoints": self._endpoints()}), {}
        if parts.path == "/credentials":
            return self._exchange(method, known, body)
        if parts.path == "/tokens":
            return self._page(query)
        if parts.path.endswith("/authorize"):
            return self._authorize(parts.path.split("/")[-2], body)
        return 404, said(2000), {}

    def _endpoints(self) -> list[dict[str, str]]:
        listed = [
            {"identifier": name, "role": role, "url": f"{self.base}/{name}"}
            for name, role in (
                ("credentials", "SENDER"),
                ("tokens", "SENDER"),
                ("hubclientinfo", "RECEIVER"),
            )
        ]
        if self.version == "2.1.1":
            return [{"identifier": entry["identifier"], "url": entry["url"]} for entry in listed[:2]]
        return listed

    def _exchange(self, method: str, known: str, body: Any) -> Answer:
        if method == "DELETE":
            self.lets_in.discard(known)
            return 200, said(1000), {}
        self.client_token, self.cpo_url = body["token"], body["url"]
        self.during_post()
        versions = self.call_cpo("GET", body["url"])[1]["data"]
        details_url = next(entry["url"] for entry in versions if entry["version"] == self.version)
        details = self.call_cpo("GET", details_url)[1]["data"]
        self.seen_by_call_back = [versions, details]
        self.handed_out += 1
        fresh = f"token-{self.handed_out}-of-the-emsp"
        self.lets_in.discard(known)
        self.lets_in.add(fresh)
        return 200, said(1000, credentials(self.version, fresh, self.versions_url)), {}

    def _page(self, query: dict[str, str]) -> Answer:
        fitting = [entry for entry in self.tokens if entry["last_updated"] >= query.get("date_from", "")]
        first, most = int(query.get("offset", 0)), min(int(query.get("limit", 99)), self.page_size)
        headers = {"X-Total-Count": str(len(fitting)), "X-Limit": str(self.page_size)}
        if first + most < len(fitting):
            kept = "".join(f"&{name}={query[name]}" for name in ("date_from", "date_to") if name in query)
            url = f"{self.base}/tokens?offset={first + most}&limit={most}{kept}"
            headers["Link"] = f'<{url}>; rel="next"'
        return 200, said(1000, fitting[first : first + most]), headers

    def _authorize(self, uid: str, body: Any) -> Answer:
        held = next((entry for entry in self.tokens if entry["uid"].lower() == uid.lower()), None)
        if self.info:
            return self.info
        if held is None:
            return 404, said(2001 if self.version == "2.1.1" else 2004), {}
        info: dict[str, Any] = {"allowed": "ALLOWED" if held["valid"] else "BLOCKED"}
        if self.version != "2.1.1":
            info |= {"token": held, "authorization_reference": "ref-1"}
        if body:
            info["location"] = body
        return 200, said(1000, info), {}

    def call_cpo(self, method: str, url: str, body: object = None) -> tuple[int, Any]:
        """Call the CPO with the token that it gave us."""
        headers = {
            "Authorization": in_header(self.version, self.client_token),
            "X-Request-ID": "r-1",
            "X-Correlation-ID": "c-1",
            "OCPI-from-country-code": "DE",
            "OCPI-from-party-id": "EXM",
            "OCPI-to-country-code": "NL",
            "OCPI-to-party-id": "CPX",
        }
        status, _, answered = call(method, url, body, headers)
        return status, answered


class Handler(BaseHTTPRequestHandler):
    server: Emsp
    protocol_version = "HTTP/1.1"

    def serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(raw) if raw else None
        headers = dict(self.headers)
        self.server.asked.append((self.command, self.path, headers, body))
        answer = self.server.answer(self.command, self.path, headers, body)
        status, content, more = self.server.spoil(self.command, self.path, answer)
        written = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(written)))
        for name, value in {**(self.sent_back(headers) if self.server.sends_back else {}), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(written)

    @staticmethod
    def sent_back(headers: dict[str, str]) -> dict[str, str]:
        """Message ids as they came, routing headers the other way round."""
        ids = {name: headers[name] for name in ("X-Request-ID", "X-Correlation-ID") if name in headers}
        for way, back in (("from", "to"), ("to", "from")):
            for part in ("country-code", "party-id"):
                if f"OCPI-{way}-{part}" in headers:
                    ids[f"OCPI-{back}-{part}"] = headers[f"OCPI-{way}-{part}"]
        return ids

    do_GET = do_POST = do_PUT = do_DELETE = serve  # noqa: N815 -- the names are given

    def log_message(self, *_: object) -> None:
        return


def said(code: int, data: Any = None) -> dict[str, Any]:
    return {"status_code": code, "timestamp": STAMP, **({} if data is None else {"data": data})}


def call(
    method: str, url: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """One request over HTTP: the status, the headers and the JSON that came."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        given = {"Content-Type": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body)
        connection.request(method, f"{parts.path}{f'?{parts.query}' if parts.query else ''}", content, given)
        response = connection.getresponse()
        raw = response.read()
        return response.status, dict(response.headers), json.loads(raw) if raw else None
    finally:
        connection.close()


@contextmanager
def emsp_running(version: str = "2.2.1") -> Iterator[Emsp]:
    with Emsp(version) as emsp:
        thread = threading.Thread(target=emsp.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield emsp
        finally:
            emsp.shutdown()
            thread.join()
