"""A fleet file is read as it is, in whatever dialect it was written."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest
from batch_files import bomb, findings_of, table_bytes, workbook_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from rfid_station.desk.batch import workbook
from rfid_station.desk.batch.findings import Cause
from rfid_station.desk.batch.reading import STDIN, open_table
from rfid_station.errors import WrongCall

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
HEADER = ["reference", "name", "fleet", "language"]


def read(path: Path) -> list[list[str]]:
    with open_table(path) as table:
        first = [row.cells for row in table.rows()]
        assert first == [row.cells for row in table.rows()]
        return first


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.lists(
            st.text(
                st.characters(codec="cp1252", exclude_categories=["C"]) | st.sampled_from(',;\t|"\n\r'),
                max_size=12,
            ),
            min_size=4,
            max_size=4,
        ).filter(lambda row: any(cell.strip() for cell in row)),
        max_size=6,
    ),
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\r\n", "\n"]),
)
def test_every_dialect_round_trips(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], encoding: str, delimiter: str, end: str
) -> None:
    path = tmp_path_factory.mktemp("dialect") / "fleet.csv"
    if encoding == "cp1252":
        rows = [*rows, ["ü", "é", "ß", "ø"]]
    path.write_bytes(table_bytes([HEADER, *rows], encoding=encoding, delimiter=delimiter, end=end))
    assert read(path) == [[cell.strip() for cell in row] for row in rows]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8),
            min_size=4,
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_workbook_of_texts_round_trips(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("book") / "fleet.xlsx"
    quoted = [[f"x{cell}" for cell in row] for row in rows]
    path.write_bytes(workbook_bytes([HEADER, *quoted]))
    assert read(path) == quoted


def test_a_spreadsheets_own_hint_names_the_delimiter(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_bytes("sep=|\r\nreference|name, or nick; or other|fleet\r\n1|Anna|F\r\n".encode("utf-16"))
    assert read(path) == [["1", "Anna", "F"]]


def test_a_delimiter_is_told_by_the_header_and_not_by_what_is_frequent(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text("reference;name, nick, nick, nick;fleet\n1;a,b,c,d;F\n")
    assert read(path) == [["1", "a,b,c,d", "F"]]


def test_german_titles_are_known_in_any_writing(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text("FAHRER_ID;Vollständiger Name;Firma;Sprache\n1;Anna;F;DE\n", "cp1252")
    assert findings_of(path) == []


def test_old_line_ends_and_blank_rows(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_bytes(b"reference,name\r1,Anna\r,\r\r2,Bram\r")
    with open_table(path) as table:
        assert [(row.number, row.cells[0]) for row in table.rows()] == [(2, "1"), (5, "2")]


def test_cells_of_a_workbook_are_what_they_show(tmp_path: Path) -> None:
    path = tmp_path / "fleet.xlsx"
    rows = [
        ["reference", "name"],
        [7, True],
        [date(2026, 3, 1), 1.5],
        [1234567890123456, "=1+1"],
        [None, "x"],
    ]
    path.write_bytes(workbook_bytes(rows, {"A2": "00000"}))
    assert read(path) == [["00007", "TRUE"], ["2026-03-01", "1.5"], ["1.23456789012346E+15", ""], ["", "x"]]


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"PK\x03\x04" + b"x" * 500, bomb(40 << 20), table_bytes([["a"]])[:0] + b"\0\0\0\x01"],
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fleet.xlsx"
    path.write_bytes(content)
    with pytest.raises(WrongCall) as caught, open_table(path) as table:
        list(table.rows())
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    path.write_bytes(bomb(40 << 20))
    with pytest.raises(WrongCall, match="40 MB packed more than 200 times smaller"), open_table(path):
        pass


@pytest.mark.parametrize(
    ("limit", "words"),
    [("MOST_UNPACKED", "MB unpacked"), ("MOST_SHARED", "texts and styles"), ("MOST_ROWS", "rows or")],
)
def test_each_bound_of_a_workbook_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    path = tmp_path / "fleet.xlsx"
    path.write_bytes(workbook_bytes([["reference", "name"], ["1", "Anna"]]))
    assert read(path) == [["1", "Anna"]]
    monkeypatch.setattr(workbook, limit, 1)
    with pytest.raises(WrongCall, match=words):
        read(path)


def test_an_entity_bomb_in_a_workbook_is_refused(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "fleet.xlsx"
    good = io.BytesIO(workbook_bytes([["reference"], ["1"]]))
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            if part == "xl/worksheets/sheet1.xml":
                content = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + content.split(b"?>")[-1]
            new.writestr(part, content)
    with pytest.raises(WrongCall, match="cannot be read"):
        read(path)


def test_standard_input_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"reference;name\n1;Anna\n")

    monkeypatch.setattr("sys.stdin", Stdin)
    assert read(STDIN) == [["1", "Anna"]]


def test_a_quote_that_is_never_closed_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text('reference,name\n1,Anna\n2,"Bram"x\n3,Chloe\n4,"Dan\n5,Eva\n')
    found = [(finding.row, finding.cause) for finding in findings_of(path)]
    assert found == [(3, Cause.SHAPE), (5, Cause.SHAPE)]
