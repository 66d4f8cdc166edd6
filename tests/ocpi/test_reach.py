"""Where a hostile partner tries to make us call, and does not get us to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rfid_station.domain.token import Party
from rfid_station.errors import PartnerUnreachable
from rfid_station.ocpi.client import OcpiClient
from rfid_station.ocpi.handshake import Handshake, register
from rfid_station.ocpi.http import HttpRequest, NoAnswer, Origin
from rfid_station.ocpi.port import Caller, Us
from rfid_station.ocpi.reach import PUBLIC, OutOfReach, Place, Reach
from rfid_station.ocpi.registrar import Registrar
from rfid_station.simulator.cpo.virtual_cpo import Fault, FaultKind, VirtualCpo

NOT_PUBLIC = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "0.0.0.0",
    "224.0.0.251",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
)
WRITTEN = (
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1\\.cpo.example/",
    "http://①②⑦.0.0.1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://cpo.localhost/",
    "http:/127.0.0.1/",
    "http://user:word@127.0.0.1/",
)


def host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def says(*addresses: str):  # noqa: ANN201 - a double of the system's resolver
    return lambda _host, _port: list(addresses)


@dataclass
class Inside:
    """A service in the operator's own network that nobody outside may reach."""

    port: int
    calls: list[bytes] = field(default_factory=list)


@pytest.fixture
def inside() -> Iterator[Inside]:
    body = b'{"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": []}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: "
    answer += b"%d\r\n\r\n%b" % (len(body), body)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Inside(listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                with caller:
                    found.calls.append(caller.recv(65536))
                    caller.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield found
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def get(origin: Origin, url: str) -> int:
    return origin.exchange(HttpRequest("GET", url, {}), 5.0).status


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_address_that_is_not_public_is_called_as_it_stands_or_by_a_name(address: str) -> None:
    with pytest.raises(OutOfReach, match="not at a public address"):
        PUBLIC.places(f"http://{host(address)}:8080/ocpi", says())
    with pytest.raises(OutOfReach, match="not at a public address"):
        PUBLIC.places("https://cpo.example/ocpi", says(address))
    with pytest.raises(OutOfReach, match="not at a public address"):
        PUBLIC.places("https://cpo.example/ocpi", says("93.184.216.34", address))


@pytest.mark.parametrize("url", WRITTEN)
def test_no_way_of_writing_this_machine_is_taken_for_another(url: str) -> None:
    with pytest.raises(OutOfReach):
        PUBLIC.places(url, says("93.184.216.34"))


def test_public_addresses_are_pinned_in_their_order() -> None:
    found = PUBLIC.places("https://cpo.example/ocpi", says("93.184.216.34", "2606:2800:220:1::1"))
    assert found == [Place("cpo.example", "93.184.216.34"), Place("cpo.example", "2606:2800:220:1::1")]
    assert PUBLIC.places("https://93.184.216.34/ocpi", says()) == [Place("93.184.216.34")]


def test_what_the_operator_names_is_called(inside: Inside) -> None:
    named = Reach(frozenset({"cpo.internal", "10.1.0.0/16"}))
    assert named.places("http://cpo.internal/", says("192.168.1.1")) == [Place("cpo.internal", "192.168.1.1")]
    assert named.places("http://other.internal/", says("10.1.2.3")) == [Place("other.internal", "10.1.2.3")]
    with pytest.raises(OutOfReach):
        named.places("http://other.internal/", says("10.2.2.3"))
    typed = PUBLIC.with_host_of(f"http://127.0.0.1:{inside.port}/ocpi/versions")
    assert get(Origin(reach=typed), f"http://127.0.0.1:{inside.port}/") == 200
    with pytest.raises(OutOfReach):
        typed.places("http://127.0.0.2/", says())


def test_a_name_that_was_typed_may_lead_to_public_addresses_only() -> None:
    """It belongs to the partner, who may say tomorrow that it is a machine of ours."""
    with pytest.raises(OutOfReach):
        PUBLIC.with_host_of("https://cpo.example/versions").places("https://cpo.example/", says("127.0.0.1"))


@pytest.mark.parametrize("name", ["cpo.internal", "CPO.Internal", "cpo.internal."])
def test_the_connection_goes_to_the_address_that_was_judged(inside: Inside, name: str) -> None:
    """No second look-up: nobody but our own resolver knows this name."""
    asked = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    origin = Origin(reach=Reach(frozenset({"127.0.0.0/8"})), look_up=look_up)
    assert get(origin, f"http://{name}:{inside.port}/") == 200
    assert get(origin, f"http://{name}:{inside.port}/again") == 200
    assert asked == [("cpo.internal", inside.port)]


def test_a_name_that_turns_inwards_is_not_followed(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS that changes between check and use, and after it."""
    monkeypatch.setattr("rfid_station.ocpi.http._NAME_LASTS_S", 0.0)
    origin = Origin(look_up=says("127.0.0.1"))
    with pytest.raises(NoAnswer, match="not at a public address") as refused:
        get(origin, f"http://cpo.example:{inside.port}/")
    assert not refused.value.was_sent
    assert inside.calls == []


def test_the_next_address_is_tried_when_one_is_dead(inside: Inside) -> None:
    origin = Origin(reach=Reach(frozenset({"127.0.0.0/8", "::1"})), look_up=says("::1", "127.0.0.1"))
    assert get(origin, f"http://cpo.internal:{inside.port}/") == 200


def test_a_proxy_of_the_environment_looks_names_up_itself(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{inside.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    from rfid_station.ocpi import http

    http._client.cache_clear()
    try:
        origin = Origin(look_up=lambda *_: pytest.fail("nobody here has to know that name"))
        assert get(origin, "http://cpo.example/versions") == 200
        assert inside.calls[0].startswith(b"GET http://cpo.example/versions")
        with pytest.raises(NoAnswer, match="not at a public address"):
            get(origin, "http://10.1.2.3/")
    finally:
        http._client.cache_clear()


# What partners tell


def details(url: str) -> Fault:
    told = f'[{{"version": "2.2.1", "url": "{url}"}}]'
    body = f'{{"status_code": 1000, "timestamp": "2026-01-01T00:00:00Z", "data": {told}}}'
    return Fault(FaultKind.GARBAGE, module="versions", body=body)


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo("first-token") as running:
        yield running


def test_a_details_url_into_our_network_is_not_called(cpo: VirtualCpo, inside: Inside) -> None:
    cpo.faults.add(details(f"http://127.0.0.2:{inside.port}/latest/meta-data"))
    with pytest.raises(PartnerUnreachable, match="not at a public address"):
        Handshake(cpo.versions_url, "first-token", timeout_s=2.0).look()
    us = Us(Party("DE", "EXM"), "Example Mobility", "https://emsp.example/ocpi/versions")
    cpo.faults.add(details("http://169.254.169.254/latest/meta-data"))
    with pytest.raises(PartnerUnreachable, match="not at a public address"):
        register(us, cpo.versions_url, "first-token", "server-token", timeout_s=2.0)
    assert inside.calls == []


class _Nothing:
    """A registry that is never asked to keep anything."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://localhost:{}/", "http://2130706433:{}/"])
def test_a_call_back_does_not_reach_our_network(inside: Inside, url: str) -> None:
    """Whoever holds an invitation may tell any URL; a station on the internet calls none in its network."""
    us = Us(Party("DE", "EXM"), "Example Mobility", "https://emsp.example/ocpi/versions")
    registrar = Registrar(us, _Nothing(), timeout_s=2.0)  # type: ignore[arg-type]
    role = {"role": "CPO", "country_code": "NL", "party_id": "CPX", "business_details": {"name": "x"}}
    told = {"token": "theirs", "url": url.format(inside.port), "roles": [role]}
    reply = registrar.post(Caller("guest", is_guest=True, is_registered=False), "2.2.1", told)
    assert (reply.http_status, reply.status_code) == (200, 3001)
    assert inside.calls == []


# What comes back is bounded


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"data": ' * 100_000,
        b'{"status_code": 1000, "data": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"status_code": ' + b"9" * 100_000 + b"}",
        b'{"status_code": 1e999, "timestamp": "2026-01-01T00:00:00Z"}',
        b"\x1f\x8b\x08\x00" + bytes(1000),
    ],
    ids=["brackets", "objects", "deep-data", "long-number", "infinite", "gzip"],
)
def test_an_answer_of_any_depth_is_one_line(body: bytes) -> None:
    from rfid_station.ocpi.answer import read_answer

    answer = read_answer(200, body)
    assert not answer.is_acknowledged
    assert len(answer.outcome.detail) <= 200


def test_a_bomb_is_not_unpacked(inside: Inside) -> None:
    """We ask for identity, and unpack nothing."""
    with OcpiClient("client-token", timeout_s=5.0, reach=Reach(here=True)) as client:
        client.call("GET", f"http://127.0.0.1:{inside.port}/")
    (asked,) = inside.calls
    assert b"accept-encoding: identity" in asked.lower()
