"""A station with many cards and 50 partners that know all of them, on either engine.

The cards are made by the store's own bulk registration: a token, an event of the audit log and a driver each.
Around them lie a work order for every forty and a parcel for every ten.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import func, insert, literal, select, text, true

from rfid_station.desk.station import Station, StoreChoice, create_station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Driver, Role
from rfid_station.domain.contract_id import ContractId, own_contract_id
from rfid_station.domain.feed import Lane
from rfid_station.domain.order import Way
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.token import Party
from rfid_station.domain.uid import CardUid
from rfid_station.store.bulk.new_cards import CHUNK, NewCard
from rfid_station.store.engines.engine import utc_now
from rfid_station.store.partners.registry import server_token_hash
from rfid_station.store.tables import card, order_item, packed, parcel, work_order

CLERK = Actor("bench", Role.SUPERVISOR)
PARTNERS = 50
FLEETS = 50
OF_SOME = 10
"""So many of the partners get some fleets only, each a tenth of the cards; the others get everything."""
PER_ORDER, PER_PARCEL = 40, 10
AT_ONCE = 100 * CHUNK
"""Cards in one transaction."""
NAMES = [f"cpo{number:02}" for number in range(PARTNERS)]


def uid_of(number: int) -> bytes:
    """UIDs by no order that an index could profit from."""
    return b"\x04" + (number * 6364136223 % ((1 << 40) - 87)).to_bytes(5) + b"\x80"


def _leave_out_leases(settings: Path) -> None:
    """All desks here work in one folder, and would share one lease; nor is a copy kept beside the work."""
    text = settings.read_text()
    settings.write_text(text.replace("[store]\n", "[store]\nlease = 0\ncopy_minutes = 0\n", 1))


@contextmanager
def a_world(folder: Path, cards: int, port: int, url: str | None = None) -> Iterator[Station]:
    """A station with so many cards, whose partners all listen on one port."""
    choice = StoreChoice(url) if url else StoreChoice()
    create_station(folder, CLERK, profile="link", reader="sim:ntag213", store=choice)
    _leave_out_leases(folder / "station.toml")
    with open_station(folder, CLERK) as station:
        connect_partners(station, port)
        began_s, cpu_s = time.perf_counter(), time.process_time()
        for first in range(0, cards, AT_ONCE):
            register(station, first, min(first + AT_ONCE, cards))
            told = f"{min(first + AT_ONCE, cards):,} cards"
            print(f"\r  making {told} in {folder.name} ...", end="", flush=True)
        took_s, spent_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        print(f"\r  {cards:,} cards in {folder.name}: {1e6 * took_s / cards:.0f} us each", end="")
        print(f", {1e6 * spent_s / cards:.0f} us of them our own processor's", flush=True)
        pack(station)
        acknowledge(station)
        know_the_tables(station)
        yield station


def connect_partners(station: Station, port: int) -> None:
    partners = station.store.partners
    for place, name in enumerate(NAMES):
        url = f"http://127.0.0.1:{port}/{name}"
        reference = station.vault.keep(name, "server-token-of-the-bench")
        partners.add(name, f"{url}/versions", reference, agreement_of(place), CLERK)
        partners.begin_connecting(name, server_token_hash(name))
        endpoints = (Endpoint("tokens", "RECEIVER", f"{url}/tokens"),)
        connection = Connection("2.2.1", f"{url}/versions", endpoints, (Party("DE", "CPX"),))
        partners.finish_connecting(name, connection, reference, CLERK)


def agreement_of(place: int) -> Agreement:
    if place >= OF_SOME:
        return Agreement()
    return Agreement(groups=frozenset(f"Fleet {fleet}" for fleet in range(place, FLEETS, OF_SOME)))


class DrawnNumbers:
    """Numbers by chance, the same in every run."""

    def __init__(self, station: Station, seed: int) -> None:
        self._party = station.settings.ocpi.party
        self._pattern = station.number_pattern
        self._chance = Random(seed)

    def contract_of(self, number: int) -> ContractId:
        return own_contract_id(self._party.country_code, self._party.party_id, number)

    def draw_visual(self) -> str:
        return self._pattern.render(self._chance.randrange(self._pattern.capacity))

    def draw_alias(self) -> str:
        return f"{self._chance.getrandbits(48):012X}"


def register(station: Station, first: int, end: int) -> None:
    numbers = DrawnNumbers(station, first)
    with station.store.bulk.registering(
        numbers=numbers, token_of=station.token, activate=True, actor=CLERK
    ) as registrar:
        for start in range(first, end, CHUNK):
            done = registrar.add([new_card(number) for number in range(start, min(start + CHUNK, end))])
            if not all(one.is_new for one in done):
                raise SystemExit(f"a card was not registered: {next(one for one in done if not one.is_new)}")


def new_card(number: int) -> NewCard:
    whose = Driver(f"Driver {number}", f"P-{number}", f"Fleet {number % FLEETS}", "de")
    order = f"order-{number // PER_ORDER}"
    return NewCard(CardUid(uid_of(number)), order, f"{number}", "NTAG213", "link", whose)


def pack(station: Station) -> None:
    """Keep the orders that the cards were made for, and send all of the cards off."""
    by = {"created_by": CLERK.name, "created_at": utc_now(), "source": "bench"}
    sent = {"carrier": "Post", "actor": CLERK.name, "dispatched_at": utc_now()}
    place = card.c.id - 1
    with station.store.database.write() as connection:
        most = connection.execute(select(func.max(card.c.id))).scalar_one()
        orders = [
            {"id": n + 1, "name": f"order-{n}", "way": Way.DELIVERED.value, "profile": "link", **by}
            for n in range(-(-most // PER_ORDER))
        ]
        parcels = [{"id": n + 1, "tracking": f"JJNL{n:010}", **sent} for n in range(-(-most // PER_PARCEL))]
        connection.execute(insert(work_order), orders)
        connection.execute(insert(parcel), parcels)
        items = select(
            card.c.id, place // PER_ORDER + 1, place % PER_ORDER + 1, card.c.order_line, card.c.driver_id
        )
        connection.execute(
            insert(order_item).from_select(["id", "order_id", "place", "line", "driver_id"], items)
        )
        envelopes = select(
            card.c.id, place // PER_PARCEL + 1, card.c.created_at, literal(CLERK.name), true(), true()
        )
        columns = ["card_id", "parcel_id", "at", "actor", "with_letter", "was_tapped"]
        connection.execute(insert(packed).from_select(columns, envelopes))


def acknowledge(station: Station) -> None:
    """Let every partner have got all there is, and have read it."""
    read_at = utc_now() + timedelta(seconds=2)
    for name in NAMES:
        head = station.store.feed.standing(name, counted=False).head
        for lane in Lane:
            station.store.feed.advance(name, lane, head)
        station.store.contacts.note_pull(name, read_at)


def know_the_tables(station: Station) -> None:
    """What the autovacuum of a server does by itself within a minute or so."""
    database = station.store.database
    if database.path is None:
        with database.write() as connection:
            connection.execute(text("ANALYZE"))
