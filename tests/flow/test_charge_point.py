"""The proof at a charge point: what a station says to a card by OCPP, and that `card try` said so before.

`WRITE_DOCS=1 pytest tests/flow/test_charge_point.py` writes the table of outcomes into docs/charge-point.md.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from charge_point_run import Outcome, Place, outcomes, table
from command_line import run
from stations import CLERK, LINES, issue_from, listening_anywhere
from warm_program import WarmProgram

from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.desk.support.trying import Question, try_card
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.charge_point import UidForm
from rfid_station.errors import ExitCode
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.simulator.ocpp.driven import DrivenStation
from rfid_station.simulator.ocpp.uid_form import UidForm as Form
from rfid_station.simulator.ocpp.uid_form import seen
from rfid_station.simulator.ocpp.values import SUBPROTOCOLS

DOCUMENT = Path(__file__).parents[2] / "docs" / "charge-point.md"
TABLE = re.compile(r"(?<=<!-- outcomes -->\n).*?(?=<!-- end of outcomes -->)", re.DOTALL)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[Place, Outcome]:
    return outcomes(tmp_path_factory.mktemp("run") / "station")


def test_card_try_says_what_stations_say(found: dict[Place, Outcome]) -> None:
    assert len(found) == 2 * 5 * 4 * 2 * 3
    wrong = {place: outcome for place, outcome in found.items() if outcome.said != outcome.predicted}
    assert not wrong


@pytest.mark.parametrize("protocol", SUBPROTOCOLS)
def test_the_document_has_the_table_of_the_run(found: dict[Place, Outcome], protocol: str) -> None:
    written = table(found, protocol)
    if os.environ.get("WRITE_DOCS"):
        DOCUMENT.write_text(TABLE.sub(lambda _: written, DOCUMENT.read_text("utf-8")), "utf-8")
    held = TABLE.search(DOCUMENT.read_text("utf-8"))
    assert held
    assert held[0] == written


# One card, from the desk to a station in a process of its own


@pytest.fixture
def folder(folder: Path) -> Path:
    return listening_anywhere(folder, timeout_s=5.0)


@pytest.fixture
def remote() -> Iterator[dict[str, Any]]:
    """The URLs of a virtual CPO with a central system, in a process of its own."""
    with WarmProgram("simulate", "cpo", "--ocpp", "0", "--json") as process:
        yield json.loads(process.stdout.readline())


def charge(url: str, uid: str, *options: str | Path) -> tuple[int, dict[str, Any]]:
    """Hold a card to a station in a process of its own: its exit code, and what it says."""
    command = ["simulate", "station", "--json", "--url", url, "--tap", uid, *map(str, options)]
    with WarmProgram(*command) as done:
        out, err = done.communicate()
    assert done.returncode in (ExitCode.DONE, ExitCode.CARD_REFUSED), err
    return done.returncode, json.loads(out.splitlines()[-1])


def predicted(folder: Path, card: Card, *options: str) -> str:
    """What `card try` says of a card at the CPO."""
    done = run(folder, "card", "try", card.visual_number, "--at", "cpx", "--json", *options)
    assert done.exit_code == 0, done.output
    row = json.loads(done.stdout)
    return f"{row['says']}{', then stopped' if row['is_stopped'] else ''}"


def test_a_blank_becomes_a_card_that_charges_until_it_is_blocked(
    folder: Path, remote: dict[str, Any], tmp_path: Path
) -> None:
    token, memory = tmp_path / "token", tmp_path / "memory.json"
    token.write_text(remote["first_token"])
    assert not run(folder, "partner", "add", "cpx", remote["versions_url"], "--token-file", token).exit_code
    assert not run(folder, "partner", "connect", "cpx").exit_code
    with open_station(folder, CLERK) as station:
        (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    uid, url = card.uid.hex, remote["ocpp_url"]
    with DrivenStation(url) as charger:
        charger.connect()
        assert charger.tap(uid).status == predicted(folder, card) == "Invalid"

    assert not run(folder, "sync", "run").exit_code
    code, tapped = charge(url, uid, "--memory", memory)
    assert (code, tapped["status"]) == (ExitCode.DONE, "Accepted")
    assert predicted(folder, card) == "Accepted"

    assert not run(folder, "card", "block", card.visual_number).exit_code
    code, tapped = charge(url, uid)
    assert (code, tapped["status"]) == (ExitCode.CARD_REFUSED, "Blocked")
    assert predicted(folder, card) == "Blocked"

    code, tapped = charge(url, uid, "--memory", memory, "--offline")
    assert (code, tapped["status"]) == (ExitCode.DONE, "Accepted")
    assert tapped["steps"] == ["no line to the central system", "its local list says Accepted"]
    assert predicted(folder, card, "--station", "offline") == "Accepted"


# What readers make of a UID


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo("first-token-out-of-band", ocpp_port=0) as running:
        yield running


@pytest.mark.parametrize("profile", ["standard", "backwards"])
def test_a_partner_knows_a_card_by_the_uid_that_it_was_told(
    station: Station, folder: Path, cpo: VirtualCpo, profile: str
) -> None:
    backwards = folder / "templates" / "partners" / "backwards.toml"
    backwards.parent.mkdir(parents=True, exist_ok=True)
    backwards.write_text('uid_order = "reversed"\nuid_case = "lower"\n')
    add_partner(station, "cpo", cpo.versions_url, "first-token-out-of-band", Agreement(), profile)
    partner = connect_partner(station, "cpo")
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    deliver(station, 20)
    said = {}
    with DrivenStation(cpo.ocpp_url) as charger:
        charger.connect()
        for form in UidForm:
            verdict = try_card(station, card, partner, Question(form=form)).verdict
            tapped = charger.tap(seen(card.uid.raw, Form(form)))
            assert tapped.outcome == verdict.outcome
            said[form] = tapped.status
    right = UidForm.REVERSED if profile == "backwards" else UidForm.WHOLE
    assert said == {form: "Accepted" if form is right else "Invalid" for form in UidForm}


def test_a_station_that_lost_its_line_hears_of_the_block_when_it_is_back(
    station: Station, cpo: VirtualCpo
) -> None:
    add_partner(station, "cpo", cpo.versions_url, "first-token-out-of-band", Agreement())
    connect_partner(station, "cpo")
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    deliver(station, 20)
    with DrivenStation(cpo.ocpp_url) as charger:
        charger.connect()
        charger.disconnect()
        move_and_push(station, card, CardState.BLOCKED, Reason.LOST).check_confirmed()
        assert charger.tap(card.uid.hex).outcome == "Accepted"
        (begun,) = charger.connect()
        assert begun.outcome == "Accepted, then stopped"
        charger.disconnect()
        assert charger.tap(card.uid.hex).outcome == "Blocked"


def test_the_list_of_a_station_with_a_line_follows_a_block(station: Station, cpo: VirtualCpo) -> None:
    add_partner(station, "cpo", cpo.versions_url, "first-token-out-of-band", Agreement())
    connect_partner(station, "cpo")
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    deliver(station, 20)
    with DrivenStation(cpo.ocpp_url) as charger:
        charger.connect()
        assert charger.memory.listed[card.uid.hex.lower()].is_accepted
        move_and_push(station, card, CardState.BLOCKED, Reason.LOST).check_confirmed()
        until_s = time.monotonic() + 60
        while charger.memory.listed[card.uid.hex.lower()].status != "Blocked":
            assert time.monotonic() < until_s
            time.sleep(0.005)
        charger.disconnect()
        assert charger.tap(card.uid.hex).outcome == "Blocked"


def test_what_is_said_on_the_phone(station: Station, folder: Path, cpo: VirtualCpo) -> None:
    add_partner(station, "cpx", cpo.versions_url, "first-token-out-of-band", Agreement())
    connect_partner(station, "cpx")
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    deliver(station, 20)
    cpo.faults.add(Fault(FaultKind.ABORT))
    move_and_push(station, card, CardState.BLOCKED, Reason.LOST)
    said = run(folder, "card", "try", card.visual_number, "--at", "cpx", "--uid-form", "7").stdout
    assert said.startswith("says       Accepted\n")
    assert "whitelist: it goes by the token that it holds, which is valid" in said
    assert "valid, ALLOWED; an older state" in said
    assert "its newest state may not have arrived" in said or "is still owed" in said
    assert card.uid.hex not in said
    other = run(folder, "card", "try", card.visual_number, "--at", "cpx", "--uid-form", "decimal").stdout
    assert other.startswith("says       Invalid\n")
    assert "not the same" in other
    assert str(int(card.uid.hex, 16)) not in other


def test_a_partner_that_is_not_there_is_a_wrong_call(folder: Path, station: Station) -> None:
    (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
    done = run(folder, "card", "try", card.visual_number, "--at", "nobody")
    assert done.exit_code == ExitCode.WRONG_CALL
    assert "nobody" in done.stderr
