"""Our OpenAPI document against our running server: whatever is sent, the answer is as described."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served_process import ServedProcess
from stations import CLERK, LINES, issue_from, new_station

from rfid_station.desk.partners.connecting import add_partner
from rfid_station.desk.partners.invitation import invite_partner
from rfid_station.desk.serving import openapi
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.token import Party
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.store.partners.registry import server_token_hash

FIRST_TOKEN = "first-token-out-of-band"
NOW = "2026-01-15T09:30:00Z"
NOWHERE = "http://127.0.0.1:9/ocpi/versions"
THERE = Connection(
    "2.2.1",
    NOWHERE,
    (Endpoint("tokens", "RECEIVER", "http://127.0.0.1:9/ocpi/2.2.1/tokens"),),
    (Party("NL", "CPO"),),
)
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
LEAVERS = tuple(f"leaver-{version}" for version in VERSIONS)


@dataclass
class Served:
    """A station that is served by a process of its own."""

    folder: Path
    port: int
    document: dict[str, Any]
    guest: str
    uids: list[str]
    cpo_url: str
    log: Path

    def ask(self, method: str, path: str, token: str, body: bytes = b"") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {"Authorization": f"Token {token}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = new_station(tmp_path_factory.mktemp("openapi") / "station")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / "station.toml"
    text = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", settings.read_text())
    settings.write_text(text.replace("timeout_s = 10.0", "timeout_s = 2.0"))
    with open_station(folder, CLERK) as station, VirtualCpo(FIRST_TOKEN) as cpo:
        for name in ("member", "renewer", *LEAVERS):
            _let_in(station, name)
        guest = invite_partner(station, "guest", None, None).first_token
        cards = issue_from(station, "sim:ntag213?count=3", LINES).issued
        station.store.cards.move(cards[0].id, CardState.BLOCKED, Reason.LOST, CLERK, station.token)
        process = ServedProcess(folder, "--no-sync")
        try:
            _wait_for(process)
            uids = [card.uid.hex for card in cards]
            served = Served(folder, port, openapi(station), guest, uids, cpo.versions_url, process.log)
            status, told = served.ask("PUT", "/ocpi/2.2.1/hubclientinfo/NL/CPO", "member", client_info(NOW))
            assert (status, told["status_code"]) == (200, 1000)
            told_of = json.dumps(session(id="PATCHED")).encode()
            status, told = served.ask("PUT", "/ocpi/2.2.1/sessions/NL/CPO/PATCHED", "member", told_of)
            assert (status, told["status_code"]) == (200, 1000)
            yield served
        finally:
            process.end()


def _let_in(station: Station, name: str) -> None:
    """A partner that is let in by its own name, without a handshake."""
    add_partner(station, name, NOWHERE, FIRST_TOKEN, Agreement())
    station.store.partners.begin_connecting(name, server_token_hash(name))
    station.store.partners.finish_connecting(name, THERE, station.vault.keep(name, FIRST_TOKEN), CLERK)


def _wait_for(process: ServedProcess) -> None:
    until_s = time.monotonic() + 60
    while not process.said("answering partners"):
        assert time.monotonic() < until_s, process.log.read_text()
        time.sleep(0.02)


OF_MEMBERS = r"(?!(post|put|delete) .*credentials).*"
"""What a partner may ask for all day, whatever it asked before."""


def trials_of(served: Served) -> dict[str, dict[str, Any]]:
    """What is tried, by name: by whom, which operations, and how."""
    member = {"token": "member", "boundaries": True}
    uid = {"uid": served.uids[0]}
    hub = {"country_code": "NL", "party_id": "CPO"}
    return {
        "all": {"token": "member", "only": OF_MEMBERS, "examples": 1},
        "limits of lists": {**member, "only": r"get /2\.2\.1/tokens"},
        "limits of tokens": {**member, "only": r"(get|post) /2\.2\.1/tokens/.*", "parameters": uid},
        "limits of tokens 2.1.1": {**member, "only": r"post /2\.1\.1/tokens/.*", "parameters": uid},
        "limits of hub clients": {**member, "only": r"put /2\.2\.1/hubclientinfo/.*", "parameters": hub},
        "limits of sessions": {
            **member,
            "only": r"patch /2\.2\.1/sessions/.*",
            "parameters": hub | {"id": "PATCHED"},
        },
        "limits of sessions 2.1.1": {
            **member,
            "only": r"put /2\.1\.1/sessions/.*",
            "parameters": hub | {"id": "S211"},
        },
        "limits of CDRs": {**member, "only": r"post /2\.3\.0/cdrs"},
        "limits of the rest": {**member, "only": r"get (/versions|/2\.3\.0/?(credentials)?)"},
        "register": {"token": served.guest, "only": r"post /2\.2\.1/credentials", "boundaries": True},
        "register all": {"token": served.guest, "only": r"post .*credentials"},
        "renew": {"token": "renewer", "only": r"put /2\.1\.1/credentials", "boundaries": True},
        "renew all": {"token": "renewer", "only": r"put .*credentials"},
        **{
            f"leave {version}": {"token": leaver, "only": f"delete /{version}/.*", "boundaries": True}
            for version, leaver in zip(VERSIONS, LEAVERS, strict=True)
        },
        "nobody": {"token": "nobody", "only": ".*", "examples": 1},
        "only invited": {
            "token": served.guest,
            "only": ".*(tokens|hubclientinfo|sessions|cdrs).*",
            "examples": 1,
        },
    }


@pytest.fixture(scope="module")
def tried(served: Served) -> dict[str, dict[str, set[int]]]:
    """With which HTTP statuses each operation answered in each trial, once all was as described."""
    told = {
        "document": served.document,
        "port": served.port,
        "urls": [served.cpo_url, NOWHERE],
        "trials": trials_of(served),
    }
    program = Path(__file__).with_name("openapi_trials.py")
    done = subprocess.run(
        [sys.executable, program], input=json.dumps(told), capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    trials = json.loads(done.stdout)
    found = [f"{name}: {words}" for name, trial in trials.items() for words in trial["found"]]
    assert not found, "\n\n".join(found[:10])
    return {
        name: {label: set(statuses) for label, statuses in trial["answered"].items()}
        for name, trial in trials.items()
    }


Tried = dict[str, dict[str, set[int]]]


def test_the_document_is_shown_without_serving(served: Served) -> None:
    """The port is taken already, and that does not matter."""
    shown = run(served.folder, "serve", "--openapi")

    assert json.loads(shown.stdout) == served.document
    assert served.document["servers"] == [{"url": f"http://127.0.0.1:{served.port}/ocpi"}]
    assert not [name for name in served.document["components"]["schemas"] if "__" in name]


def test_what_is_listed_in_the_details_is_described(served: Served) -> None:
    for version in VERSIONS:
        _, told = served.ask("GET", f"/ocpi/{version}", "member")
        listed = {one["url"].partition("/ocpi")[2] for one in told["data"]["endpoints"]}
        described = {path for path in served.document["paths"] if path.startswith(f"/{version}/")}
        assert listed
        assert listed == {"/".join(path.split("/")[:3]) for path in described}


def test_every_operation_answers_as_described(served: Served, tried: Tried) -> None:
    listed = {f"{m} {p}" for p, methods in served.document["paths"].items() for m in methods}

    assert {f"{one.partition(' ')[0].lower()} {one.partition(' ')[2]}" for one in tried["nobody"]} == listed
    assert len(tried["all"]) == len([one for one in listed if re.fullmatch(OF_MEMBERS, one)])
    assert all(200 in tried["all"][f"GET /{version}/tokens"] for version in VERSIONS)


@pytest.mark.parametrize(
    "what",
    ["lists", "tokens", "tokens 2.1.1", "hub clients", "sessions", "sessions 2.1.1", "CDRs", "the rest"],
)
def test_values_at_their_limits_are_answered_as_described(tried: Tried, what: str) -> None:
    answered = tried[f"limits of {what}"]

    assert answered
    assert all({200, 401} <= statuses for statuses in answered.values())


def test_registering_and_renewing_are_answered_as_described(served: Served, tried: Tried) -> None:
    assert tried["register"] == {"POST /2.2.1/credentials": {200, 400, 401, 405}}
    assert set(tried["register all"]) == {f"POST /{version}/credentials" for version in VERSIONS}
    assert tried["renew"] == {"PUT /2.1.1/credentials": {200, 400, 401, 405}}
    assert set(tried["renew all"]) == {f"PUT /{version}/credentials" for version in VERSIONS}
    assert served.ask("GET", "/ocpi/versions", "renewer")[0] == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_leaving_is_answered_as_described(tried: Tried, version: str) -> None:
    assert tried[f"leave {version}"] == {f"DELETE /{version}/credentials": {200, 401, 405}}


@pytest.mark.parametrize("who", ["nobody", "only invited"])
def test_who_may_not_is_told_so(tried: Tried, who: str) -> None:
    assert tried[who]
    assert {status for statuses in tried[who].values() for status in statuses} == {401}


def registering(url: str) -> bytes:
    """Credentials, in every version at once."""
    role = {"role": "CPO", "party_id": "CPO", "country_code": "NL"}
    return json.dumps({"token": "t", "url": url, **role, "roles": [role]}).encode()


def client_info(last_updated: str) -> bytes:
    """A ClientInfo object."""
    party = {"party_id": "CPO", "country_code": "NL", "role": "CPO"}
    return json.dumps({**party, "status": "OFFLINE", "last_updated": last_updated}).encode()


def session(**changed: object) -> dict[str, object]:
    """A Session and a CDR at once, of every version."""
    token = {"country_code": "NL", "party_id": "EXM", "uid": "04E10CDA993C80", "type": "RFID"}
    times = ("start_date_time", "start_datetime", "end_date_time", "stop_date_time", "last_updated")
    place = {"id": "L", "name": "Here", "city": "Utrecht", "country": "NLD", "evses": [{"uid": "E"}]}
    whole: dict[str, object] = {
        "country_code": "NL",
        "party_id": "CPO",
        "id": "S1",
        **dict.fromkeys(times, NOW),
        "kwh": 1.5,
        "auth_id": "NL-EXM-C00000001",
        "cdr_token": token | {"contract_id": "NL-EXM-C00000001"},
        "auth_method": "WHITELIST",
        "location": place,
        "cdr_location": place,
        "currency": "EUR",
        "total_cost": {"excl_vat": 1.5},
        "total_energy": 1.5,
        "status": "ACTIVE",
    }
    return whole | changed


NUMBER = b"9" * 5000
DEEP = b'{"roles":' + b"[" * 30_000
ODD_BODIES = {
    "nothing": b"",
    "half": b'{"token": "t"',
    "not UTF-8": b'{"token": "\xff\xfe"}',
    "overlong UTF-8": b'{"token": "\xc0\xaf"}',
    "UTF-16": '{"token": "t"}'.encode("utf-16"),
    "UTF-32": '{"token": "t"}'.encode("utf-32"),
    "UTF-7": b"+AHsAfQ-",
    "byte order mark": b"\xef\xbb\xbf{}",
    "NUL": b"\x00" * 64,
    "NUL in a text": b'{"token": "a\\u0000b", "role": "\\u0000"}',
    "half a surrogate pair": (
        b'{"token": "\\ud800", "url": "http://\\udfff", "party_id": "\\ud800AB", "role": "\\ud800"}'
    ),
    "deep": DEEP,
    "deep and whole": b"[" * 20_000 + b"]" * 20_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "long number": b'{"token": ' + NUMBER + b"}",
    "long fraction": b'{"token": 0.' + NUMBER + b"}",
    "beyond numbers": b'{"token": 1e999, "last_updated": -1e999}',
    "no number": b'{"token": NaN, "url": Infinity, "roles": [-Infinity]}',
    "only NaN": b"NaN",
    "twice": b'{"token": "a", "token": 1, "url": [], "url": {}}',
    "list": b"[]",
    "list of one": b"[{}]",
    "list of lists": b"[[[]]]",
    "text": b'"credentials"',
    "null": b"null",
    "true": b"true",
    "nulls": b'{"token": null, "url": null, "roles": null, "party_id": null, "location_id": null}',
    "wrong sorts": b'{"token": {}, "url": 7, "roles": {}, "party_id": [], "country_code": true}',
    "many wrong": b'{"location_id": "L", "evse_uids": [' + b",".join([b"1"] * 20_000) + b"]}",
    "many wrong roles": b'{"token": "t", "url": "x", "roles": [' + b",".join([b"7"] * 20_000) + b"]}",
    "odd roles": b'{"token": "t", "url": "x", "roles": [{"role": "CPO"}, 7, null, [], ""]}',
    "URL without a host": registering("http://"),
    "URL of a file": registering("file:///etc/passwd"),
    "URL with half a bracket": registering("http://[::1/"),
    "URL with an odd port": registering("http://127.0.0.1:99999/"),
    "URL with a line end": registering("http://127.0.0.1:9/\r\nHost: x"),
    "year 0": client_info("0000-01-01T00:00:00Z"),
    "before year 1": client_info("0001-01-01T00:00:00+23:59"),
    "after year 9999": client_info("9999-12-31T23:59:59-23:59"),
    "session of year 1": json.dumps(session(start_date_time="0001-01-01T00:00:00Z")).encode(),
    "session before year 1": json.dumps(session(start_date_time="0001-01-01T00:00:00+23:59")).encode(),
    "most": json.dumps(session(kwh=1e999, total_energy=float("nan"))).encode(),
    "least": json.dumps(session(kwh=5e-324, total_energy=-5e-324, total_cost=5e-324)).encode(),
    "no currency": json.dumps(session(currency="\u0130\u0130\u0130")).encode(),
    "long place": json.dumps(session(cdr_location={"city": "\u00e4\u0000" * 400})).encode(),
    "half a sign": b'{"id": "S1", "location": {"city": "\\ud800"}}',
    "odd UID": json.dumps(session(cdr_token={"uid": "0" * 36, "type": "x", "contract_id": "-"})).encode(),
    "many EVSEs": json.dumps(session(location={"evses": [{}] * 5000})).encode(),
    "many taxes": json.dumps(
        session(total_cost={"before_taxes": 1, "taxes": [{"amount": 1}] * 3000})
    ).encode(),
}
READERS = {
    "authorize": ("POST", "/ocpi/2.2.1/tokens/{uid}/authorize", "member"),
    "authorize 2.1.1": ("POST", "/ocpi/2.1.1/tokens/{uid}/authorize", "member"),
    "register": ("POST", "/ocpi/2.2.1/credentials", "guest"),
    "register 2.1.1": ("POST", "/ocpi/2.1.1/credentials", "guest"),
    "renew": ("PUT", "/ocpi/2.3.0/credentials", "renewer"),
    "hub client": ("PUT", "/ocpi/2.2.1/hubclientinfo/NL/CPO", "member"),
    "session": ("PUT", "/ocpi/2.2.1/sessions/NL/CPO/S1", "member"),
    "session 2.1.1": ("PUT", "/ocpi/2.1.1/sessions/NL/CPO/S1", "member"),
    "part of a session": ("PATCH", "/ocpi/2.2.1/sessions/NL/CPO/PATCHED", "member"),
    "CDR": ("POST", "/ocpi/2.3.0/cdrs", "member"),
    "CDR 2.1.1": ("POST", "/ocpi/2.1.1/cdrs", "member"),
}
ODD_HEADERS = {
    "type": {"Content-Type": "text/plain"},
    "no type": {"Content-Type": ""},
    "odd type": {"Content-Type": "application/json; charset=\xff; charset=utf-16"},
    "form": {"Content-Type": "multipart/form-data"},
    "packed": {"Content-Encoding": "gzip"},
    "packed twice": {"Content-Encoding": "br, deflate, nothing"},
    "expecting": {"Expect": "100-continue"},
    "odd ids": {"X-Request-ID": "\xff" * 100, "X-Correlation-ID": " "},
    "odd routing": {"OCPI-from-party-id": "\xe4", "OCPI-from-country-code": "??", "OCPI-to-party-id": ","},
    "upgrade": {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"},
    "ranges": {"Range": "bytes=5-2", "If-Match": "*", "If-Modified-Since": "never"},
}


def told(
    served: Served, reader: str, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    method, path, token = READERS[reader]
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
    given = {"Authorization": f"Token {served.guest if token == 'guest' else token}"} | dict(headers or {})
    chunks = given.get("Transfer-Encoding") == "chunked"
    try:
        sent: Any = iter([body[:7], body[7:]]) if chunks else body
        connection.request(method, path.format(uid=served.uids[0]), sent, given, encode_chunked=chunks)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def check_told(status: int, answer: bytes) -> None:
    code = json.loads(answer)["status_code"]
    assert (status, code // 1000) in {(200, 1), (200, 2), (200, 3), (400, 2), (404, 2), (405, 2)}, answer
    assert len(answer) < 4000


@pytest.mark.parametrize("reader", READERS)
def test_odd_bodies_are_answered_in_an_envelope(served: Served, reader: str) -> None:
    for name, body in ODD_BODIES.items():
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            status, answer = told(served, reader, body, headers)
            check_told(status, answer)
            assert status != 405, name


@pytest.mark.parametrize("reader", READERS)
def test_odd_headers_are_answered_in_an_envelope(served: Served, reader: str) -> None:
    for headers in ODD_HEADERS.values():
        check_told(*told(served, reader, b"{}", headers))


ODD_HEADS = {
    "path that is no UTF-8": "GET /ocpi/2.2.1/tokens/%ff%fe HTTP/1.1",
    "NUL in a path": "GET /ocpi/2.2.1/hubclientinfo/N%00/%ed%a0%80 HTTP/1.1",
    "no escape": "POST /ocpi/2.2.1/tokens/%ZZ/authorize HTTP/1.1",
    "no path": "OPTIONS * HTTP/1.1",
    "path upwards": "GET /ocpi/2.2.1/../../etc/passwd HTTP/1.1",
    "other digits": "GET /ocpi/2.2.1/tokens?offset=%D9%A3&limit=%C2%B2 HTTP/1.1",
    "longest numbers": "GET /ocpi/2.2.1/tokens?offset=999999999999999999&limit=999999999999999999 HTTP/1.1",
    "beyond the end": "GET /ocpi/2.2.1/tokens?offset=1&after=1.999999999999999999 HTTP/1.1",
    "before year 1": "GET /ocpi/2.2.1/tokens?date_to=0001-01-01T00:00:00%2B23:59 HTTP/1.1",
    "after year 9999": "GET /ocpi/2.1.1/tokens?date_from=9999-12-31T23:59:59-23:59 HTTP/1.1",
    "many parameters": f"GET /ocpi/2.2.1/tokens?{'&'.join(['a=1'] * 100)} HTTP/1.1",
    "method nobody knows": "FOO /ocpi/2.2.1/tokens HTTP/1.1",
    "version of yesterday": "GET /ocpi/versions HTTP/1.0",
    "version of tomorrow": "GET /ocpi/versions HTTP/9.9",
    "length that is none": "PUT /ocpi/2.2.1/hubclientinfo/NL/CPO HTTP/1.1\r\nContent-Length: -5",
    "two lengths": "POST /ocpi/2.2.1/credentials HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3",
    "chunk that is none": (
        "PUT /ocpi/2.2.1/credentials HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"
    ),
    "another Authorization": "GET /ocpi/versions HTTP/1.1\r\nAuthorization: Token \xff\xff",
    "no HTTP": "\x16\x03\x01\x02",
}


@pytest.mark.parametrize("name", ODD_HEADS)
def test_odd_heads_are_answered_with_no_fault_of_ours(served: Served, name: str) -> None:
    more = "Host: a\r\nConnection: close\r\nAuthorization: Token member"
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(f"{ODD_HEADS[name]}\r\n{more}\r\n\r\n".encode("latin-1"))
        answer = connection.recv(65_536).decode("latin-1")

    assert re.match(r"HTTP/1\.1 (200|400|401|404|405) ", answer), answer


SHAPES: tuple[dict[str, Any], ...] = (
    {"location_id": "LOC1", "evse_uids": ["E1"], "connector_ids": ["1"]},
    {
        "token": "their-token",
        "url": NOWHERE,
        "party_id": "CPO",
        "country_code": "NL",
        "business_details": {"name": "CPO"},
        "roles": [
            {"role": "CPO", "party_id": "CPO", "country_code": "NL", "business_details": {"name": "C"}}
        ],
    },
    {
        "party_id": "CPO",
        "country_code": "NL",
        "role": "CPO",
        "status": "CONNECTED",
        "last_updated": NOW,
    },
    session(),
    session(id="S2", total_cost=1.5),
)
TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A good object, with some of its values replaced, and now and then some of its bytes."""
    shape = dict(draw(st.sampled_from(SHAPES)))
    for name in draw(st.lists(st.sampled_from(sorted(shape)), max_size=3)):
        shape[name] = draw(VALUES)
    if "://" in str(shape.get("url")):
        shape["url"] = NOWHERE
    written = bytearray(json.dumps(shape).encode())
    for place in draw(st.lists(st.integers(0, len(written) - 1), max_size=2)):
        written[place] = draw(st.integers(0, 255))
    return bytes(written)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bent(), reader=st.sampled_from(sorted(READERS)), headers=st.sampled_from(list(ODD_HEADERS.values()))
)
def test_bent_objects_are_answered_in_an_envelope(
    served: Served, body: bytes, reader: str, headers: Mapping[str, str]
) -> None:
    check_told(*told(served, reader, body, headers))


def test_nothing_of_that_was_a_fault_of_ours(served: Served) -> None:
    """The last one: the server lives, and wrote of no trouble."""
    assert served.ask("GET", "/ocpi/versions", "member")[0] == 200
    lines = [json.loads(line) for line in served.log.read_text().splitlines() if line.startswith("{")]
    assert lines
    assert not [line for line in lines if "trouble" in line or line["status"] >= 500]
    assert "Traceback" not in served.log.read_text()
