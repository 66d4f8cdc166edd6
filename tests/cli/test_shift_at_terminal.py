"""Signing in as people do it: at a terminal, by PINs that nobody else ever sees."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from command_line import rows, run
from people import CODES, PINS, WRONG, signed_in, station_with_people
from stations import issue_from, new_station
from terminal import at_a_terminal

from rfid_station.desk.people import slow_hash
from rfid_station.desk.people.person import Claim
from rfid_station.desk.people.sign_in import end_shift
from rfid_station.desk.station import open_station
from rfid_station.errors import ExitCode


@pytest.fixture(autouse=True)
def light_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_hash, "_COST", 2)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return station_with_people(tmp_path / "people")


def test_a_day_from_the_first_operator_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = new_station(tmp_path / "station")
    screens = []
    with at_a_terminal(folder, "operator", "add", "Sue", "--role", "supervisor") as terminal:
        terminal.answer("new PIN of Sue", PINS["Sue"])
        terminal.answer(", again", PINS["Sue"])
        assert terminal.end() == ExitCode.DONE, terminal.shown
        screens.append(terminal.shown)
    code = re.search(r"recovery code: ([0-9A-Z-]{23})", screens[0])
    assert code
    assert run(folder, "card", "issue", "--count", "1").exit_code == ExitCode.CONFLICT
    with signed_in(folder, "Sue"):
        monkeypatch.setenv("NEW_PIN", PINS["Tess"])
        assert run(folder, "operator", "add", "Tess", "--pin", "env:NEW_PIN").exit_code == ExitCode.DONE
    assert run(folder, "shift", "end").exit_code == ExitCode.DONE
    with at_a_terminal(folder, "shift", "start", "--operator", "Tess") as terminal:
        terminal.answer("PIN of Tess", PINS["Tess"])
        assert terminal.end() == ExitCode.DONE, terminal.shown
        screens.append(terminal.shown)
    issued = run(folder, "card", "issue", "--count", "2", "--reader", "sim:ntag213?count=2", "--json")
    assert issued.exit_code == ExitCode.DONE
    number = rows(issued)[0]["number"]
    assert run(folder, "card", "block", number, "--reason", "lost", "--json").exit_code == ExitCode.DONE
    denied = run(folder, "--role", "supervisor", "card", "list")
    assert denied.exit_code == ExitCode.DONE, "looking takes no role"
    assert run(folder, "--role", "supervisor", "card", "spoil", number).exit_code != ExitCode.DONE
    shown = json.loads(run(folder, "shift", "show", "--json").stdout)
    assert (shown["operator"], shown["role"], shown["place"], shown["ended"]) == (
        "Tess",
        "clerk",
        "desk-1",
        None,
    )

    ended = run(folder, "shift", "end", "--json")
    assert ended.exit_code == ExitCode.DONE
    document = json.loads(ended.stdout)
    assert document["work"] == {"cards made": 2, "cards activated": 2, "cards blocked": 1}
    assert Path(document["pdf"]).read_bytes().startswith(b"%PDF")
    table = list(csv.reader(Path(document["csv"]).read_text().splitlines()))
    assert ["shift", "operator", "Tess"] in table
    assert ["work", "cards made", "2"] in table
    assert run(folder, "card", "issue", "--count", "1").exit_code == ExitCode.CONFLICT
    assert [row["operator"] for row in rows(run(folder, "shift", "list", "--json"))] == ["Tess", "Sue"]
    assert run(folder, "store", "check").exit_code == ExitCode.DONE
    said = "".join([*screens, ended.output, run(folder, "store", "log", "--json", "--limit", "99").output])
    leaks(folder, said, code[1])


def leaks(folder: Path, said: str, code: str) -> None:
    """No PIN anywhere, no hash but in the store, and the code on its one screen only."""
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for pin in PINS.values():
            assert pin.encode() not in content, path
        assert code.encode() not in content, path
        assert b"scrypt:" not in content or path.name.startswith("station.db"), path
    assert "scrypt:" not in said
    assert not [pin for pin in PINS.values() if pin in said]


def test_a_wrong_pin_is_neither_taken_nor_shown(people: Path) -> None:
    with at_a_terminal(people, "shift", "start", "--operator", "Tess") as terminal:
        terminal.answer("PIN of Tess", WRONG)
        assert terminal.end() == ExitCode.CONFLICT
    assert "the name or the PIN is wrong" in terminal.shown
    assert WRONG not in terminal.shown
    assert "Traceback" not in terminal.shown
    assert rows(run(people, "operator", "list", "--json"))[2]["wrong_pins"] == 1


def test_somebody_else_does_one_thing_by_their_pin(people: Path) -> None:
    with (
        signed_in(people, "Tess"),
        at_a_terminal(people, "--operator", "Sue", "operator", "unlock", "Sam") as terminal,
    ):
        terminal.answer("PIN of Sue", PINS["Sue"])
        assert terminal.end() == ExitCode.DONE, terminal.shown
    assert run(people, "operator", "unlock", "Sam").exit_code == ExitCode.CONFLICT, "Tess still is who acts"
    assert json.loads(run(people, "shift", "show", "--json").stdout)["operator"] == "Tess"


def test_a_second_person_types_a_pin_for_a_key(people: Path) -> None:
    with signed_in(people, "Tess"):
        lonely = run(people, "key", "new", "cards")
    assert lonely.exit_code == ExitCode.CONFLICT
    assert "add --witness NAME" in lonely.stderr
    environment = {"RFID_STATION_KEYS__PASSPHRASE": "env:DESK_PHRASE", "DESK_PHRASE": "four words by chance"}
    with at_a_terminal(
        people, "key", "new", "cards", "--witness", "Sue", environment=environment
    ) as terminal:
        terminal.answer("PIN of Sue, to make key cards", PINS["Sue"])
        assert terminal.end() == ExitCode.DONE, terminal.shown
    (made,) = [row for row in rows(run(people, "store", "log", "--json")) if row["what"] == "key.made"]
    assert (made["who"], made["data"]["witness"]) == ("Tess", "Sue")


def test_a_lost_pin_is_replaced_by_the_code(people: Path) -> None:
    with at_a_terminal(people, "operator", "recover", "Sue") as terminal:
        terminal.answer("recovery code of Sue", CODES["Sue"])
        terminal.answer("new PIN of Sue", "640291")
        terminal.answer(", again", "640291")
        assert terminal.end() == ExitCode.DONE, terminal.shown
    assert CODES["Sue"] not in terminal.shown
    with open_station(people, Claim("Sue"), lambda _: "640291") as station:
        assert station.actor.name == "Sue"


def test_a_script_signs_in_by_reference(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHT_PIN", PINS["Tess"])
    monkeypatch.setenv("RFID_STATION_DESK__PIN", "env:NIGHT_PIN")
    monkeypatch.setenv("RFID_STATION_OPERATOR", "Tess")
    done = run(people, "card", "issue", "--count", "1", "--reader", "sim:ntag213", "--json")
    assert done.exit_code == ExitCode.DONE
    monkeypatch.setenv("NIGHT_PIN", WRONG)
    refused = run(people, "card", "issue", "--count", "1", "--reader", "sim:ntag213", "--json")
    assert (refused.exit_code, WRONG in refused.output) == (ExitCode.CONFLICT, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("shift", "start", "--operator", "Tess"),
        ("--operator", "Tess", "card", "issue", "--count", "1"),
        ("operator", "recover", "Tess"),
    ],
)
def test_without_a_terminal_nobody_is_asked(people: Path, arguments: tuple[str, ...]) -> None:
    refused = run(people, *arguments)
    assert refused.exit_code == ExitCode.WRONG_CALL
    assert "RFID_STATION_DESK__PIN" in refused.stderr
    assert "keys.passphrase" not in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("card", "issue", "--count", "1"),
        ("card", "block", "1", "--reason", "lost"),
        ("partner", "add", "cpo", "http://127.0.0.1:9/v"),
        ("sync", "pause", "cpo", "--reason", "x"),
        ("driver", "show", "1"),
        ("driver", "erase", "1", "--yes"),
        ("key", "new", "cards"),
        ("operator", "remove", "Tess", "--yes"),
        ("shift", "end"),
    ],
)
def test_what_changes_or_reveals_takes_a_sign_in(people: Path, arguments: tuple[str, ...]) -> None:
    refused = run(people, *arguments)
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        ExitCode.CONFLICT,
        "error: nobody is signed in at desk-1",
    )


def test_masked_numbers_are_for_all_and_whole_ones_are_not(people: Path) -> None:
    with signed_in(people, "Tess") as station:
        issue_from(station, "sim:ntag213", count=1)
        end_shift(station)
    (row,) = rows(run(people, "card", "list", "--json"))
    assert "…" in row["uid"]
    refused = run(people, "card", "list", "--full", "--json")
    assert (refused.exit_code, refused.stdout) == (ExitCode.CONFLICT, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("card", "list"),
        ("partner", "list"),
        ("sync", "status"),
        ("sync", "run"),
        ("store", "check"),
        ("store", "log"),
        ("operator", "list"),
        ("shift", "show"),
        ("shift", "list"),
    ],
)
def test_looking_takes_none(people: Path, arguments: tuple[str, ...]) -> None:
    looked = run(people, *arguments)
    assert "signed in at desk-1" not in looked.stderr or arguments == ("shift", "show")
    assert looked.exit_code == ExitCode.DONE, looked.output


def test_doctor_says_whether_names_are_trusted(people: Path, folder: Path) -> None:
    def told(of: Path) -> str:
        found = run(of, "doctor", "--json").stdout.splitlines()
        (finding,) = [one for one in map(json.loads, found) if one["what"] == "people"]
        return str(finding["words"])

    assert "names are trusted" in told(folder)
    assert told(people) == "3 may sign in, nobody is signed in at desk-1"
