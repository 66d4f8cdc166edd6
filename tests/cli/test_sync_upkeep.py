"""Sync looked after from the command line, against a partner over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from command_line import rows, run
from rich.console import Console
from stations import CLERK, LINES, SUPPORT, issue_from, listening_anywhere

from rfid_station.cli.stop_view import table_of
from rfid_station.desk.partners.connecting import add_partner, connect_partner
from rfid_station.desk.partners.delivery import deliver
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.errors import ExitCode
from rfid_station.simulator.cpo.faults import Fault, FaultKind
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

FIRST_TOKEN = "first-token-out-of-band"


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as running:
        yield running


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(folder, timeout_s=5.0)


@pytest.fixture
def connected(folder: Path, cpo: VirtualCpo) -> Iterator[Station]:
    with open_station(folder, CLERK) as station:
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
        yield station


@pytest.fixture
def cards(connected: Station) -> list[Card]:
    """Three that the partner holds."""
    issued = issue_from(connected, "sim:ntag213?count=3", LINES).issued
    deliver(connected, 20)
    return issued


def held(cpo: VirtualCpo) -> dict[Any, dict[str, Any]]:
    """What the partner holds, to be spoiled."""
    return cpo._state.tokens


def key_of(cpo: VirtualCpo, card: Card) -> object:
    (key,) = [key for key, token in held(cpo).items() if token["uid"] == card.uid.hex]
    return key


def test_audit_names_the_drift_and_repair_ends_it(folder: Path, cpo: VirtualCpo, cards: list[Card]) -> None:
    in_step = run(folder, "sync", "audit", "cpo", "--all", "--rate", "1000")
    assert (in_step.exit_code, in_step.stdout) == (ExitCode.DONE, "")
    assert "cpo: read 3 of 3 tokens: 3 right" in in_step.stderr
    missing, altered, right = cards
    del held(cpo)[key_of(cpo, missing)]
    held(cpo)[key_of(cpo, altered)]["issuer"] = "Somebody Else"
    said = run(folder, "sync", "audit", "cpo", "--all", "--rate", "1000")
    assert said.exit_code == ExitCode.READ_BACK_DIFFERS
    assert f"{missing.visual_number}: missing, unknown there" in said.stdout
    assert f"{altered.visual_number}: altered, issuer: Somebody Else there" in said.stdout
    assert right.visual_number not in said.stdout
    assert "hint: rfid-station sync audit cpo --all --repair" in said.stderr
    found = run(folder, "sync", "audit", "cpo", "--all", "--rate", "1000", "--repair", "--json")
    lines = {row["number"]: row for row in rows(found)}
    assert {n: row["drift"] for n, row in lines.items()} == {
        missing.visual_number: "missing",
        altered.visual_number: "altered",
        right.visual_number: "right",
    }
    assert (lines[altered.visual_number]["fields"], lines[altered.visual_number]["repair"]) == (
        ["issuer"],
        "confirmed",
    )
    assert lines[right.visual_number]["repair"] is None
    assert cpo.authorize(missing.uid.hex).status == "Accepted"
    assert run(folder, "sync", "audit", "cpo", "--all", "--rate", "1000").exit_code == ExitCode.DONE
    for card in cards:
        assert card.uid.hex not in found.output + said.output


def test_a_sample_says_what_it_proves_and_an_audit_of_nobody_is_refused(
    folder: Path, cards: list[Card]
) -> None:
    assert cards
    said = run(folder, "sync", "audit", "cpo", "--sample", "2", "--rate", "1000")
    assert "cpo: read 2 of 3 tokens: 2 right" in said.stderr
    assert "95 %" in said.stderr
    assert run(folder, "sync", "audit", "nobody").exit_code == ExitCode.WRONG_CALL


def test_an_audit_of_a_partner_that_is_away_is_exit_7(
    folder: Path, cpo: VirtualCpo, cards: list[Card]
) -> None:
    assert cards
    cpo.faults.add(Fault(FaultKind.UNAUTHORIZED))
    said = run(folder, "sync", "audit", "cpo", "--all")
    assert said.exit_code == ExitCode.PARTNER
    assert "3 of 3 tokens could not be read" in said.stderr


def test_retry_tells_what_came_of_each_set_aside_card(
    connected: Station, folder: Path, cpo: VirtualCpo
) -> None:
    cpo.faults.add(Fault(FaultKind.REFUSE, method="PUT", times=2))
    (card,) = issue_from(connected, "sim:ntag213", LINES[:1]).issued
    assert run(folder, "sync", "run", "--wait", "1").exit_code == ExitCode.PARTNER
    status = rows(run(folder, "sync", "status", "--json"))[0]
    assert (status["state"], status["in_level"], status["uncertain"]) == ("parked", True, 1)
    assert status["set_aside"][0]["attempts"] == 1
    assert status["owed_since"]
    assert status["next_try"]
    again = run(folder, "sync", "retry", "cpo", "--card", card.visual_number, "--wait", "1")
    assert again.exit_code == ExitCode.PARTNER
    assert "refused" in again.stdout
    assert f"hint: rfid-station partner preview cpo {card.visual_number}" in again.stderr
    settled = run(folder, "sync", "retry", "--json", "--wait", "5")
    (row,) = rows(settled)
    assert (row["number"], row["result"], row["next_try"]) == (card.visual_number, "settled", None)
    assert cpo.authorize(card.uid.hex).status == "Accepted"
    empty = run(folder, "sync", "retry")
    assert (empty.exit_code, empty.stdout, empty.stderr) == (ExitCode.DONE, "", "nothing was set aside\n")
    assert run(folder, "sync", "retry", "nobody").exit_code == ExitCode.WRONG_CALL


def test_resync_asks_first_and_brings_back_what_a_partner_lost(
    folder: Path, cpo: VirtualCpo, cards: list[Card]
) -> None:
    held(cpo).clear()
    assert run(folder, "sync", "run").exit_code == ExitCode.DONE
    assert not cpo.tokens, "nobody knows"
    asked = run(folder, "sync", "resync", "cpo")
    assert asked.exit_code == ExitCode.WRONG_CALL
    assert "--yes" in asked.stderr
    dry = run(folder, "sync", "resync", "cpo", "--dry-run")
    assert "would be owed 3 tokens" in dry.stderr
    (before,) = rows(run(folder, "sync", "status", "--json"))
    assert before["owed"] == 0
    assert before["owed_since"] is None
    said = run(folder, "sync", "resync", "cpo", "--yes")
    assert said.stdout == "cpo is owed 3 tokens\n"
    (status,) = rows(run(folder, "sync", "status", "--json"))
    assert (status["owed"], status["state"], status["cursor"]) == (3, "behind", 0)
    assert run(folder, "sync", "run").exit_code == ExitCode.DONE
    assert len(cpo.tokens) == len(cards)
    log = run(folder, "store", "log").stdout
    assert "partner.resync" in log


def test_status_knows_the_last_proof(folder: Path, cards: list[Card]) -> None:
    assert cards
    delivered = rows(run(folder, "sync", "status", "--json"))[0]["last_success"]
    assert delivered
    with open_station(folder, CLERK) as station:
        station.store.contacts.forget("cpo")
    assert rows(run(folder, "sync", "status", "--json"))[0]["last_success"] is None
    run(folder, "sync", "prove")
    assert rows(run(folder, "sync", "status", "--json"))[0]["last_success"] >= delivered
    said = run(folder, "sync", "status").stdout
    for name in ("owed_since", "next_try", "last_success", "in_level"):
        assert name in said


def block(folder: Path, *arguments: str | Path) -> tuple[int, str, str]:
    result = run(folder, "--role", "support", "card", *arguments)
    return result.exit_code, result.stdout, result.stderr


def test_a_block_waits_for_a_partner_that_comes_back_and_says_each_change(
    folder: Path, cpo: VirtualCpo, cards: list[Card], tmp_path: Path
) -> None:
    number, receipt = cards[0].visual_number, tmp_path / "receipt.pdf"
    cpo.faults.add(Fault(FaultKind.ERROR, method="PUT", times=1))
    code, out, err = block(folder, "block", number, "--wait", "20", "--receipt", receipt)
    assert code == ExitCode.DONE, err
    assert "cpo: unreachable" in err
    assert err.index("cpo: unreachable") < err.index("cpo: confirmed")
    assert f"{number} is blocked" in out
    assert cpo.authorize(cards[0].uid.hex).status == "Blocked"
    document = pypdfium2.PdfDocument(receipt)
    assert len(document) == 1
    assert number in document[0].get_textpage().get_text_range()
    document.close()


def test_a_partner_that_stays_away_is_exit_8_and_stands_on_the_receipt(
    folder: Path, cpo: VirtualCpo, cards: list[Card], tmp_path: Path
) -> None:
    number, receipt = cards[0].visual_number, tmp_path / "receipt.json"
    cpo.faults.add(Fault(FaultKind.ERROR, method="PUT"))
    code, out, _ = block(folder, "block", number, "--wait", "3", "--receipt", receipt, "--json")
    assert code == ExitCode.PENDING
    (at_partner,) = json.loads(out)["partners"]
    assert (at_partner["answer"], at_partner["confirmed_at"]) == ("unreachable", None)
    told = json.loads(receipt.read_text())
    assert (told["number"], told["state"], told["reason"], told["language"]) == (
        number,
        "blocked",
        "lost",
        "de",
    )
    assert (told["partners"][0]["known"], told["partners"][0]["risk"]) == ("unknown", "may accept")
    assert cards[0].uid.hex not in out + receipt.read_text()
    cpo.faults.clear()
    assert block(folder, "unblock", number, "--receipt", tmp_path / "u.txt")[0] == ExitCode.DONE
    assert f"Karte {number} kann wieder laden" in (tmp_path / "u.txt").read_text()


def test_a_receipt_that_cannot_be_written_is_refused_before_the_block(
    folder: Path, cpo: VirtualCpo, cards: list[Card]
) -> None:
    code, _, err = block(folder, "block", cards[0].visual_number, "--receipt", "r.docx")
    assert (code, "hint: let the file end in" in err) == (ExitCode.WRONG_CALL, True)
    assert cpo.authorize(cards[0].uid.hex).status == "Accepted"


def test_the_live_table_has_a_row_a_partner(folder: Path, cards: list[Card]) -> None:
    with open_station(folder, SUPPORT) as station:
        stopped = move_and_push(station, cards[0], CardState.BLOCKED, Reason.LOST)
    written = StringIO()
    console = Console(width=200, file=written)
    console.print(table_of(stopped.confirmations))
    text = written.getvalue()
    for words in ("partner", "proven", "cpo", "confirmed", "refuses the card, or asks us"):
        assert words in text


def test_a_partner_that_comes_late_is_owed_old_cards_only_since_it_came(
    folder: Path, cpo: VirtualCpo
) -> None:
    with open_station(folder, CLERK) as station:
        issued = issue_from(station, "sim:ntag213?count=2", LINES).issued
        add_partner(station, "cpo", cpo.versions_url, FIRST_TOKEN, Agreement())
        connect_partner(station, "cpo")
        connected_at = next(e.at for e in station.store.audit.events() if e.action == "partner.connected")
        owed = station.store.feed.owed("cpo")
    assert owed.others == len(issued)
    assert owed.since == connected_at
