"""A shift report counts what one operator did on one day, and nobody else's work."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest
from command_line import run
from stations import CLERK, LINES, SUPPORT, issue_from

from rfid_station.desk.shift import report_of, today, write_report
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import CardState, Reason
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
    path = write_report(worked, found, tmp_path / "shift.pdf")
    text = text_of(path)
    assert "cards made" in text
    assert "Blank cards were not counted." in text
    assert "add up" not in text
    assert path.read_bytes() == write_report(worked, found, tmp_path / "again.pdf").read_bytes()
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
