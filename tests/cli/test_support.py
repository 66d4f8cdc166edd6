"""The phone call: found by anything, stopped, ended, replaced."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import rows, run
from stations import LINES, issue_from

from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.store import search

SUPPORT = ("--role", "support")
SUPERVISOR = ("--role", "supervisor")


@pytest.fixture
def card(station: Station) -> Card:
    return issue_from(station, "sim:ntag213?count=3", LINES).issued[1]


def state_of(folder: Path, number: str) -> str:
    return str(rows(run(folder, "card", "find", number, "--json"))[0]["state"])


def test_find_masks_and_shows_whole_only_when_asked_and_writes_that_down(folder: Path, card: Card) -> None:
    (masked,) = rows(run(folder, "card", "find", card.visual_number, "--json"))
    assert (masked["uid"], masked["driver"], masked["found_by"]) == (card.uid.masked, "D… 2…", "number")
    for arguments in (["card", "find", card.visual_number], ["card", "list"]):
        plain = run(folder, *arguments).stdout
        assert card.uid.hex not in plain
        assert "Driver 2" not in plain
        assert card.uid.hex in run(folder, *arguments, "--full").stdout
    events = [row["what"] for row in rows(run(folder, "store", "log", "--json"))]
    assert events.count("card.revealed") == 1 + 3


def test_find_by_a_part_of_a_number_by_order_line_and_by_reference(folder: Path, card: Card) -> None:
    whats = {
        card.visual_number[:11]: "beginning of number",
        card.visual_number[5:13]: "part of number",
        card.uid.masked: "part of uid",
        "fleet:2": "order",
        "2": "reference",
        "driver 2": "name",
    }
    for text, how in whats.items():
        found = rows(run(folder, "card", "find", text, "--json"))
        assert (card.visual_number, how) in [(row["number"], row["found_by"]) for row in found], text


def test_find_says_in_how_many_old_cards_it_did_not_look_for_a_part(
    folder: Path, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", 1)
    part = card.visual_number[5:13]
    result = run(folder, "card", "find", part)
    assert (result.exit_code, result.stdout.count(card.visual_number)) == (1, 0)
    assert "was not looked for in the oldest 2 cards: --all" in result.stderr
    result = run(folder, "card", "find", part, "--all")
    assert (result.exit_code, result.stdout.count(card.visual_number)) == (0, 1)
    assert "--all" not in result.stderr
    assert "--all" not in run(folder, "card", "find", card.visual_number).stderr


def test_a_part_of_a_number_is_shown_and_never_acted_on(folder: Path, card: Card) -> None:
    result = run(folder, "card", "block", card.visual_number[:-2])
    assert result.exit_code == 1
    assert f"it is a part of: {card.visual_number}" in result.stderr
    assert state_of(folder, card.visual_number) == "active"


def test_suspended_by_support_and_let_go_on_by_a_supervisor(folder: Path, card: Card) -> None:
    number = card.visual_number
    assert run(folder, "card", "suspend", number, "--reason", "unpaid").exit_code != 0
    assert run(folder, *SUPPORT, "card", "suspend", number).exit_code == 2
    assert "is suspended" in run(folder, *SUPPORT, "card", "suspend", number, "--reason", "unpaid").stdout
    refused = run(folder, *SUPPORT, "card", "unblock", number)
    assert "a support may not make" in refused.stderr
    assert run(folder, *SUPERVISOR, "card", "unblock", number).exit_code == 0
    assert state_of(folder, number) == "active"


def test_retired_and_expired_are_final_and_are_asked_for(folder: Path, card: Card) -> None:
    number = card.visual_number
    assert "nobody is here to answer" in run(folder, *SUPPORT, "card", "retire", number).stderr
    assert "would become retired" in run(folder, *SUPPORT, "card", "retire", number, "--dry-run").stderr
    assert run(folder, *SUPPORT, "card", "retire", number, "--yes").exit_code == 0
    assert state_of(folder, number) == "retired"
    assert run(folder, *SUPERVISOR, "card", "unblock", number).exit_code != 0
    other = rows(run(folder, "card", "find", "fleet:1", "--json"))[0]["number"]
    assert run(folder, *SUPPORT, "card", "expire", other, "--yes").exit_code != 0
    assert run(folder, *SUPERVISOR, "card", "expire", other, "--yes").exit_code == 0
    assert state_of(folder, other) == "expired"


def test_replaced_in_one_step_and_made_at_the_desk(folder: Path, card: Card) -> None:
    number = card.visual_number
    preview = run(folder, *SUPPORT, "card", "replace", number, "--dry-run").stderr
    assert "would become blocked; the next blank" in preview
    asked = run(folder, *SUPPORT, "card", "replace", number)
    assert f"{number} is blocked" in asked.stdout
    assert "card issue --replacements" in asked.stderr
    result = run(
        folder, "card", "issue", "--replacements", "--reader", "sim:ntag213?count=2&seed=9", "--json"
    )
    (new,) = rows(result)
    assert new["contract"] == f"{card.contract_id}"
    assert new["number"] != number
    assert state_of(folder, number) == "replaced"
    found = rows(run(folder, "card", "find", f"{card.contract_id}", "--json"))
    assert [row["state"] for row in found] == ["active", "replaced"]
    assert run(folder, "card", "issue", "--replacements", "--reader", "sim:ntag213").exit_code != 0


def test_the_old_card_goes_on_until_the_new_one_is_activated(folder: Path, card: Card) -> None:
    number = card.visual_number
    result = run(
        folder,
        *("card", "replace", number, "--reason", "damaged", "--when", "activated"),
        *("--make", "--reader", "sim:ntag213?seed=9", "--json"),
    )
    assert result.exit_code == 0, result.output
    new = json.loads(result.stdout.splitlines()[-1])
    assert (state_of(folder, number), new["state"]) == ("active", "issued")
    assert run(folder, "card", "activate", new["number"]).exit_code == 0
    assert (state_of(folder, number), state_of(folder, new["number"])) == ("replaced", "active")


def test_a_replacement_is_called_off(folder: Path, card: Card) -> None:
    run(folder, *SUPPORT, "card", "replace", card.visual_number)
    said = run(folder, *SUPPORT, "card", "replace", card.visual_number, "--cancel")
    assert "no card is made in place of" in said.stderr
    assert "no card is to be replaced" in run(folder, "card", "issue", "--replacements").stderr
    assert run(folder, *SUPPORT, "card", "unblock", card.visual_number).exit_code == 0


def test_a_card_ends_on_a_day_and_those_that_end_soon_are_listed(folder: Path, card: Card) -> None:
    today = datetime.now(UTC).date()
    number = card.visual_number
    assert "2 more days" not in run(folder, "card", "show", number).stdout
    for day in ("tomorrow", "31.12.2027", "2027-13-01"):
        assert "is not a day" in run(folder, "card", "expire-on", number, day).stderr
    assert "ends after" in run(folder, "card", "expire-on", number, f"{today + timedelta(2)}").stderr
    assert "2 more days" in " ".join(run(folder, "card", "show", number).stdout.split())
    (soon,) = rows(run(folder, "card", "list", "--expiring", "30d", "--json"))
    assert (soon["number"], soon["valid_until"]) == (number, f"{today + timedelta(2)}")
    assert rows(run(folder, "card", "list", "--expiring", "1d", "--json")) == []
    assert rows(run(folder, "card", "list", "--expiring", "30d", "--fleet", "Other", "--json")) == []
    assert "is no number of days" in run(folder, "card", "list", "--expiring", "soon").stderr
    assert "has no last day" in run(folder, "card", "expire-on", number, "never").stderr
    over = run(folder, "card", "expire-on", number, f"{today - timedelta(1)}")
    assert "has expired" in over.stderr
    assert state_of(folder, number) == "expired"
    new = run(
        folder,
        *("card", "replace", number, "--reason", "date_passed", "--make"),
        *("--reader", "sim:ntag213?seed=9", "--json"),
    )
    assert new.exit_code == 0, new.output
    assert state_of(folder, f"{card.contract_id}") == "active"
    assert state_of(folder, number) == "expired"


def test_cards_leave_inactive_and_are_activated_by_the_code_in_their_letter(folder: Path) -> None:
    path = folder / "station.toml"
    text = path.read_text().replace('activation = "at_issue"', 'activation = "by_hand"')
    path.write_text(text.replace("claim_code = false", "claim_code = true"))
    (made,) = rows(run(folder, "card", "issue", "--reader", "sim:ntag213", "--count", "1", "--json"))
    number = made["number"]
    assert made["state"] == "issued"
    assert "with the code in your letter" in " ".join(run(folder, "card", "show", number).stdout.split())
    wrong = run(folder, "card", "activate", number, "--code", "WRONG")
    assert (wrong.exit_code, "9 more may be tried" in wrong.stderr) == (2, True)
    (anew,) = rows(run(folder, "card", "claim-code", number, "--json"))
    assert run(folder, "card", "activate", number, "--code", made["claim_code"]).exit_code == 2
    assert run(folder, "card", "activate", number, "--code", anew["claim_code"]).exit_code == 0
    assert state_of(folder, number) == "active"


def test_a_driver_asks_what_is_kept_and_is_forgotten(folder: Path, card: Card) -> None:
    shown = json.loads(run(folder, "driver", "show", "2", "--json").stdout)
    assert (shown["names"], shown["cards"][0]["uid"]) == (["Driver 2"], card.uid.hex)
    assert "Driver 2" in run(folder, "driver", "show", "2").stdout
    in_use = run(folder, *SUPERVISOR, "driver", "erase", "2", "--yes")
    assert f"in use: {card.visual_number} (active)" in in_use.stderr
    run(folder, *SUPPORT, "card", "retire", card.visual_number, "--reason", "requested", "--yes")
    assert "would be forgotten" in run(folder, *SUPERVISOR, "driver", "erase", "2", "--dry-run").stderr
    assert "a clerk may not" in run(folder, "driver", "erase", "2", "--yes").stderr
    done = run(folder, *SUPERVISOR, "driver", "erase", "2", "--yes", "--json")
    assert json.loads(done.stdout)["cards"] == [card.visual_number]
    assert run(folder, "driver", "show", "2").exit_code == 1
    (row,) = rows(run(folder, "card", "find", card.visual_number, "--full", "--json"))
    assert (row["driver"], row["state"]) == (None, "retired")


@pytest.mark.parametrize(
    ("said", "ours", "ends"),
    [
        ('activation = "by_hand"\nclaim_code = true\n', ("at_issue", "false"), ("issued", True)),
        ('activation = "at_issue"\n', ("by_hand", "true"), ("active", False)),
        ("claim_code = false\n", ("by_hand", "true"), ("issued", False)),
        ("", ("by_hand", "true"), ("issued", True)),
    ],
)
def test_a_profile_wins_over_what_the_station_does_with_all(
    folder: Path, said: str, ours: tuple[str, str], ends: tuple[str, bool]
) -> None:
    path = folder / "station.toml"
    text = path.read_text().replace('"at_issue"', f'"{ours[0]}"')
    path.write_text(text.replace("claim_code = false", f"claim_code = {ours[1]}"))
    profiles = folder / "templates" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "mine.toml").write_text(f'title = "Mine"\nchips = ["any"]\ncontent = "nothing"\n{said}')
    result = run(
        folder,
        "card",
        "issue",
        "--reader",
        "sim:ntag213?count=1",
        "--profile",
        "mine",
        "--count",
        "1",
        "--json",
    )
    (made,) = rows(result)
    assert (made["state"], "claim_code" in made) == ends
    lot = folder.parent / "lot.csv"
    lot.write_text("uid\n04E10CDA993C80\n")
    assert run(folder, "batch", "run", f"{lot}", "--profile", "mine").exit_code == 0
    assert state_of(folder, "04E10CDA993C80") == ends[0]
