"""A bill of materials of what a user installs, as CycloneDX JSON, from the wheels of `make setup`.

    python setup/sbom.py WHEELS TOOLS_PYTHON TARGET

The wheels go into an empty environment, so that nothing of what developing takes is listed. Where they came
from is left out: a file's name and SHA-256 say what it is.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def main(wheels: Path, tools: str, target: Path) -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as place:
        environment = Path(place) / "environment"
        _run(sys.executable, "-m", "venv", "--without-pip", str(environment))
        python = str(environment / "bin" / "python")
        files = sorted(map(str, wheels.glob("*.whl")))
        offline = ("--no-index", "--no-deps", "--no-compile", "--isolated")
        _run(sys.executable, "-m", "pip", "--python", python, "install", "-qq", *offline, *files)
        raw = Path(place) / "sbom.json"
        options = ("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON")
        _run(tools, "-m", "cyclonedx_py", "environment", *options, "-o", str(raw), python)
        document = json.loads(raw.read_text("utf-8"))
    document["metadata"]["component"]["version"] = _version()
    for component in document["components"]:
        component["externalReferences"] = [_without_place(one) for one in component["externalReferences"]]
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{target}: {len(document['components'])} components")


def _without_place(reference: dict[str, Any]) -> dict[str, Any]:
    is_local = str(reference["url"]).startswith("file:")
    return {**reference, "url": str(reference["url"]).rpartition("/")[2]} if is_local else reference


def _version() -> str:
    text = (ROOT / "rfid_station" / "__init__.py").read_text("utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    return found[1] if found else ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
