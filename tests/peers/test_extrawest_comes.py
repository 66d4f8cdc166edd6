"""A CPO on extrawest-ocpi comes to us: registers, rotates, reads our token list, asks in real time.

Its calls are written by hand, and each of our answers is read with that library's own schemas.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Container, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_extrawest import started

from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import CardUid
from rfid_station.ocpi.client import open_receiver
from rfid_station.ocpi.port import Allowed, Caller, Decision, Registration, TokenPage, Us
from rfid_station.ocpi.registrar import Registrar
from rfid_station.ocpi.server import create_app, listen, serve_in_thread

INVITATION = "invitation-of-ours-5Wq"
START = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
MANY = 7


def token(number: int) -> Token:
    return Token(
        party=Party("DE", "EXM"),
        uid=CardUid(b"\x04" + number.to_bytes(6, "big")),
        contract_id=own_contract_id("DE", "EXM", number),
        visual_number=f"EXM-{number:04}",
        issuer="Example Mobility",
        valid=number != 3,
        whitelist=Whitelist.ALLOWED_OFFLINE,
        last_updated=START + timedelta(seconds=number),
        group_id=None,
        language="de",
    )


class Ours:
    """Whom we let in, what they registered with, and what they may see: kept in memory."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.callers = {INVITATION: Caller("operator", is_guest=True, is_registered=False)}
        self.registration: Registration | None = None
        self.tokens = [token(number) for number in range(1, MANY + 1)]

    def caller_of(self, server_token: str) -> Caller | None:
        with self.lock:
            return self.callers.get(server_token)

    def grant(
        self,
        partner: str,
        connection: Connection,
        client_token: str,
        server_token: str,
        *,
        is_registered: bool,
    ) -> None:
        with self.lock:
            self.callers = {server_token: Caller(partner)}
            self.registration = Registration(connection, client_token)

    def release(self, partner: str) -> None:
        with self.lock:
            self.callers.clear()

    def note_repeat(self, partner: str) -> None:
        return

    def style(self, partner: str) -> str:
        return ""

    def page(
        self,
        partner: str,
        *,
        date_from: datetime | None,
        date_to: datetime | None,
        after: int | None,
        offset: int,
        limit: int,
        known: Container[int] = (),
    ) -> TokenPage:
        fitting = [
            (place, one)
            for place, one in enumerate(self.tokens, 1)
            if (date_from is None or one.last_updated >= date_from)
            and (date_to is None or one.last_updated < date_to)
        ]
        rest = [entry for entry in fitting if entry[0] > (after or 0)][offset:]
        shown = rest[:limit]
        goes_on = shown[-1][0] if len(rest) > limit else None
        return TokenPage([one for _, one in shown], len(fitting), goes_on, [place for place, _ in shown])

    def one(self, partner: str, uid: str, type_: str) -> Token | None:
        return next((one for one in self.tokens if one.uid.hex == uid.upper()), None)

    def decide(self, partner: str, uid: str, type_: str) -> Decision | None:
        found = self.one(partner, uid, type_)
        if found is None:
            return None
        allowed = Allowed.ALLOWED if found.valid else Allowed.BLOCKED
        return Decision(allowed, found, "reference-of-ours", "Bitte sehr")


class World:
    """The other program, and a server of ours with an invitation for it."""

    def __init__(self, version: str, stack: ExitStack) -> None:
        self.version = version
        self.ours = Ours()
        listener = stack.enter_context(listen("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}/ocpi"
        self.us = Us(Party("DE", "EXM"), "Example Mobility", f"{self.base}/versions")
        desk = Registrar(self.us, self.ours)
        app = create_app(self.us, self.ours, desk=desk, shelf=self.ours)
        stack.enter_context(serve_in_thread(app, listener=listener))
        process = stack.enter_context(started("upper"))
        stack.callback(process.kill)
        assert process.stdout is not None
        versions_url: str = json.loads(process.stdout.readline())["versions_url"]
        self.deeds = versions_url.replace("/ocpi/versions", "/deed")
        given = {"version": version, "token": INVITATION, "versions_url": self.us.versions_url}
        self.registered = self.deed("register", **given)

    def deed(self, what: str, **given: Any) -> Any:
        request = urllib.request.Request(
            f"{self.deeds}/{what}", json.dumps(given).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answered:
            return json.load(answered)


@pytest.fixture(scope="module", params=["2.1.1", "2.2.1"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(request.param, stack)


def test_the_invitation_became_a_registration(world: World) -> None:
    registration = world.ours.registration

    assert world.registered["parties"] == ["EXM"]
    assert registration is not None
    assert registration.connection.version == world.version
    assert [str(party).upper() for party in registration.connection.parties] == ["NL-EWX"]
    assert INVITATION not in world.ours.callers


def test_the_whole_list_is_read_page_by_page(world: World) -> None:
    told = world.deed("pull", query="limit=3")

    assert (told["pages"], told["total"]) == ([3, 3, 1], MANY)
    assert [entry["uid"].upper() for entry in told["tokens"]] == [one.uid.hex for one in world.ours.tokens]
    assert [entry["valid"] for entry in told["tokens"]] == [one.valid for one in world.ours.tokens]
    contract = "auth_id" if world.version == "2.1.1" else "contract_id"
    assert told["tokens"][0][contract].upper() == str(world.ours.tokens[0].contract_id)


def test_what_changed_is_read_alone(world: World) -> None:
    told = world.deed("pull", query="date_from=2026-01-15T09:30:05Z&limit=2")

    assert (told["pages"], told["total"]) == ([2, 1], 3)
    assert {entry["last_updated"] for entry in told["tokens"]} == {
        f"2026-01-15T09:30:0{second}Z" for second in (5, 6, 7)
    }


@pytest.mark.parametrize(("number", "allowed"), [(1, "ALLOWED"), (3, "BLOCKED")])
def test_a_card_is_decided_in_real_time(world: World, number: int, allowed: str) -> None:
    uid = token(number).uid.hex
    where = {"location_id": "LOC1", "evse_uids": ["3256"]}

    for given in ({}, {"location": where}):
        told = world.deed("authorize", uid=uid, **given)
        assert (told["http_status"], told["status_code"]) == (200, 1000)
        assert told["info"]["allowed"] == allowed
        if world.version == "2.2.1":
            assert told["info"]["token"]["uid"].upper() == uid
            assert told["info"]["authorization_reference"].lower() == "reference-of-ours"


def test_a_card_that_nobody_knows_is_not_found(world: World) -> None:
    told = world.deed("authorize", uid="04FFFFFFFFFFFF")

    assert (told["http_status"], told["info"]) == (404, None)
    assert told["status_code"] == (2001 if world.version == "2.1.1" else 2004)


def test_cards_go_to_who_came_to_us(world: World) -> None:
    registration = world.ours.registration
    assert registration is not None
    profile = PartnerProfile(versions=(world.version,))
    receiver = open_receiver(
        registration.connection, registration.client_token, world.us.party, profile=profile
    )
    active = token(1)
    blocked = replace(active, valid=False, last_updated=START + timedelta(minutes=1))

    for sent in (active, blocked):
        assert receiver.put(sent).verdict is Verdict.ACKNOWLEDGED
        assert receiver.prove(sent)[1] == []
    receiver.close()


def test_it_exchanges_both_tokens(world: World) -> None:
    before = world.ours.registration
    shown_before = set(world.ours.callers)

    assert world.deed("rotate", versions_url=world.us.versions_url)["parties"] == ["EXM"]

    after = world.ours.registration
    assert before is not None
    assert after is not None
    assert after.client_token != before.client_token
    assert shown_before.isdisjoint(world.ours.callers)
    assert world.deed("pull", query="limit=100")["total"] == MANY


def test_an_invitation_is_used_once(world: World) -> None:
    given = {"version": world.version, "token": INVITATION, "versions_url": world.us.versions_url}

    with pytest.raises(urllib.error.HTTPError) as refused:
        # Straight to our server: the other side keeps what it registered with.
        urllib.request.urlopen(
            urllib.request.Request(given["versions_url"], headers={"Authorization": f"Token {INVITATION}"}),
            timeout=60,
        )
    assert refused.value.code == 401
    refused.value.close()
