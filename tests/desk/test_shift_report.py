"""A shift report counts what one operator did on one day, and nobody else's work."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
from command_line import run
from hypothesis import given
from hypothesis import strategies as st
from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.desk.people.shift import csv_of, report_of, report_of_shift, today, write_report
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Reason, Role
from rfid_station.domain.lot_line import LotLine, Movement, balance_of
from rfid_station.domain.operator import Operator, Shift
from rfid_station.domain.stock import Delivery
from rfid_station.errors import ExitCode, WrongCall


@pytest.fixture
def worked(station: Station) -> Station:
    """Tess made three cards and blocked one; Sam blocked another."""
    cards = issue_from(station, "sim:ntag213?count=3", LINES).issued
    for card, actor in ((cards[0], CLERK), (cards[1], SUPPORT)):
        station.store.cards.move(
            card.id, to=CardState.BLOCKED, reason=Reason.LOST, actor=actor, token_of=station.token
        )
    return station


def text_of(pdf: Path) -> str:
    return "\n".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(pdf))


def test_the_report_counts_what_one_person_did(worked: Station, tmp_path: Path) -> None:
    found = report_of(worked, today(), CLERK.name)
    assert dict(found.work) == {"cards made": 3, "cards activated": 3, "cards blocked": 1}
    ((when, what),) = found.incidents
    assert when.startswith(f"{today()}")
    assert what.endswith("blocked: lost")
    path = write_report(worked, found, tmp_path / "shift.pdf").pdf
    text = text_of(path)
    assert "cards made" in text
    assert "Blank cards were not counted." in text
    assert "add up" not in text
    assert path.read_bytes() == write_report(worked, found, tmp_path / "again.pdf").pdf.read_bytes()
    assert dict(report_of(worked, today(), SUPPORT.name).work) == {"cards blocked": 1}


def test_a_day_without_work_is_said(worked: Station, folder: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    with pytest.raises(WrongCall, match=f"Tess did nothing on {yesterday}"):
        report_of(worked, yesterday, CLERK.name)
    assert run(folder, "shift", "report", "--of", "nobody").exit_code == ExitCode.WRONG_CALL


def test_the_command_writes_it(worked: Station, folder: Path) -> None:
    said = run(folder, "shift", "report", "--of", CLERK.name, "--json")
    assert said.exit_code == ExitCode.DONE
    document = json.loads(said.stdout)
    assert document["work"]["cards made"] == 3
    assert Path(document["pdf"]).read_bytes().startswith(b"%PDF")
    with open_station(folder, CLERK) as again:
        assert again.store.audit.check().is_sound


MOVED = Movement(
    lot="L1",
    at_start=50,
    received=100,
    transferred_in=5,
    transferred_out=20,
    issued=3,
    in_work=1,
    spoiled=2,
    destroyed=4,
    samples=1,
    missing=1,
    at_end=123,
)
LOT = LotLine(MOVED, counted=123)


def shift_of_tess(began: datetime, ended: datetime | None) -> Shift:
    return Shift(7, Operator(1, "Tess", Role.CLERK, True, 0, began), "desk-1", began, ended)


def test_a_shift_is_what_its_operator_did_in_it_and_what_its_desk_has(station: Station) -> None:
    began = datetime.now(UTC)
    stock, boss = station.store.stock, Actor("Sue", Role.SUPERVISOR)
    lot = stock.receive(Delivery("L1", "Maker", "NTAG213", 10, "desk-1"), boss)
    stock.release(lot.id, "virtual", boss)
    issue_from(station, "sim:ntag213?count=3", LINES)
    shift = shift_of_tess(began, None)
    report = report_of_shift(station, shift)
    assert dict(report.work) == {"cards made": 3, "cards activated": 3}
    adds_up = "All lots add up: what was there and came is what went and is there."
    assert report.balance == (adds_up, "Not counted by hand: L1.")
    stock.count("desk-1", {lot.id: 7}, station.actor, None)
    assert report_of_shift(station, shift).balance == (adds_up,)
    stock.count("desk-1", {lot.id: 6}, station.actor, "Sue")
    short = report_of_shift(station, shift)
    assert (short.balances, short.balance) == (False, ("Lot L1: 7 expected, 6 counted: 1 missing.",))
    (line,) = short.lots
    moved = line.moved
    assert (moved.received, moved.issued, moved.missing, moved.at_end) == (10, 3, 1, 6)


def test_cards_that_took_no_blank_are_noticed() -> None:
    assert balance_of((LOT,), 3)[1]
    assert balance_of((LOT,), 0) == (
        ("0 cards were made, and 3 blanks issued: they should be as many.",),
        False,
    )


def test_a_shift_before_the_work_is_empty(worked: Station) -> None:
    now = datetime.now(UTC)
    before = report_of_shift(worked, shift_of_tess(now - timedelta(hours=2), now - timedelta(hours=1)))
    assert (before.work, before.lots) == ((), ())


def test_the_log_is_asked_by_time_and_person(worked: Station) -> None:
    events = worked.store.audit.events()
    first, last = events[0].at, events[-1].at
    between = worked.store.audit.between
    assert between(first, last + timedelta(seconds=1)) == events
    assert between(first, last) == [one for one in events if one.at < last]
    assert {one.actor.name for one in between(first, last + timedelta(seconds=1), "Sam")} == {"Sam"}
    assert between(last + timedelta(seconds=1), last + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("lot", "words"),
    [
        (replace(LOT, counted=121), "Lot L1: 123 expected, 121 counted: 2 missing."),
        (replace(LOT, counted=124), "Lot L1: 123 expected, 124 counted: 1 too many."),
        (
            LotLine(replace(MOVED, at_end=122), counted=122),
            "Lot L1: the ledger says 122, and what moved leaves 123.",
        ),
    ],
)
def test_what_does_not_add_up_is_said(lot: LotLine, words: str) -> None:
    assert balance_of((LOT, lot), None) == ((words,), False)


def test_what_nobody_counted_is_said_and_no_fault() -> None:
    said, adds_up = balance_of((replace(LOT, counted=None),), 3)
    assert (said[-1], adds_up) == ("Not counted by hand: L1.", True)


@given(st.lists(st.integers(0, 500), min_size=10, max_size=10))
def test_any_ledger_that_was_kept_adds_up(moved: list[int]) -> None:
    start, received, came, left, issued, work, spoiled, destroyed, samples, missing = moved
    end = start + received + came - left - issued - work - spoiled - destroyed - samples - missing
    movement = Movement(
        lot="L",
        at_start=start,
        received=received,
        transferred_in=came,
        transferred_out=left,
        issued=issued,
        in_work=work,
        spoiled=spoiled,
        destroyed=destroyed,
        samples=samples,
        missing=missing,
        at_end=end,
    )
    lot = LotLine(movement, counted=end)
    assert lot.troubles == ()
    assert LotLine(replace(movement, issued=issued + 1)).troubles
    assert len(lot.figures) == 12


def test_the_csv_is_the_same_report_and_runs_nothing(worked: Station) -> None:
    report = report_of_shift(worked, shift_of_tess(datetime.now(UTC) - timedelta(hours=1), None))
    report = replace(
        report, lots=(LotLine(replace(MOVED, lot="=1+1")),), operator='=HYPERLINK("x")', desk="@desk"
    )
    table = list(csv.reader(csv_of(report).splitlines()))
    assert table[0] == ["part", "name", "value"]
    assert ["lot =1+1", "at start", "50"] in table
    assert ["shift", "operator", '\'=HYPERLINK("x")'] in table
    assert ["balance", "adds up", report.balance[0]] in table
    assert not [cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_a_name_of_an_operator_leads_no_file_elsewhere(worked: Station, folder: Path) -> None:
    report = replace(report_of(worked, today(), CLERK.name), operator="../../out/Tess")
    written = write_report(worked, report)
    assert written.pdf.parent == written.csv.parent == folder / "prints"
    assert ".." not in written.pdf.name
    with pytest.raises(WrongCall, match="is the name of the CSV"):
        write_report(worked, report, folder / "report.csv")
