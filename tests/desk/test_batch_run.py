"""A file is carried out once, however often and however far it is run."""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from batch_files import nxp_uids
from stations import CLERK, LINES, SUPPORT, issue_from
from warm_processes import PROCESSES

from rfid_station.desk.batch import checking
from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import Progress, Result, outcomes, run
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import Card, CardState, Driver, Reason
from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.store.bulk.registrar import Registrar

UIDS = nxp_uids(20)


def makers_list(folder: Path, rows: list[str] | None = None, name: str = "lot7.csv") -> Path:
    path = folder / name
    lines = (
        rows if rows is not None else [f"{uid.hex()},E-{n},Driver {n},Delta,de" for n, uid in enumerate(UIDS)]
    )
    path.write_text("\n".join(["uid,reference,name,fleet,language", *lines]) + "\n")
    return path


def carried_out(
    station: Station, path: Path, *, partial: bool = False, found: list[Finding] | None = None, **wish: Any
) -> Progress:
    with open_table(path) as table:
        check = Check(table, Wish(path.stem, **wish), station.number_pattern)
        return run(station, check, partial=partial, tell=(found if found is not None else []).append)


def told(station: Station, path: Path) -> list[tuple[int, Result, str | None]]:
    with open_table(path) as table:
        check = Check(table, Wish(path.stem), station.number_pattern)
        return [(one.row, one.result, one.number) for one in outcomes(station, check)]


def state_of(station: Station) -> list[tuple[Any, ...]]:
    """All that a run leaves behind but what is drawn by chance."""
    report = station.store.audit.check()
    assert report.is_sound, report
    return [
        (card.uid.hex, card.order_line, f"{card.contract_id}", card.state, card.group, card.driver, card.chip)
        for card in station.store.cards.listing()
    ]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK", 3)


def test_a_makers_list_becomes_cards_with_tokens_and_events(station: Station, tmp_path: Path) -> None:
    assert carried_out(station, makers_list(tmp_path), chip="NTAG213").done == 20
    cards = station.store.cards.listing()
    assert [card.uid.raw for card in cards] == UIDS
    first: Card = cards[0]
    assert (first.state, first.chip, first.profile, first.group) == (
        CardState.ACTIVE,
        "NTAG213",
        "plain",
        "Delta",
    )
    assert first.driver == Driver("Driver 0", "E-0", "Delta", "de")
    assert station.number_pattern.index(first.visual_number) is not None
    assert len({card.alias for card in cards}) == len({card.visual_number for card in cards}) == 20
    (event,) = station.store.cards.history(first.id)
    assert (event.action, event.actor) == ("card.active", CLERK)
    assert event.data["uid"] == first.uid.masked
    state_of(station)
    assert station.store.cards.search("E-7")[0].uid.raw == UIDS[7]


def test_cards_made_one_by_one_and_by_the_thousand_are_alike(
    station: Station, folder: Path, tmp_path: Path
) -> None:
    """What `card issue` leaves and what a list leaves differ in nothing a partner could see."""
    issue_from(station, "sim:ntag213?count=1", LINES[:1], profile="plain")
    carried_out(station, makers_list(tmp_path, [f"{UIDS[0].hex()},1,Driver 1,Fleet,de"]), chip="NTAG213")
    one, other = station.store.cards.listing()
    assert (one.state, one.group, one.driver, one.profile) == (
        other.state,
        other.group,
        other.driver,
        other.profile,
    )
    token = station.token(one, one.changed_at)
    assert station.token(other, other.changed_at).issuer == token.issuer


def test_the_same_file_again_changes_nothing(station: Station, tmp_path: Path) -> None:
    path = makers_list(tmp_path)
    carried_out(station, path)
    before, numbers = state_of(station), told(station, path)
    again = carried_out(station, path)
    assert (again.done, again.there, again.wrong) == (0, 20, 0)
    assert (state_of(station), told(station, path)) == (before, numbers)
    assert {result for _, result, _ in numbers} == {Result.DONE}


def test_a_list_without_references_in_another_order_changes_nothing(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "lot8.csv"
    path.write_text("uid\n" + "".join(f"{uid.hex()}\n" for uid in UIDS))
    carried_out(station, path)
    before = state_of(station)
    path.write_text("uid\n" + "".join(f"{uid.hex()}\n" for uid in reversed(UIDS)))
    assert carried_out(station, path).there == 20
    assert state_of(station) == before
    assert not any(uid.hex().upper() in f"{row[1]}" for row, uid in zip(before, UIDS, strict=True))


WRONG = ["banana,E-20,D,Delta,de", f"{UIDS[3].hex()},E-21,D,Delta,de", "04112233445580,E-22,D,Delta,german"]


def test_all_or_nothing_is_nothing_and_names_every_error(station: Station, tmp_path: Path) -> None:
    rows = [f"{uid.hex()},E-{n},D,Delta,de" for n, uid in enumerate(UIDS)]
    path = makers_list(tmp_path, [*rows[:8], WRONG[0], *rows[8:], *WRONG[1:]])
    found: list[Finding] = []
    with pytest.raises(WrongCall, match=r"nothing was changed: .* has 3 errors"):
        carried_out(station, path, found=found)
    assert [finding.row for finding in found] == [10, 23, 24]
    assert station.store.cards.listing() == []
    assert [row for row, result, _ in told(station, path) if result is Result.WRONG] == [10, 23, 24]


def test_partial_leaves_out_what_is_wrong(station: Station, tmp_path: Path) -> None:
    rows = [f"{uid.hex()},E-{n},D,Delta,de" for n, uid in enumerate(UIDS)]
    progress = carried_out(station, makers_list(tmp_path, [*rows, *WRONG]), partial=True)
    assert (progress.rows, progress.done, progress.wrong) == (23, 20, 3)
    state_of(station)


def test_a_card_of_another_order_is_a_conflict_and_nothing_is_half_done(
    station: Station, tmp_path: Path
) -> None:
    carried_out(station, makers_list(tmp_path, [f"{UIDS[19].hex()},X,D,Delta,de"], "lot6.csv"))
    with pytest.raises(Conflict, match="nothing was changed"):
        carried_out(station, makers_list(tmp_path))
    assert len(station.store.cards.listing()) == 1
    assert carried_out(station, makers_list(tmp_path), partial=True).done == 19
    state_of(station)


def test_a_reversed_list_is_not_carried_out_without_its_option(station: Station, tmp_path: Path) -> None:
    path = makers_list(tmp_path, [f"{uid[::-1].hex()},E-{n},D,F,de" for n, uid in enumerate(UIDS)])
    for partial in (True, False):
        with pytest.raises(WrongCall, match="nothing was changed"):
            carried_out(station, path, partial=partial)
    assert station.store.cards.listing() == []
    carried_out(station, path, uids=UidForm.REVERSED)
    assert [card.uid.raw for card in station.store.cards.listing()] == UIDS


def run_and_die(folder: Path, path: Path, portion: int, *, partial: bool) -> None:
    """Carry a file out in portions of three, and be killed while a portion is written down."""
    checking.CHUNK = 3
    portions, tell = count(1), Registrar._tell

    def dying(self: Registrar, *arguments: Any) -> None:
        if next(portions) == portion:
            os.kill(os.getpid(), signal.SIGKILL)
        tell(self, *arguments)

    with patch.object(Registrar, "_tell", dying), open_station(folder, CLERK) as station:
        carried_out(station, path, partial=partial)


@pytest.mark.parametrize(("portion", "mode", "left"), [(1, "partial", 0), (4, "partial", 9), (5, "whole", 0)])
def test_killed_in_any_portion_the_next_run_ends_in_the_same_state(
    folder: Path, tmp_path: Path, portion: int, mode: str, left: int
) -> None:
    path = makers_list(tmp_path)
    how = {"partial": mode == "partial"}
    killed = PROCESSES.Process(target=run_and_die, args=(folder, path, portion), kwargs=how)
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    with open_station(folder, CLERK) as station:
        assert len(state_of(station)) == left
        assert [result for _, result, _ in told(station, path)].count(Result.DONE) == left
        assert carried_out(station, path, partial=mode == "partial").there == left
        expected = [(uid.hex().upper(), f"lot7:E-{n}", f"C{n + 1:08}") for n, uid in enumerate(UIDS)]
        assert [
            (uid, line, contract.split("-")[2]) for uid, line, contract, *_ in state_of(station)
        ] == expected


def test_a_spoiled_cards_chip_may_come_back_in_a_list(folder: Path, tmp_path: Path) -> None:
    """Its token goes on under the new card: partners know it by the UID alone."""
    settings = folder / "station.toml"
    settings.write_text(settings.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, CLERK) as station:
        carried_out(station, makers_list(tmp_path))
        first = station.store.cards.listing()[0]
        assert first.state is CardState.ISSUED
        station.store.cards.move(first.id, CardState.SPOILED, Reason.DAMAGED, CLERK, station.token)
        again = makers_list(tmp_path, [f"{first.uid.hex},E-50,D,Delta,de"], "lot9.csv")
        assert carried_out(station, again).done == 1
        assert len(state_of(station)) == 21
        assert len(station.store.cards.listing()) == 21
        assert carried_out(station, again).there == 1


def changes(folder: Path, cards: list[Card], action: str, reason: str) -> Path:
    path = folder / "changes.csv"
    path.write_text(
        "Kartennummer;Aktion;Grund\n" + "".join(f"{c.visual_number};{action};{reason}\n" for c in cards)
    )
    return path


def test_cards_are_blocked_and_let_go_by_file(folder: Path, station: Station, tmp_path: Path) -> None:
    cards = issue_from(station, "sim:ntag213?count=3", LINES).issued
    block = changes(tmp_path, cards[:2], "sperren", "lost")
    assert carried_out(station, block).done == 2
    assert carried_out(station, block).there == 2
    assert [card.state for card in station.store.cards.listing()] == ["blocked", "blocked", "active"]
    back = changes(tmp_path, cards[:2], "unblock", "found")
    with pytest.raises(Conflict, match="nothing was changed"):
        carried_out(station, back)
    with open_station(folder, SUPPORT) as support:
        assert carried_out(support, back).done == 2
    state_of(station)


def test_changes_that_cannot_all_be_made_are_not_begun(station: Station, tmp_path: Path) -> None:
    cards = issue_from(station, "sim:ntag213?count=3", LINES).issued
    path = changes(tmp_path, cards, "block", "lost")
    path.write_text(path.read_text() + "EXM-0000-0001-1;block;lost\n")
    found: list[Finding] = []
    with pytest.raises(StationError):
        carried_out(station, path, found=found)
    assert [finding.row for finding in found] == [5]
    assert {card.state for card in station.store.cards.listing()} == {CardState.ACTIVE}
    assert carried_out(station, path, partial=True).done == 3


def test_a_file_of_drivers_is_for_the_reader(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "fleet.csv"
    path.write_text("reference,name\n1,Anna\n")
    with pytest.raises(WrongCall, match="have to be tapped") as caught:
        carried_out(station, path)
    assert caught.value.hint == f"rfid-station card issue {path}"
