"""Each line of docs/security.md has its test: what is named there exists, and runs."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@cache
def _functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in _functions_of(file)


def test_every_line_that_claims_something_names_its_test() -> None:
    lines = PAGE[: PAGE.index("## What nothing here stops")].splitlines()
    tables = [line for line in lines if line.startswith("|") and not line.startswith("|---")]
    heads = ("| secret |", "| claim |", "| would like to |")
    secrets = PAGE[PAGE.index("| secret |") : PAGE.index("A new station's folder")]
    claims = [line for line in tables if not line.startswith(heads) and line not in secrets]
    assert len(claims) > 40
    assert [line for line in claims if "`tests/" not in line] == []
    assert all(re.search(r"`tests/[\w/]+\.py::test_\w+`", line) for line in claims)
