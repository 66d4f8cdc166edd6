"""Behind a hub: what is said of the operators there, when a card is stopped and when somebody looks."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from command_line import run
from stations import CLERK, LINES, issue_from

from rfid_station.cli.stop_view import answer_of
from rfid_station.desk.partners.behind_hubs import behind_each_hub
from rfid_station.desk.partners.own_server import listening
from rfid_station.desk.serving import plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support import stopping
from rfid_station.desk.support.receipt import as_document, as_text, receipt_of
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.hub_client import ConnectionStatus, HubClient
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.store.partners.hub_clients import HubClients
from rfid_station.store.partners.registry import server_token_hash
from rfid_station.sync.confirmation import Confirmation, PushAnswer, Risk

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9/ocpi/versions"
HUB_PARTY, AWAY = Party("NL", "HUB"), Party("BE", "OFF")


@pytest.fixture
def station(folder: Path) -> Any:
    with open_station(folder, CLERK) as station:
        for name, profile in (("hub", PartnerProfile(is_hub=True)), ("greenline", PartnerProfile())):
            station.store.partners.add(name, NOWHERE, "", Agreement(), CLERK, profile)
            station.store.partners.begin_connecting(name, server_token_hash(name))
            parties = (HUB_PARTY, Party("NL", "ONE"))
            receiver = Endpoint("tokens", "RECEIVER", "http://127.0.0.1:9/ocpi/2.2.1/tokens")
            connection = Connection("2.2.1", NOWHERE, (receiver,), parties)
            reference = station.vault.keep(name, "client-token")
            station.store.partners.finish_connecting(name, connection, reference, CLERK)
        tell(station, "hub", Party("NL", "ONE"))
        tell(station, "hub", Party("DE", "TWO"))
        tell(station, "hub", AWAY, ConnectionStatus.OFFLINE)
        yield station


def tell(
    station: Station, hub: str, party: Party, status: ConnectionStatus = ConnectionStatus.CONNECTED
) -> None:
    HubClients(station.store.database).put(hub, HubClient(party, "CPO", status, AT))


class Pushed:
    """Replication in which every partner confirms at once."""

    def __enter__(self) -> Pushed:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def push_now(
        self, token_id: int, deadline_s: float, *, insist: bool, watch: Any = None
    ) -> Sequence[Confirmation]:
        said = [
            Confirmation(
                name, token_id, 2, PushAnswer.CONFIRMED, "", AT, "refuses the card", "", Risk.REFUSES,
                is_valid=False, is_hub=name == "hub", confirmed_at=AT, proven_at=AT,
            )
            for name in ("hub", "greenline")
        ]  # fmt: skip
        if watch:
            watch(said)
        return said


@pytest.fixture
def stopped(station: Station, monkeypatch: pytest.MonkeyPatch) -> stopping.Stopped:
    monkeypatch.setattr(stopping, "replicator", lambda _: Pushed())
    return stopping.move_and_push(station, issued(station), CardState.BLOCKED, Reason.LOST)


def issued(station: Station) -> Card:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    return card


def test_what_a_hub_confirms_is_said_of_the_hub_alone(stopped: stopping.Stopped) -> None:
    hub, greenline = stopped.confirmations

    assert hub.may_accept == (
        "refuses the card; 3 CPOs behind it, away as it last told: BE-OFF OFFLINE; "
        "these hear of it later, if at all"
    )
    assert greenline.may_accept == "refuses the card"
    assert answer_of(hub) == "confirmed by the hub, CPOs unknown"
    assert answer_of(greenline) == "confirmed"
    assert answer_of(replace(hub, answer=PushAnswer.UNREACHABLE, confirmed_at=None)) == "unreachable"


def test_whoever_watches_hears_it_at_once(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "replicator", lambda _: Pushed())
    seen: list[Confirmation] = []

    stopping.move_and_push(station, issued(station), CardState.BLOCKED, Reason.LOST, watch=seen.extend)

    assert ["3 CPOs behind it" in one.may_accept for one in seen] == [True, False]


def test_the_receipt_tells_it_in_the_language_of_the_card(
    station: Station, stopped: stopping.Stopped
) -> None:
    receipt = receipt_of(station, stopped)
    german = as_text(receipt)
    english = as_text(replace(receipt, language="en"))
    rows = {one["partner"]: one["behind_hub"] for one in as_document(receipt)["partners"]}

    assert "Betreiber dahinter: 3. Davon nach seiner letzten Meldung getrennt: BE-OFF OFFLINE" in german
    assert "Operators behind it: 3. Of them away, as it last told: BE-OFF OFFLINE" in english
    away = [{"party": "BE-OFF", "status": "OFFLINE", "last_updated": "2026-01-15T09:30:00Z"}]
    assert rows == {"greenline": None, "hub": {"operators": 3, "away": away}}


def test_the_operators_that_credentials_name_are_counted_too(station: Station) -> None:
    with station.store.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM hub_client")

    (behind,) = behind_each_hub(station).values()

    assert (behind.operators, behind.away) == (1, ())


def test_showing_a_partner_lists_who_is_behind_it(station: Station, folder: Path) -> None:
    told = json.loads(run(folder, "partner", "show", "hub", "--json").stdout)["behind_hub"]
    plain = json.loads(run(folder, "partner", "show", "greenline", "--json").stdout)

    assert told == [
        "BE-OFF CPO OFFLINE since 2026-01-15T09:30:00Z",
        "DE-TWO CPO CONNECTED since 2026-01-15T09:30:00Z",
        "NL-ONE CPO CONNECTED since 2026-01-15T09:30:00Z",
    ]
    assert "BE-OFF CPO OFFLINE" in run(folder, "partner", "show", "hub").stdout
    assert "behind_hub" not in plain


def test_a_hub_that_is_being_connected_sees_where_to_tell(station: Station, folder: Path) -> None:
    """While no `serve` runs, a handshake brings a server of its own."""
    address = on_a_free_port(folder)
    with open_station(folder, CLERK) as served, listening(served, "hub"):
        request = Request(f"http://{address}/ocpi/2.2.1", None, {"Authorization": "Token hub"})
        with urlopen(request, timeout=60) as answer:
            details = json.load(answer)["data"]

    assert {one["identifier"] for one in details["endpoints"]} == {
        "credentials",
        "tokens",
        "hubclientinfo",
        "sessions",
        "cdrs",
    }


def test_what_a_hub_tells_outlives_the_server(station: Station, folder: Path) -> None:
    address = on_a_free_port(folder)
    url = f"http://{address}/ocpi/2.2.1/hubclientinfo/FR/NEW"
    info = {"party_id": "NEW", "country_code": "FR", "role": "CPO", "status": "SUSPENDED"}
    told = json.dumps(info | {"last_updated": "2026-01-15T09:30:00Z"}).encode()
    older = json.dumps(info | {"status": "OFFLINE", "last_updated": "2026-01-15T09:29:59Z"}).encode()

    assert ask(folder, url, told)["status_code"] == 1000
    assert ask(folder, url, older)["status_code"] == 1000

    assert ask(folder, url)["data"] == json.loads(told)
    assert [f"{one}" for one in behind_each_hub(station)["hub"].away] == [
        "BE-OFF CPO OFFLINE",
        "FR-NEW CPO SUSPENDED",
    ]


def on_a_free_port(folder: Path) -> str:
    """Let the station listen on a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = folder / "station.toml"
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", address, settings.read_text()))
    return address


def ask(folder: Path, url: str, body: bytes | None = None) -> Any:
    """Ask a server that is there for this request only."""
    with (
        open_station(folder, CLERK) as served,
        running(served, plan_for(served, sync=False), lambda _: None),
    ):
        request = Request(url, body, {"Authorization": "Token hub"}, method="PUT" if body else "GET")
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)
