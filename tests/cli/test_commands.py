"""What a clerk and a support agent type, and what a script reads."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from command_line import RUNNER, rows, run
from stations import CLERK, LINES, issue_from

from rfid_station import __version__
from rfid_station.cli.app import app
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import Card, CardState
from rfid_station.errors import ExitCode

ROOT = Path(__file__).parents[2]


@pytest.fixture
def card(station: Station) -> Card:
    return issue_from(station, "sim:ntag213?count=3", LINES).issued[1]


def forms_of(card: Card) -> dict[str, str]:
    raw, number, contract = card.uid.raw, card.visual_number, card.contract_id
    return {
        "visual number": number,
        "visual number, spoken": number.replace("-", " ").lower(),
        "contract": str(contract),
        "contract without dashes": str(contract).replace("-", ""),
        "contract without check digit": contract.compact.lower(),
        "uid": card.uid.hex,
        "uid with colons": ":".join(f"{byte:02x}" for byte in raw),
        "uid reversed": raw[::-1].hex(),
        "uid in decimal": str(int.from_bytes(raw)),
        "uid in decimal, reversed": str(int.from_bytes(raw[::-1])),
        "alias": card.alias,
        "link": f"https://cards.example.com/c/{card.alias}",
        "link, as the QR has it": f"HTTPS://CARDS.EXAMPLE.COM/C/{card.alias}",
        "name": "river 2",
    }


def test_any_number_in_any_form_finds_the_card(folder: Path, card: Card) -> None:
    for form, text in forms_of(card).items():
        found = rows(run(folder, "card", "find", text, "--json"))
        assert [row["number"] for row in found] == [card.visual_number], form


def test_nothing_found_is_said_and_exit_1(folder: Path) -> None:
    result = run(folder, "card", "find", "04FFFFFFFFFF80")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "no card has '04FFFFFFFFFF80' in any form" in result.stderr


def test_show_tells_all_and_masks_the_uid(folder: Path, card: Card) -> None:
    run(folder, "sheet", "print")
    for arguments in (["--json"], []):
        result = run(folder, "card", "show", card.visual_number, *arguments)
        assert card.uid.hex not in result.output
        assert card.uid.masked in result.stdout
    told = json.loads(run(folder, "card", "show", card.visual_number, "--json").stdout)
    assert told["driver"] == "Driver 2"
    assert [event["what"] for event in told["history"]] == [
        "card.reserved",
        "card.encoding",
        "card.issued",
        "card.active",
        "card.printed",
    ]
    assert told["printed"][0]["place"] == "job 1, sheet 1, position 2"


def test_lists_are_one_object_a_line_and_say_when_they_are_empty(folder: Path, card: Card) -> None:
    assert len(rows(run(folder, "card", "list", "--json"))) == 3
    assert len(rows(run(folder, "card", "list", "--json", "--limit", "1"))) == 1
    assert rows(run(folder, "card", "list", "--json", "--fleet", "Fleet"))[0]["fleet"] == "Fleet"
    nothing = run(folder, "card", "list", "--state", "blocked")
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "no card fits\n")
    run(folder, "card", "block", card.visual_number)
    assert len(rows(run(folder, "card", "list", "--json", "--state", "blocked"))) == 1


def test_a_fleet_file_is_made_once(folder: Path) -> None:
    fleet = ROOT / "data" / "fleet-sample.csv"
    few = run(folder, "card", "issue", fleet, "--reader", "sim:ntag213?count=5")
    assert few.exit_code == 3
    assert "5 of 12 cards are made" in few.stderr
    rest = rows(run(folder, "card", "issue", fleet, "--reader", "sim:ntag213?count=9", "--json"))
    assert len(rest) == 7
    again = run(folder, "card", "issue", fleet, "--reader", "sim:ntag213?count=9")
    assert (again.exit_code, again.stdout) == (0, "")
    with open_station(folder, CLERK) as station:
        lines = [made.order_line for made in station.store.cards.listing()]
    assert lines == [f"fleet-sample:NL-10{number:02}" for number in range(1, 13)]


def test_a_dry_run_writes_nothing_and_shows_the_exact_bytes(folder: Path) -> None:
    result = run(folder, "card", "issue", "--dry-run", "--json", "--reader", "sim:ntag213")
    plan = rows(result)
    assert plan[-1] == {"step": "page 05 ← 34 03 25 D1  length: the link is there", "irreversible": False}
    assert len(plan) == 11
    assert rows(run(folder, "card", "list", "--json")) == []


def test_the_plain_profile_reads_and_writes_nothing(folder: Path) -> None:
    result = run(folder, "card", "issue", "--profile", "plain", "--reader", "sim:ntag213")
    assert result.exit_code == 0
    assert "(0 steps" in result.stderr
    with open_station(folder, CLERK) as station:
        (made,) = station.store.cards.listing()
    assert made.state is CardState.ACTIVE


def test_read_tells_what_is_on_a_card_and_whether_it_is_ours(folder: Path, tmp_path: Path) -> None:
    deck = f"sim:ntag213?deck={tmp_path / 'deck.json'}"
    fresh = json.loads(run(folder, "card", "read", "--json", "--reader", "sim:ntag216").stdout)
    assert (fresh["chip"], fresh["memory"], fresh["state"]) == ("NTAG216", "blank", "not one of ours")
    run(folder, "card", "issue", "--reader", deck)
    ours = json.loads(run(folder, "card", "read", "--json", "--reader", deck + "&start=0").stdout)
    assert ours["state"] == "active"
    assert ours["link"].startswith("https://cards.example.com/c/")


def test_a_sheet_and_its_preview_are_made_and_remembered(folder: Path, card: Card) -> None:
    made = json.loads(run(folder, "sheet", "print", "--json").stdout)
    assert (made["cards"], made["sheets"]) == (3, 1)
    assert Path(made["pdf"]).read_bytes().startswith(b"%PDF")
    assert Path(made["preview"]).read_bytes().startswith(b"\x89PNG")
    again = run(folder, "sheet", "print")
    assert again.exit_code == 2
    one = json.loads(
        run(
            folder, "sheet", "print", card.visual_number, "--start", "10", "--reason", "worn", "--json"
        ).stdout
    )
    assert one["cards"] == 1
    told = json.loads(run(folder, "card", "show", card.visual_number, "--json").stdout)
    assert [print_["place"] for print_ in told["printed"]] == [
        "job 1, sheet 1, position 2",
        "job 2, sheet 1, position 10",
    ]


def test_doctor_says_ready_or_what_stands_in_the_way(folder: Path) -> None:
    ready = run(folder, "doctor")
    assert ready.exit_code == 0
    assert "ready" in ready.stderr
    (folder / "station.toml").write_text("[desk]\nprofile = 'nope'\n")
    broken = run(folder, "doctor", "--json")
    assert broken.exit_code == 1
    failures = [row for row in map(json.loads, broken.stdout.splitlines()) if row["level"] == "failure"]
    assert [row["words"] for row in failures] == ["there is no profile 'nope'"]


def test_store_check_finds_an_edited_event(folder: Path, card: Card) -> None:
    assert run(folder, "store", "check").exit_code == 0
    with open_station(folder, CLERK) as station:
        path = station.store.path
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE event SET actor = 'nobody' WHERE seq = 3")
    found = run(folder, "store", "check")
    assert found.exit_code == 1
    assert "event 3 is not what was written" in found.stdout


def test_init_makes_a_station_that_works(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    made = run(folder, "init", "--profile", "link", "--reader", "sim:ntag213")
    assert made.exit_code == 0
    assert run(folder, "card", "issue").exit_code == 0
    assert run(folder, "doctor").exit_code == 0


@pytest.mark.parametrize("program", [["cli.py"], ["-m", "rfid_station"]])
def test_every_way_to_start_is_the_same_program(program: list[str], tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, *program, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == f"rfid-station {__version__}\n"


def test_tab_proposes_numbers_from_the_store(folder: Path, card: Card) -> None:
    def proposed(words: str) -> str:
        environment = os.environ | {
            "_RFID_STATION_COMPLETE": "complete_bash",
            "COMP_WORDS": f"rfid-station --station {folder} {words}",
            "COMP_CWORD": str(2 + len(words.split(" "))),
        }
        return subprocess.run(
            [sys.executable, "-m", "rfid_station"], env=environment, capture_output=True, text=True
        ).stdout

    assert card.visual_number in proposed("card show EXM").split()
    assert "issue" in proposed("card ").split()


def test_help_is_there_for_every_command() -> None:
    groups = {
        (): ["init", "doctor", "demo", "serve", "reader", "card", "key", "sheet", "partner", "sync", "store"],
        ("card",): ["issue", "read", "verify", "recycle", "profiles", "show", "find", "list"],
        ("key",): ["new", "rotate", "list", "passphrase"],
        ("partner",): ["add", "connect", "invite", "rotate", "disconnect", "show", "list", "test", "check"],
        ("sync",): ["run", "prove", "status", "retry", "resync", "audit"],
        ("simulate",): ["chips", "pcsc", "pn532", "udp", "cpo"],
        ("reader",): ["list", "typed"],
        ("store",): ["check", "log"],
    }
    for group, commands in groups.items():
        for command in commands:
            result = RUNNER.invoke(app, [*group, command, "--help"])
            assert result.exit_code == 0
            assert len(result.stdout.splitlines()[2].strip()) > 20


def test_the_readme_names_every_command_and_exit_code() -> None:
    text = (ROOT / "README.md").read_text()
    for words in ("init", "doctor", "reader list", "card issue", "card find", "card block", "sheet print"):
        assert f"rfid-station {words}" in text
    for code in ExitCode:
        assert f"| {int(code)} |" in text
