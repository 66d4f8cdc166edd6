"""Agreements, pauses and good-byes from the command line, with a virtual CPO in a process of its own."""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import rows, run
from stations import listening_anywhere
from warm_program import WarmProgram

from rfid_station.errors import ExitCode

YESTERDAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


class Cpo:
    """The process of an operator. It can go away, and come back at the same place with what it knew."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "cpo.json"
        self.facts: dict[str, Any] = {}
        self.come("0")

    def come(self, port: str = "") -> None:
        port = port or self.facts["versions_url"].split(":")[2].split("/")[0]
        self._process = WarmProgram("simulate", "cpo", "--json", "--port", port, "--state", str(self._state))
        self.facts = json.loads(self._process.stdout.readline())

    def go(self) -> None:
        self._process.terminate()
        self._process.communicate(timeout=60)

    def says(self, uid: str) -> str:
        """What its charging station says to a card."""
        asked = json.dumps({"uid": uid, "by": "offline"}).encode()
        with urllib.request.urlopen(self.facts["station_url"], asked, timeout=60) as answer:
            return str(json.load(answer)["status"])

    def valid(self, uid: str) -> bool | None:
        """What it was last told of a token; None if never."""
        with urllib.request.urlopen(f"{self.facts['control_url']}/tokens", timeout=60) as answer:
            told = [token for token in json.load(answer) if token["uid"] == uid]
        return bool(told[0]["valid"]) if told else None


@pytest.fixture
def cpo(tmp_path: Path) -> Iterator[Cpo]:
    running = Cpo(tmp_path)
    yield running
    running.go()


@pytest.fixture
def folder(folder: Path) -> Path:
    """A station that listens on a free port and does not wait long."""
    return listening_anywhere(folder, timeout_s=5.0)


def connect(folder: Path, cpo: Cpo, *terms: str) -> None:
    token = folder / "token"
    token.write_text(cpo.facts["first_token"])
    url = cpo.facts["versions_url"]
    added = run(folder, "partner", "add", "cpo", url, "--token-file", token, *terms)
    assert added.exit_code == ExitCode.DONE, added.output
    connected = run(folder, "partner", "connect", "cpo")
    assert connected.exit_code == ExitCode.DONE, connected.output


def issue(folder: Path, *groups: str) -> list[dict[str, Any]]:
    made = []
    for group in groups:
        made += rows(
            run(
                folder, "card", "issue", "--reader", "sim:ntag213", "--count", "1", "--json", "--group", group
            )
        )
    return made


def sync(folder: Path) -> None:
    ran = run(folder, "sync", "run")
    assert ran.exit_code == ExitCode.DONE, ran.output


def test_a_card_that_moves_out_of_the_agreement_is_withdrawn_there(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo, "--group", "Acme", "--group", "Later")
    ours, others = issue(folder, "Acme", "Beta")
    sync(folder)
    assert (cpo.valid(ours["uid"]), cpo.valid(others["uid"])) == (True, None)
    assert cpo.says(ours["uid"]) == "Accepted"
    number = ours["number"]

    tried = run(folder, "card", "move", number, "--group", "Beta", "--dry-run")
    assert tried.stdout == f"{number} would go from Acme to Beta; lost by cpo\n"
    assert rows(run(folder, "card", "list", "--group", "Acme", "--json"))[0]["number"] == number
    (moved,) = rows(run(folder, "card", "move", number, "--group", "Beta", "--json"))
    assert (moved["was"], moved["group"], moved["lost_by"], moved["gained_by"]) == (
        "Acme",
        "Beta",
        ["cpo"],
        [],
    )
    assert "withdrawn: older state, owed" in run(folder, "card", "show", number).stdout
    status = rows(run(folder, "sync", "status", "--json"))[0]
    assert (status["owed_urgent"], status["block_within_s"]) == (1, 900)
    sync(folder)
    assert cpo.valid(ours["uid"]) is False
    assert cpo.says(ours["uid"]) == "Blocked"
    shown = run(folder, "card", "show", number).stdout
    assert "withdrawn: newest state" in shown
    assert "\ngroup Beta\n" in re.sub(" +", " ", shown)

    back = run(folder, "card", "move", number, others["number"], "--group", "Later")
    assert back.stdout.count("gained by cpo") == 2
    sync(folder)
    assert (cpo.valid(ours["uid"]), cpo.valid(others["uid"])) == (True, True)


def test_another_agreement_gives_and_takes_and_says_so_before(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo)
    acme, beta, gamma = issue(folder, "Acme", "Beta", "Gamma")
    sync(folder)
    wanted = ("partner", "agree", "cpo", "--group", "Beta", "--group", "Delta", "--block-within", "5m")
    tried = run(folder, *wanted, "--dry-run")
    assert tried.stdout == "cpo loses 2 cards (1 in Acme, 1 in Gamma)\n"
    assert "nothing was changed" in tried.stderr
    sync(folder)
    assert cpo.valid(acme["uid"]) is True
    done = run(folder, *wanted)
    assert done.stdout == tried.stdout
    assert "no card is in group Delta yet" in done.stderr
    sync(folder)
    assert [cpo.valid(card["uid"]) for card in (acme, beta, gamma)] == [False, True, False]
    assert rows(run(folder, "sync", "status", "--json"))[0]["block_within_s"] == 300
    (listed,) = rows(run(folder, "partner", "list", "--json"))
    assert (listed["gets"], listed["state"]) == ("Beta, Delta", "connected")
    again = run(folder, "partner", "agree", "cpo", "--all-groups")
    assert again.stdout == "cpo gains 2 cards (1 in Acme, 1 in Gamma)\n"
    sync(folder)
    assert cpo.valid(acme["uid"]) is True
    audited = run(folder, "sync", "audit", "cpo", "--all", "--rate", "1000")
    assert "cpo: read 3 of 3 tokens: 3 right" in audited.stderr


def test_an_agreement_ends_by_its_date(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo, "--until", TOMORROW)
    (card,) = issue(folder, "Acme")
    sync(folder)
    assert cpo.valid(card["uid"]) is True
    with sqlite3.connect(folder / "station.db") as store:  # two nights pass
        store.execute("UPDATE partner SET until = ?", (YESTERDAY,))
    store.close()
    status = rows(run(folder, "sync", "status", "--json"))[0]
    assert (status["state"], status["owed_urgent"]) == ("behind", 1)
    sync(folder)
    assert cpo.valid(card["uid"]) is False
    assert rows(run(folder, "sync", "status", "--json"))[0]["state"] == "not in force"
    flight = run(folder, "partner", "check", "cpo")
    assert "1 card looked at" in flight.stderr
    longer = run(folder, "partner", "agree", "cpo", "--until", "open")
    assert longer.stdout == "cpo gains 1 card (1 in Acme)\n"
    sync(folder)
    assert cpo.valid(card["uid"]) is True


def test_disconnect_takes_every_card_back_first(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo)
    cards = issue(folder, "Acme", "Beta")
    sync(folder)
    said = run(folder, "partner", "disconnect", "cpo", "--yes")
    assert (said.exit_code, said.stdout) == (ExitCode.DONE, "cpo is disconnected\n")
    assert [cpo.valid(card["uid"]) for card in cards] == [False, False]
    assert {cpo.says(card["uid"]) for card in cards} == {"Blocked"}


def test_keep_cards_leaves_them(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo)
    (card,) = issue(folder, "Acme")
    sync(folder)
    assert run(folder, "partner", "disconnect", "cpo", "--yes", "--keep-cards").exit_code == ExitCode.DONE
    assert cpo.says(card["uid"]) == "Accepted"


def test_a_partner_that_is_away_stays_connected_until_it_has_lost_its_cards(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo)
    (card,) = issue(folder, "Acme")
    sync(folder)
    cpo.go()
    said = run(folder, "partner", "disconnect", "cpo", "--yes", "--wait", "3")
    assert said.exit_code == ExitCode.PENDING
    assert "cpo may still accept 1 card, and stays connected" in said.stderr
    assert "--keep-cards" in said.stderr
    (listed,) = rows(run(folder, "partner", "list", "--json"))
    assert listed["state"] == "connected, ending"
    assert "ending: it is to lose every card" in run(folder, "sync", "status").stdout
    cpo.come()
    done = run(folder, "partner", "disconnect", "cpo", "--yes")
    assert done.exit_code == ExitCode.DONE, done.output
    assert (cpo.valid(card["uid"]), cpo.says(card["uid"])) == (False, "Blocked")
    assert rows(run(folder, "partner", "list", "--json"))[0]["state"] == "disconnected"


def test_a_paused_partner_hears_of_blocks_only(folder: Path, cpo: Cpo) -> None:
    connect(folder, cpo)
    (old,) = issue(folder, "Acme")
    sync(folder)
    paused = run(folder, "--operator", "Tess", "sync", "pause", "cpo", "--reason", "they migrate")
    assert paused.exit_code == ExitCode.DONE
    assert re.fullmatch(r"cpo is paused since \S+Z by Tess: they migrate\n", paused.stdout)
    (new,) = issue(folder, "Acme")
    sync(folder)
    assert cpo.valid(new["uid"]) is None
    status = rows(run(folder, "sync", "status", "--json"))[0]
    assert (status["state"], status["paused_by"], status["pause_reason"], status["owed"]) == (
        "paused by hand",
        "Tess",
        "they migrate",
        1,
    )
    assert status["paused_since"]
    assert run(folder, "card", "block", old["number"]).exit_code == ExitCode.DONE
    assert cpo.valid(old["uid"]) is False
    unblocked = run(folder, "--role", "support", "card", "unblock", old["number"])
    assert unblocked.exit_code == ExitCode.PENDING
    assert "they migrate" in unblocked.stdout
    assert cpo.valid(old["uid"]) is False
    assert run(folder, "sync", "retry", "cpo").exit_code == ExitCode.CONFLICT
    assert run(folder, "sync", "pause", "cpo").exit_code == ExitCode.CONFLICT
    assert run(folder, "sync", "resume", "cpo").exit_code == ExitCode.DONE
    assert run(folder, "sync", "resume", "cpo").exit_code == ExitCode.CONFLICT
    sync(folder)
    assert (cpo.valid(new["uid"]), cpo.valid(old["uid"])) == (True, True)
    log = run(folder, "store", "log").stdout
    assert "partner.paused" in log
    assert "partner.resumed" in log


@pytest.mark.parametrize(("role", "exit_code"), [("clerk", ExitCode.CONFLICT), ("supervisor", ExitCode.DONE)])
def test_a_whitelist_that_never_asks_takes_a_supervisor(folder: Path, role: str, exit_code: int) -> None:
    invited = ("partner", "invite", "cpo", "--whitelist", "ALWAYS")
    assert run(folder, "--role", role, *invited).exit_code == exit_code
    run(folder, "partner", "invite", "other", "--whitelist", "NEVER")
    agreed = run(folder, "--role", role, "partner", "agree", "other", "--whitelist", "ALWAYS")
    assert agreed.exit_code == exit_code
    # Who finds it that way may change everything else, and end it.
    for more in (["--until", TOMORROW], ["--no-whitelist"]):
        assert run(folder, "partner", "agree", "other", *more).exit_code == ExitCode.DONE
    shown = json.loads(run(folder, "partner", "show", "other", "--json").stdout)
    assert (shown["whitelist"], shown["until"]) == (None, TOMORROW)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ([], "nothing is named"),
        (["--group", "A", "--all-groups"], "contradict"),
        (["--group", "*"], "cannot name a card group"),
        (["--since", "soon"], "is no day"),
        (["--since", TOMORROW, "--until", YESTERDAY], "is never in force"),
        (["--block-within", "soon"], "is no span of time"),
        (["--new-within", "0h"], "is no span of time"),
        (["--whitelist", "NEVER", "--no-whitelist"], "contradict"),
    ],
)
def test_terms_that_make_no_sense_change_nothing(folder: Path, terms: list[str], words: str) -> None:
    run(folder, "partner", "invite", "cpo", "--group", "A", "--since", YESTERDAY, "--new-within", "2d")
    before = run(folder, "partner", "show", "cpo").stdout
    said = run(folder, "partner", "agree", "cpo", *terms)
    assert said.exit_code == ExitCode.WRONG_CALL
    assert words in said.stderr
    assert "hint: " in said.stderr
    assert run(folder, "partner", "show", "cpo").stdout == before
    assert re.search(r"^new_within +2d$", before, re.MULTILINE)
