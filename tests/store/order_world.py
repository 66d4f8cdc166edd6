"""Orders around a store: made, carried out, and what two desks do with them at once."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from store_world import ANN, PATTERN, contract, tell, uid, url_of

from rfid_station.domain.card import Card, CardState, Driver, Reason
from rfid_station.domain.order import Item, Order, OrderLine, Way
from rfid_station.errors import Conflict
from rfid_station.store.numbering import Draws
from rfid_station.store.opening import Store, open_store
from rfid_station.store.orders.work_orders import NewOrder
from rfid_station.store.prints import PrintItem


def person(number: int) -> Driver:
    return Driver(f"Driver {number}", f"R{number}", "Fleet", "de")


def lines(name: str, count: int) -> list[OrderLine]:
    return [OrderLine(f"{name}:R{number}", person(number)) for number in range(1, count + 1)]


def order(
    store: Store, name: str = "fleet", count: int = 3, way: Way = Way.ENCODE_FIRST, **more: object
) -> Order:
    new = NewOrder(name, f"{name}.csv", way, "link", more.get("lines") or lines(name, count))
    return store.orders.create(new, ANN)


class Drawer:
    """Numbers one after the other, as `Store` asks for them; from 500 on, to meet no others."""

    def __init__(self, first: int = 500) -> None:
        self.next = first

    def visual(self) -> str:
        self.next += 1
        return PATTERN.render(self.next)

    def alias(self) -> str:
        return f"PLASTIC{self.next:05}"

    @property
    def draws(self) -> Draws:
        return Draws(contract, self.visual, self.alias)


def reserve_for(
    store: Store,
    number: int,
    line: str | None,
    *,
    preprinted: int | None = None,
    replaces: int | None = None,
    driver: Driver | None = None,
) -> Card:
    return store.cards.reserve(
        uid=uid(number),
        chip="NTAG213",
        profile="link",
        order_line=line,
        driver=driver,
        draw_visual=lambda: PATTERN.render(number),
        contract_of=contract,
        draw_alias=lambda: f"alias-{number}",
        actor=ANN,
        preprinted=preprinted,
        replaces=replaces,
    )


def finish(store: Store, card: Card, *, activate: bool = False) -> Card:
    store.cards.begin_encoding(card.id, "digest", ANN)
    return store.cards.register(card.id, token_of=tell, activate=activate, actor=ANN)


def print_cards(store: Store, cards: Sequence[Card], kind: str = "sheet") -> None:
    items = [PrintItem(card.id, 1, position) for position, card in enumerate(cards, start=1)]
    store.prints.record(
        design="classic", sheet="a4", file_sha256="00", items=items, actor=ANN, kind=kind, reason="again"
    )


def print_plastic(store: Store, of: Order, drawer: Drawer | None = None) -> list[int]:
    """Draw what is missing and print it; the ids of the plastic."""
    drawn = store.preprints.draw(of, (drawer or Drawer()).draws, ANN)
    items = [PrintItem(None, 1, n, preprinted_id=one.id) for n, one in enumerate(drawn, start=1)]
    if items:
        store.prints.record(design="classic", sheet="a4", file_sha256="00", items=items, actor=ANN)
    return [one.id for one in drawn]


def pack(store: Store, card: Card) -> None:
    store.packing.pack(card.id, with_letter=True, was_tapped=True, actor=ANN)


def spoil(store: Store, card: Card) -> Card:
    reason = Reason.ENCODE_FAILED if card.state.is_unfinished else Reason.MISPRINT
    return store.cards.move(card.id, CardState.SPOILED, reason, ANN, tell)


def item(store: Store, of: Order, place: int = 1) -> Item:
    return store.orders.items(of)[place - 1]


def match_at_once(path: Path, barrier: Barrier, answers: Connection, number: int, preprinted: int) -> None:
    """Meet the others, then scan the same plastic for another chip."""
    with open_store(url_of(path)) as store:
        barrier.wait(60)
        try:
            reserve_for(store, number, None, preprinted=preprinted)
        except Conflict as conflict:
            answers.send(conflict.message)
        else:
            answers.send("won")


def match_until_killed(path: Path, first: int, plastic: Sequence[int], told: Connection) -> None:
    """Match one piece of plastic after the other, and say what was promised by then."""
    with open_store(url_of(path)) as store:
        for offset, preprinted in enumerate(plastic):
            told.send((preprinted, "begins"))
            card = reserve_for(store, first + offset, None, preprinted=preprinted)
            told.send((preprinted, "reserved"))
            finish(store, card)
            told.send((preprinted, "issued"))
