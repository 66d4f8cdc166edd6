from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rfid_station.printing.brand import Brand, load_brand
from rfid_station.printing.design import CardDesign
from rfid_station.printing.design_file import load_design
from rfid_station.printing.layout import SheetLayout, load_layout

PLAIN_DESIGN = """
title = "Plain"
size = [85.60, 53.98]

[[front]]
kind = "fill"
color = "accent"

[[front]]
kind = "text"
text = "{visual_number}"
at = [6, 12]
width = 60
size = 10
min_size = 6
color = "black"
"""


@pytest.fixture
def classic() -> CardDesign:
    return load_design("classic")


@pytest.fixture
def example() -> Brand:
    return load_brand("example")


@pytest.fixture
def a4() -> SheetLayout:
    return load_layout("a4-10up")


@pytest.fixture
def faces() -> Callable[[int], list[dict[str, str]]]:
    def make(count: int) -> list[dict[str, str]]:
        return [
            {
                "visual_number": f"EXM-{1000 + 37 * n:04d}-{(7919 * n) % 10_000:04d}-{n % 10}",
                "contract_id": f"DE-EXM-C{4711 + n:08d}-X",
                "qr_link": f"HTTPS://CARD.EXAMPLE.COM/C/{n:04d}7QX4M2KD",
            }
            for n in range(count)
        ]

    return make


@pytest.fixture
def template(tmp_path: Path) -> Callable[..., Path]:
    """Writes a template into a user's folder and returns the folder."""

    def write(folder: str, text: str, name: str = "own") -> Path:
        path = tmp_path / folder / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def plain(template: Callable[..., Path]) -> Callable[[str], CardDesign]:
    """A design of one colour and the visual number, with more layers behind them."""

    def load(layers: str = "") -> CardDesign:
        return load_design("own", [template("cards", PLAIN_DESIGN + layers)])

    return load
