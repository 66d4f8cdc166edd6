"""Our own endpoints, asked with nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from base64 import b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from rfid_station.domain.token import Party
from rfid_station.errors import StoreError, WrongCall
from rfid_station.ocpi.port import Caller, Us
from rfid_station.ocpi.server import create_app, listen, serve_in_thread
from rfid_station.simulator.cpo import rules as cpo_rules

SERVER_TOKEN = "server-token-for-the-partner-7Zk"
ENCODED = b64encode(SERVER_TOKEN.encode()).decode()


def ask(
    url: str, authorization: str | None = f"Token {ENCODED}", method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization is not None:
        given["Authorization"] = authorization
    try:
        connection.request(method, parts.path, headers=given)
        response = connection.getresponse()
        return response.status, response.headers, json.loads(response.read())
    finally:
        connection.close()


def check_envelope(answered: dict[str, Any]) -> None:
    assert set(answered) <= {"status_code", "status_message", "timestamp", "data"}
    assert cpo_rules.instant(answered["timestamp"])
    assert isinstance(answered["status_code"], int)


@pytest.mark.parametrize("version", ["2.3.0", "2.2.1", "2.1.1"])
def test_versions_details_and_credentials_are_served_as_listed(us: Us, version: str) -> None:
    base = us.versions_url.removesuffix("/versions")

    _, _, versions = ask(us.versions_url)
    urls = {entry["version"]: entry["url"] for entry in versions["data"]}
    _, _, details = ask(urls[version])
    credentials_url = details["data"]["endpoints"][0]["url"]
    status, _, credentials = ask(credentials_url)

    assert urls == {known: f"{base}/{known}" for known in ("2.3.0", "2.2.1", "2.1.1")}
    role = {} if version == "2.1.1" else {"role": "SENDER"}
    assert details["data"] == {
        "version": version,
        "endpoints": [{"identifier": "credentials", **role, "url": f"{base}/{version}/credentials"}],
    }
    if version == "2.1.1":
        assert credentials["data"]["party_id"] == "EXM"
        assert credentials["data"]["business_details"] == {"name": "Example Mobility"}
        return
    assert credentials["data"]["token"] == SERVER_TOKEN
    assert credentials["data"]["url"] == us.versions_url
    assert cpo_rules.credentials_complaint(credentials["data"]) is None
    assert (status, credentials["status_code"]) == (200, 1000)
    for answered in (versions, details, credentials):
        check_envelope(answered)


@pytest.mark.parametrize(
    "authorization",
    [
        f"Token {ENCODED}",
        f"Token {SERVER_TOKEN}",
        f"token {ENCODED}",
        f"Token   {ENCODED}  ",
        "Token " + b64encode(f"{SERVER_TOKEN}\n".encode()).decode(),
        "Token " + b64encode(f"{SERVER_TOKEN}\r\n".encode()).decode(),
    ],
    ids=["base64", "clear", "small letter", "blanks", "line feed", "line end"],
)
def test_a_server_token_is_understood_as_partners_write_it(us: Us, authorization: str) -> None:
    assert ask(us.versions_url, authorization)[0] == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Token",
        "Token ",
        f"Bearer {ENCODED}",
        ENCODED,
        "Token bm9ib2R5",
        "Token nobody",
        f"Token {ENCODED}x",
        "Token ÿþ",
        "Token " + b64encode(b"\xff\xfe").decode(),
    ],
)
@pytest.mark.parametrize("path", ["", "/2.2.1", "/2.2.1/credentials"])
def test_nobody_else_gets_in(us: Us, authorization: str | None, path: str) -> None:
    url = us.versions_url if not path else us.versions_url.removesuffix("/versions") + path

    status, headers, answered = ask(url, authorization)

    assert status == 401
    assert headers["WWW-Authenticate"] == "Token"
    assert answered["status_code"] == 2000
    assert "data" not in answered
    check_envelope(answered)


@pytest.mark.parametrize("path", ["/versions/", "/2.2.1/", "/2.2.1/credentials/"])
def test_a_slash_at_the_end_makes_no_difference(us: Us, path: str) -> None:
    assert ask(us.versions_url.removesuffix("/versions") + path)[0] == 200


def test_message_ids_come_back(us: Us) -> None:
    _, headers, _ = ask(us.versions_url, X_Request_ID="r-1", X_Correlation_ID="c-1")

    assert (headers["X-Request-ID"], headers["X-Correlation-ID"]) == ("r-1", "c-1")


@pytest.mark.parametrize("authorization", [f"Token {ENCODED}", None])
def test_message_ids_that_are_missing_are_made_up(us: Us, authorization: str | None) -> None:
    _, headers, _ = ask(us.versions_url, authorization)

    assert len({headers["X-Request-ID"], headers["X-Correlation-ID"]}) == 2
    assert len(headers["X-Request-ID"]) == 36


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/2.2.1/tokens", "GET", 404),
        ("/2.0", "GET", 404),
        ("/docs", "GET", 404),
        ("/openapi.json", "GET", 404),
        ("/versions", "POST", 405),
        ("/2.2.1/credentials", "POST", 405),
        ("/2.2.1/credentials", "DELETE", 405),
    ],
)
def test_what_is_not_served_is_refused_in_an_envelope(us: Us, path: str, method: str, status: int) -> None:
    answered_status, headers, answered = ask(
        us.versions_url.removesuffix("/versions") + path, method=method, X_Request_ID="r-1"
    )

    assert answered_status == status
    assert answered["status_code"] == 2000
    assert headers["X-Request-ID"] == "r-1"
    assert (headers["Allow"] == "GET") is (status == 405)
    check_envelope(answered)


class BrokenBook:
    """A book that cannot be read, for a reason of its kind."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def caller_of(self, server_token: str) -> Caller | None:
        raise self.error


@pytest.mark.parametrize("error", [StoreError("locked at /somewhere"), RuntimeError("boom at /somewhere")])
def test_a_fault_of_ours_is_said_and_not_explained(us: Us, error: Exception) -> None:
    with serve_in_thread(create_app(us, BrokenBook(error))) as (host, port):
        status, _, answered = ask(f"http://{host}:{port}/ocpi/versions")

    assert (status, answered["status_code"]) == (500, 3000)
    assert "somewhere" not in json.dumps(answered)
    check_envelope(answered)


class SlowBook:
    """A book that answers the first one only when a second one has asked."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2, timeout=60)

    def caller_of(self, server_token: str) -> Caller | None:
        self.both.wait()
        return Caller("p")


def test_requests_are_answered_side_by_side(us: Us) -> None:
    statuses: list[int] = []
    with serve_in_thread(create_app(us, SlowBook())) as (host, port):
        url = f"http://{host}:{port}/ocpi/versions"
        threads = [threading.Thread(target=lambda: statuses.append(ask(url)[0])) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200, 200]


class Nobody:
    """A book without partners."""

    def caller_of(self, server_token: str) -> Caller | None:
        return None


class Anybody:
    """A book in which everybody is."""

    def caller_of(self, server_token: str) -> Caller | None:
        return Caller("p")


def test_the_server_ends_with_its_block_and_gives_the_port_back(us: Us) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with serve_in_thread(create_app(us, Nobody())) as (host, port):
        kept = socket.create_connection((host, port))
        assert ask(f"http://{host}:{port}/ocpi/versions")[0] == 401

    assert kept.recv(1) == b""
    kept.close()
    assert {thread.name for thread in threading.enumerate()} <= before
    with listen(host, port):
        pass


def test_an_error_within_the_block_ends_the_server_too(us: Us) -> None:
    with pytest.raises(ValueError, match="inside"), serve_in_thread(create_app(us, Nobody())) as (host, port):
        raise ValueError("inside")

    with listen(host, port):
        pass


def test_a_port_in_use_is_named(us: Us) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(WrongCall, match=rf"127\.0\.0\.1 port {port}") as refused,
            serve_in_thread(create_app(us, Nobody()), port=port),
        ):
            pass

    assert refused.value.hint


@pytest.mark.parametrize(("host", "port"), [("203.0.113.1", 0), ("127.0.0.1", 70000)])
def test_an_address_that_is_not_ours_is_named(host: str, port: int) -> None:
    with pytest.raises(WrongCall, match=f"cannot listen on {host}"):
        listen(host, port)


@pytest.mark.parametrize("url", ["https://station.example", "https://station.example/"])
def test_a_versions_url_without_a_path_is_refused(us: Us, url: str) -> None:
    with pytest.raises(WrongCall, match="has no path"):
        create_app(replace(us, versions_url=url), Nobody())


def test_paths_follow_our_versions_url() -> None:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    us = Us(Party("DE", "EXM"), "Example", f"http://127.0.0.1:{port}/a/b/versions")

    with serve_in_thread(create_app(us, Anybody()), listener=listener):
        answers = [
            ask(f"http://127.0.0.1:{port}{path}")[0] for path in ("/a/b/versions", "/a/b/2.2.1/credentials")
        ]
        elsewhere = ask(f"http://127.0.0.1:{port}/ocpi/versions")[0]

    assert (answers, elsewhere) == ([200, 200], 404)
