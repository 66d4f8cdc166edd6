"""What comes from outside is checked in words: `python -O` takes every assert away."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stations import new_station

PACKAGE = Path(__file__).parents[2] / "rfid_station"
MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
CARDS = {"link": "ntag213", "sun": "ntag424"}
RUN_EACH = """
import json, sys
from rfid_station.cli.app import app
assert False, "not under -O"
for command in json.loads(sys.argv[1]):
    app(command, standalone_mode=False)
"""


@pytest.mark.parametrize("module", MODULES)
def test_no_module_asserts(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text())
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize(("profile", "chip"), CARDS.items())
def test_cards_are_made_and_verified_under_python_o(tmp_path: Path, profile: str, chip: str) -> None:
    folder = new_station(tmp_path / "station")
    deck = folder / "deck.json"
    ring = {"RFID_STATION_KEYS__PASSPHRASE": "env:DESK_PHRASE", "DESK_PHRASE": "four words by chance"}
    commands = [
        ["key", "new", "cards"],
        ["card", "issue", "--profile", profile, "--reader", f"sim:{chip}?deck={deck}"],
        ["card", "verify", "--reader", f"sim:{chip}?deck={deck}&start=0"],
    ]
    asked = json.dumps([["--station", str(folder), *command] for command in commands[profile == "link" :]])
    done = subprocess.run(
        [sys.executable, "-O", "-c", RUN_EACH, asked],
        env=os.environ | ring,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "as it should be" in done.stdout
