"""`order` and `packing` as a clerk types them and a script reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import RUNNER, rows, run
from stations import Diary
from typer.testing import Result

from rfid_station.cli.app import app
from rfid_station.desk.fulfilment import orders
from rfid_station.desk.fulfilment.scanning import link_on_letter
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.reader.opening import open_reader

FLEET = "reference,name,fleet\nNL-1,Anna,Delta\nNL-2,Bram,Delta\n"
PILE = "sim:ntag213?count=2&seed=5"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.csv"
    path.write_text(FLEET)
    return path


@pytest.fixture
def cards(folder: Path, station: Station, fleet: Path) -> list[Card]:
    """The cards of an order, made, printed, with letters."""
    assert run(folder, "order", "create", fleet).exit_code == 0
    reader = open_reader(PILE)
    try:
        lines = orders.open_lines(station, "fleet")
        made = issue_cards(
            Run(station, station.profile(), lines, None, Diary()), reader, lambda: False
        ).issued
    finally:
        reader.close()
    for noun in ("sheet", "letter"):
        assert run(folder, noun, "print").exit_code == 0
    return made


def typed(folder: Path, lines: list[str], *arguments: str) -> Result:
    """Call with a scanner that types these lines."""
    text = "".join(f"{line}\n" for line in lines)
    result = RUNNER.invoke(app, ["--station", str(folder), *arguments], input=text)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_order_from_file_to_close(folder: Path, station: Station, fleet: Path, cards: list[Card]) -> None:
    again = run(folder, "order", "create", fleet)
    assert (again.exit_code, again.stdout) == (0, "fleet\n")
    early = run(folder, "order", "close", "fleet")
    assert early.exit_code == 6
    assert "order fleet is not done: 2 lines left; 2 not packed" in early.stderr
    for card in cards:
        assert card.visual_number in early.stdout
    packed = typed(
        folder,
        [link_on_letter(station.link(card.alias).upper()) for card in cards],
        "packing",
        "run",
        "--order",
        "fleet",
        "--reader",
        PILE,
        "--json",
    )
    assert [
        (row["number"], row["packed"], row["with_letter"], row["was_tapped"]) for row in rows(packed)
    ] == [(card.visual_number, True, True, True) for card in cards]
    tried = run(folder, "order", "close", "fleet", "--dry-run")
    assert (tried.exit_code, tried.stderr) == (0, "order fleet could be closed\n")
    sent = document(run(folder, "order", "dispatch", "fleet", "--tracking", "3S 1", "--json"))
    assert sent == {"tracking": "3S1", "carrier": "", "cards": [card.visual_number for card in cards]}
    assert document(run(folder, "order", "close", "fleet", "--json"))["closed"] is True
    shown = document(run(folder, "order", "show", "fleet", "--json"))
    counts = {name: shown[name] for name in ("ordered", "made", "printed", "packed", "dispatched", "done")}
    assert set(counts.values()) == {2}
    assert (shown["state"], shown["left"], shown["lines"][0]["tracking"]) == ("closed", 0, "3S1")
    assert rows(run(folder, "order", "list", "--json"))[0]["order"] == "fleet"
    assert run(folder, "order", "list", "--open").stderr == "there are no orders\n"
    found = rows(run(folder, "card", "find", "3s1", "--json"))
    assert {row["number"] for row in found} == {card.visual_number for card in cards}
    assert found[0]["found_by"] == "tracking"
    told = document(run(folder, "card", "show", cards[0].visual_number, "--json"))
    assert (told["order"], told["packed"]["tracking"]) == ("fleet", "3S1")
    assert "left in parcel 3S1" in run(folder, "card", "show", cards[0].visual_number).stdout


def test_a_wrong_pair_is_refused_with_both_numbers_and_put_right_ends_well(
    folder: Path, cards: list[Card]
) -> None:
    first, second = (card.visual_number for card in cards)
    wrong = typed(folder, [second, second], "packing", "run", "--reader", PILE)
    assert wrong.exit_code == 6
    assert f"wrong pair: the card is {first}, and the letter is for {second}" in wrong.stderr
    assert wrong.stdout == f"{second}  packed with its letter\n"
    one = "sim:ntag213?uid=" + cards[0].uid.hex
    right = typed(folder, [first], "packing", "run", "--reader", one)
    assert (right.exit_code, right.stdout) == (0, f"{first}  packed with its letter\n")
    ended = typed(folder, [], "packing", "run", "--reader", one)
    assert (ended.exit_code, ended.stdout) == (3, "")


def test_without_a_reader_the_code_on_the_card_is_scanned(folder: Path, cards: list[Card]) -> None:
    first, second = (card.visual_number for card in cards)
    scans = [first, second, first, first, "EXM-0000-0000-0", second, second]
    result = typed(folder, scans, "packing", "run", "--no-reader", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["number"], row["packed"]) for row in told] == [
        (first, False),
        (first, True),
        (None, False),
        (second, True),
    ]
    assert (told[1]["was_tapped"], result.exit_code) == (False, 6)
    assert "weaker than a tap" in result.stderr
    shown = run(folder, "card", "show", first).stdout
    assert "with its letter, by its printed code" in shown


def test_a_stopped_card_is_neither_packed_nor_sent(folder: Path, station: Station, cards: list[Card]) -> None:
    first, second = cards
    assert typed(folder, [], "packing", "run", "--no-letter", "--reader", PILE, "--count", "2").exit_code == 0
    station.store.cards.move(first.id, CardState.BLOCKED, Reason.LOST, station.actor, station.token)
    refused = run(folder, "order", "dispatch", "fleet", "--tracking", "T1")
    assert refused.exit_code == 6
    assert f"card {first.visual_number} is blocked (lost): it must not leave" in refused.stderr
    missing = run(folder, "order", "close", "fleet")
    assert "1 line left; 1 stopped before it left" in missing.stderr
    assert run(folder, "packing", "undo", first.visual_number, "--reason", "blocked").exit_code == 0
    again = run(folder, "order", "dispatch", "fleet", first.visual_number, "--tracking", "T1")
    assert "is not among the packed cards of order fleet" in again.stderr
    assert run(folder, "packing", "dispatch", second.visual_number, "--tracking", "T1").exit_code == 0
    gone = run(folder, "packing", "dispatch", second.visual_number, "--tracking", "T2")
    assert (gone.exit_code, "has left in parcel T1" in gone.stderr) == (6, True)
    assert run(folder, "order", "cancel", "fleet", "NL-1", "--reason", "lost before it left").exit_code == 0
    assert run(folder, "order", "close", "fleet").exit_code == 0


def test_orders_by_number_for_somebody_and_printed_first(folder: Path) -> None:
    made = document(run(folder, "order", "create", "--count", "3", "--way", "print_first", "--json"))
    assert (made["order"], made["ordered"], made["way"]) == ("O-000001", 3, "print_first")
    tried = run(folder, "order", "print", "O-000001", "--dry-run")
    assert tried.stderr == "3 cards would be printed, 3 with new numbers\n"
    assert document(run(folder, "order", "print", "O-000001", "--json"))["cards"] == 3
    assert run(folder, "order", "print", "O-000001").stderr == "nothing is to be printed for order O-000001\n"
    number = document(run(folder, "order", "show", "O-000001", "--json"))["lines"][1]["number"]
    on_sheet = document(run(folder, "sheet", "show", "1", "--json"))["cards"]
    assert [(row["number"], row["state"]) for row in on_sheet][1] == (number, "waits for its chip")
    assert run(folder, "order", "spoil", number, "--reason", "smeared").exit_code == 0
    assert document(run(folder, "order", "print", "O-000001", "--json"))["cards"] == 1
    one = run(
        folder, "order", "create", "--for", "NL-9", "--driver", "Jan Jansen", "--valid-until", "2031-01-31"
    )
    assert (one.exit_code, one.stdout) == (0, "O-000002\n")
    line = document(run(folder, "order", "show", "O-000002", "--json"))["lines"][0]
    assert (line["key"], line["driver"]) == ("O-000002:NL-9", "J… J…")
    assert document(run(folder, "order", "cancel", "O-000002", "--reason", "why", "--json"))["cancelled"] == [
        1
    ]


def test_a_bureau_prints_first_too(folder: Path) -> None:
    document(run(folder, "order", "create", "--count", "2", "--way", "print_first", "--name", "b", "--json"))
    made = document(run(folder, "order", "print", "b", "--bureau", "standard", "--json"))
    assert (made["cards"], made["archive"].endswith("press-0001.zip")) == (2, True)
    lines = document(run(folder, "order", "show", "b", "--json"))["lines"]
    assert [line["printed"] for line in lines] == [True, True]
    assert "nothing is to be printed" in run(folder, "order", "print", "b", "--bureau", "standard").stderr


def test_who_is_ordered_for_is_told_and_forgotten_before_there_is_a_card(folder: Path) -> None:
    run(folder, "order", "create", "--for", "NL-9", "--driver", "Jan Jansen", "--fleet", "Delta")
    told = document(run(folder, "driver", "show", "NL-9", "--json"))
    assert (told["names"], told["fleets"], told["cards"]) == (["Jan Jansen"], ["Delta"], [])
    assert run(folder, "--role", "supervisor", "driver", "erase", "NL-9", "--yes").exit_code == 0
    assert run(folder, "driver", "show", "NL-9").exit_code == 1
    assert document(run(folder, "order", "show", "O-000001", "--json"))["lines"][0]["driver"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["create"], 2, "what is ordered?"),
        (["create", "x.csv", "--count", "2"], 2, "what is ordered?"),
        (["create", "--for", " "], 2, "is no reference"),
        (["create", "--count", "1", "--profile", "no"], 2, "there is no profile 'no'"),
        (["create", "--count", "1", "--name", " "], 2, "cannot name an order"),
        (["show", "no"], 1, "there is no order 'no'"),
        (["close", "no"], 1, "there is no order 'no'"),
        (["dispatch", "no", "--tracking", "T"], 1, "there is no order 'no'"),
        (["spoil", "EXM-0000-0000-0", "--reason", "x"], 6, "no card of ours has"),
    ],
)
def test_wrong_calls_are_said(folder: Path, arguments: list[str], code: int, words: str) -> None:
    result = run(folder, "order", *arguments)
    assert (result.exit_code, words in result.stderr) == (code, True), result.stderr


@pytest.mark.parametrize("file", ["-", " .csv"])
def test_a_file_that_cannot_name_an_order_asks_for_the_option_that_can(
    folder: Path, tmp_path: Path, file: str
) -> None:
    path = file if file == "-" else tmp_path / file
    if isinstance(path, Path):
        path.write_text("reference,name\nNL-1,Anna\n")
    refused = run(folder, "order", "create", path)
    assert (refused.exit_code, "add --name NAME" in refused.stderr) == (2, True), refused.stderr


def test_all_that_is_wrong_with_a_file_is_said_at_once(folder: Path, fleet: Path) -> None:
    fleet.write_text("reference,name\nNL-1,Anna\nNL-1,\n,Carla\n")
    result = run(folder, "order", "create", fleet)
    assert result.exit_code == 2
    for words in ("stands in row 2 already", "name is empty", "reference is empty", "has 3 errors"):
        assert words in result.stderr.replace(": ", " "), result.stderr
    assert run(folder, "order", "list").stderr == "there are no orders\n"


def test_card_letter_and_label_are_printed_again_one_by_one_and_logged(
    folder: Path, station: Station, cards: list[Card], tmp_path: Path
) -> None:
    addresses = tmp_path / "addresses.csv"
    addresses.write_text("reference,name,street,city\nNL-1,Anna,Street 1,Town\nNL-2,Bram,Street 2,Town\n")
    number = cards[1].visual_number
    assert run(folder, "label", "print", addresses).exit_code == 0
    for command in (["sheet", "print"], ["letter", "print"], ["label", "print", str(addresses)]):
        refused = run(folder, *command, number)
        assert (refused.exit_code, "was printed before" in refused.stderr) == (6, True), command
        made = document(run(folder, *command, number, "--reason", "coffee", "--json"))
        assert made["cards"] == 1
        job = station.store.prints.job(made["job"])
        assert (job.reason, job.kind) == ("coffee", command[0])
    again = [event.data for event in station.store.cards.history(cards[1].id) if event.data.get("reason")]
    assert [(data["kind"], data["reason"]) for data in again] == [
        ("sheet", "coffee"),
        ("letter", "coffee"),
        ("label", "coffee"),
    ]
