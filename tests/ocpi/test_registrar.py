"""Partners that register with us, over HTTP: the whole way, and every step at which it can break."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from rfid_station.domain.partner import Connection
from rfid_station.domain.partner_profile import STANDARD, HeaderEncoding, PartnerProfile
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict, StoreError
from rfid_station.ocpi.port import Caller, Us
from rfid_station.ocpi.registrar import Registrar
from rfid_station.ocpi.server import create_app, listen, serve_in_thread
from rfid_station.simulator.cpo.virtual_cpo import (
    PROFILES,
    CpoProfile,
    Encoding,
    Fault,
    FaultKind,
    VirtualCpo,
)

GUEST_TOKEN = "guest-token-of-ours-4Jw"
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")


@dataclass
class MemoryRegistry:
    """One invited partner; server tokens by what they are good for."""

    profile: PartnerProfile = STANDARD
    tokens: dict[str, str] = field(default_factory=lambda: {GUEST_TOKEN: "guest"})
    connection: Connection | None = None
    client_token: str = ""
    repeats: int = 0
    is_broken: bool = False

    def caller_of(self, server_token: str) -> Caller | None:
        use = self.tokens.get(server_token)
        if use is None:
            return None
        if use == "granted":
            self.tokens = {server_token: "valid"}
        return Caller("cpo", use == "guest", self.connection is not None, self.profile)

    def grant(
        self,
        partner: str,
        connection: Connection,
        client_token: str,
        server_token: str,
        *,
        is_registered: bool,
    ) -> None:
        assert partner == "cpo"
        if self.is_broken:
            raise StoreError("there is no room")
        if is_registered is not (self.connection is not None):
            raise Conflict("meanwhile")
        self.connection, self.client_token = connection, client_token
        self.tokens[server_token] = "granted"

    def release(self, partner: str) -> None:
        assert partner == "cpo"
        if self.connection is None:
            raise Conflict("not connected")
        self.connection, self.client_token, self.tokens = None, "", {}

    def note_repeat(self, partner: str) -> None:
        assert partner == "cpo"
        self.repeats += 1

    @property
    def state(self) -> tuple[object, ...]:
        return dict(self.tokens), self.connection, self.client_token


@dataclass
class Host:
    """Our server, and what stands behind it."""

    us: Us
    registry: MemoryRegistry
    registrar: Registrar

    def ask(self, method: str, url: str, token: str, body: object = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Token {b64encode(token.encode()).decode()}"}
        place = urlsplit(url)
        connection = HTTPConnection(place.netloc, timeout=60)
        try:
            connection.request(method, place.path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()

    def credentials_url(self, version: str) -> str:
        return self.us.versions_url.removesuffix("/versions") + f"/{version}/credentials"


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def host(registry: MemoryRegistry) -> Iterator[Host]:
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    us = Us(Party("DE", "EXM"), "Example Mobility", f"http://127.0.0.1:{port}/ocpi/versions")
    registrar = Registrar(us, registry, timeout_s=1.0)
    with serve_in_thread(create_app(us, registry, desk=registrar), listener=listener):
        yield Host(us, registry, registrar)


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo("", CpoProfile(versions=VERSIONS)) as running:
        yield running


def theirs(cpo: VirtualCpo, version: str = "2.2.1", **changed: object) -> dict[str, object]:
    party = {"country_code": "NL", "party_id": "CPX", "business_details": {"name": "Virtual CPO"}}
    base: dict[str, object] = {"token": "what-they-show-us", "url": cpo.versions_url}
    told = {**base, **party} if version == "2.1.1" else {**base, "roles": [{"role": "CPO", **party}]}
    return told | changed


# The whole way


@pytest.mark.parametrize("version", VERSIONS)
def test_a_partner_registers_rotates_and_leaves(host: Host, cpo: VirtualCpo, version: str) -> None:
    done = cpo.register(host.us.versions_url, GUEST_TOKEN, version)
    assert (done.is_done, done.complaints) == (True, ()), done.words
    connection = host.registry.connection
    assert connection is not None
    assert (connection.version, connection.parties) == (version, (Party("NL", "CPX"),))
    assert connection.versions_url == cpo.versions_url
    assert connection.url_of("tokens", "RECEIVER") == cpo.versions_url.replace(
        "versions", f"{version}/tokens"
    )
    first = host.registry.client_token

    turned = cpo.rotate()
    assert (turned.is_done, turned.complaints) == (True, ()), turned.words
    assert host.registry.client_token not in (first, "")
    assert GUEST_TOKEN not in host.registry.tokens

    left = cpo.unregister()
    assert left.is_done, left.words
    assert host.registry.state == ({}, None, "")


def test_the_guest_token_dies_with_the_first_use_of_the_new_one(host: Host, cpo: VirtualCpo) -> None:
    status, told = host.ask("POST", host.credentials_url("2.2.1"), GUEST_TOKEN, _admitted(cpo))
    assert (status, told["status_code"]) == (200, 1000)
    fresh = told["data"]["token"]
    assert set(host.registry.tokens) == {GUEST_TOKEN, fresh}
    assert host.ask("GET", host.us.versions_url, fresh)[0] == 200
    assert set(host.registry.tokens) == {fresh}
    assert host.ask("POST", host.credentials_url("2.2.1"), GUEST_TOKEN, _admitted(cpo))[0] == 401


def _admitted(cpo: VirtualCpo, version: str = "2.2.1", **changed: Any) -> dict[str, object]:
    """Credentials whose token opens the partner's own endpoints, as in a registration of its own."""
    cpo.admit("what-they-show-us")
    return theirs(cpo, version, **changed)


def test_a_registration_that_is_repeated_is_refused_and_noted(host: Host, cpo: VirtualCpo) -> None:
    """The partner lost our answer: it has only its guest token."""
    url = host.credentials_url("2.2.1")
    host.ask("POST", url, GUEST_TOKEN, _admitted(cpo))
    before = host.registry.state
    status, told = host.ask("POST", url, GUEST_TOKEN, _admitted(cpo))
    assert (status, told["status_code"]) == (405, 2000)
    assert "new invitation" in told["status_message"]
    assert "data" not in told
    assert (host.registry.state, host.registry.repeats) == (before, 1)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_who_is_not_registered_cannot_change_or_end_that(host: Host, cpo: VirtualCpo, method: str) -> None:
    body = _admitted(cpo) if method == "PUT" else None
    for _ in range(2):  # neither before nor, by the guest token, after the registration
        before = host.registry.state
        status, told = host.ask(method, host.credentials_url("2.2.1"), GUEST_TOKEN, body)
        assert (status, told["status_code"]) == (405, 2000)
        assert host.registry.state == before
        host.ask("POST", host.credentials_url("2.2.1"), GUEST_TOKEN, _admitted(cpo))
    assert host.registry.connection


def test_while_a_rotation_is_not_confirmed_the_old_token_lets_in(host: Host, cpo: VirtualCpo) -> None:
    cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1")
    host.registry.tokens = {"old": "valid"}
    status, told = host.ask("PUT", host.credentials_url("2.2.1"), "old", _admitted(cpo))
    assert (status, told["status_code"]) == (200, 1000)
    # Our answer was lost, so it comes again with what it has.
    status, again = host.ask("PUT", host.credentials_url("2.2.1"), "old", _admitted(cpo))
    assert (status, again["status_code"]) == (200, 1000)
    assert host.ask("GET", host.us.versions_url, again["data"]["token"])[0] == 200
    assert host.ask("GET", host.us.versions_url, "old")[0] == 401


@pytest.mark.parametrize("version", VERSIONS)
def test_credentials_are_read_back_with_the_token_that_was_shown(
    host: Host, cpo: VirtualCpo, version: str
) -> None:
    status, told = host.ask("GET", host.credentials_url(version), GUEST_TOKEN)
    assert (status, told["data"]["token"], told["data"]["url"]) == (200, GUEST_TOKEN, host.us.versions_url)
    assert ("roles" in told["data"]) is (version != "2.1.1")


# What is refused, and leaves nothing

K = FaultKind
BREAKS: list[tuple[Fault, int]] = [
    (Fault(K.ERROR, module="versions"), 3001),
    (Fault(K.UNAUTHORIZED, module="versions"), 3001),
    (Fault(K.GARBAGE, module="versions"), 3001),
    (Fault(K.ABORT, module="versions"), 3001),
    (Fault(K.HANG, module="versions"), 3001),
    (Fault(K.GARBAGE, module="versions", body='{"status_code": 1000, "data": {}}'), 3001),
    (Fault(K.GARBAGE, module="versions", body='{"status_code": 1000, "data": []}'), 3002),
    (
        Fault(
            K.GARBAGE,
            module="versions",
            body='{"status_code": 1000, "data": [{"version": "2.2.1", "url": "nowhere"}]}',
        ),
        3001,
    ),
    (Fault(K.ERROR, module="details"), 3001),
    (Fault(K.CUT, module="details"), 3001),
    (Fault(K.HUGE, module="details"), 3001),
    (Fault(K.REDIRECT, module="details", location="https://elsewhere.example/"), 3001),
    (Fault(K.GARBAGE, module="details", body='{"status_code": 1000, "data": []}'), 3001),
    (
        Fault(
            K.GARBAGE,
            module="details",
            body='{"status_code": 1000, "data": {"version": "2.2.1", "endpoints": []}}',
        ),
        3003,
    ),
    (
        Fault(
            K.GARBAGE,
            module="details",
            body=json.dumps(
                {
                    "status_code": 1000,
                    "data": {
                        "version": "2.2.1",
                        "endpoints": [
                            {"identifier": "credentials", "role": "RECEIVER", "url": "http://x.example/c"},
                            {"identifier": "tokens", "role": "SENDER", "url": "http://x.example/t"},
                        ],
                    },
                }
            ),
        ),
        3003,
    ),
]


@pytest.mark.parametrize(("fault", "code"), BREAKS, ids=lambda value: str(getattr(value, "kind", value)))
def test_a_call_back_that_fails_leaves_nothing_and_the_next_try_succeeds(
    host: Host, cpo: VirtualCpo, fault: Fault, code: int
) -> None:
    before = host.registry.state
    cpo.faults.add(fault)
    failed = cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1")
    assert (failed.is_done, failed.http_status, failed.status_code) == (False, 200, code), failed.words
    assert host.registry.state == before
    cpo.faults.clear()
    assert cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1").is_done


@pytest.mark.parametrize(("fault", "code"), BREAKS[::5], ids=lambda value: str(getattr(value, "kind", value)))
def test_a_rotation_that_fails_keeps_both_tokens_as_they_were(
    host: Host, cpo: VirtualCpo, fault: Fault, code: int
) -> None:
    assert cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1").is_done
    host.ask(
        "GET", host.us.versions_url, next(token for token in host.registry.tokens if token != GUEST_TOKEN)
    )
    before = host.registry.state
    cpo.faults.add(fault)
    assert cpo.rotate().status_code == code
    assert host.registry.state == before
    cpo.faults.clear()
    assert cpo.rotate().is_done


def test_a_store_that_fails_is_our_fault_and_leaves_nothing(host: Host, cpo: VirtualCpo) -> None:
    before = host.registry.state
    host.registry.is_broken = True
    failed = cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1")
    assert (failed.is_done, failed.http_status) == (False, 500)
    assert host.registry.state == before
    host.registry.is_broken = False
    assert cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1").is_done


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"token": ""}, "token"),
        ({"token": "two words"}, "token"),
        ({"token": 7}, "token"),
        ({"url": "nowhere"}, "url"),
        ({"url": None}, "url"),
        ({"url": "http://u:p@x.example/"}, "url"),
        ({"roles": []}, "no CPO"),
        ({"roles": [{"role": "EMSP", "country_code": "NL", "party_id": "ABC"}]}, "no CPO"),
        ({"roles": 7}, "roles"),
    ],
)
def test_credentials_that_cannot_be_used_are_2001(
    host: Host, cpo: VirtualCpo, changed: dict[str, Any], words: str
) -> None:
    before = host.registry.state
    status, told = host.ask("POST", host.credentials_url("2.2.1"), GUEST_TOKEN, _admitted(cpo, **changed))
    assert (status, told["status_code"]) == (200, 2001)
    assert words in told["status_message"]
    assert host.registry.state == before
    assert cpo.log == []


@pytest.mark.parametrize("body", [None, [], 7, "x", {}])
def test_a_body_that_is_no_credentials_is_2001(host: Host, body: object) -> None:
    for version in VERSIONS:
        reply = host.registrar.post(Caller("cpo", is_guest=True, is_registered=False), version, body)
        assert (reply.http_status, reply.status_code, reply.data) == (200, 2001, None)


def test_a_version_that_was_not_agreed_on_is_3002(host: Host, cpo: VirtualCpo) -> None:
    host.registry.profile = PartnerProfile(versions=("2.1.1",))
    failed = cpo.register(host.us.versions_url, GUEST_TOKEN, "2.2.1")
    assert (failed.http_status, failed.status_code) == (200, 3002)
    assert cpo.register(host.us.versions_url, GUEST_TOKEN, "2.1.1").is_done


def test_no_token_shows_in_what_is_answered_and_kept(host: Host, cpo: VirtualCpo) -> None:
    cpo.admit("what-they-show-us")
    cpo.faults.add(Fault(K.REFUSE, module="versions", message="what-they-show-us"))
    reply = host.registrar.post(Caller("cpo", is_guest=True, is_registered=False), "2.2.1", theirs(cpo))
    assert reply.status_code == 3001
    assert "what-they-show-us" not in repr(reply)
    cpo.faults.clear()
    reply = host.registrar.post(Caller("cpo", is_guest=True, is_registered=False), "2.2.1", theirs(cpo))
    assert reply.data
    assert str(reply.data["token"]) not in repr(reply)


# What a profile changes


def test_the_call_back_writes_the_token_as_the_profile_says(host: Host) -> None:
    clear = CpoProfile(versions=("2.2.1",), encoding=Encoding.CLEAR)
    with VirtualCpo("", clear) as cpo:
        cpo.admit("what-they-show-us")
        guest = Caller("cpo", is_guest=True, is_registered=False)
        assert host.registrar.post(guest, "2.2.1", theirs(cpo)).status_code == 3001
        written_in_clear = replace(guest, profile=PartnerProfile(header=HeaderEncoding.CLEAR))
        assert host.registrar.post(written_in_clear, "2.2.1", theirs(cpo)).status_code == 1000


def test_a_partner_that_only_reads_needs_no_receiver(host: Host) -> None:
    with VirtualCpo("", CpoProfile(modules=(("credentials", "RECEIVER"),))) as cpo:
        assert cpo.register(host.us.versions_url, GUEST_TOKEN).status_code == 3003
        host.registry.profile = PartnerProfile(push=False)
        assert cpo.register(host.us.versions_url, GUEST_TOKEN).is_done


# Two at once


def test_one_registration_of_a_partner_at_a_time(host: Host, cpo: VirtualCpo) -> None:
    cpo.admit("what-they-show-us")
    guest = Caller("cpo", is_guest=True, is_registered=False)
    cpo.faults.add(Fault(K.HANG, module="versions", times=1))
    first: list[int] = []
    slow = threading.Thread(
        target=lambda: first.append(host.registrar.post(guest, "2.2.1", theirs(cpo)).status_code)
    )
    slow.start()
    _wait_until(lambda: bool(host.registrar._at_work))
    second = host.registrar.post(guest, "2.2.1", theirs(cpo))
    assert (second.http_status, second.status_code) == (200, 2000)
    assert host.registry.connection is None
    slow.join(60)
    assert first == [3001]
    assert host.registrar.post(guest, "2.2.1", theirs(cpo)).status_code == 1000


def test_who_was_registered_meanwhile_is_405(host: Host, cpo: VirtualCpo) -> None:
    """The caller was asked for before another registration ended."""
    guest = Caller("cpo", is_guest=True, is_registered=False)
    assert host.registrar.post(guest, "2.2.1", _admitted(cpo)).status_code == 1000
    before = host.registry.state
    late = host.registrar.post(guest, "2.2.1", _admitted(cpo))
    assert (late.http_status, late.data) == (405, None)
    assert host.registry.state == before


def _wait_until(is_so: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if is_so():
            return
        waiting.wait(0.005)
    raise AssertionError("it did not become so")


@pytest.mark.parametrize("version", ["2.2.1", "2.3.0"])
def test_a_hub_is_taken_where_the_profile_says_that_it_is_one(host: Host, version: str) -> None:
    parties = {"2.2.1": (Party("NL", "HUB"),), "2.3.0": (Party("NL", "XXX"), Party("NL", "HUB"))}
    hub = replace(PROFILES["hub"], versions=VERSIONS, hub_party_id="NLXXX")
    with VirtualCpo("", hub) as cpo:
        if version == "2.2.1":
            assert cpo.register(host.us.versions_url, GUEST_TOKEN, version).status_code == 2001
        host.registry.profile = PartnerProfile(is_hub=True)
        assert cpo.register(host.us.versions_url, GUEST_TOKEN, version).is_done
    assert host.registry.connection
    assert host.registry.connection.parties == parties[version]
