"""`card try` where the partner does not hold the newest state, or holds nothing, or is of another kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from stations import LINES, issue_from, listening_anywhere

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver, push_now
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.desk.support.trying import Question, Try, try_card
from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason, Role
from rfid_station.domain.charge_point import Known, Says, StationMode, UidForm
from rfid_station.domain.token import Whitelist
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

SUPERVISOR = Actor("Sue", Role.SUPERVISOR)
FIRST_TOKEN = "first-token-out-of-band"
ALLOWED = Whitelist.ALLOWED


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as running:
        yield running


@pytest.fixture
def folder(folder: Path) -> Path:
    return listening_anywhere(folder, timeout_s=5.0)


@pytest.fixture
def station(folder: Path) -> Iterator[Station]:
    with open_station(folder, SUPERVISOR) as opened:
        yield opened


Connect = Callable[..., None]


@pytest.fixture
def connect(station: Station, cpo: VirtualCpo) -> Connect:
    def connected(agreement: Agreement | None = None, **profile: str) -> None:
        path = station.folder / "templates" / "partners" / "odd.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name} = {value}\n" for name, value in profile.items()))
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, agreement or Agreement(), "odd")
        connect_partner(station, "cpo")

    return connected


def issue(station: Station) -> Card:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    deliver(station, 20)
    return card


def token_id(station: Station, card: Card) -> int:
    return station.store.feed.token_id_of(card.id) or 0


def tried(
    station: Station, card: Card, mode: StationMode = StationMode.ONLINE, form: UidForm = UidForm.WHOLE
) -> Try:
    return try_card(station, card, station.store.partners.get("cpo"), Question(mode, form))


def test_a_card_let_go_on_is_refused_where_only_the_block_arrived(
    station: Station, cpo: VirtualCpo, connect: Connect
) -> None:
    connect()
    blocked = move_and_push(station, issue(station), CardState.BLOCKED, Reason.LOST).card
    cpo.faults.add(Fault(FaultKind.ABORT))
    card = move_and_push(station, blocked, CardState.ACTIVE, Reason.FOUND).card
    found = tried(station, card)
    assert (found.situation.held, found.verdict.says) == (Known(False, ALLOWED), Says.BLOCKED)
    assert found.verdict.says == cpo.authorize(card.uid.hex).status
    assert not found.told.is_confirmed
    assert found.uncertain[0]
    cpo.faults.clear()
    assert push_now(station, token_id(station, card), 10)[0].is_confirmed
    assert tried(station, card).verdict.says is Says.ACCEPTED
    doubts = tried(station, card, StationMode.OFFLINE).uncertain
    assert "a station that had its last line while the card was stopped refuses it" in doubts


def test_a_partner_outside_the_agreement_knows_no_card(station: Station, connect: Connect) -> None:
    connect(Agreement(groups=frozenset({"others"})))
    found = tried(station, issue(station))
    assert (found.told.newest, found.situation.held, found.verdict.says) == (None, None, Says.INVALID)


def test_a_partner_that_is_not_connected_yet_knows_no_card(station: Station, cpo: VirtualCpo) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    found = tried(station, issue(station))
    assert (found.situation.held, found.verdict.says) == (None, Says.INVALID)
    assert "cpo is not connected" in found.uncertain


def test_a_partner_that_reads_by_itself_holds_what_it_read(
    station: Station, cpo: VirtualCpo, connect: Connect
) -> None:
    connect(push="false")
    card = issue(station)
    found = tried(station, card)
    assert found.verdict.says is Says.INVALID
    assert "the partner reads our list by itself, and has not since the last change" in found.uncertain
    station.store.contacts.note_pull("cpo", station.store.database.clock().replace(year=2100))
    assert tried(station, card).verdict.says is Says.ACCEPTED


def test_what_a_profile_declares_is_told(station: Station, connect: Connect) -> None:
    connect(is_hub="true", cache_minutes="90.0", uid_sizes='["4"]', authorize="false")
    found = tried(station, issue(station), StationMode.CACHED)
    told = "; ".join(found.uncertain)
    assert "it is a hub" in told
    assert "its stations read no UID of 7 bytes" in told
    assert "whitelist ALLOWED lets it ask" not in told


def test_a_card_whose_day_is_over_is_expired_to_whoever_asks(
    station: Station, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(Agreement(whitelist=Whitelist.NEVER))
    card = issue(station)
    card = station.store.dates.set(card.id, date(2099, 1, 1), SUPERVISOR)
    now = station.store.database.clock()
    assert tried(station, card).verdict.says is Says.ACCEPTED
    monkeypatch.setattr(station.store.database, "clock", lambda: now.replace(year=2100))
    assert tried(station, card).verdict.says is Says.EXPIRED


def test_a_card_that_was_never_active_is_remembered_nowhere(folder: Path, cpo: VirtualCpo) -> None:
    settings = folder / "station.toml"
    text = settings.read_text()
    assert 'activation = "at_issue"' in text
    settings.write_text(text.replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, SUPERVISOR) as station:
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
        card = issue(station)
        assert card.state is CardState.ISSUED
        assert tried(station, card).verdict.says is Says.BLOCKED
        assert tried(station, card).verdict.says == cpo.authorize(card.uid.hex).status
        assert tried(station, card, StationMode.OFFLINE).verdict.says is Says.INVALID


def test_a_number_too_long_for_a_message_is_told(station: Station, connect: Connect) -> None:
    connect()
    found = tried(station, issue(station), form=UidForm.DECIMAL)
    assert found.verdict.says is Says.INVALID
    assert any(one.startswith("it may ask us about ") for one in found.uncertain)
