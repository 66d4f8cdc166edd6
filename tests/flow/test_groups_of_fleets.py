"""Which group a new card is in: its row's, else what was said for all, else its fleet's, else `general`."""

from __future__ import annotations

from pathlib import Path

from command_line import rows, run

from rfid_station.domain.card_group import GENERAL
from rfid_station.errors import ExitCode

HEADER = "reference, name ,fleet,language,group\n"


def groups(folder: Path, *arguments: str | Path) -> list[str]:
    said = rows(run(folder, "card", "issue", *arguments, "--reader", "sim:ntag213?count=4", "--json"))
    return [row["group"] for row in said]


def test_a_card_is_in_the_group_that_was_named_nearest_to_it(folder: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "acme.csv"
    fleet.write_text(HEADER + "1,Anna,Acme,de,Vans\n2,Bram,Acme,nl, \n3,Cleo,,en,\n")
    assert groups(folder, fleet) == ["Vans", "Acme", GENERAL]
    more = tmp_path / "more.csv"
    more.write_text(HEADER + "1,Dora,Acme,de,Vans\n2,Egon,Acme,nl,\n")
    assert groups(folder, more, "--group", "Trial") == ["Vans", "Trial"]
    old = tmp_path / "old.csv"
    old.write_text("reference,name,fleet,language\n1,Finn,Acme,de\n")
    assert groups(folder, old) == ["Acme"]
    assert groups(folder, "--count", "1") == [GENERAL]
    listed = rows(run(folder, "card", "list", "--group", "Acme", "--json", "--full"))
    assert [(row["driver"], row["group"]) for row in listed] == [("Bram", "Acme"), ("Finn", "Acme")]
    (newest,) = rows(run(folder, "card", "list", "--group", "Acme", "--limit", "1", "--json"))
    assert newest["driver"] == "F…"


def test_a_group_that_cannot_be_one_is_refused_before_a_card_is_touched(folder: Path) -> None:
    said = run(folder, "card", "issue", "--reader", "sim:ntag213", "--count", "1", "--group", "*")
    assert said.exit_code == ExitCode.WRONG_CALL
    assert rows(run(folder, "card", "list", "--json")) == []


def test_moving_an_unknown_card_moves_none(folder: Path) -> None:
    (made,) = rows(run(folder, "card", "issue", "--reader", "sim:ntag213", "--count", "1", "--json"))
    said = run(folder, "card", "move", made["number"], "EXM-0", "--group", "Acme")
    assert said.exit_code == ExitCode.FAILED
    assert rows(run(folder, "card", "list", "--json"))[0]["group"] == GENERAL
    moved = run(folder, "card", "move", made["number"], made["contract"], "--group", " Acme ")
    assert moved.stdout == f"{made['number']} goes from {GENERAL} to Acme\n"
    assert run(folder, "card", "move", made["number"], "--group", "Acme").stdout.endswith(
        "is in Acme already\n"
    )
