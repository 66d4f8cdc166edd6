"""What a command imports is what it costs before it does anything: 0.1 s, or 0.5 s with all that we use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COSTLY = {
    "PIL",
    "alembic",
    "cryptography",
    "fastapi",
    "ocpp",
    "pikepdf",
    "pypdfium2",
    "pyreqwest",
    "qrcode",
    "reportlab",
    "sqlalchemy",
    "sqlmodel",
    "uvicorn",
    "websockets",
}

RUN_AND_TELL = """
import json, sys
from rfid_station.cli.app import main
sys.argv = ["rfid-station", *sys.argv[1].split()]
try:
    main()
    code = 0
except SystemExit as stop:
    code = stop.code or 0
print(json.dumps({"exit_code": int(code), "modules": sorted(sys.modules)}), file=sys.__stderr__)
"""


def run(command: str, folder: Path) -> tuple[int, set[str]]:
    """The exit code of a command on a machine where nothing was set up, and the packages it imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RFID_STATION_")}
    environment |= {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    result = subprocess.run(
        [sys.executable, "-c", RUN_AND_TELL, command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(result.stderr.splitlines()[-1])
    return told["exit_code"], {name.partition(".")[0] for name in told["modules"]}


@pytest.mark.parametrize("command", ["--help", "--version", "card issue --help", "reader list"])
def test_a_light_command_imports_nothing_costly(command: str, tmp_path: Path) -> None:
    exit_code, packages = run(command, tmp_path)

    assert exit_code in ((0, 3) if command == "reader list" else (0,))
    assert not packages & COSTLY
    assert "rfid_station" in packages


def test_a_command_that_needs_the_store_is_seen_to_import_it(tmp_path: Path) -> None:
    """Without this, the test above could be passing because it looks in the wrong place."""
    _, packages = run("init", tmp_path)

    assert {"sqlalchemy", "sqlmodel"} <= packages
