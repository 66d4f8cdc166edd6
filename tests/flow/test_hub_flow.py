"""A hub by OICP as one more partner: from a blank to a card that charges behind it, and back out."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import rows, run
from warm_program import WarmProgram

from rfid_station.errors import ExitCode
from rfid_station.simulator.cpo.certificate import self_signed
from rfid_station.simulator.hub.virtual_hub import VirtualHub


@dataclass
class Hub:
    """A hub by its addresses."""

    url: str
    station_url: str
    control_url: str

    def call(self, url: str, body: object = None, method: str = "GET") -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=60) as answer:
            return json.loads(answer.read())

    def charges(self, uid: str) -> bool:
        return bool(self.call(self.station_url, {"uid": uid}, "POST")["status"] == "Authorized")

    def fault(self, **fault: object) -> None:
        self.call(f"{self.control_url}/faults", fault, "POST")

    def heal(self) -> None:
        self.call(f"{self.control_url}/faults", method="DELETE")

    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call(f"{self.control_url}/records")
        return found

    def log(self) -> list[str]:
        return [f"{one['action']} {one['code']}" for one in self.call(f"{self.control_url}/log")]


@pytest.fixture
def remote() -> Iterator[Hub]:
    """A hub in a process of its own."""
    with WarmProgram("simulate", "hub", "--json") as process:
        ready = json.loads(process.stdout.readline())
        yield Hub(ready["url"], ready["station_url"], ready["control_url"])


@pytest.fixture
def hub(folder: Path) -> Iterator[Hub]:
    """A hub in this process, already a partner."""
    with VirtualHub() as started:
        add(folder, started.url)
        yield Hub(started.url, started.station_url, started.control_url)


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that does not wait long, and a hub's profile without a limit of calls."""
    path = folder / "station.toml"
    path.write_text(path.read_text().replace("timeout_s = 10.0", "timeout_s = 0.5"))
    own = folder / "templates" / "partners"
    own.mkdir(parents=True)
    (own / "quick.toml").write_text('title = "quick"\nprotocol = "oicp"\nis_hub = true\n')
    return folder


def issue(folder: Path, count: int = 1) -> list[str]:
    """The numbers of new cards."""
    uri = f"sim:ntag213?count={count}"
    made = run(folder, "card", "issue", "--reader", uri, "--count", str(count))
    assert made.exit_code in (ExitCode.DONE, ExitCode.PENDING), made.output
    return [row["number"] for row in rows(run(folder, "card", "list", "--json"))]


def well(folder: Path, *arguments: str) -> str:
    result = run(folder, *arguments)
    assert result.exit_code == ExitCode.DONE, result.output
    return result.output


def pushes_in_vain(folder: Path, words: str) -> None:
    """Push until it says why that fails: a slow machine does not come so far within a second."""
    until_s = time.monotonic() + 60
    while True:
        said = run(folder, "sync", "run", "--wait", "1")
        assert said.exit_code == ExitCode.PARTNER
        if words in said.output.replace("\n", " "):
            return
        assert time.monotonic() < until_s, said.output


def standing(folder: Path) -> dict[str, Any]:
    (one,) = rows(run(folder, "sync", "status", "--json"))
    return one


def add(folder: Path, url: str) -> None:
    assert "hubject is connected" in well(folder, "partner", "add", "hubject", url, "--profile", "quick")


def test_a_card_charges_behind_the_hub_until_it_is_blocked(folder: Path, remote: Hub) -> None:
    hub = remote
    add(folder, hub.url)
    (number,) = issue(folder)
    well(folder, "sync", "run")
    (record,) = hub.records()
    assert record["PrintedNumber"] == number
    assert hub.charges(record["UID"])

    said = well(folder, "card", "block", number)
    assert "refuses the card; the hub confirmed it, the operators behind it are unknown" in said
    assert hub.records() == []
    assert not hub.charges(record["UID"])
    well(folder, "--role", "support", "card", "unblock", number)
    assert hub.charges(record["UID"])
    well(folder, "sync", "run")
    assert standing(folder)["owed"] == 0
    assert hub.log() == ["insert 000", "delete 000", "insert 000"]


def test_a_receipt_says_confirmed_and_not_proven(folder: Path, hub: Hub, tmp_path: Path) -> None:
    (number,) = issue(folder)
    well(folder, "sync", "run")
    path = tmp_path / "receipt.json"
    well(folder, "card", "block", number, "--receipt", str(path))
    (told,) = json.loads(path.read_text())["partners"]
    assert (told["known"], told["is_hub"], told["proven_at"]) == ("confirmed", True, None)
    assert told["confirmed_at"]
    well(folder, "card", "block", number, "--receipt", str(tmp_path / "receipt.txt"))
    text = (tmp_path / "receipt.txt").read_text()
    assert "not proven" in text
    assert "It is a hub: what the operators behind it know is unknown." in text
    assert "is tried again until" not in text


def test_a_hub_that_does_not_know_us_is_said_without_words_of_ocpi(folder: Path, hub: Hub) -> None:
    (number,) = issue(folder)
    well(folder, "sync", "run")
    hub.fault(kind="unauthorized")
    said = run(folder, "card", "block", number).output.replace("\n", " ")
    assert "does not accept our certificate or contract: delete: HTTP 200, OICP 017" in said
    assert "may go on accepting the card at all its chargers, and never asks us" in said
    ran = run(folder, "sync", "run", "--wait", "1").output.replace("\n", " ")
    assert "hubject does not accept our certificate or contract: settle it with the hub" in ran
    assert "token" not in said


def test_a_hub_that_hangs_after_it_took_a_block_is_told_again_and_no_doubt_stays(
    folder: Path, hub: Hub
) -> None:
    (number,) = issue(folder)
    well(folder, "sync", "run")
    hub.fault(kind="apply_hang", method="delete", times=2)
    said = run(folder, "card", "block", number)
    assert said.exit_code == ExitCode.PENDING
    assert "not yet confirmed by: hubject" in said.output
    assert hub.records() == []
    well(folder, "sync", "run")
    assert standing(folder)["owed"] == 0
    assert hub.records() == []
    assert hub.log()[-1] == "delete 000"


def test_a_card_that_the_hub_refuses_for_good_keeps_no_other_back(folder: Path, hub: Hub) -> None:
    (refused,) = issue(folder)
    well(folder, "sync", "run")
    (record,) = hub.records()
    well(folder, "card", "block", refused)
    hub.fault(kind="refuse", uid=record["UID"], message="never")
    run(folder, "--role", "support", "card", "unblock", refused)
    numbers = issue(folder, 3)
    said = run(folder, "sync", "run", "--wait", "10")
    assert said.exit_code == ExitCode.PARTNER, said.output
    assert {record["PrintedNumber"] for record in hub.records()} == set(numbers) - {refused}
    (aside,) = standing(folder)["set_aside"]
    assert "update: HTTP 200, OICP 022, Result false: Data error.: never" in aside["error"]
    hub.heal()
    well(folder, "sync", "retry")
    assert {record["PrintedNumber"] for record in hub.records()} == set(numbers)


def test_a_hub_that_lost_everything_gets_it_by_a_resync(folder: Path, hub: Hub) -> None:
    numbers = issue(folder, 2)
    well(folder, "sync", "run")
    hub.fault(kind="restart", times=1)
    run(folder, "card", "block", numbers[0])
    well(folder, "sync", "run")
    well(folder, "sync", "resync", "hubject", "--yes")
    well(folder, "sync", "run")
    assert [record["PrintedNumber"] for record in hub.records()] == [numbers[1]]


def test_what_oicp_has_not_is_said(folder: Path, hub: Hub, tmp_path: Path) -> None:
    (number,) = issue(folder)
    token = tmp_path / "token.txt"
    token.write_text("first-token")
    for command, words in (
        (["sync", "audit", "hubject"], "hubject speaks OICP, which has no way to read a card back"),
        (["partner", "rotate", "hubject"], "hubject speaks OICP, which has no tokens"),
        (["partner", "invite", "hubject"], "hubject speaks OICP, which has no invitations"),
        (["partner", "invite", "other", "--profile", "quick"], "nobody is invited by OICP"),
        (["partner", "connect", "hubject", "--token-file", str(token)], "has no first tokens"),
        (
            ["partner", "add", "other", hub.url, "--profile", "quick", "--token-file", str(token)],
            "no first tokens",
        ),
        (["partner", "add", "other", "https://cpo.example/"], "by a token that it gave you"),
        (["partner", "add", "other", "http://hub.example/", "--profile", "quick"], "is not https"),
        (["partner", "add", "other", "https://hub.example/", "--profile", "quick"], "and there is none"),
    ):
        said = run(folder, *command)
        assert said.exit_code == ExitCode.WRONG_CALL, said.output
        assert words in said.stderr
    assert "nothing was read back" in well(folder, "sync", "prove", number)


def test_it_is_looked_at_shown_and_let_go_like_any_other(folder: Path, hub: Hub) -> None:
    (number,) = issue(folder)
    said = well(folder, "partner", "preview", "hubject", number)
    assert f"POST {hub.url}/authdata/v21/providers/NL-EXM/push-request" in said
    assert f'"PrintedNumber":"{number}"' in said
    assert "in OICP 2.3: none would be refused" in well(folder, "partner", "check", "hubject")
    assert "none is needed" in well(folder, "partner", "test", "hubject")
    (row,) = rows(run(folder, "partner", "list", "--json"))
    assert (row["state"], row["version"]) == ("connected", "OICP 2.3")
    well(folder, "sync", "run")
    well(folder, "partner", "disconnect", "hubject", "--yes")
    well(folder, "partner", "connect", "hubject")
    well(folder, "sync", "run")
    assert hub.log() == ["insert 000", "delete 000", "insert 000"]


def test_a_hub_does_not_become_a_cpo_by_another_profile(folder: Path, hub: Hub, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('title = "other"\n')
    said = run(folder, "partner", "import", "hubject", str(other))
    assert said.exit_code == ExitCode.WRONG_CALL
    assert "hubject speaks OICP" in said.stderr


def test_certificates_come_from_the_settings_and_are_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfid_station.cli.issuing.SETTLE_S", 0.2)
    made = self_signed("station.example")
    (folder / "hub.pem").write_text(made.certificate)
    (folder / "hub.key").write_text(made.key)
    settings = folder / "station.toml"
    before = settings.read_text().partition("[oicp]")[0]
    with VirtualHub(tls=made.certificate) as hub:
        add_it = ["partner", "add", "hubject", hub.url, "--profile", "quick"]
        for entries, words in (
            ("", "and there is none"),
            ('tls_certificate = "hub.pem"', "a certificate needs its key"),
            ('tls_certificate = "hub.pem"\ntls_key = "none.key"', "none.key cannot be read: No such file"),
        ):
            settings.write_text(f"{before}\n[oicp]\n{entries}\n")
            said = run(folder, *add_it)
            assert said.exit_code == ExitCode.WRONG_CALL
            assert words in said.stderr
        assert rows(run(folder, "partner", "list", "--json")) == []
        settings.write_text(f'{before}\n[oicp]\ntls_certificate = "hub.pem"\ntls_key = "hub.key"\n')
        add(folder, hub.url)
        assert "valid until" in well(folder, "partner", "test", "hubject")
        assert "hubject knows us by hub.pem, valid until" in run(folder, "doctor").output.replace("\n", " ")
        issue(folder)
        pushes_in_vain(folder, "invalid peer certificate: UnknownIssuer")  # the hub's own is signed by nobody
        (folder / "hub.key").unlink()
        pushes_in_vain(folder, "not sent: the key")
