"""A server of ours, a virtual CPO, and a connection between the two, over real HTTP on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import pytest

from rfid_station.domain.contract_id import parse_contract_id
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import parse_uid
from rfid_station.ocpi.client import TokensReceiver, open_receiver
from rfid_station.ocpi.handshake import register
from rfid_station.ocpi.port import Caller, Registration, Us
from rfid_station.ocpi.server import create_app, listen, serve_in_thread
from rfid_station.simulator.cpo.virtual_cpo import VirtualCpo

FIRST_TOKEN = "first-token-of-the-partner-9Qx"
SERVER_TOKEN = "server-token-for-the-partner-7Zk"


@dataclass
class Book:
    """Lets in who shows a token that stands in it."""

    partners: dict[str, str] = field(default_factory=dict)

    def caller_of(self, server_token: str) -> Caller | None:
        name = self.partners.get(server_token)
        return Caller(name) if name else None


@pytest.fixture(scope="session")
def book() -> Book:
    return Book({SERVER_TOKEN: "Virtual CPO"})


@pytest.fixture(scope="session")
def us(book: Book) -> Iterator[Us]:
    """Our server, running; partners may call it with `SERVER_TOKEN`."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    us = Us(Party("DE", "EXM"), "Example Mobility", f"http://127.0.0.1:{port}/ocpi/versions")
    with serve_in_thread(create_app(us, book), listener=listener):
        yield us


@pytest.fixture
def cpo() -> Iterator[VirtualCpo]:
    with VirtualCpo(FIRST_TOKEN) as cpo:
        yield cpo


Connect = Callable[..., Registration]


@pytest.fixture
def connect(us: Us, cpo: VirtualCpo) -> Connect:
    """`register` with all that it takes; what a test names replaces it."""

    def connect(us: Us = us, **named: object) -> Registration:
        given = {"versions_url": cpo.versions_url, "first_token": FIRST_TOKEN, "server_token": SERVER_TOKEN}
        return partial(register, us, timeout_s=5.0)(**(given | named))

    return connect


@pytest.fixture
def registration(connect: Connect) -> Registration:
    return connect()


@pytest.fixture
def receiver(us: Us, registration: Registration) -> Iterator[TokensReceiver]:
    """The tokens receiver of the virtual CPO, as a connected partner has it."""
    receiver = open_receiver(registration.connection, registration.client_token, us.party)
    yield receiver
    receiver.close()


@pytest.fixture
def hasty(us: Us, registration: Registration) -> Iterator[TokensReceiver]:
    """The same, for whoever is not going to be answered."""
    receiver = open_receiver(registration.connection, registration.client_token, us.party, timeout_s=0.3)
    yield receiver
    receiver.close()


@pytest.fixture
def token(us: Us) -> Token:
    return Token(
        party=us.party,
        uid=parse_uid("04E10CDA993C80"),
        contract_id=parse_contract_id("DE-EXM-C00000042"),
        visual_number="EXM-0000-0042-3",
        issuer="Example Mobility",
        valid=True,
        whitelist=Whitelist.ALWAYS,
        last_updated=datetime(2026, 1, 15, 9, 30, tzinfo=UTC),
        language="de",
    )


@pytest.fixture
def closed_url() -> str:
    """A URL at which nobody listens."""
    with listen("127.0.0.1", 0) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/ocpi/versions"


def port_of(url: str) -> int:
    return urlsplit(url).port or 0
