"""`stock` as a person and a script use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batch_files import nxp_uids
from command_line import RUNNER, rows, run
from terminal import at_a_terminal

from rfid_station.cli.app import app
from rfid_station.errors import ExitCode

RECEIVE = ("stock", "receive", "L1", "--supplier", "Maker", "--chip", "NTAG203", "--quantity", "30")


def as_supervisor(folder: Path, *arguments: str) -> int:
    return RUNNER.invoke(app, ["--station", str(folder), "--role", "supervisor", *arguments]).exit_code


def lot(folder: Path) -> dict[str, object]:
    (row,) = rows(run(folder, "stock", "show", "--json"))
    return row


def test_received_sampled_released_and_used(folder: Path) -> None:
    got = run(folder, *RECEIVE, "--reader", "sim:ntag203?count=9")
    assert got.exit_code == 0, got.output
    assert "tap 3 blanks of lot L1 on sim:ntag203?count=9 (ISO 2859-1, level S-2)" in got.stderr
    assert "ok    3/3  as it should be" in got.stderr
    assert got.stdout == "lot L1 is released: a sample of 3 was good\n"
    issued = run(folder, "card", "issue", "--lot", "L1", "--count", "2", "--reader", "sim:ntag203?count=2")
    assert issued.exit_code == 0, issued.output
    shown = lot(folder)
    assert (shown["on_hand"], shown["issued"], shown["places"]) == (28, 2, {"desk-1": 28})
    told = run(folder, "stock", "show", "L1")
    assert "L1, NTAG203 from Maker" in told.stdout
    assert "in work" in told.stdout
    entries = json.loads(run(folder, "stock", "show", "L1", "--json").stdout)["entries"]
    assert [entry["to"] for entry in entries] == [
        "on hand at desk-1",
        *["in work", "issued"] * 2,
    ]
    assert run(folder, "store", "check").exit_code == 0


def test_a_bad_sample_ends_with_4_and_holds(folder: Path) -> None:
    got = run(folder, *RECEIVE, "--sample", "1", "--reader", "sim:ntag213")
    assert got.exit_code == ExitCode.CARD_REFUSED
    assert "error: lot L1 is held: 1 of 1 in the sample are bad; one is a NTAG213" in got.stderr
    assert lot(folder)["state"] == "held"
    assert run(folder, "stock", "release", "L1", "--reason", "x").exit_code == ExitCode.CONFLICT
    assert run(folder, "stock", "sample", "L1", "--reader", "sim:ntag203?count=3").exit_code == 6
    held = run(folder, "card", "issue", "--lot", "L1", "--reader", "sim:ntag203")
    assert (held.exit_code, "tap the next card" in held.stderr) == (ExitCode.CONFLICT, False)
    assert as_supervisor(folder, "stock", "release", "L1", "--reason", "the maker said why") == 0
    assert lot(folder)["state_reason"] == "the maker said why"
    assert run(folder, "stock", "hold", "L1", "--reason", "recalled").exit_code == 0
    assert lot(folder)["state"] == "held"


def test_without_a_sample_only_a_supervisor_releases(folder: Path) -> None:
    none = ("--no-sample", "--reason", "from the other desk")
    assert run(folder, *RECEIVE, *none).stdout == "lot L1 is held: no sample: from the other desk\n"
    assert as_supervisor(folder, *[word.replace("L1", "L2") for word in RECEIVE], *none) == 0
    states = [row["state"] for row in rows(run(folder, "stock", "show", "--json"))]
    assert states == ["held", "released"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--no-sample",), "--no-sample takes a reason"),
        (("--no-sample", "--sample", "1"), "are two things"),
        (("--no-sample", "--reason", "x", "--chip", "NTAG2013"), "no chip is called 'NTAG2013'"),
        (("--no-sample", "--reason", "x", "--uids", "none.csv"), "there is no file none.csv"),
    ],
)
def test_wrong_calls_book_nothing(folder: Path, more: tuple[str, ...], words: str) -> None:
    refused = run(folder, *RECEIVE, *more)
    assert refused.exit_code == ExitCode.WRONG_CALL
    assert words in refused.stderr
    assert rows(run(folder, "stock", "show", "--json")) == []


def test_without_a_reader_nothing_is_booked(folder: Path) -> None:
    assert run(folder, *RECEIVE, "--reader", "sim:ntag9").exit_code != 0
    assert rows(run(folder, "stock", "show", "--json")) == []


def test_counted_moved_kept_destroyed(folder: Path) -> None:
    as_supervisor(folder, *RECEIVE, "--no-sample", "--reason", "known")
    assert run(folder, "stock", "count", "L1=30").exit_code == 0
    short = run(folder, "stock", "count", "L1=29")
    assert short.exit_code == ExitCode.CONFLICT
    assert "30" not in short.output
    assert "add --witness NAME" in short.stderr
    found = run(folder, "stock", "count", "L1=29", "--witness", "Sue", "--json")
    assert rows(found) == [{"lot": "L1", "place": "desk-1", "counted": 29, "variance": -1, "witness": "Sue"}]
    assert "1 blank missing, seen by Sue" in found.stderr
    assert run(folder, "stock", "transfer", "L1", "9", "--to", "cellar").exit_code == 0
    assert run(folder, "stock", "keep", "L1", "2", "--reason", "tests").exit_code == 0
    alone = run(folder, "stock", "destroy", "L1", "1", "--what", "samples", "--reason", "bent")
    assert alone.exit_code == ExitCode.CONFLICT
    with_sue = ("--reason", "bent", "--witness", "Sue")
    assert run(folder, "stock", "destroy", "L1", "1", "--what", "samples", *with_sue).exit_code == 0
    shown = lot(folder)
    assert {key: shown[key] for key in ("received", "on_hand", "samples", "destroyed", "missing")} == {
        "received": 30,
        "on_hand": 27,
        "samples": 1,
        "destroyed": 1,
        "missing": 1,
    }
    assert shown["places"] == {"cellar": 9, "desk-1": 18}
    assert run(folder, "stock", "transfer", "L1", "99", "--to", "cellar").exit_code == ExitCode.CONFLICT
    assert run(folder, "stock", "count", "L1").exit_code == ExitCode.WRONG_CALL
    assert run(folder, "stock", "count").exit_code == ExitCode.WRONG_CALL
    assert run(folder, "stock", "destroy", *with_sue).exit_code == ExitCode.WRONG_CALL


def test_a_spoiled_card_is_destroyed_by_its_number(folder: Path) -> None:
    as_supervisor(folder, *RECEIVE, "--no-sample", "--reason", "known")
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('"at_issue"', '"by_hand"'))
    (card,) = rows(run(folder, "card", "issue", "--count", "1", "--reader", "sim:ntag203", "--json"))
    with_sue = ("--card", card["number"], "--reason", "bent", "--witness", "Sue")
    assert run(folder, "stock", "destroy", *with_sue).exit_code == ExitCode.CONFLICT
    run(folder, "card", "spoil", card["number"], "--yes")
    assert (
        run(folder, "stock", "destroy", *with_sue).stdout
        == f"card {card['number']} is destroyed, seen by Sue\n"
    )
    assert run(folder, "stock", "destroy", *with_sue).exit_code == ExitCode.CONFLICT
    assert (lot(folder)["spoiled"], lot(folder)["destroyed"]) == (0, 1)


def test_a_makers_cards_are_taken_from_their_lot(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["uid", *(uid.hex() for uid in nxp_uids(31))]) + "\n")
    receive = [word.replace("NTAG203", "NTAG213") for word in RECEIVE]
    assert as_supervisor(folder, *receive, "--uids", str(path), "--no-sample", "--reason", "known") == 0
    without = run(folder, "batch", "run", path)
    assert without.exit_code == ExitCode.CONFLICT
    assert "is a blank of lot L1: add --lot L1" in without.stdout
    too_many = run(folder, "batch", "run", path, "--lot", "L1")
    assert too_many.exit_code == ExitCode.CONFLICT
    assert "lot L1 has 30 on hand at desk-1, and 31 are to be taken" in too_many.stderr
    assert lot(folder)["issued"] == 0
    path.write_text("\n".join(path.read_text().splitlines()[:13]) + "\n")
    for _ in range(2):
        assert run(folder, "batch", "run", path, "--lot", "L1").exit_code == 0
        assert (lot(folder)["on_hand"], lot(folder)["issued"]) == (18, 12)
    (card, *_) = rows(run(folder, "card", "list", "--json"))
    assert card["chip"] == "NTAG213"
    assert run(folder, "store", "check").exit_code == 0
    assert run(folder, "batch", "run", path, "--lot", "L9").exit_code == ExitCode.WRONG_CALL


def test_at_a_terminal_a_person_is_asked_and_never_told(folder: Path) -> None:
    as_supervisor(folder, *RECEIVE, "--no-sample", "--reason", "known")
    with at_a_terminal(folder, "stock", "count") as terminal:
        terminal.answer("count: blanks of lot L1 (NTAG203) at desk-1", "29")
        terminal.answer("count once more: blanks of lot L1 (NTAG203) at desk-1", "29")
        assert terminal.end() == ExitCode.CONFLICT
    assert "30" not in terminal.shown
