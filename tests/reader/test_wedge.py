"""What keyboard-wedge readers type."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rfid_station.cli.app import app
from rfid_station.domain.uid import why_unusable
from rfid_station.reader.wedge import Form, Layout, form_of, recognise

SEVEN, FOUR = bytes.fromhex("04E10CDA993C80"), bytes.fromhex("7186A61E")
SMALL = bytes.fromhex("04A2B3C4")

WRITTEN = [
    ("04E10CDA993C80", SEVEN, Form.HEX),
    ("04:e1:0c:da:99:3c:80", SEVEN, Form.HEX),
    ("04 E1 0C DA 99 3C 80\r\n", SEVEN, Form.HEX),
    ("\x0204E10CDA993C80\x03", SEVEN, Form.HEX),
    (";04E10CDA993C80?", SEVEN, Form.HEX),
    ("803C99DA0CE104", SEVEN, Form.HEX_REVERSED),
    ("1EA68671", FOUR, Form.HEX_REVERSED),
    ("7186A61E4F", FOUR, Form.HEX_WITH_BCC),
    ("8804E10C61DA993C80FF", SEVEN, Form.HEX_CASCADE),
    ("8804E10CDA993C80", SEVEN, Form.HEX_CASCADE),
    ("0000007186A61E", FOUR, Form.HEX_PADDED),
    ("7186A61E000000", FOUR, Form.HEX_PADDED),
    ("0077771716", SMALL, Form.DECIMAL),
    ("77771716", SMALL, Form.DECIMAL),
    ("3300106756", SMALL, Form.DECIMAL_REVERSED),
    (str(int.from_bytes(SEVEN)), SEVEN, Form.DECIMAL),
    (str(int.from_bytes(SEVEN[::-1])), SEVEN, Form.DECIMAL_REVERSED),
]


@pytest.mark.parametrize(("text", "uid", "form"), WRITTEN)
def test_with_the_uid_at_hand_the_form_is_certain(text: str, uid: bytes, form: Form) -> None:
    typed = form_of(text, uid)

    assert typed is not None
    assert (typed.form, typed.raw, typed.layout, typed.is_whole) == (form, uid, Layout.RIGHT, True)
    assert uid.hex().upper() not in typed.words


@pytest.mark.parametrize(
    ("text", "uid", "form"),
    [
        ("123,45678", bytes.fromhex("7BB26E1F"), Form.FACILITY),
        ("12345678", bytes.fromhex("7BB26E1F"), Form.FACILITY),
        ("12345678", bytes.fromhex("1F6EB27B"), Form.FACILITY),
        ("0012345678", bytes.fromhex("01BC614E"), Form.DECIMAL_3_BYTES),
        ("04E10CDA993C", SEVEN, Form.HEX_PART),
        ("04E10C", SEVEN, Form.HEX_PART),
    ],
)
def test_a_part_of_a_uid_is_named_as_one(text: str, uid: bytes, form: Form) -> None:
    typed = form_of(text, uid)

    assert typed is not None
    assert typed.form is form
    assert not typed.is_whole
    assert "part of a UID" in typed.words


def test_four_of_seven_bytes_are_not_taken_for_the_seven() -> None:
    assert form_of("04E10CDA", SEVEN) is None


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("à'e&àcdqçç\"cèà", Layout.AZERTY),
        (")$E!)CDA((#C&)", Layout.SHIFTED),
        ("=$E!=CDA))§C/=", Layout.SHIFTED_GERMAN),
    ],
)
def test_damage_of_the_keyboard_layout_is_undone_and_named(text: str, layout: Layout) -> None:
    typed = form_of(text, bytes.fromhex("04E10CDA993C70"))

    assert typed is not None
    assert typed.layout is layout
    assert f"{layout}" in typed.words


def test_nothing_is_turned_silently() -> None:
    first, second = recognise("7186A61E")

    assert (first.raw, first.form) == (FOUR, Form.HEX)
    assert (second.raw, second.form) == (FOUR[::-1], Form.HEX_REVERSED)


def test_an_nxp_uid_that_was_reversed_comes_first() -> None:
    assert [typed.form for typed in recognise("803C99DA0CE104")] == [Form.HEX_REVERSED, Form.HEX]


@pytest.mark.parametrize(
    "text",
    ["", "hello", "04E1", "0", "4E10CDA993C80", "12,", "999,99999", "a" * 40, "９" * 10],
)
def test_what_is_no_uid_fits_nothing(text: str) -> None:
    assert recognise(text) == []


@given(st.sampled_from([4, 7, 10]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
@settings(max_examples=200)
def test_each_usable_uid_is_found_again_in_hexadecimal_and_decimal(uid: bytes) -> None:
    if why_unusable(uid) is not None:
        return
    for text in (uid.hex(), uid.hex(":").upper(), uid[::-1].hex()):
        assert uid in [typed.raw for typed in recognise(text)]
    number = f"{int.from_bytes(uid):010}"
    if int.from_bytes(uid) >= 1 << 8 * (len(uid) - 1):
        assert uid in [typed.raw for typed in recognise(number)]


@given(st.text(max_size=40))
@settings(max_examples=200)
def test_any_text_is_read_or_not(text: str) -> None:
    for typed in recognise(text):
        assert not typed.is_whole or why_unusable(typed.raw) is None
        assert typed.words


RUNNER = CliRunner()


def test_the_command_names_all_forms_that_fit_and_with_the_uid_the_one() -> None:
    all_forms = RUNNER.invoke(app, ["reader", "typed", "0077771716", "--json"])
    one = RUNNER.invoke(app, ["reader", "typed", "--uid", "04A2B3C4", "--json"], input="0077771716\n")

    assert [json.loads(line)["form"] for line in all_forms.stdout.splitlines()][:2] == [
        "decimal",
        "decimal-reversed",
    ]
    (row,) = [json.loads(line) for line in one.stdout.splitlines()]
    assert row == {
        "uid": "04A2B3C4",
        "whole": True,
        "form": "decimal",
        "layout": "right",
        "words": "4-byte UID, decimal, the first byte as the highest",
    }


def test_the_command_reads_the_same_card_on_another_reader() -> None:
    reader = "sim:ntag213?uid=04E10CDA993C80"

    same = RUNNER.invoke(app, ["reader", "typed", "803C99DA0CE104", "--reader", reader])
    other = RUNNER.invoke(app, ["reader", "typed", "7186A61E", "--reader", reader])

    assert same.exit_code == 0
    assert "hex-reversed" in same.stdout
    assert other.exit_code == 5
    assert "does not write the UID of that card" in other.stderr


@pytest.mark.parametrize(("text", "words"), [("hello\n", "is no UID in any form"), ("", "nothing was typed")])
def test_the_command_says_when_nothing_fits(text: str, words: str) -> None:
    result = RUNNER.invoke(app, ["reader", "typed"], input=text)

    assert result.exit_code == 2
    assert words in result.stderr
