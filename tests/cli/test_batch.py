"""`batch check|run|resume|status|export` as a script uses it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from batch_files import nxp_uids
from command_line import RUNNER, rows, run

from rfid_station.cli.app import app
from rfid_station.errors import ExitCode

UIDS = nxp_uids(12)


def makers_list(folder: Path, *more: str) -> Path:
    path = folder / "lot7.csv"
    lines = [f"{uid.hex()};=R{n};Driver {n}" for n, uid in enumerate(UIDS)]
    path.write_text("\n".join(["UID;Referenz;Name", *lines, *more]) + "\n", "cp1252")
    return path


def test_check_says_all_at_once_and_changes_nothing(folder: Path, tmp_path: Path) -> None:
    path = makers_list(tmp_path, "banana;x;y", ";a;b")
    result = run(folder, "batch", "check", path)
    assert result.exit_code == ExitCode.WRONG_CALL
    assert "error: row 14, UID 'banana' is no UID\n  write 8, 14 or 20" in result.stdout
    assert "error: row 15, UID: is empty" in result.stdout
    assert "14 rows, 12 good, 0 done before; 2 errors, 12 warnings" in result.stderr
    lines = [json.loads(line) for line in run(folder, "batch", "check", path, "--json").stdout.splitlines()]
    assert {line["kind"] for line in lines[:-1]} == {"finding"}
    assert [line["row"] for line in lines if line.get("level") == "error"] == [14, 15]
    assert lines[-1]["kind"] == "summary"
    assert (lines[-1]["errors"], lines[-1]["good"], lines[-1]["file"]) == (2, 12, "cards")
    assert rows(run(folder, "card", "list", "--json")) == []


def test_run_status_export_and_the_same_file_again(folder: Path, tmp_path: Path) -> None:
    path, result_file = makers_list(tmp_path), tmp_path / "result.csv"
    assert run(folder, "batch", "status", path).exit_code == ExitCode.PENDING
    done = run(folder, "batch", "run", path, "--result", result_file)
    assert done.exit_code == ExitCode.DONE, done.output
    assert "12 rows: 12 done, 0 done before, 0 wrong" in done.stderr
    written = list(csv.DictReader(result_file.read_text().splitlines()))
    assert [row["reference"] for row in written] == [f"'=R{n}" for n in range(12)]
    assert {row["result"] for row in written} == {"done"}
    assert {row["state"] for row in written} == {"active"}
    for command in ("run", "resume"):
        again = run(folder, "batch", command, path)
        assert "0 done, 12 done before" in again.stderr
    status = json.loads(run(folder, "batch", "status", path, "--json").stdout)
    assert status == {"order": "lot7", "done": 12, "open": 0, "wrong": 0}
    exported = run(folder, "batch", "export", path)
    assert exported.stdout == result_file.read_text()
    told = rows(run(folder, "batch", "export", path, "--json"))
    assert told[0]["reference"] == "=R0"


def test_partial_ends_with_the_exit_code_of_what_was_left_out(folder: Path, tmp_path: Path) -> None:
    path, result_file = makers_list(tmp_path, "banana;x;y"), tmp_path / "result.csv"
    refused = run(folder, "batch", "run", path, "--result", result_file)
    assert refused.exit_code == ExitCode.WRONG_CALL
    assert [row["result"] for row in csv.DictReader(result_file.read_text().splitlines())] == [
        "open"
    ] * 12 + ["wrong"]
    left_out = run(folder, "batch", "run", path, "--partial", "--json")
    assert left_out.exit_code == ExitCode.WRONG_CALL
    assert json.loads(left_out.stdout.splitlines()[-1])["done"] == 12
    other = run(folder, "batch", "check", makers_list(tmp_path), "--order", "other")
    assert other.exit_code == ExitCode.CONFLICT


def test_standard_input_needs_a_name_for_the_order(folder: Path, tmp_path: Path) -> None:
    text = makers_list(tmp_path).read_bytes()
    nameless = RUNNER.invoke(app, ["--station", str(folder), "batch", "run", "-"], input=text)
    assert nameless.exit_code == ExitCode.WRONG_CALL
    assert "add --order NAME" in nameless.stderr
    named = RUNNER.invoke(app, ["--station", str(folder), "batch", "run", "-", "--order", "lot7"], input=text)
    assert named.exit_code == ExitCode.DONE, named.output
    assert "12 done before" in run(folder, "batch", "run", makers_list(tmp_path)).stderr
