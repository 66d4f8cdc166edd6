"""Whatever is wrong: two lines with the value and a hint, the exit code, and nothing half done."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from stations import CLERK
from typer.testing import CliRunner

from rfid_station.cli.app import app
from rfid_station.desk.station import open_station
from rfid_station.domain.card import CardState
from rfid_station.errors import ExitCode

RUNNER = CliRunner()


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def station_does(folder: Path, *arguments: str | Path) -> Said:
    result = RUNNER.invoke(app, ["--station", str(folder), *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def states(folder: Path) -> list[CardState]:
    with open_station(folder, CLERK) as station:
        return [card.state for card in station.store.cards.listing()]


def is_an_error_with_a_hint(said: Said, words: str) -> bool:
    lines = said.err.strip().splitlines()
    return (
        len(lines) == 3
        and lines[0].startswith("error: ")
        and words in lines[0]
        and lines[2].startswith("hint: ")
    )


@pytest.mark.parametrize(
    ("reader", "words", "code"),
    [
        ("sim:ntag213?fault=foreign", "it carries https://charge.other-msp.example", ExitCode.CARD_REFUSED),
        ("sim:ntag213?fault=used", "data of somebody else", ExitCode.CARD_REFUSED),
        ("sim:ntag213?fault=locked", "cannot be written", ExitCode.CARD_REFUSED),
        ("sim:ntag213?fault=protected", "ask for a password", ExitCode.CARD_REFUSED),
        ("sim:random", "makes up a new one at every tap", ExitCode.CARD_REFUSED),
        ("sim:classic1k", "MIFARE Classic 1K; profile link takes MIFARE Ultralight", ExitCode.CARD_REFUSED),
        ("sim:desfire", "MIFARE DESFire EV3; profile link takes", ExitCode.CARD_REFUSED),
        ("sim:desfire-light", "MIFARE DESFire Light; profile link takes", ExitCode.CARD_REFUSED),
        ("sim:duox", "MIFARE DUOX", ExitCode.CARD_REFUSED),
        ("sim:bankcard", "its number is the bank's", ExitCode.CARD_REFUSED),
        ("sim:phone", "this is a phone or wallet", ExitCode.CARD_REFUSED),
        ("sim:jcop", "nothing tells that its number stays", ExitCode.CARD_REFUSED),
        ("sim:felica", "FeliCa has no UID that OCPP knows", ExitCode.CARD_REFUSED),
        ("sim:typeb", "cannot become a charging card", ExitCode.CARD_REFUSED),
        ("sim:iso15693", "cannot become a charging card", ExitCode.CARD_REFUSED),
        ("sim:feiju213", "Feiju", ExitCode.CARD_REFUSED),
        ("sim:ntag213?fault=vanish", "left", ExitCode.NO_CARD),
    ],
)
def test_a_card_that_cannot_be_issued_uses_no_number(
    folder: Path, reader: str, words: str, code: ExitCode
) -> None:
    said = station_does(folder, "card", "issue", "--reader", reader)
    assert said.code == code
    assert words in said.err
    assert states(folder) == ([CardState.ENCODING] if "vanish" in reader else [])


def test_two_cards_on_the_reader_are_said_in_words_and_one_alone_is_made(folder: Path) -> None:
    said = station_does(folder, "card", "issue", "--reader", "sim:ntag213?fault=two-cards")
    assert said.code == ExitCode.DONE
    assert "two cards lie on reader sim:ntag213" in said.err
    assert states(folder) == [CardState.ACTIVE]


def test_a_card_that_is_issued_already_is_a_conflict_that_names_it(folder: Path) -> None:
    said = station_does(folder, "card", "issue", "--reader", "sim:ntag213?fault=duplicate")
    assert said.code == ExitCode.DONE
    assert "is made already: take it away" in said.err
    assert states(folder) == [CardState.ACTIVE]
    again = station_does(folder, "card", "issue", "--reader", "sim:ntag213?uid=04E10CDA993C80")
    assert again.code == ExitCode.DONE
    third = station_does(folder, "card", "issue", "--reader", "sim:ntag213?uid=04E10CDA993C80")
    assert third.code == ExitCode.CONFLICT
    assert "is card EXM-" in third.err
    assert "already, and active since 20" in third.err


@pytest.mark.parametrize(
    ("reader", "words", "code"),
    [
        ("foo:", "'foo:' names no reader", ExitCode.WRONG_CALL),
        ("sim:ntag999", "no virtual chip 'ntag999'", ExitCode.WRONG_CALL),
        ("sim:ntag213?cuont=3", "no option 'cuont'", ExitCode.WRONG_CALL),
    ],
)
def test_a_reader_that_does_not_exist_is_named(folder: Path, reader: str, words: str, code: ExitCode) -> None:
    said = station_does(folder, "card", "issue", "--reader", reader)
    assert said.code == code
    assert is_an_error_with_a_hint(said, words)


def test_a_link_that_is_too_long_for_the_chip_is_refused_before_a_number_is_used(folder: Path) -> None:
    settings = folder / "station.toml"
    settings.write_text(
        settings.read_text().replace(
            "https://cards.example.com/c/", "https://cards.example.com/" + "x" * 130 + "/"
        )
    )
    said = station_does(folder, "card", "issue", "--reader", "sim:ntag213")
    assert said.code == ExitCode.CARD_REFUSED
    assert "does not fit into the 144 bytes of a NTAG213" in said.err
    assert states(folder) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "reference,name,fleet,language\n1,Anna,F,de\n1,Bram,F,de\n",
            "row 3: reference '1' stands in row 2 already",
        ),
        ("reference,name,fleet,language\n1,Anna,F,german\n", "row 2: language 'german'"),
        ("reference,name,fleet,language\n1,,F,de\n", "row 2: name is empty"),
        ("reference,name,fleet,language\n1,Anna,F\n", "row 2: has 3 columns, and the header has 4"),
        ("reference,name,fleet,language\n1,Anna,F,de,x\n", "row 2: has 5 columns, and the header has 4"),
        ("reference,name,fleet,language,group\n1,Anna,F,de\n", "row 2: has 4 columns, and the header has 5"),
        ("reference,name,fleet,language,group\n1,Anna,F,de,*\n", "row 2: group '*' cannot name a card group"),
        ("reference,name,fleet,language\n1,Anna,*,de\n", "row 2: fleet '*' cannot name a card group"),
        ("reference,fleet,language\n1,F,de\n", "name is missing: the file has the columns reference, fleet"),
        ('reference,name,fleet,language\n1,"Anna,F,de\n', "unexpected end of data"),
        ("uid\n04112233445580\n", "is a list of a maker's cards"),
        ("reference,name,fleet,language\n", "lists nothing"),
        ("", "reference is missing: the file has the columns (none)"),
    ],
)
def test_a_broken_fleet_file_changes_nothing_and_names_row_and_value(
    folder: Path, tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "fleet.csv"
    file.write_text(text)
    said = station_does(folder, "card", "issue", file, "--reader", "sim:ntag213?count=9")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, words)
    assert str(file) in said.err
    assert states(folder) == []


def test_all_broken_rows_are_named_at_once(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    file.write_text("reference,name,fleet,language\n" + "".join(f"{n},,F,de\n" for n in range(7)))
    said = station_does(folder, "card", "issue", file)
    assert "row 2: name is empty; row 3: name is empty" in said.err
    assert "and 2 more" in said.err


def test_a_fleet_file_that_is_not_there_or_no_text(folder: Path, tmp_path: Path) -> None:
    assert is_an_error_with_a_hint(
        station_does(folder, "card", "issue", tmp_path / "no.csv"), "there is no file"
    )
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    assert is_an_error_with_a_hint(station_does(folder, "card", "issue", tmp_path / "binary.csv"), "UTF-8")


@pytest.mark.parametrize(
    ("option", "words"),
    [("--design", "no card design 'nope'"), ("--brand", "no brand 'nope'"), ("--sheet", "no sheet 'nope'")],
)
def test_a_missing_template_is_named_with_those_that_exist(folder: Path, option: str, words: str) -> None:
    station_does(folder, "card", "issue", "--reader", "sim:ntag213")
    said = station_does(folder, "sheet", "print", option, "nope")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, words)
    assert not (folder / "prints").exists()


def test_a_missing_profile_is_named_with_those_that_exist(folder: Path) -> None:
    said = station_does(folder, "card", "issue", "--profile", "nope", "--reader", "sim:ntag213")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "no profile 'nope'")
    assert "link, plain" in said.err


def test_nothing_to_print_says_so(folder: Path) -> None:
    assert is_an_error_with_a_hint(station_does(folder, "sheet", "print"), "nothing to print")


def test_a_folder_that_is_no_station_says_how_to_make_one(tmp_path: Path) -> None:
    said = station_does(tmp_path / "none", "card", "list")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "there is no station in")
    assert f"--station {tmp_path / 'none'} init" in said.err


def test_a_second_init_changes_nothing(folder: Path) -> None:
    before = (folder / "station.toml").read_bytes()
    said = station_does(folder, "init")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "is a station already")
    assert (folder / "station.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[desk]\nlink = 'http://x/{alias}'", "desk.link"),
        ("[desk]\nlnik = 'x'", "desk.lnik: unknown entry"),
        ("[ocpi]\nparty_id = 'TOOLONG'", "ocpi.party_id = 'TOOLONG'"),
        ("[desk", "is not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(folder: Path, line: str, words: str) -> None:
    (folder / "station.toml").write_text(line)
    said = station_does(folder, "card", "list")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, words)


def test_a_store_of_a_newer_program_is_left_alone(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "station.db")) as connection, connection:
        (table,) = (
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master")
            if "version" in name and "sqlite" not in name
        )
        connection.execute(f"UPDATE {table} SET version_num = '9999'")
    said = station_does(folder, "card", "list")
    assert said.code == ExitCode.FAILED
    assert is_an_error_with_a_hint(said, "has version 9999")


def test_a_store_that_is_no_database(folder: Path) -> None:
    for name in ("station.db", "station.db-wal", "station.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "station.db").write_text("this is a letter, not a database" * 200)
    said = station_does(folder, "card", "list")
    assert said.code == ExitCode.FAILED
    assert said.err.startswith("error: ")


@pytest.mark.parametrize("command", [["card", "show"], ["card", "block"]])
def test_a_number_that_nobody_has(folder: Path, command: list[str]) -> None:
    said = station_does(folder, *command, "EXM-0000-0000-0")
    assert said.code == ExitCode.FAILED
    assert is_an_error_with_a_hint(said, "no card has 'EXM-0000-0000-0'")


def test_a_question_without_a_terminal_is_a_wrong_call(folder: Path) -> None:
    station_does(folder, "card", "issue", "--reader", "sim:ntag213?fault=vanish")
    with open_station(folder, CLERK) as station:
        (card,) = station.store.cards.listing()
    said = station_does(folder, "card", "spoil", card.visual_number)
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "nobody is here to answer")
    assert (
        station_does(folder, "card", "spoil", card.visual_number, "--yes", "--reason", "encode_failed").code
        == 0
    )
    assert states(folder) == [CardState.SPOILED]


def test_moves_that_are_not_allowed(folder: Path) -> None:
    station_does(folder, "card", "issue", "--reader", "sim:ntag213")
    with open_station(folder, CLERK) as station:
        (card,) = station.store.cards.listing()
    number = card.visual_number
    assert station_does(folder, "card", "spoil", number, "--yes").code == ExitCode.CONFLICT
    assert station_does(folder, "card", "block", number).code == ExitCode.DONE
    activated = station_does(folder, "card", "activate", number)
    assert activated.code == ExitCode.CONFLICT
    assert is_an_error_with_a_hint(activated, "is blocked, lost")
    refused = station_does(folder, "card", "unblock", number)
    assert refused.code == ExitCode.CONFLICT
    assert is_an_error_with_a_hint(refused, "a clerk may not")
    said = RUNNER.invoke(app, ["--station", str(folder), "--role", "support", "card", "unblock", number])
    assert said.exit_code == ExitCode.DONE
    assert states(folder) == [CardState.ACTIVE]


@pytest.mark.parametrize("command", [["partner", "show"], ["driver", "show"], ["card", "issue", "--order"]])
def test_an_argument_that_is_not_utf_8_is_named(folder: Path, command: list[str]) -> None:
    """So does the shell hand on a byte that is none, as the ÿ of another character set."""
    said = station_does(folder, *command, "\udcff")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "'\\udcff' is not UTF-8")


def test_a_name_that_no_file_can_have_is_an_error(folder: Path) -> None:
    for said in (
        station_does(folder, "sheet", "check", "x" * 300),
        station_does(Path("x" * 300), "card", "list"),
    ):
        assert said.code == ExitCode.WRONG_CALL
        assert is_an_error_with_a_hint(said, "is too long")


def in_a_shell(folder: Path, command: str) -> Said:
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m rfid_station --station "$1" {command}', sys.executable, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_a_question_to_a_closed_standard_input_is_a_wrong_call(folder: Path) -> None:
    said = in_a_shell(folder, "operator add Sue --role supervisor <&-")
    assert said.code == ExitCode.WRONG_CALL
    assert is_an_error_with_a_hint(said, "nobody is here to be asked")


def test_an_output_without_room_is_an_error(folder: Path) -> None:
    said = in_a_shell(folder, "card profiles >/dev/full")
    assert said.code == ExitCode.FAILED
    assert is_an_error_with_a_hint(said, "no space is left")
