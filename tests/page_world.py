"""Pages of cards over real HTTP: a station, a clock that stands, a browser of the standard library."""

from __future__ import annotations

import asyncio
import http.client
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from stations import LINES, issue_from

from rfid_station.desk.station import Station
from rfid_station.desk.support.claiming import draw_code
from rfid_station.domain.card import Card
from rfid_station.ocpi.server import serve_in_thread
from rfid_station.simulator.deck import Deck, open_deck
from rfid_station.web import card_pages
from rfid_station.web.limits import Tries

NDEF_APPLICATION = "00A4040007D276000085010100"


class StandingClock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds


class _Page(HTMLParser):
    """Forms, texts and references of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.hidden: dict[str, str] = {}
        self.wishes: list[str] = []
        self.references: list[str] = []
        self.has_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.references += [given[name] for name in ("src", "href", "action") if name in given]
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]
        if tag == "input" and given.get("name") == "code":
            self.has_code = True
        if tag == "button":
            self.wishes.append(given["value"])


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    raw: bytes

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def page(self) -> _Page:
        return _Page(self.text)

    @property
    def notice(self) -> str:
        found = re.search(r'<div class="notice[^>]*><p>(.*?)</p>', self.text)
        return found[1] if found else ""


@dataclass
class Phone:
    """A browser without script: it follows links and sends forms."""

    port: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def call(
        self, method: str, target: str, body: bytes | Iterator[bytes] | None = None, **headers: str
    ) -> Answer:
        given = dict(self.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, target, body=body, headers=given)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, **headers)

    def send(self, target: str, fields: Mapping[str, str], **headers: str) -> Answer:
        given = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        return self.call("POST", target, urlencode(fields).encode(), **given)

    def press(self, answer: Answer, target: str, wish: str, code: str | None = None) -> Answer:
        """Press a button of a page that was answered."""
        assert wish in answer.page.wishes
        hidden = dict(answer.page.hidden)
        if code is not None:
            hidden.pop("permit", None)
        return self.send(target, hidden | {"wish": wish} | ({} if code is None else {"code": code}))

    def by_code(self, card: Card, wish: str, code: str) -> Answer:
        target = path_of(card)
        return self.press(self.get(target), target, wish, code)


def path_of(card: Card) -> str:
    return f"/c/{card.alias}"


@dataclass
class Served:
    """A station whose pages are served."""

    station: Station
    phone: Phone
    clock: StandingClock
    log: list[Mapping[str, object]]

    def card(self, alias_of: Card) -> Card:
        return self.station.store.cards.by_id(alias_of.id)

    def events(self, card: Card) -> list[tuple[str, dict[str, Any]]]:
        return [(one.action, dict(one.data)) for one in self.station.store.cards.history(card.id)]


async def _nothing_behind(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def served(station: Station, *, keys: bool = False) -> Iterator[Served]:
    clock, log = StandingClock(), []
    held = station.keys() if keys else None
    with (
        card_pages(station, held, log.append, tries=Tries(clock)) as before,
        serve_in_thread(before(_nothing_behind)) as (_, port),
    ):
        yield Served(station, Phone(port), clock, log)


Call = Callable[..., Awaitable[tuple[int, bytes]]]
"""(method, target, fields, address) to (status, body)."""


def attack(station: Station, attacker: Callable[[Call, StandingClock], Awaitable[None]]) -> None:
    """Let somebody call the application itself, thousands of times, with a clock of theirs."""
    clock = StandingClock()
    with card_pages(station, None, None, tries=Tries(clock)) as before:
        app = before(_nothing_behind)

        async def call(
            method: str, target: str, fields: Mapping[str, str] | None = None, address: str = "198.51.100.7"
        ) -> tuple[int, bytes]:
            return await _called(app, method, target, urlencode(fields or {}).encode(), address)

        async def run() -> None:
            await attacker(call, clock)

        asyncio.run(run())


async def _called(app: Any, method: str, target: str, body: bytes, address: str) -> tuple[int, bytes]:
    sent: list[Any] = []
    parts = urlsplit(target)
    scope = {
        "type": "http",
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": (address, 1234),
        "scheme": "http",
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"]


def sun_cards(station: Station, count: int = 1) -> tuple[Deck, list[Card]]:
    """Cards of NTAG 424 DNA, and the pile that they lie on."""
    if not station.cupboard.is_there:
        station.cupboard.add("cards")
    path = station.folder / "deck.json"
    uri = f"sim:ntag424?deck={path}&count={count}"
    issued = issue_from(station, uri, LINES[:count], profile="sun").issued
    return open_deck(path), list(issued)


def tapped_link(deck: Deck, number: int = 0) -> str:
    """The link that a phone finds on a card (NFC Forum Type 4 Tag 2.0, 5.4): path and query."""
    card: Any = deck.take_again(number)
    card.power_off()
    card.select()
    assert card.apdu(bytes.fromhex(NDEF_APPLICATION)) == b"\x90\x00"
    assert card.apdu(bytes.fromhex("00A4000C02E104")) == b"\x90\x00"
    content: bytes = card.apdu(bytes.fromhex("00B00000F0"))
    found = re.search(rb"/c/[ -~]+", content[2 : 2 + int.from_bytes(content[:2])])
    assert found
    return found[0].decode()


def with_code(station: Station, line: int = 0) -> tuple[Card, str]:
    """A card that is not active, and the code of its letter."""
    (card,) = issue_from(station, "sim:ntag213", LINES[line : line + 1]).issued
    return card, draw_code(station, card).code


def dump(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "station.db")) as connection:
        return "\n".join(connection.iterdump())
