"""What a card did, told by a CPO over HTTP in three versions, and asked about at the desk."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from command_line import rows, run
from stations import CLERK, LINES, issue_from, listening_anywhere, new_station

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.serving import plan_for, running
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.charge import ChargeKind
from rfid_station.simulator.cpo.profile import CpoProfile
from rfid_station.simulator.cpo.rules import JsonObject
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

FIRST_TOKEN = "first-token-out-of-band"
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


@dataclass
class World:
    """A station that is served, its cards, and a CPO that holds them."""

    folder: Path
    station: Station
    cpo: VirtualCpo
    cards: list[Card]

    def tells(self, what: str, **given: object) -> JsonObject:
        """Have the CPO tell something by its control port; it went well, and nothing was odd about it."""
        report = self.asked(what, **given)
        assert report["is_done"], report
        assert report["complaints"] == []
        facts: JsonObject = report["facts"]  # type: ignore[assignment]
        return facts

    def asked(self, what: str, **given: object) -> JsonObject:
        request = Request(f"{self.cpo.control_url}/{what}", json.dumps(given).encode(), method="POST")
        with urlopen(request, timeout=60) as response:
            answer: JsonObject = json.load(response)
        return answer


@pytest.fixture(scope="module", params=VERSIONS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = new_station(tmp_path_factory.mktemp("usage") / "station")
    listening_anywhere(folder, timeout_s=5.0)
    with ExitStack() as stack:
        station = stack.enter_context(open_station(folder, CLERK))
        profile = CpoProfile(versions=(request.param,))
        cpo = stack.enter_context(VirtualCpo(FIRST_TOKEN, profile))
        cards = issue_from(station, "sim:ntag213?count=3", LINES).issued
        stack.enter_context(running(station, plan_for(station, sync=False), lambda _: None))
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
        deliver(station, 20)
        yield World(folder, station, cpo, cards)


@pytest.fixture(scope="module")
def refused(world: World) -> list[JsonObject]:
    """What was answered when a CDR that was told came again, twice with other money in it."""
    same = {"uid": world.cards[1].uid.hex, "id": "C2", "began": at(3), "ended": at(3, 1), "cost": 2.5}
    world.tells("cdr", **same)
    world.tells("cdr", **same, last_updated=at(1))
    return [world.asked("cdr", **(same | {"cost": cost})) for cost in (99, 98)]


@pytest.fixture(scope="module")
def stopped(world: World) -> Card:
    """A card that was charged with before it was blocked, and after."""
    card = world.cards[2]
    world.tells("cdr", uid=card.uid.hex, id="before", began=at(1))
    assert move_and_push(world.station, card, CardState.BLOCKED, Reason.LOST).confirmations[0].proven_at
    began = f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    world.tells("session", uid=card.uid.hex, id="late", began=began)
    world.tells("cdr", uid=card.uid.hex, id="late-cdr", session_id="late", began=began)
    return card


def at(days_ago: float, hours: float = 0) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days_ago, hours=-hours):%Y-%m-%dT%H:%M:%SZ}"


def test_a_session_grows_and_its_cdr_takes_its_place(world: World) -> None:
    card, began = world.cards[0], at(2)
    begun = {"uid": card.uid.hex, "id": "S1", "began": began, "status": "ACTIVE"}
    world.tells("session", **begun, kwh=1, last_updated=at(2, 1))
    world.tells("session", **begun, kwh=5, last_updated=at(2, 2))
    world.tells("session", **begun, kwh=3, last_updated=at(2, 1.5))
    (session,) = world.station.store.usage.of_card(card.id)
    told = world.tells("cdr", uid=card.uid.hex, id="C1", session_id="S1", began=began, kwh=5.25, cost=2.1)
    (cdr,) = world.station.store.usage.of_card(card.id)

    assert (session.charge.kind, session.charge.energy_kwh) == (ChargeKind.SESSION, 5)
    assert (cdr.charge.kind, cdr.charge.energy_kwh) == (ChargeKind.CDR, Decimal("5.25"))
    assert cdr.charge.cost is not None
    assert (cdr.charge.cost.excl, cdr.charge.cost.currency) == (Decimal("2.1"), "EUR")
    assert cdr.charge.place.country == "NLD"
    assert (cdr.partner, cdr.number) == ("cpo", card.visual_number)
    assert str(told["url"]).endswith("/cdrs/NL/CPX/C1")


def test_the_same_cdr_again_changes_nothing_and_another_is_refused(
    world: World, refused: list[JsonObject]
) -> None:
    for answer in refused:
        assert not answer["is_done"]
        assert (answer["http_status"], answer["status_code"]) == (200, 2000)
    kept = next(one for one in world.station.store.usage.of_card(world.cards[1].id) if one.refused)
    assert kept.charge.cost is not None
    assert (kept.charge.cost.excl, kept.refused, kept.refused_fields) == (Decimal("2.5"), 2, "total_cost")
    (event,) = [one for one in world.station.store.audit.events() if one.action == "cdr.refused"]
    assert (event.subject, event.data["cdr"]) == ("partner:cpo", "C2")


def test_strange_tokens_are_kept_apart(world: World) -> None:
    world.tells("session", uid="04FFFFFFFFFFFF", id="strange")
    world.tells("cdr", uid="not-a-uid", id="odd")

    unknown = world.station.store.usage.unknown(10)
    assert {one.charge.token.contract for one in unknown} == {"04FFFFFFFFFFFF", "not-a-uid"}
    assert not any(one.card_id for one in unknown)


def test_a_charge_after_a_proven_block_is_an_alarm(world: World, stopped: Card) -> None:
    (alarm,) = world.station.store.usage.alarms()
    assert (alarm.charge.id, alarm.partner, alarm.card_id) == ("late-cdr", "cpo", stopped.id)
    assert alarm.after_stop is not None
    assert alarm.after_stop.basis == "proven"
    assert (alarm.after_stop.stop.state, alarm.after_stop.stop.reason) == (CardState.BLOCKED, "lost")
    assert world.station.store.usage.alarm_count("cpo") == 1
    events = [e for e in world.station.store.audit.events() if e.action == "card.accepted_after_block"]
    assert [event.data["kind"] for event in events] == ["session", "cdr"]
    assert world.station.store.audit.check().is_sound


def test_the_desk_shows_what_a_card_did(world: World) -> None:
    card = world.cards[0]
    world.tells("cdr", uid=card.uid.hex, id="shown", began=at(0.5), kwh=7, cost=3, city="Gent", country="BEL")

    shown = run(world.folder, "card", "show", card.visual_number)
    steps = rows(run(world.folder, "card", "history", card.visual_number, "--json"))

    assert "last used" in shown.stdout
    assert "Gent, NL*CPX*E3256, BEL  7 kWh  3 EUR" in shown.stdout
    whats = [step["what"] for step in steps]
    assert whats[0] == "charge.cdr"  # it is told to have been before the card was made
    assert {"card.issued", "card.active", "charge.cdr"} <= set(whats)
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)


def test_a_fleets_month_adds_up_by_currency(world: World, tmp_path: Path) -> None:
    first, second, _ = world.cards
    month = {"began": "2026-02-01T00:00:00Z", "ended": "2026-02-01T01:00:00Z"}
    tells = world.tells
    tells("cdr", uid=first.uid.hex, id="m1", kwh=10.1, cost=4.2, taxes=0.8, **month)
    tells("cdr", uid=first.uid.hex, id="m2", kwh=0.2, cost=0.1, taxes=0.02, **month)
    tells("cdr", uid=second.uid.hex, id="m3", kwh=5, cost=50, currency="sek", **month)
    tells("cdr", uid=first.uid.hex, id="march", **(month | {"began": "2026-03-01T00:00:00Z"}))
    tells("session", uid=second.uid.hex, id="open", began="2026-02-28T23:59:59Z")
    tells("cdr", uid="04FFFFFFFFFFFF", id="stranger", **month)

    wanted = ("report", "usage", "--month", "2026-02", "--fleet", "Fleet")
    told = json.loads(run(world.folder, *wanted, "--json").stdout)
    written = run(world.folder, *wanted, "--csv", tmp_path / "month.csv")

    sums = {line["currency"]: line for line in told["sums"]}
    assert {(line["number"], line["currency"]) for line in told["cards"]} == {
        (first.visual_number, "EUR"),
        (second.visual_number, "SEK"),
    }
    assert (sums["EUR"]["charges"], sums["EUR"]["energy_kwh"], sums["EUR"]["cost_excl"]) == (2, "10.3", "4.3")
    assert (sums["SEK"]["charges"], sums["SEK"]["cost_excl"]) == (1, "50")
    is_old = world.cpo.profile.versions == ("2.1.1",)
    assert sums["EUR"]["cost_incl"] == (None if is_old else "5.12")
    assert told["unsettled"] == 1
    assert "1 session of that month have no CDR yet" in written.stderr
    cells = list(csv.DictReader((tmp_path / "month.csv").read_text().splitlines()))
    assert [(row["number"], row["cost_excl"], row["currency"]) for row in cells[-2:]] == [
        ("sum", "4.3", "EUR"),
        ("sum", "50", "SEK"),
    ]
    empty = run(world.folder, "report", "usage", "--month", "2026-02", "--fleet", "Other")
    assert "no CDR of 2026-02" in empty.stderr


def test_alarms_are_shown_where_somebody_looks(world: World, stopped: Card) -> None:
    card = stopped
    (alarm,) = rows(run(world.folder, "report", "alarms", "--partner", "cpo", "--json"))

    assert (alarm["number"], alarm["basis"], alarm["state"]) == (card.visual_number, "proven", "blocked")
    assert (alarm["whitelist"], alarm["within_cache"]) == ("ALLOWED", None)
    assert "proven there" in run(world.folder, "report", "alarms").stdout
    assert "proven there" in run(world.folder, "card", "show", card.visual_number).stdout
    assert "AFTER BLOCK" in run(world.folder, "card", "history", card.visual_number).stdout
    partner = json.loads(run(world.folder, "partner", "show", "cpo", "--json").stdout)
    assert partner["accepted_after_block"] == 1


def test_unusual_things_are_reported(world: World, stopped: Card, refused: list[JsonObject]) -> None:
    card = world.cards[1]
    assert len(refused) == 2
    world.tells("session", uid="04FFFFFFFFFFFF", id="stranger")
    world.tells("cdr", uid=card.uid.hex, id="u1", began=at(1), ended=at(1, 0.5))
    world.tells("cdr", uid=card.uid.hex, id="u2", began=at(1, 1), country="BEL", city="Gent")

    found = rows(run(world.folder, "report", "unusual", "--json"))
    strangers = rows(run(world.folder, "report", "strangers", "--json"))
    differing = rows(run(world.folder, "report", "refused", "--json"))

    assert {(one["what"], one["number"]) for one in found} == {
        ("two countries", card.visual_number),
        ("after block", stopped.visual_number),
    }
    assert "04FFFFFFFFFFFF" not in {one["token"] for one in strangers}
    assert [(one["id"], one["differs_in"], one["times"]) for one in differing] == [("C2", "total_cost", 2)]
