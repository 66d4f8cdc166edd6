"""Two desks with leases: the number that is shown before a card is the one that it gets."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_files import nxp_uids
from station_invariants import check_invariants
from stations import CLERK, issue_from, new_station

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import run
from rfid_station.desk.numbers import next_number
from rfid_station.desk.record.own_store import leasing_of
from rfid_station.desk.station import Station, open_station
from rfid_station.errors import StoreError
from rfid_station.settings import load_settings


def rising(folder: Path, place: str, store: Path, lease: str = "lease = 5") -> Path:
    settings = folder / "station.toml"
    text = settings.read_text().replace('order = "random"', 'order = "rising"')
    text = text.replace('"desk-1"', f'"{place}"')
    settings.write_text(text.replace('"sqlite:///station.db"', f'"sqlite:///{store}"\n{lease}'))
    return folder


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[tuple[Station, Station]]:
    one, two = new_station(tmp_path / "one"), new_station(tmp_path / "two")
    store = one / "station.db"
    with (
        open_station(rising(one, "one", store), CLERK) as first,
        open_station(rising(two, "two", store), CLERK) as second,
    ):
        yield first, second


def test_what_is_shown_comes_true_whatever_another_desk_does(
    desks: tuple[Station, Station], tmp_path: Path
) -> None:
    one, two = desks
    assert next_number(one) == one.number_pattern.render(1)
    for turn in range(4):
        shown = next_number(one)
        issue_from(two, f"sim:ntag213?count=3&seed={turn}")
        (made,) = issue_from(one, f"sim:ntag213?count=1&seed={100 + turn}").issued
        assert made.visual_number == shown
    check_invariants(one)


def test_a_batch_takes_no_number_that_is_shown_at_another_desk(
    desks: tuple[Station, Station], tmp_path: Path
) -> None:
    one, two = desks
    issue_from(one, "sim:ntag213?count=2&seed=1")
    shown = next_number(two)
    assert shown == two.number_pattern.render(6)
    path = tmp_path / "lot7.csv"
    uids = nxp_uids(20)
    path.write_text("uid,reference\n" + "".join(f"{uid.hex()},E-{n}\n" for n, uid in enumerate(uids)))
    with open_table(path) as table:
        run(one, Check(table, Wish("lot7")), partial=False)
    cards = one.store.cards.listing()[2:]
    numbers = [3, 4, 5, *range(11, 28)]
    assert [card.visual_number for card in cards] == [one.number_pattern.render(n) for n in numbers]
    assert [int(card.contract_id.compact[6:14]) for card in cards] == numbers
    (made,) = issue_from(two, "sim:ntag213?count=1&seed=2").issued
    assert made.visual_number == shown
    check_invariants(one)


def test_what_a_desk_holds_is_noted_for_its_owner(desks: tuple[Station, Station]) -> None:
    one, _ = desks
    issue_from(one, "sim:ntag213?count=2")
    note = one.folder / "lease.json"
    told = json.loads(note.read_text())
    assert (told["place"], told["next"], told["last"]) == ("one", 3, 5)
    assert stat.S_IMODE(note.stat().st_mode) == 0o600


def test_a_desk_that_cannot_note_what_it_holds_makes_no_card(desks: tuple[Station, Station]) -> None:
    one, _ = desks
    (one.folder / "lease.json").mkdir()
    with pytest.raises(StoreError, match="what this desk holds in lease cannot be written"):
        issue_from(one, "sim:ntag213?count=1")
    assert one.store.cards.listing() == []
    assert one.store.leases.all() == []


@pytest.mark.parametrize(("entries", "size"), [("", None), ("lease = 0", None), ("lease = 7", 7)])
def test_a_file_is_leased_from_only_where_the_settings_say_so(
    tmp_path: Path, entries: str, size: int | None
) -> None:
    folder = rising(new_station(tmp_path / "one"), "one", tmp_path / "one" / "station.db", entries)
    leasing = leasing_of(load_settings(folder), folder)
    assert (leasing.size if leasing else None) == size


def test_on_a_server_a_desk_leases(folder: Path) -> None:
    settings = folder / "station.toml"
    url = '"postgresql+psycopg://desk@db.example/station"'
    settings.write_text(settings.read_text().replace('"sqlite:///station.db"', url))
    leasing = leasing_of(load_settings(folder), folder)
    assert (leasing.place, leasing.size) == ("desk-1", 100)
