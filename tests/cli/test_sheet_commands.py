"""`sheet`, `letter`, `label` and `packing` by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run
from stations import CLERK, LINES, issue_from

from rfid_station.desk.station import open_station


@pytest.fixture
def issued(folder: Path) -> Path:
    with open_station(folder, CLERK) as station:
        issue_from(station, "sim:ntag213?count=3", LINES)
    return folder


def test_sheets_are_listed(folder: Path) -> None:
    rows = [json.loads(line) for line in run(folder, "sheet", "layouts", "--json").stdout.splitlines()]
    assert {row["name"] for row in rows} >= {"a4-10up", "letter-9up", "sra3-21up", "labels-l7160"}


def test_a_sheet_with_its_options(issued: Path) -> None:
    options = ("--sheet", "letter-9up", "--start", "4", "--order", "column", "--per-file", "2", "--json")
    made = json.loads(run(issued, "sheet", "print", *options).stdout)
    assert [(file["job"], file["cards"]) for file in made["files"]] == [(1, 2), (2, 1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--order", "pile"), "--order cannot be 'pile'"),
        (("--flip", "left"), "--flip cannot be 'left'"),
        (("--side", "top"), "--side cannot be 'top'"),
        (("--side", "back"), "has no back"),
        (("--offset", "1"), "--offset cannot be '1'"),
        (("--offset", "1,99"), "--offset cannot be '1,99'"),
        (("--offset", "nan,1"), "--offset cannot be 'nan,1'"),
        (("--start", "11"), "position 11 is not on the sheet a4-10up"),
        (("--sheet", "a4"), "there is no sheet 'a4'"),
        (("--sheet", "labels-5160"), "the sheet labels-5160 is for labels"),
        (("--onto", "7"), "there is no print job 7"),
    ],
)
def test_what_cannot_be_printed(issued: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(issued, "sheet", "print", *arguments)
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert "hint:" in done.stderr
    prints = issued / "prints"
    assert not prints.exists() or list(prints.iterdir()) == []


def test_the_calibration_page(folder: Path) -> None:
    done = run(folder, "sheet", "calibrate", "--flip", "short", "--offset", "0.5,-1")
    assert Path(done.stdout.strip()).read_bytes().startswith(b"%PDF")


def test_letters_labels_and_the_packing_list(issued: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("reference,name,street,city\n1,Driver 1,Street 1,Town\n", "utf-8")
    letters = json.loads(run(issued, "letter", "print", "--addresses", str(file), "--json").stdout)
    assert (letters["pages"], letters["cards"]) == (3, 3)
    labels = json.loads(run(issued, "label", "print", str(file), "--start", "2", "--json").stdout)
    assert (labels["pages"], labels["cards"]) == (1, 1)
    packing = run(issued, "packing", "list", "fleet")
    assert Path(packing.stdout.strip()).name == "packing-fleet.pdf"
    assert run(issued, "packing", "list", "none").exit_code == 2
