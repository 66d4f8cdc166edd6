"""`method = "patch"`: what is sent, when, and what an answer to it is worth."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from wire_double import WireDouble

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.partner_profile import Method, PartnerProfile
from rfid_station.domain.token import Token, Whitelist
from rfid_station.ocpi.client import TokensReceiver, open_receiver
from rfid_station.ocpi.http import HttpAnswer, HttpRequest, NoAnswer
from rfid_station.ocpi.port import Us
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

PATCHES = PartnerProfile(method=Method.PATCH)


class Partner:
    """Answers PATCH as a test says, and all else well."""

    def __init__(self, us: Us, version: str = "2.2.1", profile: PartnerProfile = PATCHES) -> None:
        self.patched: Any = 200, 1000
        self.held: dict[str, Any] | None = None
        self.wire = WireDouble(self.answer)
        endpoints = (Endpoint("tokens", "RECEIVER", "https://c.example/t"),)
        connection = Connection(version, "https://c.example/v", endpoints, ())
        self.receiver: TokensReceiver = open_receiver(
            connection, "t", us.party, profile=profile, http=self.wire
        )

    def answer(self, request: HttpRequest) -> HttpAnswer:
        if isinstance(self.patched, Exception) and request.method == "PATCH":
            raise self.patched
        status, code = self.patched if request.method == "PATCH" else (200, 1000)
        return HttpAnswer(status, {}, json.dumps({"status_code": code, "data": self.held}).encode())

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.wire.requests]


@pytest.fixture
def partner(us: Us) -> Partner:
    return Partner(us)


def blocked(token: Token, seconds: int = 1) -> Token:
    later = token.last_updated + timedelta(seconds=seconds)
    return replace(token, valid=False, whitelist=Whitelist.NEVER, last_updated=later)


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
def test_what_only_changed_in_validity_is_patched_with_its_time(us: Us, token: Token, version: str) -> None:
    partner = Partner(us, version)
    assert not partner.receiver.put(token).is_partial

    outcome = partner.receiver.put(blocked(token))

    assert partner.methods == ["PUT", "PATCH"]
    assert partner.wire.requests[0].url == partner.wire.requests[1].url
    assert json.loads(partner.wire.requests[1].body or b"") == {
        "valid": False,
        "whitelist": "NEVER",
        "last_updated": "2026-01-15T09:30:01Z",
    }
    assert (outcome.verdict, outcome.is_partial) == (Verdict.ACKNOWLEDGED, True)


@pytest.mark.parametrize(
    "change", [{"issuer": "Other"}, {"language": None}, {"visual_number": "X"}, {"group_id": "F"}], ids=str
)
def test_whatever_else_changed_is_put(partner: Partner, token: Token, change: dict[str, Any]) -> None:
    partner.receiver.put(token)
    partner.receiver.put(replace(blocked(token), **change))
    assert partner.methods == ["PUT", "PUT"]


def test_what_is_not_known_is_put(us: Us, partner: Partner, token: Token) -> None:
    partner.receiver.put(blocked(token))
    Partner(us, profile=PartnerProfile()).receiver.put(token)
    assert partner.methods == ["PUT"]


@pytest.mark.parametrize(
    ("patched", "verdict"),
    [
        ((405, 2000), Verdict.REFUSED),
        ((200, 2001), Verdict.REFUSED),
        ((500, 3000), Verdict.UNREACHABLE),
        ((401, 2000), Verdict.UNAUTHORIZED),
        (NoAnswer("no answer within 10 s"), Verdict.AMBIGUOUS),
    ],
    ids=str,
)
def test_after_a_patch_that_was_not_acknowledged_comes_a_put(
    partner: Partner, token: Token, patched: Any, verdict: Verdict
) -> None:
    partner.receiver.put(token)
    partner.patched = patched
    assert partner.receiver.put(blocked(token)).verdict is verdict
    assert not partner.receiver.put(blocked(token)).is_partial
    assert partner.methods == ["PUT", "PATCH", "PUT"]


def test_what_reads_back_differently_is_put(partner: Partner, token: Token) -> None:
    partner.receiver.put(token)
    partner.held = {"uid": token.uid.hex, "valid": True}
    assert partner.receiver.prove(token)[1]
    partner.receiver.put(blocked(token))
    assert partner.methods == ["PUT", "GET", "PUT"]


def test_what_reads_back_equal_is_known(partner: Partner, token: Token) -> None:
    partner.held = partner.receiver.request(token)[1]
    assert partner.receiver.prove(token)[1] == []
    partner.receiver.put(blocked(token))
    assert partner.methods == ["GET", "PATCH"]


def test_a_virtual_cpo_takes_it(us: Us, connect: Any, cpo: VirtualCpo, token: Token) -> None:
    found = connect()
    receiver = open_receiver(found.connection, found.client_token, us.party, profile=PATCHES)
    receiver.put(token)
    assert receiver.put(blocked(token)).is_partial
    assert receiver.prove(blocked(token))[1] == []
    assert cpo.authorize(token.uid.hex).status == "Blocked"
    assert [entry.method for entry in cpo.log if "/tokens" in entry.path] == ["PUT", "PATCH", "GET"]
