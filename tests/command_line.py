"""The command line as a user types it, in this process."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from typer import testing
from typer.testing import CliRunner, Result

from rfid_station.cli.app import app

# The tree of commands takes ten times as long to build as to ask, and is the same each time.
testing._get_command = cache(testing._get_command)

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
