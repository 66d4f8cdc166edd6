"""The example of docs/python.md runs as it stands, and needs nothing of the command line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import rfid_station.desk

DOCS = Path(__file__).parents[2] / "docs"


def in_a_process(code: str, folder: Path) -> list[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_the_documented_script_runs_as_it_stands(tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text("utf-8"), re.DOTALL)
    tail = "import sys\nprint([name for name in sys.modules if name.startswith('rfid_station.cli')])\n"
    made, registered, found, say, stopped, pdf, behind, cli = in_a_process(script + tail, tmp_path)
    assert (made, registered) == ("2 made, 0 failed", "2 registered, then 0")
    assert re.fullmatch(r"\['EXM-\d{4}-\d{4}-\d'\]", found)
    assert say == "Your card is active. No charging network knows it yet."
    assert (stopped, behind, cli) == ("blocked []", "[]", "[]")
    assert Path(tmp_path, pdf).read_bytes().startswith(b"%PDF")


def test_a_name_costs_what_it_needs(tmp_path: Path) -> None:
    code = (
        "import sys, rfid_station.desk\nprint(sum(name.startswith('rfid_station') for name in sys.modules))"
    )
    assert in_a_process(code, tmp_path) == ["2"]
    code = (
        "import sys\nfrom rfid_station.desk import find_cards\n"
        "print({'reportlab', 'pyreqwest', 'smartcard', 'typer', 'sqlalchemy'} & set(sys.modules))"
    )
    assert in_a_process(code, tmp_path) == ["set()"]


def test_every_name_is_there_and_documented() -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    for name in rfid_station.desk.__all__:
        assert getattr(rfid_station.desk, name)
        assert f"`{name}" in text or f"{name}`" in text, name
    assert not hasattr(rfid_station.desk, "nothing_of_the_kind")
