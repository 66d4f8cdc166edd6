"""Cards changed by file: only what a row names changes, and the same file again changes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Cause, Finding
from rfid_station.desk.batch.fleet_file import read_fleet_file
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import Progress, run
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, Reason, Role
from rfid_station.errors import Conflict, StationError, WrongCall

HEADER = "number;action;group;reference;name;fleet;language;valid until"
SUPERVISOR = Actor("Sue", Role.SUPERVISOR)


@pytest.fixture
def cards(station: Station) -> list[Card]:
    return issue_from(station, "sim:ntag213?count=3", LINES).issued


def carried_out(station: Station, path: Path, found: list[Finding] | None = None) -> Progress:
    with open_table(path) as table:
        check = Check(table, Wish(path.stem), station.number_pattern)
        return run(station, check, partial=False, tell=(found if found is not None else []).append)


def updates(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "changes.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def events_of(station: Station, card: Card) -> list[str]:
    return [event.action for event in station.store.cards.history(card.id)]


def revision_of(station: Station, card: Card) -> int:
    token_id = station.store.feed.token_id_of(card.id)
    assert token_id
    change = station.store.feed.own(token_id)
    assert change
    return change.revision


def test_only_what_a_row_names_changes_and_only_once(
    station: Station, cards: list[Card], tmp_path: Path
) -> None:
    a, b, c = (card.visual_number for card in cards)
    path = updates(
        tmp_path,
        f"{a};update;Vans;;;;;31.12.2099",
        f"{b};ändern;;;Berta;;en;",
        f"{c};UPDATE;;;;;;31 Dec 2099",
    )
    assert carried_out(station, path).done == 3
    first, second, third = (station.store.cards.by_id(card.id) for card in cards)
    assert (first.group, first.valid_until, first.driver) == ("Vans", date(2099, 12, 31), cards[0].driver)
    assert second.driver == Driver("Berta", "2", "Fleet", "en")
    assert (second.group, second.valid_until) == ("Fleet", None)
    assert (third.group, third.valid_until) == ("Fleet", date(2099, 12, 31))
    events, revisions = [events_of(station, card) for card in cards], [revision_of(station, x) for x in cards]
    again = carried_out(station, path)
    assert (again.done, again.there) == (0, 3)
    assert [events_of(station, card) for card in cards] == events
    assert [revision_of(station, card) for card in cards] == revisions
    assert station.store.audit.check().is_sound


def test_a_dash_takes_away_and_an_empty_cell_leaves(
    station: Station, cards: list[Card], tmp_path: Path
) -> None:
    station.store.dates.set(cards[0].id, date(2099, 1, 1), CLERK)
    number = cards[0].visual_number
    assert carried_out(station, updates(tmp_path, f"{number};update;;;;-;;")).done == 1
    now = station.store.cards.by_id(cards[0].id)
    assert now.driver == Driver("Driver 1", "1", "", "de")
    assert (now.valid_until, now.group) == (date(2099, 1, 1), "Fleet")
    assert carried_out(station, updates(tmp_path, f"{number};update;;;;;-;-")).done == 1
    now = station.store.cards.by_id(cards[0].id)
    assert now.driver == Driver("Driver 1", "1", "", None)
    assert now.valid_until is None


def test_a_person_is_changed_at_all_their_cards(station: Station, cards: list[Card], tmp_path: Path) -> None:
    issue_from(station, "sim:ntag213?count=1&seed=99", [type(LINES[0])("other:1", LINES[0].driver)])
    (other,) = [card for card in station.store.cards.listing() if card.order_line == "other:1"]
    path = updates(tmp_path, f"{cards[0].visual_number};update;;P-1;;;fr;")
    before = revision_of(station, other)
    assert carried_out(station, path).done == 1
    assert station.store.cards.by_id(other.id).driver == Driver("Driver 1", "P-1", "Fleet", "fr")
    assert revision_of(station, other) > before
    (event,) = [e for e in station.store.cards.history(other.id) if e.action == "card.driver_changed"]
    assert event.data["fields"] == ["language", "reference"] or event.data["fields"] == [
        "reference",
        "language",
    ]
    assert "P-1" not in f"{event.data}"
    assert station.store.cards.search("P-1")
    assert not station.store.cards.search("fleet nobody")


def test_a_used_card_goes_to_nobody_else_and_a_new_one_does(
    folder: Path, station: Station, cards: list[Card], tmp_path: Path
) -> None:
    path = updates(tmp_path, f"{cards[0].visual_number};update;;9;Zoe;;;")
    found: list[Finding] = []
    with pytest.raises(Conflict):
        carried_out(station, path, found)
    assert "goes to nobody else" in found[0].words
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace("at_issue", "by_hand"))
    with open_station(folder, CLERK) as by_hand:
        (new,) = issue_from(
            by_hand, "sim:ntag213?count=1&seed=77", [type(LINES[0])("new:1", LINES[0].driver)]
        ).issued
        assert new.state is CardState.ISSUED
        assert carried_out(by_hand, updates(tmp_path, f"{new.visual_number};update;;9;Zoe;;;")).done == 1
        assert by_hand.store.cards.by_id(new.id).driver == Driver("Zoe", "9", "Fleet", "de")
        assert by_hand.store.cards.by_id(cards[0].id).driver == cards[0].driver


def test_a_reference_of_somebody_else_is_refused(station: Station, cards: list[Card], tmp_path: Path) -> None:
    found: list[Finding] = []
    with pytest.raises(Conflict):
        carried_out(station, updates(tmp_path, f"{cards[0].visual_number};update;;2;;;;"), found)
    assert "is somebody else" in found[0].words


def test_everything_wrong_with_updates_is_said_at_once_and_nothing_is_begun(
    station: Station, cards: list[Card], tmp_path: Path
) -> None:
    a, b, c = (card.visual_number for card in cards)
    station.store.cards.move(cards[2].id, CardState.RETIRED, Reason.RETURNED, SUPPORT, station.token)
    path = updates(
        tmp_path,
        f"{a};update;;;;;;",
        f"{b};update;-;;-;;;03/04/2099",
        f"{c};update;Vans;;;;;",
        "EXM-0000-0000-1;update;Vans;;;;;",
    )
    found: list[Finding] = []
    with pytest.raises(StationError, match="nothing was changed"):
        carried_out(station, path, found)
    assert [(one.row, one.cause, one.column) for one in found if one.is_error][:5] == [
        (2, Cause.EMPTY, "action"),
        (3, Cause.DATE, "valid until"),
        (3, Cause.VALUE, "group"),
        (3, Cause.VALUE, "name"),
        (4, Cause.STORE, None),
    ]
    assert station.store.cards.by_id(cards[1].id).group == "Fleet"


def test_a_day_that_is_over_is_no_update(station: Station, cards: list[Card], tmp_path: Path) -> None:
    found: list[Finding] = []
    with pytest.raises(StationError):
        carried_out(station, updates(tmp_path, f"{cards[0].visual_number};update;;;;;;2001-01-01"), found)
    assert "is over already" in found[0].words
    assert station.store.cards.by_id(cards[0].id).state is CardState.ACTIVE


def test_cards_are_expired_and_replaced_by_file(
    folder: Path, station: Station, cards: list[Card], tmp_path: Path
) -> None:
    path = updates(
        tmp_path,
        f"{cards[0].visual_number};expire;",
        f"{cards[1].visual_number};ersetzen;damaged",
        header="number;action;reason",
    )
    with open_station(folder, SUPERVISOR) as supervisor:
        assert carried_out(supervisor, path).done == 2
        assert carried_out(supervisor, path).there == 2
        now = [supervisor.store.cards.by_id(card.id) for card in cards[:2]]
        assert now[0].state is CardState.EXPIRED
        assert now[1].replacement
        bare = updates(tmp_path, f"{cards[2].visual_number};replace;", header="number;action;reason")
        found: list[Finding] = []
        with pytest.raises(StationError):
            carried_out(supervisor, bare, found)
        assert "for a reason" in found[0].words


def test_a_makers_list_gives_last_days(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "lot.csv"
    path.write_text("UID;Gültig bis\n04E10CDA993C80;31.12.2099\n04E10CDA993C81;\n")
    assert carried_out(station, path).done == 2
    assert [card.valid_until for card in station.store.cards.listing()] == [date(2099, 12, 31), None]
    late = tmp_path / "late.csv"
    late.write_text("UID;Gültig bis\n04E10CDA993C82;31.12.2001\n")
    found: list[Finding] = []
    with pytest.raises(Conflict):
        carried_out(station, late, found)
    assert found[0].words == "2001-12-31 is over already"


def test_a_fleets_file_gives_last_days_to_its_cards(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text("reference,name,expires on\n1,Anna,2099-06-30\n2,Bert,\n")
    lines = read_fleet_file(path)
    assert [line.valid_until for line in lines] == [date(2099, 6, 30), None]
    issued = issue_from(station, "sim:ntag213?count=2", lines).issued
    assert [card.valid_until for card in issued] == [date(2099, 6, 30), None]
    path.write_text("reference,name,expires on\n1,Anna,31.12.27\n")
    with pytest.raises(WrongCall, match="year of two digits"):
        read_fleet_file(path)


def test_a_fleets_row_that_is_over_makes_no_card(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text("reference,name,expires on\n1,Anna,2001-06-30\n")
    tally = issue_from(station, "sim:ntag213?count=1", read_fleet_file(path))
    assert "is over" in tally.failures[0].message
    assert station.store.cards.listing() == []
