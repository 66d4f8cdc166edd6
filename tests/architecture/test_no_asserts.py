"""What comes from outside is checked in words: `python -O` takes every assert away."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from stations import new_station

PACKAGE = Path(__file__).parents[2] / "rfid_station"
RUN_EACH = """
import json, sys
from rfid_station.cli.app import app
assert False, "not under -O"
for command in json.loads(sys.argv[1]):
    app(command, standalone_mode=False)
"""


def test_no_module_asserts() -> None:
    modules = {str(path.relative_to(PACKAGE)): asserts_of(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert len(modules) > 500
    assert {module: lines for module, lines in modules.items() if lines} == {}


def asserts_of(source: str) -> list[int]:
    """The lines of assert statements; what has not even the word is not parsed."""
    tree = ast.parse(source if "assert" in source else "")
    return [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_cards_are_made_and_verified_under_python_o(tmp_path: Path) -> None:
    """Those without keys at a station that has no key ring yet."""
    folder = new_station(tmp_path / "station")
    ring = {"RFID_STATION_KEYS__PASSPHRASE": "env:DESK_PHRASE", "DESK_PHRASE": "four words by chance"}
    commands = [
        *made_and_verified(folder, "link", "ntag213"),
        ["key", "new", "cards"],
        *made_and_verified(folder, "sun", "ntag424"),
    ]
    asked = json.dumps([["--station", str(folder), *command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-O", "-c", RUN_EACH, asked],
        env=os.environ | ring,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("as stranger  as it should be") == 2
    assert "with keys    cards:1, as it should be" in done.stdout


def made_and_verified(folder: Path, profile: str, chip: str) -> list[list[str]]:
    reader = f"sim:{chip}?deck={folder / f'{chip}.json'}"
    return [
        ["card", "issue", "--profile", profile, "--reader", reader],
        ["card", "verify", "--reader", f"{reader}&start=0"],
    ]
