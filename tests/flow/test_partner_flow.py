"""From a blank to a token at a partner and back out: the flows of the desk against a CPO over HTTP."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stations import CLERK, ENGINES, LINES, SUPPORT, issue_from, listening_anywhere, on_engine
from typer.testing import CliRunner, Result
from warm_program import WarmProgram

from rfid_station.cli.app import app
from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver, push_now
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.lookup import describe
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.partner import PartnerState, TokenUse
from rfid_station.errors import ExitCode, StillPending
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo
from rfid_station.sync.confirmation import PushAnswer
from rfid_station.sync.report import LaneState

FIRST_TOKEN = "first-token-out-of-band"
RUNNER = CliRunner()


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as running:
        yield running


@pytest.fixture(params=ENGINES)
def folder(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(on_engine(request, folder), timeout_s=3.0)


@pytest.fixture
def connected(station: Station, cpo: VirtualCpo) -> Station:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")
    return station


def run(folder: Path, *arguments: str) -> Result:
    result = RUNNER.invoke(app, ["--station", str(folder), *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_cards_made_before_and_after_the_handshake_arrive(station: Station, cpo: VirtualCpo) -> None:
    early = issue_from(station, "sim:ntag213", LINES[:1]).issued
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    connect_partner(station, "cpo")
    late = issue_from(station, "sim:ntag213?count=2", LINES).issued
    (report,) = deliver(station, 20)
    assert report.state is LaneState.IN_STEP
    held = {token["uid"]: token for token in cpo.tokens.values()}
    assert set(held) == {card.uid.hex for card in early + late}
    for card in early + late:
        token = held[card.uid.hex]
        assert (token["contract_id"], token["visual_number"]) == (str(card.contract_id), card.visual_number)
        assert token["valid"] is True
        assert cpo.authorize(card.uid.hex).status == "Accepted"


def test_a_blocked_card_is_refused_at_the_partner_and_proven_there(
    connected: Station, cpo: VirtualCpo
) -> None:
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    deliver(connected, 20)
    result = move_and_push(connected, card, CardState.BLOCKED, Reason.LOST)
    (confirmation,) = result.confirmations
    assert confirmation.answer is PushAnswer.CONFIRMED
    assert cpo.authorize(card.uid.hex).status == "Blocked"
    (proof,) = connected.store.feed.proofs(card.id)
    assert (proof.partner, proof.is_proven) == ("cpo", True)
    (at_partner,) = describe(connected, result.card)["partners"]
    assert (at_partner["holds"], at_partner["read_back"]) == ("newest state", proof.at)


def test_a_block_while_the_partner_is_away_is_owed_and_arrives_later(
    connected: Station, cpo: VirtualCpo, folder: Path
) -> None:
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    deliver(connected, 20)
    cpo.faults.add(Fault(FaultKind.ABORT))
    said = run(folder, "card", "block", card.visual_number)
    assert said.exit_code == ExitCode.PENDING
    assert f"card {card.visual_number} is blocked here, not yet confirmed by: cpo" in said.stderr
    assert "may go on accepting the card" in said.stdout
    assert cpo.authorize(card.uid.hex).status == "Accepted"
    cpo.faults.clear()
    later = run(folder, "sync", "run")
    assert later.exit_code == ExitCode.DONE, later.output
    assert cpo.authorize(card.uid.hex).status == "Blocked"
    assert run(folder, "card", "block", card.visual_number).exit_code == ExitCode.DONE


def test_a_partner_that_applies_a_block_and_does_not_answer_is_found_out(
    connected: Station, cpo: VirtualCpo
) -> None:
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    deliver(connected, 20)
    cpo.faults.add(Fault(FaultKind.APPLY_HANG, method="PUT", times=1))
    result = move_and_push(connected, card, CardState.BLOCKED, Reason.STOLEN)
    result.check_confirmed()
    assert cpo.authorize(card.uid.hex).status == "Blocked"


def test_a_partner_that_acknowledges_and_forgets_is_not_believed(connected: Station, cpo: VirtualCpo) -> None:
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    deliver(connected, 20)
    cpo.faults.add(Fault(FaultKind.FORGET, method="PUT", times=1))
    result = move_and_push(connected, card, CardState.BLOCKED, Reason.LOST)
    assert result.confirmations[0].answer is PushAnswer.ACKNOWLEDGED
    with pytest.raises(StillPending):
        result.check_confirmed()
    token_id = connected.store.feed.token_id_of(card.id)
    assert token_id
    assert push_now(connected, token_id, 10)[0].is_confirmed


@pytest.mark.parametrize(
    "kind", [FaultKind.GARBAGE, FaultKind.CUT, FaultKind.HUGE, FaultKind.REFUSE, FaultKind.ERROR]
)
def test_a_partner_that_answers_nonsense_is_exit_7_and_loses_nothing(
    connected: Station, cpo: VirtualCpo, folder: Path, kind: FaultKind
) -> None:
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    cpo.faults.add(Fault(kind))
    said = run(folder, "sync", "run", "--wait", "1")
    assert said.exit_code == ExitCode.PARTNER
    assert said.stderr.count("error: ") == 1
    assert "cpo is" in said.stderr
    assert "hint: " in said.stderr
    assert FIRST_TOKEN not in said.output
    cpo.faults.clear()
    token_id = connected.store.feed.token_id_of(card.id)
    assert token_id
    assert push_now(connected, token_id, 10)[0].is_confirmed
    assert cpo.authorize(card.uid.hex).status == "Accepted"


@pytest.mark.parametrize("module", ["versions", "details", "credentials"])
@pytest.mark.parametrize(
    "kind", [FaultKind.GARBAGE, FaultKind.ERROR, FaultKind.UNAUTHORIZED, FaultKind.ABORT]
)
def test_a_handshake_that_fails_leaves_the_partner_as_it_was(
    station: Station, cpo: VirtualCpo, folder: Path, module: str, kind: FaultKind
) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    before = station.store.partners.get("cpo")
    cpo.faults.add(Fault(kind, module=module))
    said = run(folder, "partner", "connect", "cpo")
    assert said.exit_code == ExitCode.PARTNER
    assert said.stderr.startswith("error: ")
    assert "\nhint: " in said.stderr
    assert FIRST_TOKEN not in said.output
    assert station.store.partners.get("cpo") == before
    cpo.faults.clear()
    assert connect_partner(station, "cpo").state is PartnerState.CONNECTED


def test_nobody_there_is_exit_7_with_the_address(station: Station, folder: Path) -> None:
    add_partner(station, "cpo", "http://127.0.0.1:9/ocpi/versions", FIRST_TOKEN, Agreement())
    said = run(folder, "partner", "connect", "cpo")
    assert said.exit_code == ExitCode.PARTNER
    assert "127.0.0.1:9" in said.stderr


def test_a_port_that_is_taken_is_named(station: Station, cpo: VirtualCpo, folder: Path) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    host, _, port = station.settings.ocpi.listen.rpartition(":")
    with socket.create_server((host, int(port))):
        said = run(folder, "partner", "connect", "cpo")
    assert said.exit_code == ExitCode.WRONG_CALL
    assert port in said.stderr
    assert station.store.partners.get("cpo").state is PartnerState.ADDED


def test_client_tokens_lie_outside_the_store_and_nobody_else_may_read_them(
    connected: Station, folder: Path
) -> None:
    (secret,) = (folder / "secrets").iterdir()
    assert secret.stat().st_mode & 0o077 == 0
    token = secret.read_text()
    for path in folder.glob("station.db*"):
        assert token.encode() not in path.read_bytes()
        assert FIRST_TOKEN.encode() not in path.read_bytes()
    assert token != FIRST_TOKEN


def test_what_a_partner_lost_is_found_out_by_reading_back_and_repaired(
    connected: Station, cpo: VirtualCpo, folder: Path
) -> None:
    cpo.faults.add(Fault(FaultKind.FORGET, method="PUT", times=1))
    issued = issue_from(connected, "sim:ntag213?count=2", LINES[:2]).issued
    assert run(folder, "sync", "run").exit_code == ExitCode.DONE
    lost, kept = sorted(issued, key=lambda card: cpo.authorize(card.uid.hex).status == "Accepted")
    (acknowledged,) = describe(connected, kept)["partners"]
    assert (acknowledged["holds"], acknowledged["read_back"]) == ("newest state", None)
    found = run(folder, "sync", "prove")
    assert found.exit_code == ExitCode.PARTNER
    assert lost.visual_number in found.stdout
    assert "unknown there" in found.stdout
    assert kept.visual_number not in found.stdout
    assert run(folder, "sync", "run").exit_code == ExitCode.DONE
    proven = run(folder, "sync", "prove", lost.visual_number)
    assert (proven.exit_code, proven.stdout) == (ExitCode.DONE, "")
    assert "all as they should be" in proven.stderr
    assert cpo.authorize(lost.uid.hex).status == "Accepted"


def test_a_second_connect_is_a_conflict(connected: Station, folder: Path) -> None:
    said = run(folder, "partner", "connect", "cpo")
    assert said.exit_code == ExitCode.CONFLICT


def test_issuing_ends_with_8_when_a_partner_is_away(
    connected: Station, cpo: VirtualCpo, folder: Path
) -> None:
    cpo.faults.add(Fault(FaultKind.UNAUTHORIZED))
    said = run(folder, "card", "issue", "--reader", "sim:ntag213")
    assert said.exit_code == ExitCode.PENDING
    assert "does not accept our client token" in said.stderr
    (card,) = connected.store.cards.listing()
    assert card.state is CardState.ACTIVE


def test_a_card_that_is_activated_by_hand_is_no_good_before(folder: Path, cpo: VirtualCpo) -> None:
    path = folder / "station.toml"
    path.write_text(path.read_text().replace('activation = "at_issue"', 'activation = "by_hand"'))
    with open_station(folder, SUPPORT) as station:
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
    with open_station(folder, CLERK) as station:
        (card,) = issue_from(station, "sim:ntag213", LINES[:1]).issued
        assert card.state is CardState.ISSUED
        deliver(station, 20)
        assert cpo.authorize(card.uid.hex).status == "Blocked"
        move_and_push(station, card, CardState.ACTIVE, None).check_confirmed()
    assert cpo.authorize(card.uid.hex).status == "Accepted"


def test_a_wrong_address_or_an_empty_token_is_refused(station: Station, folder: Path, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    assert (
        run(folder, "partner", "add", "x", "nonsense", "--token-file", str(token)).exit_code
        == ExitCode.WRONG_CALL
    )
    missing = run(folder, "partner", "add", "x", "http://h/v", "--token-file", str(tmp_path / "no"))
    assert missing.exit_code == ExitCode.WRONG_CALL
    token.write_text("")
    assert (
        run(folder, "partner", "add", "x", "http://h/v", "--token-file", str(token)).exit_code
        == ExitCode.WRONG_CALL
    )
    assert station.store.partners.all() == []
    assert not list((folder / "secrets").glob("*"))


def test_a_connect_that_is_killed_in_the_middle_can_be_made_again(
    station: Station, cpo: VirtualCpo, folder: Path
) -> None:
    add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
    cpo.faults.add(Fault(FaultKind.HANG, module="credentials"))
    with WarmProgram("--station", str(folder), "partner", "connect", "cpo") as program:
        deadline = time.monotonic() + 60
        while not any(entry.method == "POST" for entry in cpo.log):
            assert time.monotonic() < deadline
            assert program.poll() is None
            time.sleep(0.01)
    assert station.store.partners.get("cpo").state is PartnerState.CONNECTING
    cpo.faults.clear()
    assert connect_partner(station, "cpo").state is PartnerState.CONNECTED
    assert station.store.partners.server_tokens("cpo") == {TokenUse.VALID: 1}
    assert station.store.audit.check().is_sound
