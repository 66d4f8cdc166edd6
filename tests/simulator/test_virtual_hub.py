"""A virtual hub by what Hubject's documents say, called by hand and not by our own client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from rfid_station.simulator.cpo.certificate import self_signed
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.hub.virtual_hub import VirtualHub, usable

UID = "7568290FFF765F"
EVCO = "DE-8EO-CAet5e4XY-3"


@pytest.fixture
def hub() -> Iterator[VirtualHub]:
    with VirtualHub("DE-8EO") as running:
        yield running


def call(url: str, body: object = None, method: str = "POST") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data if method == "POST" else None, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read() or b"null")


def rfid(uid: str = UID, **members: object) -> dict[str, object]:
    return {"RFIDIdentification": {"UID": uid, "RFID": "mifareDes", "EvcoID": EVCO, **members}}


def push(
    hub: VirtualHub, action: str, *identifications: object, told: str = "DE*8EO", path: str = "DE-8EO"
) -> tuple[int, Any]:
    records = [{"Identification": one} for one in identifications]
    data = {"ProviderID": told, "AuthenticationDataRecord": records}
    url = f"{hub.url}/authdata/v21/providers/{path}/push-request"
    return call(url, {"ActionType": action, "ProviderAuthenticationData": data})


def code(answer: tuple[int, Any]) -> tuple[int, bool, str]:
    return answer[0], answer[1]["Result"], answer[1]["StatusCode"]["Code"]


DONE, ABORTED = (200, True, "000"), (200, False, "009")


def test_an_insert_is_acknowledged_and_the_card_charges(hub: VirtualHub) -> None:
    answer = push(hub, "insert", rfid(PrintedNumber="9876655"))
    assert code(answer) == DONE
    assert set(answer[1]) == {"Result", "StatusCode", "SessionID"}
    assert call(hub.station_url, {"uid": UID.lower()}) == (200, {"status": "Authorized"})
    assert call(hub.station_url, {"uid": "04E10CDA993C80"}) == (200, {"status": "NotAuthorized"})
    assert call(f"{hub.control_url}/records", method="GET")[1][0]["PrintedNumber"] == "9876655"


def test_an_insert_of_one_that_exists_inserts_none(hub: VirtualHub) -> None:
    push(hub, "insert", rfid())
    answer = push(hub, "insert", rfid("04E10CDA993C80"), rfid())
    assert code(answer) == ABORTED
    assert UID in answer[1]["StatusCode"]["AdditionalInfo"]
    assert set(hub.records) == {UID}


def test_the_two_forms_of_an_rfid_are_one_record(hub: VirtualHub) -> None:
    push(hub, "insert", {"RFIDMifareFamilyIdentification": {"UID": UID}})
    assert code(push(hub, "insert", rfid())) == ABORTED


def test_an_update_of_one_that_is_missing_updates_none(hub: VirtualHub) -> None:
    push(hub, "insert", rfid(PrintedNumber="1"))
    assert code(push(hub, "update", rfid(PrintedNumber="2"), rfid("04E10CDA993C80"))) == ABORTED
    assert hub.records[UID]["PrintedNumber"] == "1"
    assert code(push(hub, "update", rfid(PrintedNumber="2"))) == DONE
    assert hub.records[UID]["PrintedNumber"] == "2"


def test_a_delete_of_what_is_missing_succeeds_unless_the_hub_is_strict(hub: VirtualHub) -> None:
    assert code(push(hub, "delete", rfid())) == DONE
    push(hub, "insert", rfid())
    assert code(push(hub, "delete", rfid())) == DONE
    assert hub.records == {}
    with VirtualHub("DE-8EO", is_strict=True, abort_code="022") as strict:
        assert code(push(strict, "delete", rfid())) == (200, False, "022")


def test_a_full_load_replaces_all_and_an_empty_one_deletes_all(hub: VirtualHub) -> None:
    push(hub, "insert", rfid(), {"RemoteIdentification": {"EvcoID": EVCO}})
    assert code(push(hub, "fullLoad", rfid("04E10CDA993C80"))) == DONE
    assert set(hub.records) == {"04E10CDA993C80"}
    assert code(push(hub, "fullLoad")) == DONE
    assert hub.records == {}


def test_contracts_of_another_provider_refuse_the_upload(hub: VirtualHub) -> None:
    answer = push(hub, "insert", rfid(), rfid("04E10CDA993C80", EvcoID="NL-EXM-C00000001-X"))
    assert code(answer) == (200, False, "019")
    assert hub.records == {}


@pytest.mark.parametrize(("told", "path"), [("NL-EXM", "DE-8EO"), ("DE-8EO", "NL-EXM")])
def test_another_provider_than_the_certificates_is_not_let_in(hub: VirtualHub, told: str, path: str) -> None:
    assert code(push(hub, "insert", rfid(), told=told, path=path)) == (200, False, "017")


def test_an_expired_record_admits_nobody(hub: VirtualHub) -> None:
    push(hub, "insert", rfid(ExpiryDate="2014-02-01T15:45:00+02:00"))
    assert hub.authorize(UID) == "NotAuthorized"
    push(hub, "update", rfid(ExpiryDate="2099-02-01T15:45:00+02:00"))
    assert hub.authorize(UID) == "Authorized"


@pytest.mark.parametrize(
    ("identification", "field"),
    [
        ({}, "Identification"),
        ({**rfid(), "RemoteIdentification": {"EvcoID": EVCO}}, "Identification"),
        ({"NoIdentification": {}}, "Identification"),
        (rfid("AFFH1768"), "UID"),
        (rfid("12345ABCD"), "UID"),
        (rfid(RFID="ntag"), "RFID"),
        (rfid(EvcoID="DE8ACC12E46L89"), "EvcoID"),
        (rfid(PrintedNumber="9" * 151), "PrintedNumber"),
        (rfid(ExpiryDate="2021-01-23"), "ExpiryDate"),
        ({"RFIDMifareFamilyIdentification": {}}, "UID"),
        ({"RemoteIdentification": {}}, "EvcoID"),
    ],
)
def test_what_is_not_as_documented_is_http_400_with_the_field(
    hub: VirtualHub, identification: object, field: str
) -> None:
    http_status, told = push(hub, "insert", identification)
    assert http_status == 400
    assert [wrong["fieldReference"] for wrong in told["validationErrors"]] == [field]
    assert hub.records == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"ActionType": "upsert"}'])
def test_bodies_that_are_no_message_are_http_400(hub: VirtualHub, body: bytes) -> None:
    url = f"{hub.url}/authdata/v21/providers/DE-8EO/push-request"
    assert call(url, body)[0] == 400
    assert call(f"{hub.url}/authdata", body)[0] == 404


def test_faults_by_the_control_port_hit_the_action_and_card_that_they_name(hub: VirtualHub) -> None:
    fault = {"kind": "refuse", "method": "insert", "uid": "75.*", "code": 102, "times": 1}
    assert call(f"{hub.control_url}/faults", fault)[0] == 200
    assert code(push(hub, "insert", rfid("04E10CDA993C80"))) == DONE
    assert code(push(hub, "insert", rfid())) == (200, False, "102")
    assert code(push(hub, "insert", rfid())) == DONE
    assert [
        (one["action"], one["code"], one["fault"]) for one in call(f"{hub.control_url}/log", method="GET")[1]
    ] == [
        ("insert", "000", ""),
        ("insert", "102", "refuse"),
        ("insert", "000", ""),
    ]


def test_faults_that_are_none_are_refused_and_all_can_be_cleared(hub: VirtualHub) -> None:
    for wrong in ({"kind": "lower_case"}, {"kind": "none"}, [], {"kind": "refuse", "uid": "("}):
        assert call(f"{hub.control_url}/faults", wrong)[0] == 400
    call(f"{hub.control_url}/faults", {"kind": "busy"})
    call(f"{hub.control_url}/faults", method="DELETE")
    assert code(push(hub, "insert", rfid())) == DONE
    with pytest.raises(ValueError, match="a hub has no fault wrong_link"):
        usable(Fault(FaultKind.WRONG_LINK))


@pytest.mark.parametrize(
    ("kind", "http_status", "is_there"),
    [
        (FaultKind.ERROR, 500, False),
        (FaultKind.APPLY_ERROR, 500, True),
        (FaultKind.BUSY, 503, False),
        (FaultKind.RATE_LIMIT, 429, False),
        (FaultKind.FORGET, 200, False),
    ],
)
def test_faults_do_what_they_say(hub: VirtualHub, kind: FaultKind, http_status: int, is_there: bool) -> None:
    hub.faults.add(Fault(kind))
    assert push(hub, "insert", rfid())[0] == http_status
    assert (UID in hub.records) is is_there


class Running:
    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rfid_station", "simulate", "hub", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        try:
            self.process.send_signal(how)
            out, err = self.process.communicate(timeout=60)
        finally:
            self.process.kill()
            self.process.wait()
        return self.process.returncode, out, err


def test_the_command_says_what_to_type_and_what_came() -> None:
    running = Running("--json", "--provider", "DE-8EO", "--fault", "refuse:method=delete,code=9")
    assert running.process.stdout
    ready = json.loads(running.process.stdout.readline())
    assert ready["try"] == [
        f"rfid-station partner add hub {ready['url']} --profile hubject-oicp",
        "rfid-station sync run",
    ]
    url = f"{ready['url']}/authdata/v21/providers/DE-8EO/push-request"
    data = {"ProviderID": "DE-8EO", "AuthenticationDataRecord": [{"Identification": rfid()}]}
    for action in ("insert", "delete"):
        call(url, {"ActionType": action, "ProviderAuthenticationData": data})
    assert call(ready["station_url"], {"uid": UID})[1] == {"status": "Authorized"}
    status, out, err = running.end()
    assert (status, err) == (0, "")
    heard = [json.loads(line) for line in out.splitlines()]
    assert [(one["event"], one["action"], one["about"], one["code"], one["fault"]) for one in heard] == [
        ("pushed", "insert", [UID], "000", ""),
        ("pushed", "delete", [UID], "009", "refuse"),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault", "wrong-link"], "a hub has no fault wrong_link"),
        (["--fault", "none"], "'none' is not a valid FaultKind"),
        (["--tls", "no.pem"], "the hub cannot begin"),
        (["--port", "70000"], "the hub cannot begin"),
    ],
)
def test_a_wrong_call_is_said(arguments: list[str], said: str) -> None:
    from typer.testing import CliRunner

    from rfid_station.cli.app import app

    result = CliRunner().invoke(app, ["simulate", "hub", *arguments])
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_command_takes_no_other_file_than_a_certificate(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from rfid_station.cli.app import app

    text = tmp_path / "text.pem"
    text.write_text("no PEM")
    result = CliRunner().invoke(app, ["simulate", "hub", "--tls", str(text)])
    assert result.exit_code == 2
    assert "holds no certificate in PEM" in result.stderr
    text.write_text(self_signed("station.example").certificate)
    running = Running("--json", "--tls", str(text))
    assert running.process.stdout
    assert json.loads(running.process.stdout.readline())["url"].startswith("https://")
    assert running.end(signal.SIGINT)[0] == 0
