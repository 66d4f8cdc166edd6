"""The desk's small parts: files that are whole or not there, numbers, secrets, the brake."""

from __future__ import annotations

import csv
import os
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phone import links_seen_by_a_phone
from stations import CLERK, ENGINES, LINES, Diary, issue_from, on_engine

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.batch.fleet_file import read_fleet_file
from rfid_station.desk.files import write_whole
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.paper.sheets import Wish, print_sheets
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.lookup import the_card
from rfid_station.domain.card import CardState
from rfid_station.errors import Conflict, DiskFull, WrongCall
from rfid_station.reader.opening import open_reader
from rfid_station.reader.sim import SimReader
from rfid_station.vault import Vault


@pytest.fixture(params=ENGINES)
def folder(folder: Path, request: pytest.FixtureRequest) -> Path:
    return on_engine(request, folder)


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files of this process may grow to 4000 bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_has_no_room_leaves_the_old_one(tmp_path: Path, little_room: object) -> None:
    path = tmp_path / "sheet.pdf"
    write_whole(path, b"old")
    with pytest.raises(DiskFull, match=r"no room for .*sheet.pdf \(5000 bytes\)"):
        write_whole(path, bytes(5000))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.pdf"]


def test_what_is_no_file_is_not_replaced_by_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WrongCall, match="pipe is not a file"):
        write_whole(tmp_path / "pipe", b"x")
    assert (tmp_path / "pipe").is_fifo()


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongCall, match=r"file/sheet.pdf cannot be written"):
        write_whole(tmp_path / "file" / "sheet.pdf", b"x")


def test_a_print_that_fails_is_not_remembered(station: Station, tmp_path: Path) -> None:
    cards = issue_from(station, "sim:ntag213").issued
    (tmp_path / "file").touch()
    with pytest.raises(WrongCall):
        print_sheets(station, cards, Wish(out=tmp_path / "file" / "x.pdf"))
    assert station.store.prints.card_ids() == set()


def test_rising_numbers_are_in_order_of_issue_and_random_ones_are_not(folder: Path) -> None:
    with open_station(folder, CLERK) as station:
        drawn = [card.visual_number for card in issue_from(station, "sim:ntag213?count=6").issued]
    assert drawn != sorted(drawn)
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('visual_order = "random"', 'visual_order = "rising"'))
    with open_station(folder, CLERK) as station:
        rising = [card.visual_number for card in issue_from(station, "sim:ntag213?count=2").issued]
    assert [number[:-2] for number in rising] == ["EXM-0000-0007", "EXM-0000-0008"]


def test_three_failures_in_a_row_stop_the_loop(station: Station) -> None:
    diary = Diary()
    tally = issue_from(station, "sim:classic1k?count=9", view=diary)
    assert tally.must_brake
    assert len(tally.failures) == 3
    assert station.store.cards.listing() == []


class Piles:
    """A reader onto which one virtual pile comes after the other."""

    uri = "sim:"

    def __init__(self, *uris: str) -> None:
        self.readers = [open_reader(uri) for uri in uris]

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        for reader in self.readers:
            yield from reader.cards(stop)

    def close(self) -> None:
        for reader in self.readers:
            reader.close()


def test_failures_that_are_not_in_a_row_do_not_stop_it(station: Station) -> None:
    bad, good = "sim:classic1k?count=2", "sim:ntag213"
    tally = issue_cards(
        Run(station, station.profile(), None, None, Diary()), Piles(bad, good, bad, good), lambda: False
    )
    assert (len(tally.failures), len(tally.issued)) == (4, 2)


def test_a_blank_too_many_is_not_used_while_a_begun_card_is_out(station: Station) -> None:
    first = issue_from(station, "sim:ntag213?fault=vanish", LINES[:1])
    assert list(first.begun_lines) == [LINES[0].key]
    other = issue_from(station, "sim:ntag213", LINES[:1])
    assert [type(error) for error in other.failures] == [Conflict]
    (card,) = station.store.cards.listing()
    assert card.state is CardState.ENCODING


def test_a_card_that_was_begun_is_finished_as_it_was_begun(folder: Path) -> None:
    deck = f"sim:ntag213?deck={folder / 'deck.json'}"
    with open_station(folder, CLERK) as station:
        issue_from(station, f"{deck}&fault=vanish")
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('profile = "link"', 'profile = "plain"'))
    with open_station(folder, CLERK) as station:
        (card,) = issue_from(station, f"{deck}&start=0").issued
        assert (card.profile, card.state) == ("link", CardState.ACTIVE)
    reader = open_reader(f"{deck}&start=0")
    assert isinstance(reader, SimReader)
    assert links_seen_by_a_phone(reader.deck.cards[0].card) == [f"https://cards.example.com/c/{card.alias}"]


def test_a_name_that_fits_several_cards_is_a_conflict_that_lists_them(station: Station) -> None:
    cards = issue_from(station, "sim:ntag213?count=2", LINES[:2]).issued
    with pytest.raises(Conflict, match="fits 2 cards") as caught:
        the_card(station, "Driver")
    assert all(card.visual_number in caught.value.message for card in cards)


# U+FFFD stands for what could not be decoded: no name has it, and a file with it is refused.
WRITTEN = st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="\ufffd")


@given(
    st.lists(
        st.tuples(
            st.text(WRITTEN, min_size=1, max_size=12),
            st.text(WRITTEN, min_size=1, max_size=20),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    )
)
def test_any_fleet_file_that_is_written_well_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("fleet") / "fleet.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["reference", "name", "fleet", "language"])
        writer.writerows([reference, name, "Fleet, Ltd", ""] for reference, name in rows)
    lines = read_fleet_file(path)
    assert [(line.driver.reference, line.driver.name) for line in lines] == rows
    assert [line.key for line in lines] == [f"fleet:{reference}" for reference, _ in rows]


def test_a_vault_keeps_each_secret_in_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault(tmp_path / "secrets")
    first, second = vault.keep("cpo", "one"), vault.keep("cpo", "two")
    assert (vault.read(first), vault.read(second)) == ("one", "two")
    for path in vault.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700
    vault.forget(first)
    with pytest.raises(WrongCall, match="is missing"):
        vault.read(first)
    monkeypatch.setenv("CPO_TOKEN", "three")
    assert vault.read("env:CPO_TOKEN") == "three"
    for wrong in ("env:NOBODY", "file:../station.toml", "clear", "file:"):
        with pytest.raises(WrongCall):
            vault.read(wrong)
