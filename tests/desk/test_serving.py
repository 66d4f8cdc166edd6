"""`rfid-station serve` as a process: it answers, syncs, and ends in order; a kill leaves nothing half."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served_process import ServedProcess
from stations import CLERK, LINES, issue_from, listening_anywhere
from warm_program import WarmProgram

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.serving import plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.token import Party
from rfid_station.errors import WrongCall
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.store.partners.registry import server_token_hash

FIRST_TOKEN = "first-token-out-of-band"
SERVER_TOKEN = "server-token-of-the-partner"
NOBODY_THERE = Connection(
    "2.2.1",
    "http://127.0.0.1:9/ocpi/versions",
    (Endpoint("tokens", "RECEIVER", "http://127.0.0.1:9/ocpi/2.2.1/tokens"),),
    (Party("NL", "CPO"),),
)
SOON_S = 60.0


def eventually(what: Callable[[], object]) -> Any:
    """Wait until something is true; a deadline ends it."""
    until_s = time.monotonic() + SOON_S
    while True:
        found = what()
        if found or time.monotonic() > until_s:
            assert found
            return found
        time.sleep(0.02)


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(folder, timeout_s=5.0)


Start = Callable[..., ServedProcess]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    started: list[ServedProcess] = []

    def start(*options: str, ready: str = "answering partners") -> ServedProcess:
        process = ServedProcess(folder, *options)
        started.append(process)
        eventually(lambda: process.said(ready))
        return process

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as running:
        yield running


@pytest.fixture
def let_in(station: Station) -> Station:
    """A partner that is let in, without a handshake."""
    add_partner(station, "puller", "http://127.0.0.1:9/ocpi/versions", FIRST_TOKEN, Agreement())
    station.store.partners.begin_connecting("puller", server_token_hash(SERVER_TOKEN))
    reference = station.vault.keep("puller", FIRST_TOKEN)
    station.store.partners.finish_connecting("puller", NOBODY_THERE, reference, CLERK)
    return station


def ask(station: Station, method: str, path: str, token: str | None = SERVER_TOKEN) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(station.settings.ocpi.listen, timeout=60)
    headers = {"Authorization": f"Token {token}"} if token else {}
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        raw = response.read()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(raw) if is_json else raw.decode()
    finally:
        connection.close()


def test_one_process_serves_and_syncs(station: Station, cpo: VirtualCpo, start: Start) -> None:
    process = start()
    eventually(lambda: ask(station, "GET", "/healthz", None)[0] == 200)
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")  # the partner calls the process back, not this test

    (card, *_) = issue_from(station, "sim:ntag213?count=3", LINES).issued

    eventually(lambda: len(cpo.tokens) == 3)
    assert "details" in {line["endpoint"] for line in process.requests()}
    metrics = eventually(lambda: _metrics_when(station, 'rfid_station_owed_tokens{partner="cpo"} 0'))
    assert 'rfid_station_parked_tokens{partner="cpo"} 0' in metrics
    assert ask(station, "GET", "/healthz", None)[1]["checks"] == {"store": True, "sync": True}
    station.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, CLERK, station.token)
    eventually(lambda: [t["valid"] for t in cpo.tokens.values() if t["uid"] == card.uid.hex] == [False])
    assert process.end() == 0
    assert process.said("ending")
    assert "Traceback" not in process.log.read_text()


def _metrics_when(station: Station, line: str) -> str:
    text = ask(station, "GET", "/metrics", None)[1]
    return text if line in text else ""


def test_only_the_server(let_in: Station, start: Start) -> None:
    process = start("--no-sync")
    cards = issue_from(let_in, "sim:ntag213?count=2", LINES).issued
    let_in.store.cards.move(cards[1].id, CardState.BLOCKED, Reason.LOST, CLERK, let_in.token)

    _, listed = ask(let_in, "GET", "/ocpi/2.2.1/tokens")
    asked = [ask(let_in, "POST", f"/ocpi/2.2.1/tokens/{card.uid.hex}/authorize")[1] for card in cards]

    assert [one["uid"] for one in listed["data"]] == [card.uid.hex for card in cards]
    assert [one["data"]["allowed"] for one in asked] == ["ALLOWED", "BLOCKED"]
    (kept,) = (let_in.folder / "authorizations").iterdir()
    references = [one["data"]["authorization_reference"] for one in asked]
    assert [json.loads(line)["reference"] for line in kept.read_text().splitlines()] == references
    assert ask(let_in, "GET", "/healthz", None)[1]["checks"] == {"store": True}
    assert ask(let_in, "GET", "/ocpi/versions", "nobody")[0] == 401
    written = process.log.read_text()
    assert SERVER_TOKEN not in written
    assert not any(card.uid.hex in written for card in cards)
    assert process.end(signal.SIGINT) == 0


def test_only_sync(station: Station, cpo: VirtualCpo, start: Start) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")
    process = start("--no-serve", ready="keeping partners in step")

    issue_from(station, "sim:ntag213?count=2", LINES)

    eventually(lambda: len(cpo.tokens) == 2)
    with pytest.raises(OSError, match="refused"):
        ask(station, "GET", "/healthz", None)
    assert process.end() == 0


def test_a_request_that_is_under_way_is_answered_before_the_end(let_in: Station, start: Start) -> None:
    process = start("--no-sync")
    host, _, port = let_in.settings.ocpi.listen.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = "POST /ocpi/2.2.1/tokens/04AA/authorize HTTP/1.1\r\nHost: a\r\nContent-Length: 2"
        connection.sendall(f"{head}\r\nAuthorization: Token {SERVER_TOKEN}\r\n\r\n{{".encode())
        eventually(lambda: ask(let_in, "GET", "/healthz", None)[0] == 200)
        process.send(signal.SIGTERM)
        eventually(lambda: process.said("ending"))
        connection.sendall(b"}")
        assert b" 404 " in connection.recv(4096)
    assert process.ended() == 0


def test_a_kill_leaves_nothing_half(let_in: Station, start: Start) -> None:
    cards = issue_from(let_in, "sim:ntag213?count=3", LINES).issued
    references: list[str] = []
    for _ in range(3):
        process = start()
        for card in cards:
            _, told = ask(let_in, "POST", f"/ocpi/2.2.1/tokens/{card.uid.hex}/authorize")
            references.append(told["data"]["authorization_reference"])
        process.kill()

    (kept,) = (let_in.folder / "authorizations").iterdir()
    assert [json.loads(line)["reference"] for line in kept.read_text().splitlines()] == references
    start()
    assert len(ask(let_in, "GET", "/ocpi/2.2.1/tokens")[1]["data"]) == 3


def test_a_port_in_use_is_an_error_of_two_lines(folder: Path, station: Station, start: Start) -> None:
    start("--no-sync")

    with WarmProgram("--station", str(folder), "serve", "--no-sync") as second:
        _, said = second.communicate()

    assert second.returncode == 2
    assert said.startswith("error: cannot listen on 127.0.0.1 port")
    assert "\nhint: " in said


@pytest.mark.parametrize(
    "given", [{"serve": False, "sync": False}, {"certificate": "cert.pem"}, {"key": "key.pem"}]
)
def test_a_plan_that_makes_no_sense_is_refused(station: Station, given: dict[str, Any]) -> None:
    with pytest.raises(WrongCall) as refused:
        plan_for(station, **given)

    assert refused.value.hint


def test_sync_says_that_it_cannot_run_and_runs_again(
    folder: Path, cpo: VirtualCpo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is away for a while stops sync, and not the program."""
    monkeypatch.setattr("rfid_station.desk.serving.AGAIN_S", 0.05)
    monkeypatch.setattr("rfid_station.desk.serving.LOOK_S", 0.05)
    log: list[object] = []
    with open_station(folder, CLERK) as station:
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        partner = connect_partner(station, "cpo")
        (secret,) = (folder / "secrets").iterdir()
        away = secret.rename(folder / "away")
        with running(station, plan_for(station), log.append) as now:
            assert now.keeper is not None
            eventually(lambda: now.keeper.trouble)
            assert not now.keeper.is_alive
            away.rename(secret)
            eventually(lambda: now.keeper.is_alive)
            issue_from(station, "sim:ntag213", LINES[:1])
            eventually(lambda: len(cpo.tokens) == 1)
    assert log
    assert partner.client_token_ref
