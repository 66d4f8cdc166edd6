"""What every request passes: limits, slow clients, TLS, registration, hubs, health and metrics."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from served import VERSIONS, Book, Client, MemoryHubClients, MemoryShelf, served, token
from uvicorn.server import ServerState

from rfid_station.errors import WrongCall
from rfid_station.ocpi.port import Caller, CredentialsReply
from rfid_station.ocpi.server import Limits, Metrics, Tls, create_app, serve_in_thread
from rfid_station.ocpi.server.guard import InOnePiece, guarded_by

SMALL = Limits(body_bytes=200, head_bytes=2000, head_s=0.3, body_s=0.3, idle_s=1, connections=20)
UID = token(1).uid.hex


@pytest.fixture(scope="module")
def small() -> Iterator[Client]:
    with served(SMALL, shelf=MemoryShelf({"alpha": [token(1)]})) as (client, _):
        yield client


def test_a_body_that_is_too_long_is_413(small: Client) -> None:
    url = f"/ocpi/2.2.1/tokens/{UID}/authorize"

    answer = small.call("POST", url, b" " * 201)

    assert (answer.status, answer.headers["Connection"]) == (413, "close")
    assert answer.code == 2000
    assert small.call("POST", url, b" " * 200).code == 1000
    chunked = b"POST %b HTTP/1.1\r\nHost: a\r\nAuthorization: Token token-of-alpha\r\n" % url.encode()
    chunked += b"Transfer-Encoding: chunked\r\n\r\n" + (b"64\r\n" + b" " * 100 + b"\r\n") * 3
    assert b" 413 " in _sent(small.port, chunked)


def test_a_head_that_is_too_long_is_refused(small: Client) -> None:
    answer = small.get("/ocpi/versions", X_Long="x" * 2000)

    assert (answer.status, answer.code) == (431, 2000)
    assert small.get("/ocpi/versions?" + "q" * 2000).status == 431
    endless = _sent(small.port, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 5000)
    assert b" 400 " in endless
    assert json.loads(endless.partition(b"\r\n\r\n")[2])["status_code"] == 2000


def test_a_head_of_many_headers_is_refused_before_its_end() -> None:
    """In pieces, each of them short: what counts is all that has come."""
    pieces = [b"GET / HTTP/1.1\r\n", *[b"X-A: " + b"x" * 93 + b"\r\n"] * 40]
    assert sum(map(len, pieces)) == 4016  # and not a byte more, or closing would lose the answer
    with (
        served(Limits(head_bytes=2000)) as (client, _),
        socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection,
    ):
        for piece in pieces:
            connection.sendall(piece)
        assert b" 400 " in _until_closed(connection)


@pytest.mark.parametrize(
    ("known", "begun", "endless"),
    [
        (False, b"", b"64\r\n" + b"x" * 100 + b"\r\n"),  # answered by 401 before anybody reads it
        (True, b"1;", b"x" * 100),
        (True, b"0\r\n", b"X-Trailer: " + b"x" * 100 + b"\r\n"),
    ],
    ids=["body", "chunk extension", "trailer"],
)
def test_what_does_not_end_after_the_head_is_hung_up_on(known: bool, begun: bytes, endless: bytes) -> None:
    """By the number of bytes: the time for a body would be up much later."""
    limits = Limits(body_bytes=200, head_bytes=2000, body_s=60, head_s=60, idle_s=60)
    with (
        served(limits, shelf=MemoryShelf({"alpha": [token(1)]})) as (client, _),
        socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection,
    ):
        head = b"POST /ocpi/2.2.1/tokens/X/authorize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        head += b"Authorization: Token token-of-alpha\r\n" if known else b""
        connection.sendall(head + b"\r\n" + begun)
        with pytest.raises(OSError, match=r"[Bb]roken pipe|reset"):
            _send_again_and_again(connection, endless)


def _send_again_and_again(connection: socket.socket, piece: bytes) -> None:
    for _ in range(100_000):
        connection.sendall(piece)


def test_an_offer_of_another_protocol_is_passed_over(small: Client) -> None:
    """Some clients offer HTTP/2 with their first request; the connection serves on all the same."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    ask = b"POST /ocpi/2.2.1/tokens/%b/authorize HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" % UID.encode()
    ask += b"Authorization: Token token-of-alpha\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=60) as connection:
        for given in (offer, b""):
            connection.sendall(ask + given + b"\r\n{}")
            received = b""
            while not received.endswith(b"}"):
                received += connection.recv(65_536)
            assert received.startswith(b"HTTP/1.1 200 ")


class Wire:
    """A transport that remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True


def test_an_answer_leaves_in_one_piece() -> None:
    async def answer(*, and_hang_up: bool) -> Wire:
        transport = InOnePiece(wire := Wire(), asyncio.get_running_loop())
        transport.write(b"head")
        transport.write(b"body")
        if and_hang_up:
            transport.close()
            transport.write(b"too late")
        await asyncio.sleep(0)
        assert transport.is_closing() is and_hang_up
        return wire

    assert asyncio.run(answer(and_hang_up=False)).sent == [b"headbody"]
    assert asyncio.run(answer(and_hang_up=True)).sent == [b"headbody"]


class Socket(Wire):
    """The same with what a server asks of a transport besides."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def resume_reading(self) -> None:
        """It never paused."""


def test_answers_of_the_server_leave_in_one_piece() -> None:
    async def answer(body: bytes) -> Socket:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        connection = guarded_by(Limits())(uvicorn.Config(app), ServerState(), {})
        connection.connection_made(wire := Socket())
        connection.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5):
            while not b"".join(wire.sent).endswith(body):
                await asyncio.sleep(0)
        connection.connection_lost(None)
        return wire

    (sent,) = asyncio.run(answer(b"the body")).sent
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_may_be_longer_than_a_head() -> None:
    limits = Limits(body_bytes=9000, head_bytes=500)
    with served(limits, shelf=MemoryShelf({"alpha": [token(1)]})) as (client, _):
        head = f"POST /ocpi/2.2.1/tokens/{UID}/authorize HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        head += "Authorization: Token token-of-alpha\r\nContent-Length: 9000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
            for piece in (head.encode(), *[b" " * 3000] * 3):
                connection.sendall(piece)
                client.get("/ocpi/versions")  # by its answer, the piece was read as well
            assert b" 200 " in _until_closed(connection)


ASK = b"GET /ocpi/versions HTTP/1.1\r\nHost: a\r\nAuthorization: Token token-of-alpha\r\n\r\n"
LAST = ASK[:-2] + b"Connection: close\r\n\r\n"
TELL = b"POST /ocpi/2.2.1/tokens/%b/authorize HTTP/1.1\r\nHost: a\r\n" % UID.encode()
TELL += b"Authorization: Token token-of-alpha\r\n%b\r\n\r\n%b"


@pytest.mark.parametrize(
    ("whole", "answers"),
    [
        (ASK, 1),
        (ASK + ASK, 2),
        (ASK + b"GET /ocpi/ver", 1),
        (TELL % (b"Content-Length: 2", b"{}"), 1),
        (TELL % (b"Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n"), 1),
    ],
    ids=["no body", "two", "one and a half", "body", "chunks"],
)
def test_who_says_no_more_is_answered_all_the_same(whole: bytes, answers: int) -> None:
    """And hung up on at once: not when the connection has been idle for long enough."""
    limits = Limits(head_s=60, body_s=60, idle_s=60)
    with served(limits, shelf=MemoryShelf({"alpha": [token(1)]})) as (client, _):
        received = _sent(client.port, whole, is_all=True)

    assert received.count(b"HTTP/1.1 200 ") == answers
    # It is said unless the answer was on its way before we had said that there is no more.
    assert received.lower().count(b"connection: close") <= 1
    assert received.endswith(b"}")


@pytest.mark.parametrize(
    "part", [b"", ASK[:-2], TELL % (b"Content-Length: 9", b"{")], ids=["-", "head", "body"]
)
def test_who_says_no_more_in_the_middle_is_hung_up_on(part: bytes) -> None:
    with served(Limits(head_s=60, body_s=60, idle_s=60)) as (client, _):
        assert _sent(client.port, part, is_all=True) == b""


LENGTH, CHUNKED = b"Content-Length: 12", b"Transfer-Encoding: chunked"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize(
    "framing",
    [
        (LENGTH, CHUNKED),
        (CHUNKED, LENGTH),
        (LENGTH, b"Transfer-Encoding: identity"),
        (b"Transfer-Encoding: gzip, chunked", LENGTH),
        (CHUNKED, b"X-Between: 1", LENGTH),
        (LENGTH, b"Content-Length: 11"),
    ],
    ids=lambda framing: b" and ".join(framing).decode(),
)
def test_a_body_that_ends_in_two_places_is_refused(
    small: Client, framing: tuple[bytes, ...], version: bytes
) -> None:
    """Somebody between us and the sender may see another request in it (RFC 9112, 6.3 and 11.2)."""
    smuggled = TELL.replace(b"1.1", version) % (b"\r\n".join(framing), CHUNKS) + ASK

    received = _sent(small.port, smuggled)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in received
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(("framing", "body"), [(LENGTH, b"{}" + b" " * 10), (CHUNKED, CHUNKS)])
def test_a_body_that_ends_in_one_place_is_taken(small: Client, framing: bytes, body: bytes) -> None:
    """Without this, the test above could be passing for another reason."""
    received = _sent(small.port, TELL % (framing, body) + LAST)

    assert received.count(b"HTTP/1.1 200 ") == 2


def test_what_follows_a_body_is_no_header(small: Client) -> None:
    """Whoever joins them lets a caller say one thing in front and another one behind."""
    trailers = b"2\r\n{}\r\n0\r\nAuthorization: Token nobody\r\nX-Request-ID: behind\r\n\r\n"
    headers = CHUNKED + b"\r\nX-Request-ID: in-front"

    received = _sent(small.port, TELL % (headers, trailers) + LAST)

    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b"x-request-id: in-front" in received
    assert b"behind" not in received


def test_requests_that_come_together_are_answered_in_their_order(small: Client) -> None:
    ask = b"GET %b HTTP/1.1\r\nHost: a\r\nAuthorization: Token token-of-alpha\r\n%b\r\n"
    last = ask % (b"/ocpi/2.2.1", b"Connection: close\r\n")

    received = _sent(small.port, ask % (b"/ocpi/versions", b"") + last)

    first, _, second = received[1:].partition(b"HTTP/1.1 ")
    assert b'"version":"2.1.1"' in first
    assert b'"endpoints"' in second


def test_a_client_that_waits_for_100_gets_it(small: Client) -> None:
    head = (
        b"POST /ocpi/2.2.1/tokens/%b/authorize HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" % UID.encode()
    )
    with socket.create_connection(("127.0.0.1", small.port), timeout=60) as connection:
        connection.sendall(head + b"Authorization: Token token-of-alpha\r\nContent-Length: 2\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("begun", [b"", b"GET /ocpi/ver", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: "])
def test_a_head_that_does_not_end_is_not_waited_for(small: Client, begun: bytes) -> None:
    began_s = time.monotonic()

    assert _sent(small.port, begun) == b""

    assert 0.2 < time.monotonic() - began_s < 5


def test_the_second_head_on_a_connection_is_not_waited_for_either(small: Client) -> None:
    whole = b"GET /ocpi/versions HTTP/1.1\r\nHost: a\r\nAuthorization: Token token-of-alpha\r\n\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=60) as connection:
        connection.sendall(whole)
        received = b""
        while not received.endswith(b"}"):
            received += connection.recv(65_536)
        assert b" 200 " in received

        connection.sendall(b"GET /ocpi/ver")

        assert connection.recv(1) == b""


def test_a_body_that_does_not_end_is_408(small: Client) -> None:
    head = (
        f"POST /ocpi/2.2.1/tokens/{UID}/authorize HTTP/1.1\r\nHost: a\r\nAuthorization: Token token-of-alpha"
    )

    received = _sent(small.port, f"{head}\r\nContent-Length: 9\r\n\r\n".encode() + b"{")

    assert b" 408 " in received
    assert b"connection: close" in received.lower()


def test_others_are_answered_while_somebody_is_slow(small: Client) -> None:
    slow = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(10)]
    try:
        assert small.get("/ocpi/versions").status == 200
    finally:
        for connection in slow:
            connection.close()


def test_too_many_connections_are_told_so(small: Client) -> None:
    held = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(25)]
    try:
        connection = http.client.HTTPConnection("127.0.0.1", small.port, timeout=60)
        connection.request("GET", "/ocpi/versions")
        assert connection.getresponse().status == 503
    finally:
        for one in held:
            one.close()


def _sent(port: int, data: bytes, *, is_all: bool = False) -> bytes:
    """Send bytes, perhaps with the word that no more will come, and read until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        if data:
            connection.sendall(data)
        if is_all:
            connection.shutdown(socket.SHUT_WR)
        return _until_closed(connection)


def _until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while piece := connection.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


class Desk:
    """Registers whoever comes, and calls the client back meanwhile, as a partner does."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.meanwhile: Any = None

    def get(self, caller: Caller, shown_token: str, version: str) -> CredentialsReply:
        self.calls.append(("get", caller.partner, shown_token, version))
        return CredentialsReply(200, 1000, "Success", {"token": shown_token})

    def post(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        self.calls.append(("post", caller.partner, version, data))
        if self.meanwhile:
            self.meanwhile()
        return CredentialsReply(200, 1000, "Success", {"token": "new"})

    def put(self, caller: Caller, version: str, data: object) -> CredentialsReply:
        self.calls.append(("put", caller.partner, version, data))
        return CredentialsReply(200, 3001, "cannot use you")

    def delete(self, caller: Caller) -> CredentialsReply:
        self.calls.append(("delete", caller.partner))
        return CredentialsReply(405, 2000, "not registered")


@pytest.mark.parametrize("version", VERSIONS)
def test_credentials_go_to_their_desk(version: str) -> None:
    desk = Desk()
    with served(desk=desk) as (client, _):
        guest = client.as_("token-of-guest")
        url = f"/ocpi/{version}/credentials"
        got, posted = guest.get(url), guest.call("POST", url, b'{"token": "t"}')
        put, deleted = client.call("PUT", f"{url}/", b"[]"), client.call("DELETE", url)
        nonsense = client.call("POST", url, b"{")
        patched = client.call("PATCH", url, b"{}")

    assert (got.status, got.data) == (200, {"token": "token-of-guest"})
    assert (posted.status, posted.code, posted.data) == (200, 1000, {"token": "new"})
    assert (put.status, put.code) == (200, 3001)
    assert "data" not in put.json
    assert (deleted.status, deleted.code) == (405, 2000)
    assert (nonsense.status, nonsense.code) == (400, 2001)
    assert patched.status == 405
    assert desk.calls == [
        ("get", "guest", "token-of-guest", version),
        ("post", "guest", version, {"token": "t"}),
        ("put", "alpha", version, []),
        ("delete", "alpha"),
    ]


def test_whoever_registers_is_called_back_meanwhile() -> None:
    """As many at once as there is room for: each is answered while its own request is open."""
    desk = Desk()
    every_one = threading.Barrier(8, timeout=60)
    with served(desk=desk) as (client, _):

        def call_back() -> None:
            every_one.wait()
            assert client.get("/ocpi/versions").status == 200

        desk.meanwhile = call_back
        statuses: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: statuses.append(client.call("POST", "/ocpi/2.2.1/credentials", b"{}").status)
            )
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200] * 8


INFO = {
    "party_id": "CPO",
    "country_code": "NL",
    "role": "CPO",
    "status": "CONNECTED",
    "last_updated": "2026-01-15T09:30:00Z",
}


@pytest.fixture(scope="module")
def hub() -> Iterator[Client]:
    with served(hubs=MemoryHubClients()) as (client, _):
        yield client


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_a_hub_tells_of_its_parties_and_reads_them_back(hub: Client, version: str) -> None:
    details = hub.get(f"/ocpi/{version}").data["endpoints"]
    (listed,) = [one for one in details if one["identifier"] == "hubclientinfo"]
    assert listed["role"] == "RECEIVER"
    url = f"{listed['url']}/NL/{'CPO' if version == '2.2.1' else 'XPO'}"
    info = INFO | {"party_id": url[-3:]}

    assert hub.get(url).status == 404
    told = hub.call("PUT", url, json.dumps(info).encode())
    assert (told.status, told.code) == (200, 1000)
    again = hub.call(
        "PUT", url.lower().replace("nl", "NL"), json.dumps(info | {"status": "OFFLINE"}).encode()
    )

    assert again.code == 1000
    assert hub.get(url).data == info | {"status": "OFFLINE"}
    assert hub.as_("token-of-odd").get(url).status == 404
    assert hub.as_("token-of-guest").get(url).status == 401
    assert hub.call("DELETE", url).status == 405


@pytest.mark.parametrize(
    "wrong",
    [{name: None} for name in INFO]
    + [
        {"status": "GONE"},
        {"last_updated": "now"},
        {"party_id": "OTH"},
        {"country_code": "NLX"},
        {"role": 7},
        {"role": ""},
        {"role": "C" * 65},
        {"last_updated": "0001-01-01T00:00:00+23:59"},
    ],
)
def test_what_is_no_client_info_is_2001(hub: Client, wrong: dict[str, Any]) -> None:
    answer = hub.call(
        "PUT", "/ocpi/2.2.1/hubclientinfo/NL/CPX", json.dumps(INFO | {"party_id": "CPX"} | wrong).encode()
    )

    assert (answer.status, answer.code) == (200, 2001)
    assert hub.get("/ocpi/2.2.1/hubclientinfo/NL/CPX").status == 404
    assert hub.call("PUT", "/ocpi/2.2.1/hubclientinfo/NL/CPX", b"{").status == 400
    for body in (b"[]", b"7", b"null"):
        assert hub.call("PUT", "/ocpi/2.2.1/hubclientinfo/NL/CPX", body).code == 2001


@pytest.mark.parametrize(
    ("told", "read_back"),
    [
        ("2026-01-15T09:30:00.1239Z", "2026-01-15T09:30:00.123Z"),
        ("2026-01-15T09:30:00", "2026-01-15T09:30:00Z"),
        ("2026-01-15t11:30:00+02:00", "2026-01-15T09:30:00Z"),
    ],
)
def test_times_of_hubs_are_read_as_they_write_them(hub: Client, told: str, read_back: str) -> None:
    url = "/ocpi/2.2.1/hubclientinfo/nl/xyz"
    info = INFO | {"party_id": "xyz", "role": "emsp", "status": "planned", "last_updated": told}

    assert hub.call("PUT", url, json.dumps(info).encode()).code == 1000

    assert hub.get(url).data == INFO | {
        "party_id": "XYZ",
        "role": "EMSP",
        "status": "PLANNED",
        "last_updated": read_back,
    }


def test_a_hub_that_tells_of_too_many_is_told_so() -> None:
    with served(hubs=MemoryHubClients(1)) as (client, _):
        codes = []
        for party in ("CPO", "CPX", "CPO"):
            info = json.dumps(INFO | {"party_id": party}).encode()
            codes.append(client.call("PUT", f"/ocpi/2.2.1/hubclientinfo/NL/{party}", info).code)

    assert codes == [1000, 2000, 1000]


def test_hub_client_info_is_nothing_of_2_1_1(hub: Client) -> None:
    assert [one["identifier"] for one in hub.get("/ocpi/2.1.1").data["endpoints"]] == ["credentials"]
    assert hub.get("/ocpi/2.1.1/hubclientinfo/NL/CPO").status == 404


def test_health_tells_what_works_and_nothing_else() -> None:
    well = {"store": True, "sync": True}
    with served(health=lambda: well) as (client, _):
        nobody = client.as_(None)
        fine = nobody.get("/healthz")
        well["sync"] = False
        ill = nobody.get("/healthz")

    assert (fine.status, fine.json) == (200, {"status": "ok", "checks": {"store": True, "sync": True}})
    assert (ill.status, ill.json["status"]) == (503, "failing")


def test_metrics_are_for_this_machine_only() -> None:
    gauges = [("rfid_station_owed_tokens", "Owed.", [({"partner": 'al"pha'}, 3.0)])]
    shelf = MemoryShelf({"alpha": [token(1)]})
    with served(shelf=shelf, health=dict, metrics=Metrics(lambda: gauges)) as (client, _):
        for _ in range(3):
            client.call("POST", f"/ocpi/2.2.1/tokens/{UID}/authorize")
        client.as_("nobody").get("/ocpi/versions")
        until_s = time.monotonic() + 60
        while (text := client.as_(None).get("/metrics").raw.decode()) and time.monotonic() < until_s:
            if 'endpoint="other",status="401"' in text:
                break
        forwarded = client.as_(None).get("/metrics", X_Forwarded_For="203.0.113.7")

    assert 'rfid_station_requests_total{endpoint="tokens.authorize",status="200"} 3' in text
    assert "rfid_station_authorize_seconds_count 3" in text
    assert 'rfid_station_authorize_seconds_bucket{le="+Inf"} 3' in text
    assert 'rfid_station_owed_tokens{partner="al_pha"} 3' in text
    assert forwarded.status == 404
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) .+|[a-z_]+(\{[^{}]*\})? [0-9.e+-]+", line), line


def test_without_health_there_is_nothing_to_see() -> None:
    with served() as (client, _):
        assert client.as_(None).get("/healthz").status == 401
        assert client.get("/metrics").status == 404


def certificate(folder: Path) -> Tls:
    """A certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    tls = Tls(folder / "cert.pem", folder / "key.pem")
    tls.certificate.write_bytes(signed.public_bytes(pem))
    tls.key.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return tls


def test_tls(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    with served() as (_, us):
        pass
    with serve_in_thread(create_app(us, Book()), tls=tls) as (host, port):
        trust = ssl.create_default_context(cafile=str(tls.certificate))
        trust.check_hostname = False
        connection = http.client.HTTPSConnection(host, port, context=trust, timeout=60)
        connection.request("GET", "/ocpi/versions", headers={"Authorization": "Token token-of-alpha"})
        assert connection.getresponse().status == 200
        connection.close()
        assert _sent(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == b""


@pytest.mark.parametrize("broken", ["no certificate", "no key", "another key"])
def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, broken: str) -> None:
    tls = certificate(tmp_path)
    if broken == "no certificate":
        tls.certificate.write_text("nonsense")
    elif broken == "no key":
        tls.key.unlink()
    else:
        (tmp_path / "b").mkdir()
        tls = Tls(tls.certificate, certificate(tmp_path / "b").key)
    with served() as (_, us):
        pass

    with (
        pytest.raises(WrongCall, match=r"cannot be used for TLS"),
        serve_in_thread(create_app(us, Book()), tls=tls),
    ):
        pass
