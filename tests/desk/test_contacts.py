"""How partners are met while `serve` runs: who reads by itself, who is paused, what outlives the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import rows, run
from stations import CLERK, LINES, issue_from, listening_anywhere

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.contact_book import PullNotes
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.partners.sync_upkeep import pause, resume
from rfid_station.desk.partners.upkeep import disconnect_partner
from rfid_station.desk.serving import health, plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.stopping import move_card
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import PartnerState
from rfid_station.domain.partner_profile import AfterOutage
from rfid_station.errors import ExitCode, StillPending
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.sync.report import LaneState

FIRST_TOKEN = "first-token-out-of-band"
SOON_S = 60.0


def eventually(what: Callable[[], object]) -> Any:
    until_s = time.monotonic() + SOON_S
    while not (found := what()):
        assert time.monotonic() < until_s
        time.sleep(0.02)
    return found


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as virtual:
        yield virtual


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(folder, timeout_s=5.0)


@pytest.fixture
def connected(station: Station, cpo: VirtualCpo) -> Station:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")
    return station


@pytest.fixture
def pulling(connected: Station) -> Station:
    """A partner that nothing is sent to."""
    profile = connected.store.partners.get("cpo").profile
    connected.store.partners.set_profile("cpo", replace(profile, name="pulls", push=False), CLERK)
    return connected


def later_than(station: Station) -> bool:
    """Whether the second of the newest stamp is over: what is read within it counts as unread."""
    (change,) = station.store.feed.own_after(0, Lane.BULK, 1)
    return datetime.now(UTC) >= change.token.last_updated + timedelta(seconds=1)


def status(folder: Path) -> dict[str, Any]:
    return rows(run(folder, "sync", "status", "--json"))[0]


def test_who_reads_by_itself_is_told_of_with_its_last_pull(
    pulling: Station, folder: Path, cpo: VirtualCpo
) -> None:
    issue_from(pulling, "sim:ntag213", LINES[:1])
    before = status(folder)
    assert (before["state"], before["owed"], before["last_pull"]) == ("pulls by itself", 1, None)
    assert "no pull yet; 1 changed since" in before["detail"]
    assert run(folder, "sync", "run").exit_code == ExitCode.DONE
    assert run(folder, "sync", "pause", "cpo").exit_code == ExitCode.WRONG_CALL
    with running(pulling, plan_for(pulling), lambda _: None) as now:
        assert now.keeper
        eventually(lambda: health(pulling, now.keeper)["sync"])
        eventually(lambda: later_than(pulling))
        assert cpo.pull().is_done
        eventually(lambda: pulling.store.contacts.get("cpo").last_pull_at)
    after = status(folder)
    assert (after["state"], after["owed"]) == ("pulls by itself", 0)
    assert after["detail"] == f"pulls by itself; last pull {after['last_pull']}"
    assert "pulls by itself; last pull" in run(folder, "sync", "status").stdout


def test_who_reads_by_itself_is_let_go_after_it_has_read_that_its_cards_are_gone(
    pulling: Station, cpo: VirtualCpo
) -> None:
    issue_from(pulling, "sim:ntag213", LINES[:1])
    with pytest.raises(StillPending, match="has not read since its cards were withdrawn"):
        disconnect_partner(pulling, "cpo")
    assert pulling.store.partners.get("cpo").state is PartnerState.CONNECTED
    until = datetime.now(UTC) + timedelta(seconds=2)
    with running(pulling, plan_for(pulling, sync=False), lambda _: None):
        eventually(lambda: datetime.now(UTC) > until)  # stamps are whole seconds, and may be one ahead
        pulled = cpo.pull()
        assert pulled.is_done, pulled
        assert [token["valid"] for token in cpo.tokens.values()] == [False], pulled
        eventually(lambda: pulling.store.contacts.get("cpo").last_pull_at)
    assert disconnect_partner(pulling, "cpo").state is PartnerState.DISCONNECTED
    assert cpo.parties == []


def test_a_pause_is_noticed_while_serve_runs(connected: Station, folder: Path, cpo: VirtualCpo) -> None:
    first, second = issue_from(connected, "sim:ntag213?count=2", LINES[:2]).issued
    deliver(connected, 20)

    def valid() -> dict[str, bool]:
        return {token["uid"]: token["valid"] for token in cpo.tokens.values()}

    with running(connected, plan_for(connected, serve=False), lambda _: None):
        pause(connected, "cpo", "")
        issue_from(connected, "sim:ntag213", LINES[2:])
        # Whoever is not paused is sent the new card in the same turn as the first block, before the second.
        for card in (first, second):
            with open_station(folder, CLERK) as desk:
                move_card(desk, card, CardState.BLOCKED, Reason.LOST)
            eventually(lambda uid=card.uid.hex: valid()[uid] is False)
        assert len(cpo.tokens) == 2
        # The partner holds the last block before its answer is written down here.
        eventually(lambda: status(folder)["state"] == "paused by hand")
        resume(connected, "cpo")
        eventually(lambda: len(cpo.tokens) == 3)


def test_sync_of_one_partner_says_when_it_does_not_run(connected: Station) -> None:
    with running(connected, plan_for(connected, serve=False), lambda _: None) as now:
        keeper = now.keeper
        assert keeper
        eventually(lambda: keeper._worker)
        assert keeper.is_alive
        assert keeper._worker
        keeper._worker.stop()
        eventually(lambda: not keeper.is_alive)


class Slow:
    """Takes notes when it is let."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, datetime]] = []
        self.may = threading.Event()

    def note_pull(self, name: str, at: datetime) -> None:
        self.may.wait(SOON_S)
        self.notes.append((name, at))


def test_pulls_are_written_down_once_a_minute_and_the_last_one_at_the_end() -> None:
    contacts = Slow()
    notes = PullNotes(contacts)  # type: ignore[arg-type]
    begun_s = time.monotonic()
    for _ in range(1000):
        notes.note("cpo")
    assert time.monotonic() - begun_s < SOON_S / 4, "nobody who reads waits for the store"
    contacts.may.set()
    eventually(lambda: contacts.notes)
    before = datetime.now(UTC)
    for _ in range(1000):
        notes.note("cpo")
        notes.note("other")
    eventually(lambda: len(contacts.notes) == 2)
    assert [name for name, _ in contacts.notes] == ["cpo", "other"]
    notes.note("cpo")
    notes.note("other")
    notes.close()
    assert sorted(name for name, _ in contacts.notes[2:]) == ["cpo", "other"]
    assert contacts.notes[2][1] >= before


def test_within_a_minute_the_next_note_waits_for_its_time() -> None:
    contacts = Slow()
    contacts.may.set()
    notes = PullNotes(contacts, every_s=0.2)  # type: ignore[arg-type]
    notes.note("cpo")
    eventually(lambda: len(contacts.notes) == 1)
    notes.note("cpo")
    eventually(lambda: len(contacts.notes) == 2)
    assert (contacts.notes[1][1] - contacts.notes[0][1]).total_seconds() >= 0
    notes.close()


def test_what_was_met_is_forgotten_with_the_connection_and_a_pause_is_not(connected: Station) -> None:
    contacts, now = connected.store.contacts, datetime.now(UTC)
    contacts.note_down("cpo", now)
    contacts.note_success("cpo", now)
    contacts.note_success("cpo", now - timedelta(hours=1))
    contacts.note_pull("cpo", now)
    pause(connected, "cpo", "why")
    met = contacts.get("cpo")
    assert (met.down_since, met.last_success_at, met.last_pull_at) == (now, now, now)
    assert contacts.all() == {"cpo": met}
    contacts.forget("cpo")
    assert contacts.get("cpo") == replace(met, down_since=None, last_success_at=None, last_pull_at=None)
    assert contacts.get("cpo").pause == met.pause
    contacts.note_down("cpo", None)
    assert contacts.get("nobody").pause is None


def test_a_partner_that_reads_by_itself_after_an_outage_is_sent_the_rest_after_its_pull(
    connected: Station, folder: Path, cpo: VirtualCpo
) -> None:
    profile = connected.store.partners.get("cpo").profile
    waits = replace(profile, name="waits", after_outage=AfterOutage.WAIT_FOR_PULL)
    connected.store.partners.set_profile("cpo", waits, CLERK)
    issue_from(connected, "sim:ntag213", LINES[:1])
    now = datetime.now(UTC)
    connected.store.contacts.note_down("cpo", now - timedelta(hours=2))
    assert status(folder)["state"] == "down"
    connected.store.contacts.note_success("cpo", now)
    (waiting,) = deliver(connected, 1)
    assert (waiting.state, len(cpo.tokens)) == (LaneState.WAITING, 0)
    assert status(folder)["state"] == "waiting for its pull"
    connected.store.contacts.note_pull("cpo", now + timedelta(seconds=1))
    (settled,) = deliver(connected, 20)
    assert (settled.state, len(cpo.tokens)) == (LaneState.IN_STEP, 1)
    assert status(folder)["down_since"] is None
