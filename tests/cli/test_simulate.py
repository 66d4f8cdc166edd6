"""`rfid-station simulate`, as a process that other programs talk to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nfc
import nfc.clf
import nfc.tag
import pytest
from nfcpy_link import udp_device
from typer.testing import CliRunner
from warm_program import WarmProgram

from rfid_station.cli.app import app
from rfid_station.simulator.chips import CHIPS
from rfid_station.simulator.deck import Mark, open_deck

PATIENCE_S = 60.0
UID = "04E10CDA993C80"


class Simulation:
    """The command in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rfid_station", "simulate", *arguments, "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said

    def tell(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        return self.hear()

    def end(self) -> int:
        try:
            self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulation]]:
    with ExitStack() as stack:

        def start(*arguments: str) -> Simulation:
            simulation = Simulation(*arguments)
            stack.callback(simulation.end)
            return simulation

        yield start


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_all_chips_are_listed() -> None:
    done = run("chips", "--json")

    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert tuple(row["chip"] for row in rows) == CHIPS
    assert rows[0] == {"chip": "ntag213", "name": "NTAG213", "uid_bytes": 7}


WRONG = [
    (["udp", "--chip", "ntag999"], "there is no virtual chip 'ntag999'", "simulate chips"),
    (["udp", "--fault", "bent"], "--fault bent", "vanish"),
    (["udp", "--fault", "duplicate"], "--fault duplicate", "vanish"),
    (["pn532", "--uid", "0102"], "--uid 0102", "14 hexadecimal digits"),
    (["pn532", "--uid", "zz"], "--uid zz", "14 hexadecimal digits"),
    (["pcsc", "--model", "best"], "there is no reader model 'best'", "acr122u"),
]


@pytest.mark.parametrize(("arguments", "message", "hint"), WRONG)
def test_what_cannot_be_had_is_said_in_words(arguments: list[str], message: str, hint: str) -> None:
    done = run(*arguments)

    assert done.exit_code == 2
    assert message in done.stderr
    assert hint in done.stderr.partition("hint:")[2]


def test_a_pcsc_reader_without_pcscd_says_what_is_missing() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])

    done = run("pcsc", "--port", port, "--uid", UID, "--json")

    assert done.exit_code == 0
    assert f"nobody listens on port {port} yet" in done.stderr
    assert json.loads(done.stdout.splitlines()[1]) == {"event": "laid", "value": UID}


def nfc_list(path: str) -> str:
    environment = os.environ | {"LIBNFC_DEVICE": f"pn532_uart:{path}"}
    done = subprocess.run(
        ["nfc-list"], env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    return done.stdout


def test_a_pn532_is_there_as_long_as_the_command_runs(
    simulate: Callable[..., Simulation], tmp_path: Path
) -> None:
    link = tmp_path / "module"
    simulation = simulate("pn532", "--link", str(link), "--uid", UID)
    ready = simulation.hear()

    assert ready["try"] == [f"LIBNFC_DEVICE=pn532_uart:{link} nfc-list"]
    assert simulation.hear() == {"event": "laid", "value": UID}
    assert "04  e1  0c  da  99  3c  80" in nfc_list(str(link))
    assert simulation.tell("away") == {"event": "lifted", "value": None}
    assert "found" not in nfc_list(str(link))
    assert simulation.tell("fly") == {"event": "unknown", "value": "fly"}
    assert simulation.end() == 0
    assert not link.is_symlink()


def test_whoever_ends_it_by_its_id_finds_everything_put_back(
    simulate: Callable[..., Simulation], tmp_path: Path
) -> None:
    link = tmp_path / "module"
    simulation = simulate("pn532", "--link", str(link))
    simulation.hear()
    simulation.hear()

    simulation.process.send_signal(signal.SIGTERM)

    assert simulation.process.wait(PATIENCE_S) == 130
    assert not link.is_symlink()


def nfcpy_writes(port: int, page: int, content: str) -> None:
    """What a station does: read, write, and let go of the card."""
    clf = nfc.ContactlessFrontend()
    clf.device = udp_device(port)
    tag = nfc.tag.activate(clf, clf.sense(nfc.clf.RemoteTarget("106A"), iterations=40, interval=0.05))
    assert tag.write(page, bytes.fromhex(content))
    clf.close()


def test_hands_free_cards_come_one_after_the_other_and_are_kept(
    simulate: Callable[..., Simulation], tmp_path: Path
) -> None:
    deck = tmp_path / "deck.json"
    simulation = simulate("udp", "--port", "0", "--deck", str(deck), "--hands-free", "--count", "2")
    port = simulation.hear()["port"]

    first = simulation.hear()["value"]
    nfcpy_writes(port, 8, "01020304")
    second = simulation.hear()["value"]
    nfcpy_writes(port, 8, "05060708")

    assert simulation.process.wait(PATIENCE_S) == 0
    cards = open_deck(deck).cards
    assert [place.card.uid.hex().upper() for place in cards] == [first, second]
    assert [place.card.state()["memory"][64:72] for place in cards] == ["01020304", "05060708"]
    assert [place.mark for place in cards] == [Mark.DONE, Mark.DONE]


def test_a_pcsc_reader_comes_with_a_pcscd_of_its_own(simulate: Callable[..., Simulation]) -> None:
    simulation = simulate("pcsc", "--private", "--model", "acr122u", "--chip", "desfire")
    ready = simulation.hear()
    assert simulation.hear()["event"] == "laid"

    assert ready["reader"] == "pcsc:ACS ACR122U PICC Interface 00 00"
    command = ready["try"][0]
    assert command.endswith(" opensc-tool -a")
    wait = "while ! opensc-tool -a | grep 3b:; do sleep 0.1; done"
    said = subprocess.run(
        ["sh", "-c", f"export {command.split()[0]}; {wait}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert said.stdout.strip() == "3b:86:80:01:06:75:77:81:02:80:00"
    assert simulation.end() == 0


@pytest.mark.parametrize(
    "link", [("udp", "--port", "0"), ("pcsc", "--private", "--model", "acr122u")], ids=["udp", "acr122u"]
)
def test_a_station_makes_a_card_over_the_link(
    simulate: Callable[..., Simulation],
    tmp_path: Path,
    link: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deck, folder = tmp_path / "deck.json", str(tmp_path / "station")
    assert CliRunner().invoke(app, ["--station", folder, "init", "--profile", "link"]).exit_code == 0
    simulation = simulate(*link, "--deck", str(deck), "--hands-free")
    ready = simulation.hear()
    name, is_setting, value = ready["try"][0].split()[0].partition("=")
    if is_setting:
        monkeypatch.setenv(name, value)

    issue = ("card", "issue", "--reader", ready["reader"], "--count", "1")
    with WarmProgram("--station", folder, *issue) as done:
        _, said = done.communicate(2 * PATIENCE_S)

    assert done.returncode == 0, said
    assert simulation.process.wait(PATIENCE_S) == 0
    (made,) = open_deck(deck).cards
    assert b"\x04cards.example.com/" in bytes.fromhex(made.card.state()["memory"])
