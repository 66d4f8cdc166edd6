"""No benchmark asks for a name that has moved: they run seldom, and would be found broken when needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def asked_for(script: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rfid_station"):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("script", sorted(BENCHMARKS.glob("*.py")), ids=lambda path: path.stem)
def test_what_it_asks_of_the_program_is_there(script: Path) -> None:
    missing = [
        f"{module}.{name}"
        for module, name in asked_for(script)
        if not hasattr(import_module(module), name) and find_spec(f"{module}.{name}") is None
    ]
    assert missing == []
