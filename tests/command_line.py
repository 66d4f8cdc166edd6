"""The command line as a user types it, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from rfid_station.cli.app import app

RUNNER = CliRunner()


def run(folder: Path, *arguments: str | Path) -> Result:
    """Call `rfid-station --station FOLDER …`; what nobody expected comes up as it is."""
    result = RUNNER.invoke(app, ["--station", str(folder), *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def rows(result: Result) -> list[dict[str, Any]]:
    """The JSON objects of a call that went well, one a line."""
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]
