"""The parts that must run, and be trusted, without anybody else's code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rfid_station

PACKAGE = Path(rfid_station.__file__).parent

PURE = {
    "domain": {"rfid_station.domain", "rfid_station.shipped", "rfid_station.errors"},
    # AES and 3DES are nobody's opinion: both sides may take them from the same library.
    # OCPP is spoken by somebody else's library on both sides.
    "simulator": {"rfid_station.simulator", "rfid_station.errors", "cryptography", "ocpp", "websockets"},
    "errors.py": set(),
    "shipped.py": {"rfid_station.errors"},
}


def imports(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: imports are absolute"
            yield str(node.module)


def is_allowed(module: str, ours: set[str]) -> bool:
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or any(f"{module}.".startswith(f"{name}.") for name in ours)


@pytest.mark.parametrize("part", PURE)
def test_imports_only_the_standard_library_and_what_lies_below(part: str) -> None:
    path = PACKAGE / part
    sources = [path] if path.is_file() else sorted(path.rglob("*.py"))

    strangers = {
        f"{source.relative_to(PACKAGE)} imports {module}"
        for source in sources
        for module in imports(source)
        if not is_allowed(module, PURE[part])
    }

    assert sources
    assert not strangers


@pytest.mark.parametrize("module", ["sqlmodel", "rfid_station.chip.ndef", "rfid_station.domainish"])
def test_a_stranger_is_noticed(module: str) -> None:
    assert not is_allowed(module, PURE["domain"])
