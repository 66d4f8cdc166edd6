"""Our client, handshake and server with an operator on a library that somebody else wrote.

Its faults are real ones: a redirect to the URL with a slash, lists of one in place of objects, all ids in
lower case (or all in upper case), no message ids, no envelope around its errors.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import parse_uid
from rfid_station.errors import PartnerRefused
from rfid_station.ocpi.client import TokensReceiver, open_receiver
from rfid_station.ocpi.handshake import Handshake, register
from rfid_station.ocpi.port import Caller, Registration, Us
from rfid_station.ocpi.server import create_app, listen, serve_in_thread

PROGRAM = Path(__file__).with_name("extrawest_cpo.py")
ENVIRONMENT = Path(os.environ.get("RFID_STATION_PEERS") or PROGRAM.parents[2] / ".venv-peers")
SERVER_TOKEN = "server-token-for-the-partner-7Zk"
FIRST_TOKEN = "first-token-of-the-partner-7ZkLmv"
"""Its versions endpoint reads every token as Base64. This one is no text then, and is taken as it is."""


class Book:
    """Lets in who shows our server token, and counts."""

    def __init__(self) -> None:
        self.visits = 0

    def caller_of(self, server_token: str) -> Caller | None:
        self.visits += 1
        return Caller("Operator") if server_token == SERVER_TOKEN else None


class Peer:
    """The other program, our server, and what the registration gave."""

    def __init__(self, case: str, version: str, stack: ExitStack) -> None:
        self.profile = PartnerProfile(versions=(version,))
        self.process = stack.enter_context(started(case))
        stack.callback(self.process.kill)
        assert self.process.stdout is not None
        self.versions_url: str = json.loads(self.process.stdout.readline())["versions_url"]
        listener = stack.enter_context(listen("127.0.0.1", 0))
        ours = f"http://127.0.0.1:{listener.getsockname()[1]}/ocpi/versions"
        self.us = Us(Party("DE", "EXM"), "Example Mobility", ours)
        self.book = Book()
        stack.enter_context(serve_in_thread(create_app(self.us, self.book), listener=listener))
        self.refusals = [
            self.refusal(self.us, "a-token-that-our-book-does-not-know"),
            self.refusal(replace(self.us, versions_url=ours.replace("/versions", "/nothing")), SERVER_TOKEN),
        ]
        self.registration = self.register(FIRST_TOKEN, SERVER_TOKEN)

    def register(self, first_token: str, server_token: str) -> Registration:
        return register(
            self.us, self.versions_url, first_token, server_token, profile=self.profile, timeout_s=20
        )

    def refusal(self, us: Us, server_token: str) -> str:
        """What a registration says that the other side cannot call back."""
        with pytest.raises(PartnerRefused) as refused:
            register(us, self.versions_url, FIRST_TOKEN, server_token, profile=self.profile, timeout_s=20)
        return refused.value.message


def started(case: str) -> subprocess.Popen[str]:
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        pytest.fail(f"{ENVIRONMENT} is missing, in which another OCPI library runs: `make setup` makes it")
    process = subprocess.Popen(
        [str(python), str(PROGRAM), case], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(f"{FIRST_TOKEN}\n")
    process.stdin.close()
    return process


@pytest.fixture(scope="module", params=["lower-2.2.1", "upper-2.2.1", "lower-2.1.1"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with ExitStack() as stack:
        yield Peer(*request.param.split("-"), stack)


@pytest.fixture
def receiver(peer: Peer) -> Iterator[TokensReceiver]:
    found = peer.registration
    receiver = open_receiver(found.connection, found.client_token, peer.us.party, profile=peer.profile)
    yield receiver
    receiver.close()


def token(uid: str, **changed: Any) -> Token:
    return replace(
        Token(
            party=Party("DE", "EXM"),
            uid=parse_uid(uid),
            contract_id=parse_contract_id("DE-EXM-C00000042"),
            visual_number="EXM-0000-0042-3",
            issuer="Example Mobility",
            valid=True,
            whitelist=Whitelist.ALLOWED_OFFLINE,
            last_updated=datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
            group_id="Fleet-a",
            language="de",
        ),
        **changed,
    )


def test_the_registration_is_whole(peer: Peer) -> None:
    base = peer.versions_url.removesuffix("/versions")

    found = peer.registration.connection
    version = peer.profile.versions[0]
    assert found.version == version
    assert found.url_of("tokens", "RECEIVER") == f"{base}/cpo/{version}/tokens"
    urls = {entry.identifier: entry.url for entry in found.endpoints}
    assert urls["credentials"] == f"{base}/cpo/{version}/credentials"
    assert [str(party).upper() for party in found.parties] == ["NL-EWX"]
    assert peer.book.visits >= 2


def test_a_call_back_that_fails_is_understood_and_leaves_the_first_token_good(peer: Peer) -> None:
    for refusal in peer.refusals:
        assert "the partner could not use our server at http://127.0.0.1:" in refusal
        assert "OCPI 3001" in refusal


def test_a_card_goes_there_is_proven_is_blocked_and_is_proven_again(receiver: TokensReceiver) -> None:
    active = token("04E10CDA993C80")
    blocked = replace(active, valid=False, last_updated=active.last_updated + timedelta(seconds=1))

    assert receiver.prove(active)[1] == ["unknown there"]
    assert receiver.put(active).verdict is Verdict.ACKNOWLEDGED
    assert receiver.prove(active)[1] == []
    assert receiver.prove(blocked)[1] == [
        "valid: true there, false here",
        "last_updated: 2026-01-15T09:30:00Z there, 2026-01-15T09:30:01Z here",
    ]
    assert receiver.put(blocked).verdict is Verdict.ACKNOWLEDGED
    assert receiver.prove(blocked)[1] == []


def test_what_is_left_out_is_gone_there_too(receiver: TokensReceiver) -> None:
    full = token("04E10CDA993C81")
    bare = replace(full, group_id=None, language=None)

    receiver.put(full)
    assert receiver.prove(bare)[1] is not None
    assert receiver.put(bare).verdict is Verdict.ACKNOWLEDGED
    assert receiver.prove(bare)[1] == []


def test_an_issuer_with_an_umlaut_is_told_as_the_version_can(peer: Peer, receiver: TokensReceiver) -> None:
    sent = token("04E10CDA993C84", issuer="Größe")
    outcome = receiver.put(sent)

    if peer.profile.versions == ("2.1.1",):
        assert outcome.verdict is Verdict.REFUSED
    else:
        assert outcome.verdict is Verdict.ACKNOWLEDGED
        assert receiver.prove(sent)[1] == []


def test_both_tokens_are_exchanged(peer: Peer) -> None:
    before = peer.registration
    handshake = Handshake(peer.versions_url, before.client_token, profile=peer.profile, timeout_s=20)

    after = handshake.exchange("PUT", handshake.look(), peer.us, SERVER_TOKEN)

    peer.registration = after
    assert after.client_token != before.client_token
    sent = token("04E10CDA993C85")
    for registration, verdict in ((before, Verdict.UNAUTHORIZED), (after, Verdict.ACKNOWLEDGED)):
        receiver = open_receiver(
            registration.connection, registration.client_token, peer.us.party, profile=peer.profile
        )
        assert receiver.put(sent).verdict is verdict
        receiver.close()


@pytest.mark.parametrize("uid", ["0A1B2C3D", "04E10CDA993C82", "04E10CDA993C82AABBCC"])
def test_uids_of_every_length_come_back(receiver: TokensReceiver, uid: str) -> None:
    sent = token(uid)

    assert receiver.put(sent).verdict is Verdict.ACKNOWLEDGED
    assert receiver.prove(sent)[1] == []


def test_a_wrong_client_token_is_told_from_everything_else(peer: Peer) -> None:
    receiver = open_receiver(peer.registration.connection, "not-the-token", peer.us.party)
    sent = token("04E10CDA993C80")

    assert receiver.put(sent).verdict is Verdict.UNAUTHORIZED
    outcome, differences = receiver.prove(sent)
    receiver.close()

    assert (outcome.verdict, differences) == (Verdict.UNAUTHORIZED, None)
    assert "not-the-token" not in repr(outcome)


def test_a_first_token_does_not_work_twice(peer: Peer) -> None:
    with pytest.raises(PartnerRefused, match="HTTP 401"):
        peer.register(FIRST_TOKEN, SERVER_TOKEN)


def test_being_registered_already_is_understood(peer: Peer) -> None:
    with pytest.raises(PartnerRefused, match="registered already"):
        peer.register(peer.registration.client_token, SERVER_TOKEN)
