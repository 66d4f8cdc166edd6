"""Orders at the desk: from a file, by number, for one; carried out on virtual cards, in three ways."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from batch_files import nxp_uids
from stations import CLERK, issue_from

from rfid_station.desk.batch.checking import Check
from rfid_station.desk.batch.checking import Wish as BatchWish
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import Progress, run
from rfid_station.desk.fulfilment import orders
from rfid_station.desk.fulfilment.orders import Wish
from rfid_station.desk.issue import issue_card
from rfid_station.desk.paper.sheets import Wish as SheetWish
from rfid_station.desk.paper.sheets import print_sheets
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import CardState, Driver
from rfid_station.domain.order import Missing, Way
from rfid_station.errors import CardLost, Conflict, WrongCall
from rfid_station.reader.opening import open_reader

FLEET = "reference,name,fleet,language\nNL-1,Anna,Delta,nl\nNL-2,Bram,Delta,\nNL-3,Carla,Delta,de\n"
UIDS = nxp_uids(4)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.csv"
    path.write_text(FLEET)
    return path


def makers_list(folder: Path, references: bool) -> Path:
    path = folder / "lot.csv"
    rows = [
        f"{uid.hex()},{f'R-{n}' if references else ''},{'Driver' if references else ''}"
        for n, uid in enumerate(UIDS, start=1)
    ]
    path.write_text("\n".join(["uid,reference,name", *rows]) + "\n")
    return path


def run_batch(
    station: Station, path: Path, order: str | None = None, found: list[Finding] | None = None
) -> Progress:
    with open_table(path) as table:
        check = Check(table, BatchWish(order or path.stem), station.number_pattern)
        return run(station, check, partial=False, tell=(found if found is not None else []).append)


def test_a_fleets_file_becomes_an_order_and_its_cards_are_made_against_it(
    station: Station, fleet: Path
) -> None:
    order = orders.order_file(station, fleet, Wish())
    assert (order.name, order.source, order.way, order.profile) == (
        "fleet",
        "fleet.csv",
        Way.ENCODE_FIRST,
        "link",
    )
    assert orders.order_file(station, fleet, Wish()) == order
    first = orders.open_lines(station, "fleet")
    assert [line.key for line in first] == ["fleet:NL-1", "fleet:NL-2", "fleet:NL-3"]
    assert first[0].driver == Driver("Anna", "NL-1", "Delta", "nl")
    issue_from(station, "sim:ntag213?count=2", first)
    assert [line.key for line in orders.open_lines(station, "fleet")] == ["fleet:NL-3"]
    now = orders.standing(station, "fleet")
    assert (now.progress.made, now.progress.left) == (2, 3)
    card = now.items[0].card
    assert orders.order_of_card(station, station.store.cards.by_id(card.id)) == order
    print_sheets(station, [station.store.cards.by_id(card.id)], SheetWish())
    assert orders.standing(station, "fleet").items[0].missing == (Missing.PACK,)


def test_a_begun_card_is_still_among_the_open_lines(station: Station, fleet: Path) -> None:
    orders.order_file(station, fleet, Wish())
    lines = orders.open_lines(station, "fleet")
    reader = open_reader("sim:ntag213?tear=15")
    try:
        with pytest.raises(CardLost):
            issue_card(station, next(iter(reader.cards(lambda: False))), station.profile(), lines[0])
    finally:
        reader.close()
    assert orders.open_lines(station, "fleet") == lines
    assert orders.standing(station, "fleet").items[0].missing == (
        Missing.FINISH,
        Missing.PRINT,
        Missing.PACK,
    )


def test_every_error_of_a_file_is_told_and_nothing_is_ordered(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("reference,name,language\nNL-1,Anna,nl\nNL-1,Bram,nl\nNL-3,,dutch\n")
    found: list[Finding] = []
    with pytest.raises(WrongCall, match=r"nothing was ordered: .*bad\.csv has 3 errors"):
        orders.order_file(station, path, Wish(), found.append)
    assert {(finding.row, finding.column) for finding in found if finding.is_error} == {
        (3, "reference"),
        (4, "name"),
        (4, "language"),
    }
    assert station.store.orders.all() == []
    path.write_text("number,action\nEXM-1,block\n")
    with pytest.raises(WrongCall, match="is a list of changes"):
        orders.order_file(station, path, Wish())


def test_a_number_of_cards_and_one_for_somebody(station: Station) -> None:
    first = orders.order_count(station, 2, Wish(group="Spare"))
    assert first.name == "O-000001"
    assert [item.wanted.key for item in orders.standing(station, first.name).items] == [
        "O-000001:1",
        "O-000001:2",
    ]
    issue_from(station, "sim:ntag213", orders.open_lines(station, first.name))
    (card,) = station.store.cards.listing()
    assert (card.order_line, card.group, card.driver) == ("O-000001:1", "Spare", None)
    named = orders.order_count(station, 2, Wish(name="spare"))
    assert orders.order_count(station, 2, Wish(name="spare")) == named
    with pytest.raises(Conflict, match="it has 2 lines, and this one 3"):
        orders.order_count(station, 3, Wish(name="spare"))
    jan = Driver("Jan", "NL-9", "Delta", "nl")
    one = orders.order_one(station, jan, Wish(), date(2030, 12, 31))
    (line,) = orders.open_lines(station, one.name)
    assert (line.key, line.driver, line.valid_until) == (f"{one.name}:NL-9", jan, date(2030, 12, 31))
    with pytest.raises(WrongCall, match="is no reference"):
        orders.order_one(station, Driver("Jan", " "), Wish())
    with pytest.raises(WrongCall, match="by the maker's list"):
        orders.order_count(station, 1, Wish(way=Way.DELIVERED))


def test_what_cannot_be_made_is_said(station: Station, fleet: Path) -> None:
    orders.order_file(station, fleet, Wish())
    assert [item.place for item in orders.cancel(station, "fleet", ["NL-2", "3"], "left")] == [2, 3]
    assert [line.key for line in orders.open_lines(station, "fleet")] == ["fleet:NL-1"]
    with pytest.raises(WrongCall, match="order fleet has no line 'NL-9'"):
        orders.cancel(station, "fleet", ["NL-9"], "left")
    orders.cancel(station, "fleet", [], "left")
    with pytest.raises(Conflict, match="every line of order fleet is cancelled"):
        orders.open_lines(station, "fleet")
    assert orders.close(station, "fleet") == []
    with pytest.raises(Conflict, match="order fleet is closed"):
        orders.open_lines(station, "fleet")


@pytest.mark.parametrize("references", [True, False])
def test_a_makers_list_is_carried_out_by_batch_run(
    station: Station, tmp_path: Path, references: bool
) -> None:
    path = makers_list(tmp_path, references)
    order = orders.order_file(station, path, Wish())
    assert (order.way, order.profile) == (Way.DELIVERED, "plain")
    with pytest.raises(Conflict, match="come from a maker"):
        orders.open_lines(station, "lot")
    assert run_batch(station, path).done == 4
    now = orders.standing(station, "lot")
    assert (now.progress.made, now.progress.printed, now.progress.left) == (4, 4, 4)
    assert [item.missing for item in now.items] == [(Missing.PACK,)] * 4
    cards = station.store.cards.listing()
    assert [card.order_line for card in cards] == [item.wanted.key for item in now.items]
    assert run_batch(station, path).there == 4
    assert orders.order_file(station, path, Wish()) == order
    people = len(station.store.drivers.cards_of("R-1")) if references else 0
    assert people == (1 if references else 0)
    assert station.store.audit.check().is_sound


def test_batch_run_makes_nothing_that_its_order_does_not_want(station: Station, tmp_path: Path) -> None:
    path = makers_list(tmp_path, references=True)
    orders.order_file(station, path, Wish())
    orders.cancel(station, "lot", ["R-2"], "left")
    found: list[Finding] = []
    with pytest.raises(Conflict, match="nothing was changed"):
        run_batch(station, path, found=found)
    assert [(finding.row, finding.words) for finding in found] == [
        (3, "line 2 of order lot is cancelled: left")
    ]
    path.write_text(path.read_text() + f"{nxp_uids(1, seed=9)[0].hex()},R-9,Driver\n")
    found.clear()
    with pytest.raises(Conflict):
        run_batch(station, path, found=found)
    assert found[-1].words == "order lot has no line for it: it was made of another list"
    assert station.store.cards.listing() == []


def test_a_list_may_not_make_the_cards_of_a_desks_order(station: Station, tmp_path: Path) -> None:
    orders.order_one(station, Driver("Jan", "R-1"), Wish(name="lot"))
    found: list[Finding] = []
    with pytest.raises(Conflict):
        run_batch(station, makers_list(tmp_path, references=True), found=found)
    assert found[0].words == "the cards of order lot are made at the desk, and not delivered"


def test_the_way_must_fit_the_file(station: Station, fleet: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="lists no UIDs"):
        orders.order_file(station, fleet, Wish(way=Way.DELIVERED))
    with pytest.raises(WrongCall, match="they are delivered"):
        orders.order_file(station, makers_list(tmp_path, references=True), Wish(way=Way.PRINT_FIRST))


def test_two_stations_in_one_store_see_the_same_order(folder: Path, fleet: Path) -> None:
    with open_station(folder, CLERK) as one, open_station(folder, CLERK) as other:
        orders.order_file(one, fleet, Wish())
        issue_from(other, "sim:ntag213?count=3", orders.open_lines(other, "fleet"))
        assert orders.open_lines(one, "fleet") == []
        assert {card.state for card in one.store.cards.listing()} == {CardState.ACTIVE}
