"""Our server over real HTTP, with a shelf in memory and a client of nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import re
from base64 import b64encode
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rfid_station.domain.contract_id import own_contract_id
from rfid_station.domain.hub_client import HubClient
from rfid_station.domain.partner_profile import ContractStyle, LetterCase, PartnerProfile, UidOrder
from rfid_station.domain.token import Party, Token, Whitelist
from rfid_station.domain.uid import CardUid
from rfid_station.errors import Conflict
from rfid_station.ocpi.port import Allowed, Caller, Decision, TokenPage, Us
from rfid_station.ocpi.server import Limits, create_app, listen, serve_in_thread
from rfid_station.ocpi.words import words_for

START = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
ODD = PartnerProfile(
    name="odd",
    nulls=True,
    uid_order=UidOrder.REVERSED,
    uid_case=LetterCase.LOWER,
    uid_digits=20,
    contract=ContractStyle.COMPACT,
    page_size=7,
    routing=False,
)
CALLERS = {
    "token-of-alpha": Caller("alpha"),
    "token-of-odd": Caller("odd", profile=ODD),
    "token-of-empty": Caller("empty"),
    "token-of-nopull": Caller("alpha", profile=PartnerProfile(pull=False)),
    "token-of-guest": Caller("guest", is_guest=True, is_registered=False),
}


def token(number: int, **changed: Any) -> Token:
    given: dict[str, Any] = {
        "party": Party("DE", "EXM"),
        "uid": CardUid(b"\x04" + number.to_bytes(6, "big")),
        "contract_id": own_contract_id("DE", "EXM", number),
        "visual_number": f"EXM-{number:04}",
        "issuer": "Example Mobility",
        "valid": True,
        "whitelist": Whitelist.ALLOWED,
        "last_updated": START + timedelta(seconds=number),
    }
    return Token(**(given | changed))


class Book:
    def caller_of(self, server_token: str) -> Caller | None:
        return CALLERS.get(server_token)


@dataclass
class MemoryShelf:
    """What partners see, kept in a list. `said` is what it says to who asks, by the number in the UID."""

    tokens: dict[str, list[Token]]
    said: Mapping[str, Allowed] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def style(self, partner: str) -> str:
        return partner

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
            for place, one in enumerate(self.tokens.get(partner, []), 1)
            if (date_from is None or one.last_updated >= date_from.replace(microsecond=0))
            and (date_to is None or one.last_updated < date_to)
        ]
        rest = [entry for entry in fitting if entry[0] > (after or 0)][offset:]
        shown = rest[:limit]
        goes_on = shown[-1][0] if len(rest) > limit else None
        revisions = [hash((place, one.last_updated)) for place, one in shown]
        return TokenPage([one for _, one in shown], len(fitting), goes_on, revisions, partner)

    def one(self, partner: str, uid: str, type_: str) -> Token | None:
        found = [t for t in self.tokens.get(partner, []) if (t.uid.hex, t.type.value) == (uid.upper(), type_)]
        return found[0] if found else None

    def decide(self, partner: str, uid: str, type_: str) -> Decision | None:
        self.asked.append((partner, uid, type_))
        found = self.one(partner, uid, type_)
        if found is None:
            return None
        allowed = self.said.get(found.uid.hex, Allowed.ALLOWED)
        return Decision(allowed, found, "r" * 36, words_for(found, allowed))


@dataclass
class MemoryHubClients:
    """What hubs told, kept in a dictionary; `most` is how many parties one may have."""

    most: int = 1000
    told: dict[tuple[str, Party], HubClient] = field(default_factory=dict)

    def put(self, hub: str, client: HubClient) -> None:
        if len(self.told) >= self.most and (hub, client.party) not in self.told:
            raise Conflict(f"hub {hub} tells of more than {self.most} parties")
        self.told[hub, client.party] = client

    def get(self, hub: str, party: Party) -> HubClient | None:
        return self.told.get((hub, party))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> int:
        return int(self.json["status_code"])

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def next_url(self) -> str | None:
        match = re.fullmatch(r'<([^>]+)>; rel="next"', self.headers.get("Link", ""))
        return match[1] if match else None


@dataclass
class Client:
    """One partner that calls us."""

    port: int
    server_token: str | None = "token-of-alpha"

    def call(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        given = dict(headers or {})
        if self.server_token is not None:
            given.setdefault("Authorization", "Token " + b64encode(self.server_token.encode()).decode())
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = target.removeprefix(f"http://127.0.0.1:{self.port}")
            connection.request(method, path, body=body, headers=given)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def as_(self, server_token: str | None) -> Client:
        return Client(self.port, server_token)

    def crawl(self, target: str) -> list[dict[str, Any]]:
        """Follow the links to the end."""
        url: str | None = target
        found: list[dict[str, Any]] = []
        while url:
            answer = self.get(url)
            assert (answer.status, answer.code) == (200, 1000)
            found += answer.data
            url = answer.next_url
        return found


@contextmanager
def served(limits: Limits | None = None, **given: Any) -> Iterator[tuple[Client, Us]]:
    """Serve what is given; who asks is one of `CALLERS`."""
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    us = Us(Party("DE", "EXM"), "Example Mobility", f"http://127.0.0.1:{port}/ocpi/versions")
    app = create_app(us, given.pop("book", Book()), limits=limits, **given)
    with serve_in_thread(app, listener=listener, limits=limits):
        yield Client(port), us
