"""The Sessions and CDRs receivers over HTTP: who may tell of what, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from served import CALLERS, Client, served

from rfid_station.domain.charge import Charge, ChargeKind, Posted
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict
from rfid_station.ocpi.port import Caller
from rfid_station.ocpi.server import Limits

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
NOW = "2026-03-01T12:00:00Z"
PARTIES = {"alpha": (Party("nl", "CPO"), Party("BE", "CPO")), "odd": (Party("NL", "ODD"),), "empty": ()}
HUB = Caller("hub", profile=PartnerProfile(is_hub=True))


class Book:
    def caller_of(self, server_token: str) -> Caller | None:
        return HUB if server_token == "token-of-hub" else CALLERS.get(server_token)


@dataclass
class MemoryCharges:
    """What was told, in a dictionary; of as many as may be."""

    most: int = 1000
    told: dict[tuple[str, ChargeKind, Party, str], Charge] = field(default_factory=dict)

    def parties_of(self, partner: str) -> tuple[Party, ...]:
        return PARTIES.get(partner, ())

    def session(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        return self._found(partner, ChargeKind.SESSION, party, id_, version)

    def cdr(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        return self._found(partner, ChargeKind.CDR, party, id_, version)

    def put_session(self, partner: str, session: Charge) -> None:
        self._refuse_too_many()
        self.told[partner, session.kind, session.party, session.id.upper()] = session

    def post_cdr(self, partner: str, cdr: Charge) -> Posted:
        known = self.told.get((partner, cdr.kind, cdr.party, cdr.id.upper()))
        if known:
            return Posted.SAME if known.told == cdr.told else Posted.DIFFERS
        self._refuse_too_many()
        self.told[partner, cdr.kind, cdr.party, cdr.id.upper()] = cdr
        return Posted.NEW

    def _found(self, partner: str, kind: ChargeKind, party: Party, id_: str, version: str) -> str | None:
        found = self.told.get((partner, kind, party, id_.upper()))
        return found.told if found and found.version == version else None

    def _refuse_too_many(self) -> None:
        if len(self.told) >= self.most:
            raise Conflict("too many")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with served(charges=MemoryCharges(), book=Book()) as (client, _):
        yield client


def session(version: str, **changed: object) -> dict[str, Any]:
    common = {"id": "S1", "kwh": 1.5, "currency": "EUR", "status": "ACTIVE", "last_updated": NOW}
    if version == "2.1.1":
        return common | {"start_datetime": NOW, "auth_id": "DE-EXM-C00000001"} | changed
    return common | {"start_date_time": NOW} | owned() | changed


def cdr(version: str, **changed: object) -> dict[str, Any]:
    common = {"id": "C1", "start_date_time": NOW, "currency": "EUR", "total_energy": 9, "last_updated": NOW}
    if version == "2.1.1":
        told = {"stop_date_time": NOW, "auth_id": "DE-EXM-C00000001", "total_cost": 4.6}
        return common | told | changed
    return common | {"end_date_time": NOW, "total_cost": {"excl_vat": 4.6}} | owned() | changed


def owned() -> dict[str, Any]:
    token = {"country_code": "DE", "party_id": "EXM", "type": "RFID", "contract_id": "DE-EXM-C00000001"}
    return {"country_code": "NL", "party_id": "CPO", "cdr_token": token | {"uid": "04E10CDA993C80"}}


def send(client: Client, method: str, path: str, body: Mapping[str, object]) -> tuple[int, int]:
    answer = client.call(method, path, json.dumps(body).encode())
    return answer.status, answer.code


@pytest.mark.parametrize("version", VERSIONS)
def test_both_modules_are_listed_where_they_are(client: Client, version: str) -> None:
    endpoints = client.get(f"/ocpi/{version}").data["endpoints"]
    listed = {one["identifier"]: one for one in endpoints}

    assert {"sessions", "cdrs"} <= listed.keys()
    if version != "2.1.1":
        assert {listed["sessions"]["role"], listed["cdrs"]["role"]} == {"RECEIVER"}
    url = f"{listed['sessions']['url']}/NL/CPO/listed"
    assert send(client, "PUT", url, session(version, id="listed")) == (200, 1000)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_told_changed_and_read_back(client: Client, version: str) -> None:
    url = f"/ocpi/{version}/sessions/NL/CPO/s-{version}"
    told = session(version, id=f"s-{version}")

    assert client.get(url).status == 404
    assert send(client, "PATCH", url, {"kwh": 2, "last_updated": NOW}) == (404, 2000)
    assert send(client, "PUT", url, told) == (200, 1000)
    assert client.get(url).data == told
    assert send(client, "PATCH", f"{url}/", {"kwh": 2, "last_updated": "2026-03-01T13:00:00Z"}) == (200, 1000)
    assert client.get(url.replace("/s-", "/S-")).data["kwh"] == 2
    assert client.get(url).data["status"] == "ACTIVE"
    assert client.as_("token-of-odd").get(url).status == 404
    assert client.call("DELETE", url).status == 405
    assert client.call("POST", url, b"{}").status == 405


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cdr_is_told_once_and_read_back_where_the_answer_says(client: Client, version: str) -> None:
    told = cdr(version, id=f"c/{version} %")
    first = client.call("POST", f"/ocpi/{version}/cdrs", json.dumps(told).encode())
    again = client.call("POST", f"/ocpi/{version}/cdrs/", json.dumps(told).encode())
    other = client.call("POST", f"/ocpi/{version}/cdrs", json.dumps(told | {"total_energy": 10}).encode())

    assert [(one.status, one.code) for one in (first, again, other)] == [
        (200, 1000),
        (200, 1000),
        (200, 2000),
    ]
    assert client.get(first.headers["Location"]).data == told
    assert first.headers["Location"] == other.headers["Location"]
    assert client.as_("token-of-odd").get(first.headers["Location"]).status == 404
    assert client.call("PUT", first.headers["Location"], b"{}").status == 405
    assert client.get(f"/ocpi/{version}/cdrs").status == 405


@pytest.mark.parametrize("version", VERSIONS)
def test_nobody_tells_for_somebody_else(client: Client, version: str) -> None:
    url = f"/ocpi/{version}/sessions/NL/XXX/S1"
    told = session(version) if version == "2.1.1" else session(version, party_id="XXX")

    assert send(client, "PUT", url, told) == (404, 2000)
    assert send(client.as_("token-of-hub"), "PUT", url, told) == (200, 1000)
    assert client.as_("token-of-guest").call("PUT", url, json.dumps(told).encode()).status == 401
    assert client.as_("token-of-guest").call("POST", f"/ocpi/{version}/cdrs", b"{}").status == 401
    if version != "2.1.1":
        foreign = cdr(version, id="foreign", party_id="XXX")
        assert send(client, "POST", f"/ocpi/{version}/cdrs", foreign) == (200, 2001)
        assert send(client.as_("token-of-hub"), "POST", f"/ocpi/{version}/cdrs", foreign) == (200, 1000)
        own = session(version, country_code="BE")
        assert send(client, "PUT", f"/ocpi/{version}/sessions/be/cpo/S1", own) == (200, 1000)


def test_a_cdr_of_2_1_1_is_of_who_tells_it(client: Client) -> None:
    told = json.dumps(cdr("2.1.1", id="mine")).encode()
    answer = client.as_("token-of-odd").call("POST", "/ocpi/2.1.1/cdrs", told)

    assert answer.headers["Location"].endswith("/ocpi/2.1.1/cdrs/NL/ODD/mine")
    assert client.as_("token-of-empty").call("POST", "/ocpi/2.1.1/cdrs", told).code == 2000


@pytest.mark.parametrize(
    ("method", "path", "body", "answer"),
    [
        ("PUT", "sessions/NL/CPO/other", session("2.2.1"), (200, 2001)),
        ("PUT", "sessions/BE/CPO/S1", session("2.2.1"), (200, 2001)),
        ("PUT", "sessions/NL/CPO/S1", session("2.2.1", kwh="1"), (200, 2001)),
        ("PATCH", "sessions/NL/CPO/kept", {"kwh": 7}, (200, 2001)),
        ("PATCH", "sessions/NL/CPO/kept", {"kwh": "7", "last_updated": NOW}, (200, 2001)),
        ("PATCH", "sessions/NL/CPO/kept", {"id": "other", "last_updated": NOW}, (200, 2001)),
        ("PUT", "sessions/NL/CPO/", session("2.2.1"), (404, 2000)),
        ("PUT", "sessions/NL/CPO/" + "x" * 65, session("2.2.1"), (404, 2000)),
        ("PUT", "sessions/NL/CPO/%00", session("2.2.1"), (404, 2000)),
        ("POST", "cdrs", cdr("2.2.1", total_cost=4.6), (200, 2001)),
    ],
)
def test_what_makes_no_sense_is_refused_and_not_kept(
    client: Client, method: str, path: str, body: Mapping[str, object], answer: tuple[int, int]
) -> None:
    kept = "/ocpi/2.2.1/sessions/NL/CPO/kept"
    assert send(client, "PUT", kept, session("2.2.1", id="kept")) == (200, 1000)

    assert send(client, method, f"/ocpi/2.2.1/{path}", body) == answer

    assert client.get(kept).data == session("2.2.1", id="kept")
    assert client.get("/ocpi/2.2.1/sessions/NL/CPO/other").status == 404


@pytest.mark.parametrize(
    ("body", "answer"),
    [(b"{", (400, 2001)), (b"[]", (200, 2001)), (b"7", (200, 2001)), (b"\xff", (400, 2001))],
)
@pytest.mark.parametrize("target", ["PUT sessions/NL/CPO/S9", "PATCH sessions/NL/CPO/S9", "POST cdrs"])
def test_what_is_no_object_is_refused(
    client: Client, target: str, body: bytes, answer: tuple[int, int]
) -> None:
    method, path = target.split()
    got = client.call(method, f"/ocpi/2.2.1/{path}", body)

    assert (got.status, got.code) == answer


def test_who_tells_of_too_much_is_told_so() -> None:
    with served(Limits(body_bytes=2000), charges=MemoryCharges(1), book=Book()) as (client, _):
        assert send(client, "POST", "/ocpi/2.2.1/cdrs", cdr("2.2.1")) == (200, 1000)
        assert send(client, "POST", "/ocpi/2.2.1/cdrs", cdr("2.2.1", id="C2")) == (200, 2000)
        assert send(client, "PUT", "/ocpi/2.2.1/sessions/NL/CPO/S1", session("2.2.1")) == (200, 2000)
        assert client.call("POST", "/ocpi/2.2.1/cdrs", b" " * 2001).status == 413


def test_answers_are_routed_since_2_2(client: Client) -> None:
    sender = {"OCPI-from-country-code": "NL", "OCPI-from-party-id": "CPO"}
    body = json.dumps(session("2.2.1", id="routed")).encode()
    told = client.call("PUT", "/ocpi/2.2.1/sessions/NL/CPO/routed", body, sender)
    old = client.call(
        "PUT", "/ocpi/2.1.1/sessions/NL/CPO/old", json.dumps(session("2.1.1", id="old")).encode(), sender
    )

    assert (told.headers["OCPI-from-party-id"], told.headers["OCPI-to-party-id"]) == ("EXM", "CPO")
    assert "OCPI-from-party-id" not in old.headers
