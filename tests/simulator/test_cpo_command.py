"""`rfid-station simulate cpo`, as a process that somebody else talks to."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from emsp_by_hand import INVITATION, call, credentials, emsp_running, in_header, token
from typer.testing import CliRunner
from warm_program import WarmProgram

from rfid_station.cli.app import app

UID = "04E10CDA993C80"


class Simulation:
    def __init__(self, *arguments: str) -> None:
        self.process = WarmProgram("simulate", "cpo", *arguments)

    def hear(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int | None, str, str]:
        self.process.send_signal(how)
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulation]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Simulation:
            simulation = Simulation(*arguments)
            stack.enter_context(simulation.process)
            return simulation

        yield start


def test_it_says_what_to_type_and_takes_cards(simulate: Callable[..., Simulation], tmp_path: Path) -> None:
    version = "2.1.1"
    state = str(tmp_path / "cpo.json")
    simulation = simulate("--json", "--state", state)
    ready = simulation.hear()
    assert ready["versions"] == ["2.1.1", "2.2.1", "2.3.0"]
    assert ready["try"][0] == (
        f"printf %s {ready['first_token']} | "
        f"rfid-station partner add cpx {ready['versions_url']} --token-file -"
    )
    assert ready["try"][1:] == ["rfid-station partner connect cpx", "rfid-station sync run"]

    with emsp_running(version) as emsp:
        emsp.lets_in.add("ours")
        url = ready["versions_url"].replace("versions", f"{version}/credentials")
        headers = {"Authorization": in_header(version, ready["first_token"])}
        answered = call("POST", url, credentials(version, "ours", emsp.versions_url), headers)
        assert answered[2]["status_code"] == 1000
        emsp.client_token = answered[2]["data"]["token"]
        put = emsp.call_cpo(
            "PUT", f"{url.replace('credentials', 'tokens')}/DE/EXM/{UID}", token(UID, version)
        )
        assert put[0] == 201

    assert simulation.hear() == {
        "event": "request",
        "method": "POST",
        "path": f"/ocpi/{version}/credentials",
        "http_status": 200,
        "fault": "",
    }
    assert simulation.end()[0] == 0
    again = simulate("--json", "--state", state)
    ready = again.hear()
    assert (ready["first_token"], ready["try"]) == (None, ["rfid-station sync run"])
    assert call("POST", ready["station_url"], {"uid": UID})[2]["status"] == "Accepted"
    assert again.end(signal.SIGINT)[0] == 0


def test_it_comes_to_us_by_its_control_port(simulate: Callable[..., Simulation]) -> None:
    ready = (simulation := simulate("--json", "--version", "2.2.1")).hear()
    with emsp_running() as emsp:
        given = {"versions_url": emsp.versions_url, "token": INVITATION}
        assert call("POST", f"{ready['control_url']}/register", given)[2]["facts"]["version"] == "2.2.1"
    assert simulation.end()[0] == 0


def test_people_read_what_happens(simulate: Callable[..., Simulation]) -> None:
    simulation = simulate("--profile", "hub", "--fault", "error:module=versions,times=1")
    lines = [simulation.process.stderr.readline()]
    while "Ctrl-C ends" not in lines[-1]:
        lines.append(simulation.process.stderr.readline())
        assert lines[-1]
    url = next(line for line in lines if "partner add" in line).split()[-3]

    assert call("GET", url)[0] == 500
    assert call("GET", url)[0] == 401
    status, out, _ = simulation.end()

    assert status == 0
    assert out == "GET /ocpi/versions 500 error\nGET /ocpi/versions 401\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--profile", "nobody"], "there is no profile 'nobody'"),
        (["--version", "2.2"], "there is no version '2.2'"),
        (["--fault", "tsunami"], "--fault tsunami: "),
        (["--fault", "busy:colour=blue"], "--fault busy:colour=blue: "),
        (["--port", "99999"], "port 99999 cannot be had"),
        (["--state", "{folder}/broken.json"], "is not the state of a virtual CPO"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "broken.json").write_text("{}")

    done = CliRunner().invoke(app, ["simulate", "cpo", *(a.format(folder=tmp_path) for a in arguments)])

    assert done.exit_code == 2
    assert told in done.stderr
    assert "hint: " in done.stderr


def test_it_serves_tls_that_nobody_trusts(simulate: Callable[..., Simulation]) -> None:
    simulation = simulate("--json", "--tls")
    assert simulation.hear()["versions_url"].startswith("https://127.0.0.1:")
    assert simulation.end()[0] == 0
