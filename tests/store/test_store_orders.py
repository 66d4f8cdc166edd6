"""Work orders in the store: what is ordered, made, cancelled, and when an order may be closed."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from order_world import (
    Drawer,
    finish,
    item,
    lines,
    order,
    pack,
    person,
    print_cards,
    print_plastic,
    reserve_for,
    spoil,
)
from store_world import ANN, SUE, Clock, do_not_wait, sql, tell, url_of

from rfid_station.domain.card import Card, CardState, Reason, Replacement, ReplaceWhen
from rfid_station.domain.order import Missing, OrderLine, Way
from rfid_station.errors import Conflict, MoveNotAllowed, StationError, WrongCall
from rfid_station.store.opening import Store, create_store
from rfid_station.store.orders.work_orders import NewOrder


def made(store: Store, number: int, line: str) -> Card:
    return finish(store, reserve_for(store, number, line))


def whole(store: Store, number: int, line: str) -> Card:
    """A card with all that an order wants of it."""
    card = made(store, number, line)
    print_cards(store, [card])
    pack(store, card)
    return card


def test_the_same_order_again_changes_nothing(store: Store, path: Path) -> None:
    first = order(store)
    before = sql(path, "SELECT count(*) FROM event")
    assert order(store) == first
    assert sql(path, "SELECT count(*) FROM event") == before
    assert sql(path, "SELECT count(*) FROM driver") == [(3,)]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda new: replace(new, lines=new.lines[:2]), "it has 3 lines, and this one 2"),
        (lambda new: replace(new, profile="plain"), "it has profile link, and this one plain"),
        (lambda new: replace(new, way=Way.PRINT_FIRST), "it is made encode_first, and this one print_first"),
        (
            lambda new: replace(new, lines=[replace(new.lines[0], driver=person(9)), *new.lines[1:]]),
            "line 1 \\(fleet:R1\\) has another driver",
        ),
        (
            lambda new: replace(new, lines=[*new.lines[:2], replace(new.lines[2], group="Other")]),
            "line 3 \\(fleet:R3\\) has another group",
        ),
        (
            lambda new: replace(new, lines=[*new.lines[:2], OrderLine("fleet:R9", person(9))]),
            "its line 3 is fleet:R3, and this one's fleet:R9",
        ),
    ],
)
def test_another_order_of_the_same_name_is_refused_with_the_difference(
    store: Store, other: object, words: str
) -> None:
    order(store)
    same = NewOrder("fleet", "fleet.csv", Way.ENCODE_FIRST, "link", lines("fleet", 3))
    with pytest.raises(Conflict, match=words):
        store.orders.create(other(same), ANN)
    assert len(store.orders.all()) == 1


def test_orders_without_a_name_get_running_ones_that_nobody_has(store: Store) -> None:
    order(store, "O-000002", 1)
    new = NewOrder(None, "ann", Way.ENCODE_FIRST, "link", [OrderLine("1", None), OrderLine("2", None)])
    names = [store.orders.create(new, ANN).name for _ in range(2)]
    assert names == ["O-000003", "O-000004"]
    assert [one.wanted.key for one in store.orders.items(store.orders.get(names[0]))] == [
        f"{names[0]}:1",
        f"{names[0]}:2",
    ]


def test_an_order_without_lines_and_a_line_of_two_orders(store: Store) -> None:
    with pytest.raises(WrongCall, match="orders no cards"):
        store.orders.create(NewOrder("x", "x.csv", Way.ENCODE_FIRST, "link", []), ANN)
    order(store, "a", lines=[OrderLine("a:b:1", None)])
    with pytest.raises(Conflict, match="line a:b:1 belongs to order a"):
        order(store, "a:b", lines=[OrderLine("a:b:1", None)])


def test_a_card_takes_driver_group_and_date_from_its_line(store: Store, path: Path) -> None:
    from datetime import date

    line = OrderLine("fleet:R1", person(1), "North", date(2030, 1, 31))
    order(store, lines=[line])
    card = reserve_for(store, 1, "fleet:R1", driver=person(7))
    assert (card.driver, card.group, card.valid_until) == (person(1), "North", date(2030, 1, 31))
    assert store.cards.by_id(card.id).driver == person(1)
    assert sql(path, "SELECT count(*) FROM driver") == [(1,)]


def test_a_spoiled_card_gives_its_line_back_and_is_counted(store: Store, path: Path) -> None:
    fleet = order(store)
    spoil(store, reserve_for(store, 1, "fleet:R1"))
    now = store.orders.progress(fleet, store.orders.items(fleet))
    assert (now.made, now.spoiled, now.left) == (0, 1, 3)
    made(store, 2, "fleet:R1")
    now = store.orders.progress(fleet, store.orders.items(fleet))
    assert (now.made, now.spoiled, now.left) == (1, 1, 3)
    assert sql(path, "SELECT count(*) FROM driver") == [(3,)]


def test_no_card_is_made_for_a_cancelled_line_or_a_closed_order(store: Store) -> None:
    fleet = order(store, count=2)
    store.orders.cancel(fleet, [2], "left the company", ANN)
    with pytest.raises(Conflict, match="line 2 of order fleet is cancelled: left the company"):
        reserve_for(store, 1, "fleet:R2")
    whole(store, 2, "fleet:R1")
    assert store.orders.close(fleet, ANN) == []
    spoil(store, store.cards.by_order_line("fleet:R1"))
    with pytest.raises(Conflict, match="order fleet is closed: no card is made for it any more"):
        reserve_for(store, 3, "fleet:R1")
    with pytest.raises(Conflict, match="closed is closed"):
        store.orders.cancel(fleet, None, "late", ANN)


def test_close_says_what_is_missing_of_each_line(store: Store) -> None:
    fleet = order(store, count=6)
    reserve_for(store, 2, "fleet:R2")
    made(store, 3, "fleet:R3")
    printed = made(store, 4, "fleet:R4")
    print_cards(store, [printed])
    packed = made(store, 5, "fleet:R5")
    pack(store, packed)
    stopped = whole(store, 6, "fleet:R6")
    store.cards.move(stopped.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    missing = {one.place: one.missing for one in store.orders.close(fleet, ANN)}
    assert missing == {
        1: (Missing.CARD, Missing.PRINT, Missing.PACK),
        2: (Missing.FINISH, Missing.PRINT, Missing.PACK),
        3: (Missing.PRINT, Missing.PACK),
        4: (Missing.PACK,),
        5: (Missing.PRINT,),
        6: (Missing.STOPPED,),
    }
    assert store.orders.get("fleet").is_open


def test_letters_and_labels_are_no_print_of_a_card(store: Store) -> None:
    fleet = order(store, count=1)
    card = made(store, 1, "fleet:R1")
    for kind in ("letter", "label"):
        print_cards(store, [card], kind)
    assert not item(store, fleet).is_printed
    print_cards(store, [card], "press")
    assert item(store, fleet).is_printed


def test_an_order_is_closed_once_and_what_happens_to_its_cards_later_is_no_matter(store: Store) -> None:
    fleet = order(store, count=2)
    card = whole(store, 1, "fleet:R1")
    store.orders.cancel(fleet, [2], "not wanted", ANN)
    store.packing.dispatch([card.id], "t1", "", ANN)
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    assert store.orders.close(fleet, ANN, dry_run=True) == []
    assert store.orders.get("fleet").is_open
    assert store.orders.close(fleet, ANN) == []
    closed = store.orders.get("fleet")
    assert not closed.is_open
    assert store.orders.close(closed, ANN) == store.orders.close(fleet, ANN) == []
    assert [event.action for event in store.audit.events() if event.action == "order.closed"] == [
        "order.closed"
    ]


def test_a_card_in_use_keeps_its_line_from_being_cancelled(store: Store) -> None:
    fleet = order(store, count=4)
    reserve_for(store, 1, "fleet:R1")
    with pytest.raises(Conflict, match=r"line 1 of order fleet has card EXM-\S+, which is reserved"):
        store.orders.cancel(fleet, [1], "why", ANN)
    card = whole(store, 2, "fleet:R2")
    with pytest.raises(Conflict, match=r"line 2 .* which is issued"):
        store.orders.cancel(fleet, [3, 2], "why", ANN)
    assert not any(one.is_cancelled for one in store.orders.items(fleet))
    store.packing.dispatch([card.id], "t1", "", ANN)
    with pytest.raises(Conflict, match="which has left in parcel T1"):
        store.orders.cancel(fleet, [2], "why", ANN)
    with pytest.raises(WrongCall, match="no line 9"):
        store.orders.cancel(fleet, [9], "why", ANN)
    with pytest.raises(WrongCall, match="why is it cancelled"):
        store.orders.cancel(fleet, [3], "  ", ANN)
    assert [one.place for one in store.orders.cancel(fleet, None, "why", ANN)] == [3, 4]
    assert store.orders.cancel(fleet, None, "again", ANN) == []


def test_a_card_that_is_replaced_before_it_left_hands_its_line_on(store: Store) -> None:
    fleet = order(store, count=1)
    old = finish(store, reserve_for(store, 1, "fleet:R1"), activate=True)
    print_cards(store, [old])
    pack(store, old)
    store.replacements.ask(old.id, Replacement(ReplaceWhen.NOW, Reason.DAMAGED), SUE, tell)
    assert item(store, fleet).missing == (Missing.STOPPED,)
    new = finish(store, reserve_for(store, 2, "replaces:1", replaces=old.id), activate=True)
    assert item(store, fleet).card.id == new.id
    assert item(store, fleet).missing == (Missing.PRINT, Missing.PACK)
    print_cards(store, [new])
    pack(store, new)
    assert store.orders.close(fleet, ANN) == []


def test_a_forgotten_driver_leaves_the_line_of_nobody(store: Store) -> None:
    fleet = order(store, count=2)
    store.orders.cancel(fleet, [1], "left", ANN)
    store.drivers.erase("R1", SUE)
    store.drivers.erase("R2", SUE)
    assert [one.wanted.driver for one in store.orders.items(fleet)] == [None, None]
    assert reserve_for(store, 1, "fleet:R2", driver=person(2)).driver is None
    assert order(store, count=2) == store.orders.get("fleet")


def test_the_order_finds_its_cards_and_a_parcel_too(store: Store) -> None:
    order(store)
    cards = [whole(store, number, f"fleet:R{number}") for number in (1, 2)]
    made(store, 3, "other:R1")
    store.packing.dispatch([cards[0].id], " 3s abc 12345 nl", "Post", ANN)
    assert {card.id for card in store.cards.search("fleet")} == {card.id for card in cards}
    for text in ("3SABC12345NL", "3sabc 12345 nl", "3SABC"):
        (hit,) = store.cards.find(text)
        assert (hit.card.id, hit.clue.name) == (cards[0].id, "TRACKING")


def test_there_is_no_such_order(store: Store) -> None:
    with pytest.raises(StationError, match="there is no order 'x'"):
        store.orders.get("x")
    assert store.orders.of_line("x:1") is None
    assert not store.orders.has("x")


class OrderWork(RuleBasedStateMachine):
    """Anything that a desk may do with an order, in any sequence."""

    places = st.integers(1, 4)

    @initialize(way=st.sampled_from([Way.ENCODE_FIRST, Way.PRINT_FIRST]))
    def begin(self, way: Way) -> None:
        path = Path(mkdtemp(prefix="order-")) / "s.db"
        self.store = create_store(url_of(path), actor=ANN, clock=Clock())
        do_not_wait(self.store)
        self.numbers = itertools.count(1)
        self.drawer = Drawer(5000)
        self.order = order(self.store, count=4, way=way)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert self.store.audit.check().is_sound, self.store.audit.check()
            self.store.close()

    @rule()
    def print_plastic(self) -> None:
        if self.order.way is Way.PRINT_FIRST:
            print_plastic(self.store, self.order, self.drawer)

    @rule(place=places)
    def reserve(self, place: int) -> None:
        number = item(self.store, self.order, place).printed_number
        plastic = self.store.preprints.find([number.replace("-", "")], []) if number else None
        with contextlib.suppress(Conflict):
            reserve_for(
                self.store,
                next(self.numbers),
                f"fleet:R{place}",
                preprinted=plastic.id if plastic else None,
            )

    @rule(place=places)
    def finish(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        if card and card.state.is_unfinished:
            finish(self.store, card)

    @rule(place=places)
    def print_card(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        if card:
            print_cards(self.store, [card])

    @rule(place=places)
    def spoil(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        try:
            if card:
                spoil(self.store, card)
        except (MoveNotAllowed, WrongCall):
            pass

    @rule(place=places)
    def pack(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        try:
            if card:
                pack(self.store, card)
        except Conflict:
            pass

    @rule(place=places)
    def dispatch(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        try:
            if card:
                self.store.packing.dispatch([card.id], f"T{next(self.numbers)}", "", ANN)
        except Conflict:
            pass

    @rule(place=places)
    def block(self, place: int) -> None:
        card = self.store.cards.by_order_line(f"fleet:R{place}")
        try:
            if card:
                self.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        except Conflict:
            pass

    @rule(place=places)
    def cancel(self, place: int) -> None:
        with contextlib.suppress(Conflict):
            self.store.orders.cancel(self.order, [place], "why", ANN)

    @rule()
    def close(self) -> None:
        left = self.store.orders.close(self.order, ANN)
        items = self.store.orders.items(self.order)
        if not left and self.order.is_open:
            assert all(one.is_cancelled or one.card is not None for one in items)
            assert all(one.is_packed and one.is_printed for one in items if not one.is_cancelled)
        self.order = self.store.orders.get("fleet")
        assert self.order.is_open is bool(left) or not self.order.is_open

    @invariant()
    def balances(self) -> None:
        if not hasattr(self, "store"):
            return
        items = self.store.orders.items(self.order)
        now = self.store.orders.progress(self.order, items)
        assert now.ordered == 4 == now.done + now.cancelled + now.left
        living = [self.store.cards.by_order_line(f"fleet:R{place}") for place in range(1, 5)]
        assert now.made == sum(
            card is not None and not card.state.is_unfinished and not one.is_cancelled
            for card, one in zip(living, items, strict=True)
        )
        spoiled = [card for card in self.store.cards.listing() if card.state is CardState.SPOILED]
        assert now.spoiled >= len(spoiled)


def test_any_work_on_an_order_keeps_its_equation() -> None:
    run_state_machine_as_test(
        OrderWork,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
