"""Calls to a partner over real HTTP: what each fault of a partner looks like from our side."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from wire_double import WireDouble

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import HeaderEncoding, PartnerProfile
from rfid_station.domain.token import Party, Token
from rfid_station.domain.uid import parse_uid
from rfid_station.errors import PartnerRefused, WrongCall
from rfid_station.ocpi.client import (
    OcpiClient,
    TokensReceiver,
    check_url,
    open_receiver,
)
from rfid_station.ocpi.http import HttpAnswer
from rfid_station.ocpi.port import Registration, Us
from rfid_station.ocpi.reach import Reach
from rfid_station.simulator.cpo.http import HttpServer
from rfid_station.simulator.cpo.virtual_cpo import CpoProfile, Encoding, Fault, FaultKind, VirtualCpo

K = FaultKind
HERE = Reach(here=True)
ACK, NO, DOWN, UNSURE, KEY = (
    Verdict.ACKNOWLEDGED,
    Verdict.REFUSED,
    Verdict.UNREACHABLE,
    Verdict.AMBIGUOUS,
    Verdict.UNAUTHORIZED,
)


# A token's way


def test_a_token_goes_there_is_proven_is_blocked_and_is_proven_again(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token
) -> None:
    uid = token.uid.hex
    assert receiver.prove(token)[1] == ["unknown there"]
    assert cpo.authorize(uid).status == "Unknown"

    assert receiver.put(token).verdict is ACK
    assert receiver.prove(token)[1] == []
    assert cpo.authorize(uid).status == "Accepted"

    blocked = replace(token, valid=False, last_updated=token.last_updated + timedelta(seconds=1))
    assert receiver.prove(blocked)[1] == [
        "valid: true there, false here",
        "last_updated: 2026-01-15T09:30:00Z there, 2026-01-15T09:30:01Z here",
    ]
    assert receiver.put(blocked).verdict is ACK
    assert receiver.prove(blocked)[1] == []
    assert cpo.authorize(uid).status == "Blocked"


def test_the_same_token_twice_is_acknowledged_twice(receiver: TokensReceiver, token: Token) -> None:
    assert [receiver.put(token).detail, receiver.put(token).detail] == [
        "HTTP 201, OCPI 1000: Success",
        "HTTP 200, OCPI 1000: Success",
    ]


def test_an_older_state_is_refused_by_a_partner_that_looks(receiver: TokensReceiver, token: Token) -> None:
    receiver.put(token)

    outcome = receiver.put(replace(token, last_updated=token.last_updated - timedelta(seconds=1)))

    assert outcome.verdict is NO
    assert "2001: last_updated 2026-01-15T09:29:59Z is older" in outcome.detail


# Faults

FAULTS: list[tuple[Fault, Verdict, str, bool]] = [
    # the fault, the verdict on a PUT, what its detail says, whether the partner has the token
    (Fault(K.ERROR), DOWN, "HTTP 500, OCPI 3000: on demand", False),
    (Fault(K.ERROR, status=502), DOWN, "HTTP 502", False),
    (Fault(K.ERROR, status=504), UNSURE, "HTTP 504", False),
    (Fault(K.BUSY, retry_after="7"), DOWN, "HTTP 503, without a body", False),
    (Fault(K.BUSY, status=429, retry_after="7"), DOWN, "HTTP 429, without a body", False),
    (Fault(K.REFUSE), NO, "HTTP 200, OCPI 2001: on demand", False),
    (Fault(K.REFUSE, code=2000, message="a\x1bb\nc"), NO, "HTTP 200, OCPI 2000: a b c", False),
    (Fault(K.REFUSE, code=3000), DOWN, "HTTP 200, OCPI 3000: on demand", False),
    (Fault(K.REFUSE, code=4002), UNSURE, "HTTP 200, OCPI 4002: on demand", False),
    (Fault(K.REFUSE, status=400), NO, "HTTP 400, OCPI 2001: on demand", False),
    (Fault(K.REFUSE, status=404, code=2004), NO, "HTTP 404, OCPI 2004: on demand", False),
    (Fault(K.UNAUTHORIZED), KEY, "HTTP 401, OCPI 2000: on demand", False),
    (Fault(K.UNAUTHORIZED, status=403), KEY, "HTTP 403, OCPI 2000: on demand", False),
    (Fault(K.GARBAGE), NO, "HTTP 200, not JSON: <!doctype html> <title>502</title>", False),
    (Fault(K.GARBAGE, status=502), DOWN, "HTTP 502, not JSON: <!doctype html>", False),
    (Fault(K.GARBAGE, body="[]"), NO, "HTTP 200, not an OCPI answer", False),
    (Fault(K.GARBAGE, body='{"status_code": "1000"}'), NO, "HTTP 200, not an OCPI answer", False),
    (Fault(K.GARBAGE, status=204, body=""), NO, "HTTP 204, without a body", False),
    (Fault(K.CUT), NO, 'HTTP 200, not JSON: {"status_code": 1000, "da', False),
    (Fault(K.HUGE), NO, "HTTP 200, and more than 1048576 bytes", False),
    (Fault(K.ABORT), UNSURE, "connection closed before message completed", False),
    (Fault(K.HANG), UNSURE, "no answer within 0.3 s", False),
    (Fault(K.APPLY_HANG), UNSURE, "no answer within 0.3 s", True),
    (Fault(K.APPLY_ABORT), UNSURE, "end of file before message length reached", True),
    (Fault(K.APPLY_ERROR), DOWN, "HTTP 500", True),
    (Fault(K.FORGET), ACK, "HTTP 201, OCPI 1000: Success", False),
    (
        Fault(K.REDIRECT, status=302, location="/elsewhere"),
        DOWN,
        "redirects to /elsewhere, which is not",
        False,
    ),
    (Fault(K.REDIRECT, location=""), DOWN, "redirects in a circle", False),
    (Fault(K.REDIRECT, location="http://[nonsense"), DOWN, "which is not followed", False),
]


HANGS = (K.HANG, K.APPLY_HANG)


def name_of(value: object) -> str | None:
    if isinstance(value, Fault):
        return f"{value.kind}-{value.status}-{value.code}-{value.location}-{value.body[:3]}"
    return None


@pytest.mark.parametrize(("fault", "verdict", "told", "has_landed"), FAULTS, ids=name_of)
def test_each_fault_has_its_verdict_and_the_next_put_repairs_it(
    receiver: TokensReceiver,
    hasty: TokensReceiver,
    cpo: VirtualCpo,
    token: Token,
    fault: Fault,
    verdict: Verdict,
    told: str,
    has_landed: bool,
) -> None:
    cpo.faults.add(fault)

    outcome = (hasty if fault.kind in HANGS else receiver).put(token)

    assert outcome.verdict is verdict
    assert told in outcome.detail
    assert outcome.retry_after_s == (7.0 if fault.kind is K.BUSY else None)
    assert bool(cpo.tokens) is has_landed
    cpo.faults.clear()
    assert receiver.put(token).verdict is ACK
    assert receiver.prove(token)[1] == []


@pytest.mark.parametrize(("fault", "verdict", "told", "has_landed"), FAULTS, ids=name_of)
def test_within_an_event_loop_each_fault_has_the_same_verdict(
    hasty: TokensReceiver,
    cpo: VirtualCpo,
    token: Token,
    fault: Fault,
    verdict: Verdict,
    told: str,
    has_landed: bool,
) -> None:
    cpo.faults.add(fault)

    outcome = asyncio.run(hasty.put_soon(token))

    assert (outcome.verdict, told in outcome.detail) == (verdict, True), outcome
    assert (cpo.tokens != {}) == has_landed


def test_within_an_event_loop_many_are_told_and_read_back_at_once(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token
) -> None:
    many = [replace(token, uid=parse_uid(f"04E10CDA9900{number:02X}")) for number in range(12)]

    async def all_at_once() -> tuple[list[Outcome], list[tuple[Outcome, list[str] | None]]]:
        told = await asyncio.gather(*map(receiver.put_soon, many))
        return told, await asyncio.gather(*map(receiver.prove_soon, many))

    told, proven = asyncio.run(all_at_once())
    assert {outcome.verdict for outcome in told} == {Verdict.ACKNOWLEDGED}
    assert [differences for _, differences in proven] == [[]] * 12
    assert len(cpo.tokens) == 12


@pytest.mark.parametrize(("fault", "verdict", "told", "_"), FAULTS, ids=name_of)
def test_a_proof_is_never_taken_from_a_fault(
    receiver: TokensReceiver,
    hasty: TokensReceiver,
    cpo: VirtualCpo,
    token: Token,
    fault: Fault,
    verdict: Verdict,
    told: str,
    _: bool,
) -> None:
    receiver.put(token)
    cpo.faults.add(replace(fault, method="GET"))

    outcome, found = (hasty if fault.kind in HANGS else receiver).prove(token)

    if fault.kind is K.FORGET:
        assert (outcome.verdict, found) == (ACK, [])
        assert receiver.prove(token)[1] == ["unknown there"]
    elif fault.status == 404:
        assert (outcome.verdict, found) == (ACK, ["unknown there"])
    else:
        assert found is None
        asked_in_vain = outcome.detail.startswith("http://")
        assert outcome.verdict is (DOWN if asked_in_vain else verdict)


def test_a_token_lost_after_its_acknowledgement_is_found_out(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token
) -> None:
    cpo.faults.add(Fault(K.FORGET, method="PUT"))

    assert receiver.put(token).verdict is ACK
    assert receiver.prove(token)[1] == ["unknown there"]


def test_a_partner_that_writes_all_ids_in_lower_case_holds_the_same(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token
) -> None:
    receiver.put(replace(token, group_id="FLEET-A"))
    cpo.faults.add(Fault(K.LOWER_CASE))

    assert receiver.prove(replace(token, group_id="FLEET-A"))[1] == []


def test_only_uids_that_match_are_refused(receiver: TokensReceiver, cpo: VirtualCpo, token: Token) -> None:
    cpo.faults.add(Fault(K.REFUSE, method="PUT", uid="04.*80"))
    other = replace(token, uid=parse_uid("04E10CDA993C81"))

    assert [receiver.put(token).verdict, receiver.put(other).verdict] == [NO, ACK]


DATA = [
    ('{"status_code": 1000}', ACK, ["unknown there"]),
    ('{"status_code": 1000, "data": null}', ACK, ["unknown there"]),
    ('{"status_code": 1000, "data": []}', ACK, ["unknown there"]),
    ('{"status_code": 2004}', ACK, ["unknown there"]),
    ('{"status_code": 1000, "data": "04E1"}', NO, None),
    ('{"status_code": 1000, "data": 7}', NO, None),
    ('{"status_code": 1000, "data": [{}, {}]}', NO, None),
    ('{"status_code": 1000, "data": [7]}', NO, None),
    ('{"status_code": 2001}', NO, None),
]


@pytest.mark.parametrize(("body", "verdict", "found"), DATA, ids=[entry[0] for entry in DATA])
def test_what_a_partner_holds_is_read_in_every_shape(
    receiver: TokensReceiver,
    cpo: VirtualCpo,
    token: Token,
    body: str,
    verdict: Verdict,
    found: list[str] | None,
) -> None:
    cpo.faults.add(Fault(K.GARBAGE, body=body))

    outcome, differences = receiver.prove(token)

    assert (outcome.verdict, differences) == (verdict, found)


def test_a_list_of_one_token_is_that_token(receiver: TokensReceiver, cpo: VirtualCpo, token: Token) -> None:
    body = '{"status_code": 1000, "data": [{"uid": "04E10CDA993C80", "valid": false}]}'
    cpo.faults.add(Fault(K.GARBAGE, body=body))

    _, differences = receiver.prove(token)

    assert differences is not None
    assert "valid: false there, true here" in differences
    assert not any(difference.startswith("uid") for difference in differences)


def test_differences_are_fit_to_be_shown(receiver: TokensReceiver, cpo: VirtualCpo, token: Token) -> None:
    body = '{"status_code": 1000, "data": {"issuer": "\\u001b[2J' + "x" * 9000 + '"}}'
    cpo.faults.add(Fault(K.GARBAGE, body=body))

    _, differences = receiver.prove(token)

    assert differences
    assert all(difference.isprintable() and len(difference) < 200 for difference in differences)


# What is not even sent


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"issuer": "x" * 65}, "not sent: token 04…3C80 cannot be told in OCPI 2.2.1: 'xxx"),
        ({"party": Party("DE", "ABC")}, "not sent: the token is of DE-ABC, and DE-EXM is registered"),
    ],
)
def test_a_token_that_cannot_be_told_is_refused_unsent(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token, change: dict[str, Any], told: str
) -> None:
    before = len(cpo.log)

    outcome = receiver.put(replace(token, **change))

    assert outcome.verdict is NO
    assert outcome.detail.startswith(told)
    assert len(cpo.log) == before


def test_a_token_that_cannot_be_told_cannot_be_proven(receiver: TokensReceiver, token: Token) -> None:
    receiver.put(token)

    outcome, differences = receiver.prove(replace(token, issuer="x" * 65))

    assert (outcome.verdict, differences) == (NO, None)


def test_nobody_listening_is_unreachable_for_every_method(closed_url: str) -> None:
    with OcpiClient("client-token", timeout_s=10.0, reach=HERE) as client:
        outcomes = [client.call(method, closed_url, {}).outcome for method in ("GET", "PUT", "POST")]

    assert [outcome.verdict for outcome in outcomes] == [DOWN] * 3
    assert "Connection refused" in outcomes[1].detail


def test_a_host_without_an_address_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with OcpiClient("client-token", timeout_s=10.0, reach=HERE) as client:
        # An empty label: no resolver asks anybody for it.
        outcome = client.call("PUT", "http://cpo..example/tokens", {}).outcome

    assert outcome.verdict is DOWN
    assert outcome.detail.startswith("http://cpo..example: the name cpo..example is not known")


def test_a_partner_that_stopped_is_unreachable_and_back_again(
    us: Us, connect: Any, token: Token, tmp_path: Path
) -> None:
    state = tmp_path / "cpo.json"
    with VirtualCpo("f", state_file=state) as cpo:
        found = connect(versions_url=cpo.versions_url, first_token="f")
        receiver = open_receiver(found.connection, found.client_token, us.party, timeout_s=10.0)
        assert receiver.put(token).verdict is ACK
        port = cpo.port
    assert receiver.put(token).verdict is DOWN
    with VirtualCpo("f", state_file=state, port=port):
        assert receiver.prove(token)[1] == []
    receiver.close()


# Headers


def answered(status: int, content: bytes = b"", **headers: str) -> HttpAnswer:
    return HttpAnswer(status, {name.lower(): value for name, value in headers.items()}, content)


SUCCESS = b'{"status_code": 1000}'


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (HeaderEncoding.BASE64, f"Token {b64encode(b'tok-1').decode()}"),
        (HeaderEncoding.CLEAR, "Token tok-1"),
    ],
)
def test_the_token_stands_in_the_header_as_the_partner_wants_it(
    encoding: HeaderEncoding, expected: str
) -> None:
    wire = WireDouble()

    OcpiClient("tok-1", encoding=encoding, http=wire).call("GET", "https://cpo.example/")

    assert wire.requests[0].headers["Authorization"] == expected
    assert not b64decode(expected.split()[1] + "==").endswith(b"\n")


def test_routing_headers_go_to_functional_modules_alone() -> None:
    wire = WireDouble()
    client = OcpiClient("client-token", Party("DE", "EXM"), Party("NL", "CPX"), http=wire)

    client.call("GET", "https://cpo.example/versions")
    client.call("PUT", "https://cpo.example/tokens", {"a": 1}, is_functional=True)

    plain, routed = (
        {name: value for name, value in request.headers.items() if name.startswith("OCPI-")}
        for request in wire.requests
    )
    assert plain == {}
    assert routed == {
        "OCPI-from-country-code": "DE",
        "OCPI-from-party-id": "EXM",
        "OCPI-to-country-code": "NL",
        "OCPI-to-party-id": "CPX",
    }
    assert wire.requests[1].headers["Content-Type"] == "application/json"
    assert wire.requests[1].headers["Accept-Encoding"] == "identity"
    assert wire.requests[1].body == b'{"a":1}'
    assert "Content-Type" not in wire.requests[0].headers


def test_every_request_has_message_ids_of_its_own() -> None:
    wire = WireDouble()
    client = OcpiClient("client-token", http=wire)

    for _ in range(3):
        client.call("GET", "https://cpo.example/")

    names = ("X-Request-ID", "X-Correlation-ID")
    ids = [request.headers[name] for request in wire.requests for name in names]
    assert len(set(ids)) == 6


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_host_keeps_method_body_and_token(status: int) -> None:
    wire = WireDouble(
        lambda request: (
            answered(200, SUCCESS) if request.url.endswith("/") else answered(status, Location="/tokens/")
        )
    )
    client = OcpiClient("client-token", http=wire)
    assert client.call("POST", "https://cpo.example/tokens", {"a": 1}).is_acknowledged

    first, second = wire.requests
    assert (second.method, second.url, second.body) == ("POST", "https://cpo.example/tokens/", first.body)
    assert second.headers["Authorization"] == first.headers["Authorization"]
    assert second.headers["X-Correlation-ID"] == first.headers["X-Correlation-ID"]
    assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "location",
    [
        "https://other.example/tokens",
        "https://cpo.example:8443/tokens",
        "http://cpo.example/tokens",
        "//other.example/tokens",
        "https://user@cpo.example/tokens",
        "ftp://cpo.example/tokens",
        "https://cpo.example:port/tokens",
    ],
)
def test_a_redirect_to_anywhere_else_is_not_followed(location: str) -> None:
    wire = WireDouble(lambda _request: answered(307, Location=location))

    outcome = OcpiClient("client-token", http=wire).call("GET", "https://cpo.example/tokens").outcome

    assert outcome.verdict is DOWN
    assert f"redirects to {location}, which is not followed" in outcome.detail
    assert len(wire.requests) == 1


def test_the_token_never_reaches_another_port(
    receiver: TokensReceiver, cpo: VirtualCpo, token: Token
) -> None:
    with VirtualCpo("other") as other:
        cpo.faults.add(Fault(K.REDIRECT, location=other.versions_url))

        assert receiver.put(token).verdict is DOWN
        assert other.log == []


# Connections


def test_one_connection_serves_many_calls(
    receiver: TokensReceiver, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(
        HttpServer,
        "process_request",
        lambda *given, plain=HttpServer.process_request: opened.append(plain(*given)),
    )

    for _ in range(5):
        assert receiver.put(token).verdict is ACK

    # The connection of the handshake may serve them all.
    assert len(opened) <= 1


def test_a_client_is_shared_between_threads(receiver: TokensReceiver, cpo: VirtualCpo, token: Token) -> None:
    tokens = [replace(token, uid=parse_uid(f"04E10CDA99{number:04X}")) for number in range(24)]
    verdicts: list[Verdict] = []
    threads = [
        threading.Thread(target=lambda part=part: verdicts.extend(receiver.put(one).verdict for one in part))
        for part in (tokens[0::3], tokens[1::3], tokens[2::3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verdicts == [ACK] * 24
    assert len(cpo.tokens) == 24


@contextmanager
def scripted(sends: Iterable[bytes | None]) -> Iterator[str]:
    """A server that answers one request with raw bytes and ends; a None waits until the caller has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5.0)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as request:
                connection.settimeout(5.0)
                head = iter(request.readline, b"\r\n")
                lengths = [line for line in head if line.lower().startswith(b"content-length:")]
                request.read(int(lengths[0].split(b":")[1]))
                with suppress(OSError):
                    for part in sends:
                        request.read(1) if part is None else connection.sendall(part)
                    connection.shutdown(socket.SHUT_WR)
                    request.read(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sends",
    [
        (b"not HTTP at all\r\n\r\n",),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",),
        (HEAD + b"Content-Length: 50\r\n\r\n{", None),
        (HEAD[:20], None),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",),
    ],
    ids=["no HTTP", "short", "bad chunk", "stops in the body", "stops in the head", "endless head"],
)
def test_an_answer_that_does_not_come_whole_leaves_it_open(sends: tuple[bytes | None, ...]) -> None:
    with scripted(sends) as url, OcpiClient("client-token", timeout_s=0.3, reach=HERE) as client:
        outcome = client.call("PUT", url, {}).outcome

    assert outcome.verdict is UNSURE
    assert outcome.detail.startswith(url.rstrip("/"))


def test_an_answer_that_drips_is_not_waited_for() -> None:
    def drip() -> Iterator[bytes]:
        yield HEAD + b"Content-Length: 100000\r\n\r\n"
        pause = threading.Event()
        while not pause.wait(0.02):
            yield b" "

    with scripted(drip()) as url, OcpiClient("client-token", timeout_s=0.3, reach=HERE) as client:
        outcome = client.call("PUT", url, {}).outcome

    assert outcome.verdict is UNSURE
    assert outcome.detail.endswith("no answer within 0.3 s")


def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    with (
        scripted([HEAD + b'\r\n{"status_code": 1000}']) as url,
        OcpiClient("client-token", timeout_s=10.0, reach=HERE) as client,
    ):
        assert client.call("PUT", url, {}).is_acknowledged


def test_a_packed_answer_that_was_not_asked_for_is_refused() -> None:
    with (
        scripted([HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"]) as url,
        OcpiClient("client-token", timeout_s=10.0, reach=HERE) as client,
    ):
        assert client.call("PUT", url, {}).outcome.verdict is NO


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as encrypted:
                        received.append(encrypted.recv(100))
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with OcpiClient("client-token", timeout_s=5.0, reach=HERE) as client:
            outcome = client.call("PUT", url, {}).outcome
        thread.join()

    assert outcome.verdict is DOWN
    assert "certificate" in outcome.detail.lower()
    assert b"".join(received) == b""


def test_loopback_is_reached_past_any_proxy(
    connect: Any, closed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, closed_url)

    assert connect().client_token


# Opening

CONNECTION = Connection(
    "2.2.1",
    "https://c.example/v",
    (Endpoint("tokens", "RECEIVER", "https://c.example/t"),),
    (Party("NL", "CPX"),),
)


@pytest.mark.parametrize(
    ("connection", "client_token", "error", "told"),
    [
        (replace(CONNECTION, endpoints=()), "t", PartnerRefused, "no tokens RECEIVER, but nothing"),
        (
            replace(CONNECTION, endpoints=(Endpoint("tokens", "SENDER", "x"),)),
            "t",
            PartnerRefused,
            "no tokens RECEIVER, but tokens SENDER",
        ),
        (replace(CONNECTION, version="3.0"), "t", PartnerRefused, "speaks OCPI 3.0, and we speak 2.3.0"),
        (
            replace(CONNECTION, endpoints=(Endpoint("tokens", "RECEIVER", "gopher://x"),)),
            "t",
            WrongCall,
            "tokens URL 'gopher://x'",
        ),
        (CONNECTION, "", WrongCall, "client token of 0 characters"),
        (CONNECTION, "two words", WrongCall, "client token of 9 characters"),
        (CONNECTION, "t" * 65, WrongCall, "client token of 65 characters"),
        (CONNECTION, "line\n", WrongCall, "client token of 5 characters"),
    ],
)
def test_a_connection_that_cannot_be_used_is_said_before_anything_is_sent(
    connection: Connection, client_token: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told) as refused:
        open_receiver(connection, client_token, Party("DE", "EXM"))

    assert "two words" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cpo.example/v",
        "ftp://cpo.example",
        "https://",
        "https://u:p@cpo.example/",
        "http://[::1",
        "http://a b/",
    ],
)
def test_a_url_that_no_token_may_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(WrongCall, match="versions URL") as refused:
        check_url(url, "versions URL")

    assert refused.value.hint


def test_a_transport_from_outside_stays_open() -> None:
    wire = WireDouble()
    with OcpiClient("client-token", http=wire):
        pass
    assert not wire.is_closed


# Secrets


@pytest.mark.parametrize("fault", [entry[0] for entry in FAULTS] + [None], ids=name_of)
def test_no_token_shows_in_texts_logs_and_reprs(
    us: Us,
    registration: Registration,
    cpo: VirtualCpo,
    token: Token,
    fault: Fault | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = registration.client_token
    if fault:
        echo = f"{fault.message} {secret} {b64encode(secret.encode()).decode()}"
        cpo.faults.add(replace(fault, message=echo, body=f"{fault.body} {secret}"))
    caplog.set_level(logging.DEBUG)
    receiver = open_receiver(registration.connection, secret, us.party, timeout_s=0.3)

    shown = [
        receiver.put(token),
        receiver.prove(token),
        receiver,
        registration,
        vars(cpo),
        cpo.log,
        caplog.text,
    ]
    receiver.close()

    for text in map(repr, shown):
        assert secret not in text
        assert b64encode(secret.encode()).decode().rstrip("=") not in text


def test_garbage_that_quotes_the_token_shows_it_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    encoded = b64encode(b"client-token")
    caplog.set_level(logging.DEBUG)
    with (
        scripted([b"you sent client-token as " + encoded + b"\r\n\r\n"]) as url,
        OcpiClient("client-token", timeout_s=10.0, reach=HERE) as client,
    ):
        outcome = client.call("PUT", url, {}).outcome

    assert outcome.verdict is UNSURE
    for text in (outcome.detail, caplog.text):
        assert "client-token" not in text
        assert encoded.decode().rstrip("=") not in text


def test_a_partner_that_wants_tokens_in_clear(us: Us, connect: Any, token: Token) -> None:
    with VirtualCpo("f", CpoProfile(encoding=Encoding.CLEAR)) as cpo:
        given = {"versions_url": cpo.versions_url, "first_token": "f"}
        with pytest.raises(PartnerRefused, match="HTTP 401"):
            connect(**given)
        found = connect(**given, profile=PartnerProfile(header=HeaderEncoding.CLEAR))
        in_clear = PartnerProfile(header=HeaderEncoding.CLEAR)
        receiver = open_receiver(
            found.connection, found.client_token, us.party, profile=in_clear, timeout_s=10.0
        )
        assert receiver.put(token).verdict is ACK
        assert receiver.prove(token)[1] == []
        receiver.close()


# A key pair for this file alone, made with `openssl req -x509 -newkey ec`; it opens nothing.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5kD7LW9r2uHqoGhE
WbHtj5EuL2ELSLq4nCZ4s/x0YJWhRANCAAQnE2A4buMRbMfZ546sCOkLcglxp8Hk
6sRuC0lNx8OmTxfYZTedG+a6dlmSvx3qMlfECAuYTO2lJeuI/buciUIq
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUGm3ld5TfnwtNLzHlgkC4QKl9h14wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMjA3MTgxOFoYDzIxMjYxMDI5
MDcxODE4WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQnE2A4buMRbMfZ546sCOkLcglxp8Hk6sRuC0lNx8OmTxfYZTedG+a6
dlmSvx3qMlfECAuYTO2lJeuI/buciUIqo2QwYjAdBgNVHQ4EFgQUcbZ2oAaCgeV9
VXKQgZUKxHlG814wHwYDVR0jBBgwFoAUcbZ2oAaCgeV9VXKQgZUKxHlG814wDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQDJpBwJGWIp3oTl7LuVw2SLEqnfNq/ewLZvva0nQCwXgwIhALD/aY+NZ06hPLUy
W3AKZeT7KGuMnb2vDR0ro0Ai0lS+
-----END CERTIFICATE-----
"""
