"""The virtual CPO seen from outside, by a party that is written here and knows only HTTP and JSON."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rfid_station.simulator.cpo.faults import Faults
from rfid_station.simulator.cpo.virtual_cpo import CpoProfile, Fault, FaultKind, VirtualCpo

ROOT = Path(__file__).parents[2]
FIRST = "first-token-9Qx"
OURS = "token-of-the-party-7Zk"
UID = "04E10CDA993C80"
TOKEN: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "EXM",
    "uid": UID,
    "type": "RFID",
    "contract_id": "DE-EXM-C00000042-5",
    "visual_number": "EXM-0000-0042-3",
    "issuer": "Example Mobility",
    "valid": True,
    "whitelist": "ALWAYS",
    "last_updated": "2026-01-15T09:30:00Z",
}


class Party(ThreadingHTTPServer):
    """An eMSP with versions and details; `answers` maps a path to what is said there."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), PartyHandler)
        self.base = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[tuple[str, str]] = []
        endpoints = [{"identifier": "credentials", "role": "SENDER", "url": f"{self.base}/credentials"}]
        self.answers: dict[str, Any] = {
            "/versions": [{"version": "2.2.1", "url": f"{self.base}/2.2.1"}],
            "/2.2.1": {"version": "2.2.1", "endpoints": endpoints},
        }

    def credentials(self) -> dict[str, Any]:
        role = {
            "role": "EMSP",
            "country_code": "DE",
            "party_id": "EXM",
            "business_details": {"name": "Example"},
        }
        return {"token": OURS, "url": f"{self.base}/versions", "roles": [role]}


class PartyHandler(BaseHTTPRequestHandler):
    server: Party

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        content = json.dumps({"status_code": 1000, "data": self.server.answers.get(self.path)}).encode()
        self.send_response(200 if self.path in self.server.answers else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def party() -> Iterator[Party]:
    with Party() as party:
        thread = threading.Thread(target=party.serve_forever, args=(0.02,))
        thread.start()
        yield party
        party.shutdown()
        thread.join()


@dataclass
class Caller:
    """Calls a CPO with a token, and with every header that it wants."""

    url: str
    token: str
    headers: dict[str, str | None] = field(default_factory=dict)
    content_type: str = "application/json"

    def __call__(
        self, method: str, path: str, body: object = None, raw: bytes | None = None, **headers: str | None
    ) -> tuple[int, dict[str, Any]]:
        given: dict[str, str | None] = {
            "Authorization": f"Token {b64encode(self.token.encode()).decode()}",
            "X-Request-ID": "r-1",
            "X-Correlation-ID": "c-1",
            "OCPI-from-country-code": "DE",
            "OCPI-from-party-id": "EXM",
            "OCPI-to-country-code": "NL",
            "OCPI-to-party-id": "CPX",
            "Content-Type": self.content_type,
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        content = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        try:
            connection.request(
                method, path, content, {name: value for name, value in given.items() if value is not None}
            )
            response = connection.getresponse()
            self.headers = dict(response.headers)
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def token_at(self, method: str, uid: str = UID, body: object = None, **more: Any) -> tuple[int, int]:
        status, answered = self(method, f"/ocpi/2.2.1/tokens/DE/EXM/{uid}?type=RFID", body, **more)
        return status, answered["status_code"]


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST) as cpo:
        yield cpo


@pytest.fixture
def newcomer(cpo: VirtualCpo) -> Caller:
    return Caller(cpo.versions_url, FIRST)


@pytest.fixture
def caller(newcomer: Caller, party: Party) -> Caller:
    """A party that is registered."""
    return registered(newcomer, party)


def registered(newcomer: Caller, party: Party) -> Caller:
    status, answered = newcomer("POST", "/ocpi/2.2.1/credentials", party.credentials())
    assert (status, answered["status_code"]) == (200, 1000)
    return Caller(newcomer.url, answered["data"]["token"])


# Registration


def test_versions_and_details_list_what_is_served(cpo: VirtualCpo, newcomer: Caller) -> None:
    base = cpo.versions_url.removesuffix("/versions")

    assert newcomer("GET", "/ocpi/versions")[1]["data"] == [{"version": "2.2.1", "url": f"{base}/2.2.1"}]
    assert newcomer("GET", "/ocpi/2.2.1")[1]["data"] == {
        "version": "2.2.1",
        "endpoints": [
            {"identifier": "credentials", "role": "RECEIVER", "url": f"{base}/2.2.1/credentials"},
            {"identifier": "tokens", "role": "RECEIVER", "url": f"{base}/2.2.1/tokens"},
        ],
    }
    assert (newcomer.headers["X-Request-ID"], newcomer.headers["X-Correlation-ID"]) == ("r-1", "c-1")


def test_the_registering_party_is_called_back_with_its_token(caller: Caller, party: Party) -> None:
    encoded = f"Token {b64encode(OURS.encode()).decode()}"

    assert party.asked == [("/versions", encoded), ("/2.2.1", encoded)]
    assert caller.token not in (FIRST, OURS)


def test_a_first_token_admits_one_registration_and_nothing_else(
    newcomer: Caller, party: Party, cpo: VirtualCpo
) -> None:
    assert newcomer.token_at("GET") == (401, 2000)
    registered(newcomer, party)

    assert newcomer("GET", "/ocpi/versions")[0] == 401
    cpo.admit("another")
    assert Caller(cpo.versions_url, "another")("GET", "/ocpi/versions")[0] == 200


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        ("/versions", None, 3001),
        ("/versions", {"versions": []}, 3001),
        ("/versions", [{"version": "2.1.1", "url": "x"}], 3002),
        ("/versions", [], 3002),
        ("/versions", [{"version": "2.2.1", "url": "http://127.0.0.1:1/"}], 3001),
        ("/versions", [{"version": "2.2.1", "url": "nowhere"}], 3001),
        ("/2.2.1", None, 3001),
        ("/2.2.1", {"version": "2.2.1"}, 3001),
        ("/2.2.1", {"version": "2.2.1", "endpoints": []}, 3003),
    ],
)
def test_a_party_that_cannot_be_used_is_not_registered(
    newcomer: Caller, party: Party, cpo: VirtualCpo, path: str, answer: object, code: int
) -> None:
    good = party.answers[path]
    party.answers[path] = answer

    status, answered = newcomer("POST", "/ocpi/2.2.1/credentials", party.credentials())

    assert (status, answered["status_code"]) == (200, code)
    assert cpo.parties == []
    party.answers[path] = good
    registered(newcomer, party)


def test_a_party_without_a_module_that_is_needed_is_not_registered(party: Party) -> None:
    with VirtualCpo(FIRST, CpoProfile(needs=(("credentials", ""), ("tokens", "SENDER")))) as cpo:
        newcomer = Caller(cpo.versions_url, FIRST)
        assert newcomer("POST", "/ocpi/2.2.1/credentials", party.credentials())[1]["status_code"] == 3003
        tokens = {"identifier": "tokens", "role": "SENDER", "url": f"{party.base}/tokens"}
        party.answers["/2.2.1"]["endpoints"].append(tokens)
        registered(newcomer, party)


@pytest.mark.parametrize("change", [{"token": ""}, {"url": None}, {"roles": []}])
def test_credentials_that_break_a_rule_are_refused(
    newcomer: Caller, party: Party, change: dict[str, Any]
) -> None:
    status, answered = newcomer("POST", "/ocpi/2.2.1/credentials", party.credentials() | change)

    assert (status, answered["status_code"]) == (200, 2001)
    assert party.asked == []


def test_who_is_registered_reads_changes_and_ends_its_registration(
    caller: Caller, party: Party, cpo: VirtualCpo
) -> None:
    path = "/ocpi/2.2.1/credentials"
    assert caller("GET", path)[1]["data"]["token"] == caller.token
    assert caller("POST", path, party.credentials())[0] == 405

    fresh = caller("PUT", path, party.credentials())[1]["data"]["token"]
    assert caller("GET", path)[0] == 401
    renewed = Caller(cpo.versions_url, fresh)
    assert renewed.token_at("GET") == (404, 2004)

    assert renewed("DELETE", path)[0] == 200
    assert renewed("GET", path)[0] == 401
    assert cpo.parties == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_is_not_registered_has_nothing_to_change(newcomer: Caller, party: Party, method: str) -> None:
    assert newcomer(method, "/ocpi/2.2.1/credentials", party.credentials())[0] == 405


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Token",
        f"Token {FIRST}",
        f"Bearer {b64encode(FIRST.encode()).decode()}",
        "Token /w==",
        "Token bm8=",
    ],
)
@pytest.mark.parametrize(
    "path", ["/ocpi/versions", "/ocpi/2.2.1", "/ocpi/2.2.1/credentials", "/ocpi/2.2.1/tokens/DE/EXM/1"]
)
def test_nobody_else_gets_in(newcomer: Caller, authorization: str | None, path: str) -> None:
    status, answered = newcomer("GET", path, Authorization=authorization)

    assert status == 401
    assert 2000 <= answered["status_code"] < 3000
    assert "data" not in answered


def test_a_line_feed_behind_the_token_is_cut_off(newcomer: Caller) -> None:
    encoded = b64encode(f"{FIRST}\n".encode()).decode()

    assert newcomer("GET", "/ocpi/versions", Authorization=f"Token {encoded}")[0] == 200


# Tokens


def test_a_token_is_created_read_and_replaced(caller: Caller) -> None:
    assert caller.token_at("GET") == (404, 2004)
    assert caller.token_at("PUT", body=TOKEN) == (201, 1000)

    status, answered = caller("GET", f"/ocpi/2.2.1/tokens/DE/EXM/{UID}")
    assert (status, answered["data"]) == (200, TOKEN)

    newer = TOKEN | {"valid": False, "visual_number": None, "last_updated": "2026-01-15T09:30:01Z", "odd": 1}
    assert caller.token_at("PUT", body=newer) == (200, 1000)
    _, answered = caller("GET", f"/ocpi/2.2.1/tokens/DE/EXM/{UID}")
    assert answered["data"] == {
        name: value for name, value in newer.items() if name not in ("visual_number", "odd")
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"last_updated": "2026-01-15T09:30:00.000Z"}, 200),
        ({"last_updated": "2026-01-15T09:30:01Z", "valid": False}, 200),
        ({"valid": False}, "refused"),
        ({"last_updated": "2026-01-15T09:29:59Z"}, "refused"),
        ({"last_updated": "2026-01-15T09:29:59.999Z", "valid": False}, "refused"),
    ],
)
def test_only_what_is_newer_or_the_same_is_taken(
    caller: Caller, change: dict[str, Any], status: object
) -> None:
    caller.token_at("PUT", body=TOKEN)

    answered = caller.token_at("PUT", body=TOKEN | change)

    assert answered == ((200, 1000) if status == 200 else (200, 2001))


def test_a_part_of_a_token_is_changed(caller: Caller, cpo: VirtualCpo) -> None:
    change = {"valid": False, "last_updated": "2026-01-15T09:31:00Z"}
    assert caller.token_at("PATCH", body=change) == (404, 2004)
    caller.token_at("PUT", body=TOKEN)

    assert caller.token_at("PATCH", body={"valid": False}) == (200, 2001)
    assert caller.token_at("PATCH", body=change | {"uid": "04E10CDA993C81"}) == (200, 2001)
    assert caller.token_at("PATCH", body=change) == (200, 1000)

    assert list(cpo.tokens.values()) == [TOKEN | change]
    assert cpo.authorize(UID).status == "Blocked"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/ocpi/2.2.1/tokens/DE/EXM/{UID}?type=RFID", 201, 1000),
        (f"/ocpi/2.2.1/tokens/de/exm/{UID.lower()}", 201, 1000),
        ("/ocpi/2.2.1/tokens/DE/EXM/04E10CDA993C81", 200, 2001),
        (f"/ocpi/2.2.1/tokens/DE/EXM/{UID}?type=OTHER", 200, 2001),
        (f"/ocpi/2.2.1/tokens/DE/ABC/{UID}", 404, 2001),
        (f"/ocpi/2.2.1/tokens/NL/EXM/{UID}", 404, 2001),
        (f"/ocpi/2.2.1/tokens/DE/EXM/{UID}/more", 404, 2000),
        ("/ocpi/2.2.1/tokens", 404, 2000),
        (f"/ocpi/2.1.1/tokens/DE/EXM/{UID}", 404, 2000),
    ],
)
def test_url_and_body_name_the_same_token(caller: Caller, path: str, status: int, code: int) -> None:
    answered_status, answered = caller("PUT", path, TOKEN)

    assert (answered_status, answered["status_code"]) == (status, code)


@pytest.mark.parametrize(
    "change", [{"party_id": "ABC"}, {"country_code": "NL"}, {"uid": None}, {"issuer": "x" * 65}]
)
def test_a_body_that_breaks_a_rule_is_refused(
    caller: Caller, cpo: VirtualCpo, change: dict[str, Any]
) -> None:
    assert caller.token_at("PUT", body=TOKEN | change) == (200, 2001)
    assert cpo.tokens == {}


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 200_000])
def test_what_is_not_json_is_a_bad_request(caller: Caller, raw: bytes) -> None:
    assert caller.token_at("PUT", raw=raw) == (400, 2001)


@pytest.mark.parametrize("body", [[], "x", 7])
def test_json_that_is_no_object_is_refused(caller: Caller, body: object) -> None:
    assert caller.token_at("PUT", body=body) == (200, 2001)


@pytest.mark.parametrize(
    "header",
    [
        "X-Request-ID",
        "X-Correlation-ID",
        "OCPI-from-country-code",
        "OCPI-from-party-id",
        "OCPI-to-country-code",
        "OCPI-to-party-id",
        "Content-Type",
    ],
)
def test_every_header_is_wanted(caller: Caller, header: str) -> None:
    status, answered = caller("PUT", f"/ocpi/2.2.1/tokens/DE/EXM/{UID}", TOKEN, **{header: None})

    assert (status, answered["status_code"]) == (200, 2001)
    assert header in answered["status_message"]


@pytest.mark.parametrize(
    ("header", "value"),
    [("OCPI-to-party-id", "ABC"), ("OCPI-from-party-id", "ABC"), ("Content-Type", "text/plain")],
)
def test_every_header_has_to_be_right(caller: Caller, header: str, value: str) -> None:
    assert caller.token_at("PUT", body=TOKEN, **{header: value}) == (200, 2001)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_tokens_are_neither_posted_nor_deleted(caller: Caller, method: str) -> None:
    assert caller.token_at(method, body=TOKEN) == (405, 2000)
    assert caller.headers["Allow"] == "GET, PUT, PATCH"


# Station and control


@pytest.mark.parametrize(
    ("uid", "status"), [(UID, "Accepted"), (UID.lower(), "Accepted"), ("04E10CDA993C81", "Unknown")]
)
def test_a_card_is_held_to_the_station(caller: Caller, uid: str, status: str) -> None:
    caller.token_at("PUT", body=TOKEN)

    http_status, answered = caller("POST", "/station/authorize", {"uid": uid})

    assert (http_status, answered["status"]) == (200, status)
    assert answered["reason"]


@pytest.mark.parametrize(
    ("method", "raw", "status"), [("POST", b"{}", 400), ("POST", b"no", 400), ("GET", b"", 404)]
)
def test_the_station_takes_nothing_else(caller: Caller, method: str, raw: bytes, status: int) -> None:
    assert caller(method, "/station/authorize", raw=raw)[0] == status


def test_control_shows_the_log_without_tokens_and_what_is_held(caller: Caller) -> None:
    caller.token_at("PUT", body=TOKEN)

    _, log = caller("GET", "/control/log")
    _, held = caller("GET", "/control/tokens")

    assert [(entry["method"], entry["http_status"]) for entry in log] == [("POST", 200), ("PUT", 201)]
    assert held == [TOKEN]
    for secret in (FIRST, OURS, caller.token):
        assert secret not in json.dumps(log)


def test_control_sets_and_clears_faults(caller: Caller) -> None:
    assert caller("POST", "/control/faults", {"kind": "busy", "method": "PUT", "times": 1})[0] == 200
    assert caller("POST", "/control/faults", {"kind": "refuse", "code": 2003})[0] == 200

    connection = http.client.HTTPConnection(urlsplit(caller.url).netloc)
    connection.request("PUT", f"/ocpi/2.2.1/tokens/DE/EXM/{UID}")
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    connection.close()
    assert caller.token_at("PUT", body=TOKEN) == (200, 2003)
    assert caller("DELETE", "/control/faults")[0] == 200
    assert caller.token_at("PUT", body=TOKEN) == (201, 1000)


@pytest.mark.parametrize(
    "body", [None, [], {}, {"kind": "tsunami"}, {"kind": "busy", "colour": 1}, {"kind": "busy", "uid": "("}]
)
def test_control_refuses_what_is_no_fault(caller: Caller, body: object) -> None:
    assert caller("POST", "/control/faults", body)[0] == 400
    assert caller.token_at("PUT", body=TOKEN) == (201, 1000)


def test_control_admits_somebody_anew(caller: Caller, cpo: VirtualCpo, party: Party) -> None:
    assert caller("POST", "/control/first-token", {"token": "second-first"})[0] == 200
    assert caller("POST", "/control/first-token", {})[0] == 400
    assert caller("GET", "/control/nothing")[0] == 404

    registered(Caller(cpo.versions_url, "second-first"), party)


def test_faults_are_used_up_one_by_one_and_in_order() -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.BUSY, method="PUT", times=2))
    faults.add(Fault(FaultKind.ERROR, uid="04.*"))

    taken = [faults.take("PUT", "tokens", "04AB") for _ in range(4)]

    assert [fault.kind for fault in taken if fault] == ["busy", "busy", "error", "error"]
    assert faults.take("GET", "tokens", "05AB") is None
    assert faults.take("GET", "versions", "04AB") is None


# State and process


def test_state_outlives_the_cpo_and_holds_in_clear_what_it_has_to_show_alone(
    party: Party, tmp_path: Path
) -> None:
    state = tmp_path / "cpo.json"
    with VirtualCpo(FIRST, state_file=state) as cpo:
        caller = registered(Caller(cpo.versions_url, FIRST), party)
        caller.token_at("PUT", body=TOKEN)

    kept = state.read_text()
    assert state.stat().st_mode & 0o777 == 0o600
    assert OURS in kept
    for secret in (FIRST, caller.token):
        assert secret not in kept
    with VirtualCpo("ignored", state_file=state) as cpo:
        again = Caller(cpo.versions_url, caller.token)
        assert again.token_at("PUT", body=TOKEN | {"valid": False}) == (200, 2001)
        assert again.token_at("GET") == (200, 1000)
        assert Caller(cpo.versions_url, "ignored")("GET", "/ocpi/versions")[0] == 401


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"first_tokens": [], "registrants": {}, "tokens": [7]}']
)
def test_a_file_that_is_no_state_is_named(tmp_path: Path, content: str) -> None:
    state = tmp_path / "cpo.json"
    state.write_text(content)

    with pytest.raises(ValueError, match=r"cpo\.json is not the state of a virtual CPO"):
        VirtualCpo(FIRST, state_file=state)


def test_stopping_ends_a_call_that_hangs() -> None:
    with VirtualCpo(FIRST) as cpo, socket.create_connection(("127.0.0.1", cpo.port), timeout=60) as hanging:
        cpo.faults.add(Fault(FaultKind.HANG, module="versions"))
        hanging.sendall(b"GET /ocpi/versions HTTP/1.1\r\n\r\n")
        deadline = time.monotonic() + 60
        while not cpo.log:
            assert time.monotonic() < deadline
        cpo.stop()
        assert hanging.recv(1) == b""


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rfid_station.simulator.cpo.virtual_cpo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_process_says_where_it_is_and_ends_when_told(
    party: Party, tmp_path: Path, end: signal.Signals
) -> None:
    (tmp_path / "first").write_text(f"{FIRST}\n")
    with start(
        ["--first-token-file", str(tmp_path / "first"), "--party-id", "ABC", "--name", "A CPO"]
    ) as process:
        try:
            assert process.stdout is not None
            urls = json.loads(process.stdout.readline())
            caller = registered(Caller(urls["versions_url"], FIRST), party)
            assert caller.token_at("PUT", body=TOKEN, OCPI_to_party_id="ABC") == (201, 1000)
            assert caller("POST", urlsplit(urls["station_url"]).path, {"uid": UID})[1]["status"] == "Accepted"
            assert caller("GET", urlsplit(urls["control_url"]).path + "/tokens")[1] == [TOKEN]
            os.kill(process.pid, end)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_process_that_cannot_begin_says_why(tmp_path: Path) -> None:
    with start(["--first-token-file", str(tmp_path / "missing")]) as process:
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (2, "")
    assert err.startswith("error: ")
    assert "missing" in err
    assert len(err.splitlines()) == 1
