"""`rfid-station simulate station`: what is typed, what is said, what cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import RUNNER
from typer.testing import Result

from rfid_station.cli.app import app
from rfid_station.errors import ExitCode
from rfid_station.simulator.ocpp.central import CentralSystem

UID = "04E10CDA993C80"


@pytest.fixture
def central() -> Iterator[CentralSystem]:
    held = {"uid": UID, "type": "RFID", "whitelist": "ALLOWED", "valid": True}
    running = CentralSystem(
        lambda uid: ("Accepted", "it is valid") if uid == UID else ("Unknown", "nobody told of it"),
        lambda: [held],
    )
    running.start()
    yield running
    running.stop()


def simulate(*arguments: str | Path, typed: str = "") -> Result:
    return RUNNER.invoke(app, ["simulate", "station", *map(str, arguments)], input=typed)


@pytest.mark.parametrize("protocol", ["1.6", "2.0.1"])
def test_cards_are_held_to_it(central: CentralSystem, protocol: str) -> None:
    done = simulate("--url", central.url, "--tap", UID, "--tap", "04AA00DD", "--protocol", protocol)
    assert done.exit_code == ExitCode.CARD_REFUSED
    accepted, refused = done.stdout.splitlines()
    assert accepted.startswith("Accepted: the central system says Accepted")
    assert refused.startswith("Invalid" if protocol == "1.6" else "Unknown")


def test_its_line_comes_and_goes_as_it_is_typed(central: CentralSystem) -> None:
    typed = f"tap {UID}\noffline\ntap {UID}\n\ndance\nonline\n"
    done = simulate("--url", central.url, "--json", "--name", "CP7", typed=typed)
    assert done.exit_code == ExitCode.DONE
    ready, online, offline, told = map(json.loads, done.stdout.splitlines())
    assert ready == {"event": "ready", "name": "CP7"}
    assert (online["status"], offline["status"]) == ("Accepted", "Accepted")
    assert offline["steps"] == ["no line to the central system", "its local list says Accepted"]
    assert told["steps"] == ["the central system says Accepted to what began without a line"]
    assert "unknown: dance" in done.stderr


def test_it_remembers_in_a_file(central: CentralSystem, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    assert simulate("--url", central.url, "--tap", UID, "--memory", memory).exit_code == ExitCode.DONE
    again = ("--url", "ws://127.0.0.1:9", "--offline", "--memory", memory)
    assert simulate(*again, "--tap", UID).stdout.startswith("Accepted: no line")
    assert simulate(*again, "--tap", UID, "--uid-form", "reversed").exit_code == ExitCode.CARD_REFUSED
    assert simulate(*again, "--tap", UID, "--no-list").stdout.startswith("Invalid: no line")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tap", "no hex"], "--tap no hex cannot be used"),
        (["--tap", UID, "--protocol", "1.5"], "--protocol 1.5"),
        (["--tap", UID, "--uid-form", "9"], "--uid-form 9"),
        (["--tap", "FF" * 10, "--uid-form", "decimal"], "25 characters"),
    ],
)
def test_what_cannot_be_is_said(arguments: list[str], words: str) -> None:
    done = simulate("--url", "ws://127.0.0.1:9", "--offline", *arguments)
    assert done.exit_code == ExitCode.WRONG_CALL
    assert words in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9", "http://127.0.0.1:9", "nowhere"])
def test_nobody_there_is_exit_7(url: str) -> None:
    done = simulate("--url", url, "--tap", UID)
    assert done.exit_code == ExitCode.PARTNER
    assert url in done.stderr


def test_a_memory_that_is_none_is_said(tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text("[")
    done = simulate("--url", "ws://127.0.0.1:9", "--offline", "--tap", UID, "--memory", memory)
    assert done.exit_code == ExitCode.WRONG_CALL
    assert "is not the memory of a station" in done.stderr
