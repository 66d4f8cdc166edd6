"""Errors say in which line and column of a template they are."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfid_station.errors import WrongCall
from rfid_station.printing.design_file import load_design
from rfid_station.printing.template_places import EntryPath, Places, Position
from rfid_station.shipped import shipped

TEXT = '''# a comment with [brackets] and "quotes"
title = "One # two"
"quoted.key" = 'x = 1'
size = [
  85.60, # width
  53.98,
]
deep.dotted.key = 1979-05-27 07:32:00

[colors.accent]
rgb = """
#[not] = a table"""
when = { driver = "", "fleet" = ['a', "]"] }

[[front]]
kind = "text"

[[front]]
kind = "text" # the second
text = "Card {visual_nr} of {issuer}"

[front.sub]
x = 1
'''


@pytest.mark.parametrize(
    ("path", "within", "line", "column"),
    [
        (("title",), "", 2, 1),
        (("title",), "two", 2, 16),
        (("quoted.key",), "", 3, 1),
        (("size", 1), "", 6, 3),
        (("deep", "dotted", "key"), "", 8, 1),
        (("colors", "accent"), "", 10, 1),
        (("colors", "accent", "rgb"), "", 11, 1),
        (("colors", "accent", "when"), "", 13, 1),
        (("colors", "accent", "when", "fleet"), "", 13, 23),
        (("front", 1), "", 18, 1),
        (("front", 1, "text"), "{visual_nr", 20, 14),
        (("front", 1, "sub", "x"), "", 23, 1),
    ],
)
def test_places(path: EntryPath, within: str, line: int, column: int) -> None:
    assert Places(TEXT).of(path, within) == Position(line, column)


def test_what_is_not_there_has_no_place() -> None:
    assert Places(TEXT).of(("front", 2)) is None


def entries(value: object, path: EntryPath = ()) -> Iterator[EntryPath]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from entries(each, (*path, key))


@pytest.mark.parametrize("file", sorted(shipped("templates").glob("*/*.toml")), ids=lambda file: file.stem)
def test_every_entry_of_what_ships_has_a_place(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    places = Places(text)
    lines = text.splitlines()
    for path in entries(tomllib.loads(text)):
        position = places.of(path)
        assert position
        if path and isinstance(path[-1], str):
            assert path[-1] in lines[position.line - 1][position.column - 1 :]


@given(st.text(), st.text(st.characters(codec="utf-8")))
def test_strings_are_stepped_over(one: str, other: str) -> None:
    def quoted(text: str) -> str:
        escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\\x7f' else c for c in text)
        return f'"{escaped}"'

    text = f"a = {quoted(one)}\nb = [{quoted(other)}, {quoted(one)}]\nlast = 1\n"
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert Places(text).of(("last",)) == Position(text.rstrip("\n").count("\n") + 1, 1)
    assert Places(text).of(("b", 1))


def test_errors_say_where(template: Callable[..., Path]) -> None:
    text = """title = "a"
size = [85.60, 53.98]

[[front]]
kind = "text"
text = "Number {visual_nr}"
at = [6, 12]
width = 50
size = 8
color = "black"
"""
    folder = template("cards", text)
    with pytest.raises(WrongCall) as caught:
        load_design("own", [folder])
    file = folder / "cards" / "own.toml"
    assert caught.value.message == (
        f"{file}:6:16: front 1 (text): text names the unknown field {{visual_nr}}"
    )
    assert (caught.value.hint or "").startswith("did you mean 'visual_number'? ")
    template("cards", text.replace("{visual_nr}", "{issuer}").replace("width = 50", "widht = 50"))
    with pytest.raises(WrongCall, match=r"own\.toml:4:1: front 1 \(text\): width is missing"):
        load_design("own", [folder])
    problems: list[WrongCall] = []
    template(
        "cards", text.replace("size = 8", 'size = 8\nsice = 8\n\n[[front]]\nkind = "fill"\ncolour = "a"')
    )
    load_design("own", [folder], problems)
    assert [problem.message.removeprefix(str(file)) for problem in problems] == [
        ":6:16: front 1 (text): text names the unknown field {visual_nr}",
        ":14:1: front 2 (fill): 'colour' is not an entry here",
    ]
