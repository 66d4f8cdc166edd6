"""Only the noun that is called is built; for whoever looks, all are there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run
from typer import testing

from rfid_station.cli.app import app

NOUNS = {
    "reader",
    "card",
    "batch",
    "stock",
    "driver",
    "key",
    "sheet",
    "letter",
    "label",
    "order",
    "packing",
    "shift",
    "operator",
    "partner",
    "report",
    "sync",
    "store",
    "simulate",
}
PROBE = """
import sys
from rfid_station.cli.app import main
sys.argv = ["rfid-station", *sys.argv[1].split()]
try:
    main()
except SystemExit:
    pass
print(*(name.rpartition(".")[2] for name in sys.modules if name.startswith("rfid_station.cli.")))
"""


def loaded_by(command: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROBE, command], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) & NOUNS


@pytest.mark.parametrize(
    ("command", "nouns"),
    [
        ("--version", set()),
        ("label print --help", {"letter"}),
        ("partner list --help", {"partner"}),
        ("--help", NOUNS),
    ],
)
def test_what_a_command_loads(command: str, nouns: set[str]) -> None:
    assert loaded_by(command) == nouns - {"label"}


def test_the_help_names_all(tmp_path: Path) -> None:
    listed = run(tmp_path, "--help").output.partition("Commands:")[2]
    names = {line.split()[0] for line in listed.splitlines() if line[:3].strip()}
    assert names == NOUNS | {"serve", "init", "doctor", "demo"}


def test_the_nearest_noun_is_offered() -> None:
    testing._get_command.cache_clear()  # nothing is built yet
    result = testing.CliRunner().invoke(app, ["partnr", "list"])
    assert result.exit_code == 2
    assert "error: no such command 'partnr'. Did you mean 'partner'?" in result.output


@pytest.mark.parametrize(
    ("typed", "offered"), [("rfid-station pack", "packing"), ("rfid-station card pr", "printers")]
)
def test_completion_knows_what_is_not_built(typed: str, offered: str) -> None:
    asked = {
        "_RFID_STATION_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-m", "rfid_station"], env={**os.environ, **asked}, capture_output=True, text=True
    )
    assert offered in done.stdout.split()


@pytest.mark.parametrize(
    ("call", "error", "hint"),
    [
        ("--nope card list", "no such option: --nope", "rfid-station --help"),
        ("--role king card list", "invalid value for '--role': 'king' is not one of", "rfid-station --help"),
        ("card block", "missing argument 'NUMBER'", "rfid-station card block --help"),
        ("card blok", "no such command 'blok'. Did you mean 'block'", "rfid-station card --help"),
        (
            "card block X --reason odd",
            "invalid value for '--reason': 'odd' is not",
            "rfid-station card block --help",
        ),
    ],
)
def test_a_call_that_cannot_be_read_is_said_as_every_error_is(call: str, error: str, hint: str) -> None:
    result = testing.CliRunner().invoke(app, call.split(), prog_name="rfid-station")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {error}")
    assert result.stderr.endswith(f"\n\nhint: {hint}\n")
