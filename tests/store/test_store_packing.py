"""Envelopes and parcels: what may be packed and sent, and what was stopped in between."""

from __future__ import annotations

import pytest
from order_world import finish, pack, print_cards, reserve_for, spoil
from store_world import ANN, SUE, tell

from rfid_station.domain.card import Card, CardState, Reason, Replacement, ReplaceWhen
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.opening import Store


@pytest.fixture
def card(store: Store) -> Card:
    return finish(store, reserve_for(store, 1, "fleet:1"), activate=True)


def send(store: Store, *cards: Card, tracking: str = "T1") -> None:
    store.packing.dispatch([card.id for card in cards], tracking, "Post", ANN)


def actions(store: Store, card: Card) -> list[str]:
    return [event.action for event in store.cards.history(card.id)][-2:]


def test_packed_once_sent_once(store: Store, card: Card) -> None:
    assert store.packing.of_card(card.id) is None
    first = store.packing.pack(card.id, with_letter=True, was_tapped=False, actor=ANN)
    assert store.packing.pack(card.id, with_letter=False, was_tapped=True, actor=SUE) == first
    assert store.packing.waiting([card.id, 99]) == {card.id}
    send(store, card, tracking=" t 1 ")
    packed = store.packing.of_card(card.id)
    assert (packed.with_letter, packed.was_tapped, packed.parcel.tracking) == (True, False, "T1")
    assert actions(store, card) == ["card.packed", "card.dispatched"]
    for call in (
        lambda: pack(store, card),
        lambda: send(store, card, tracking="T2"),
        lambda: store.packing.unpack(card.id, "why", ANN),
    ):
        with pytest.raises(Conflict, match=f"card {card.visual_number} has left in parcel T1"):
            call()


def test_what_is_not_packed_does_not_leave_and_takes_the_others_along(store: Store, card: Card) -> None:
    other = finish(store, reserve_for(store, 2, "fleet:2"))
    pack(store, card)
    with pytest.raises(Conflict, match=f"card {other.visual_number} is not packed"):
        send(store, card, other)
    assert store.packing.of_card(card.id).parcel is None
    pack(store, other)
    store.packing.unpack(other.id, "wrong envelope", ANN)
    assert actions(store, other)[-1] == "card.unpacked"
    with pytest.raises(Conflict, match="is not packed"):
        send(store, other)


def test_a_tracking_number_is_used_once(store: Store, card: Card) -> None:
    other = finish(store, reserve_for(store, 2, "fleet:2"))
    for one in (card, other):
        pack(store, one)
    send(store, card)
    with pytest.raises(Conflict, match=f"parcel T1 left on 2026-11-22 with card {card.visual_number} in it"):
        send(store, other, tracking="t1")
    for wrong in ("", "  ", "a\x00b"):
        with pytest.raises(WrongCall, match="is no tracking number"):
            send(store, other, tracking=wrong)
    with pytest.raises(WrongCall, match="nothing to send"):
        send(store)


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        (lambda store, card: store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell), "blocked"),
        (
            lambda store, card: store.cards.move(card.id, CardState.SUSPENDED, Reason.UNPAID, SUE, tell),
            "suspended",
        ),
        (
            lambda store, card: store.replacements.ask(
                card.id, Replacement(ReplaceWhen.NOW, Reason.DAMAGED), SUE, tell
            ),
            "replaced",
        ),
        (
            lambda store, card: store.cards.move(card.id, CardState.RETIRED, Reason.REQUESTED, SUE, tell),
            "retired",
        ),
    ],
)
def test_a_card_stopped_in_its_envelope_does_not_leave(
    store: Store, card: Card, stop: object, words: str
) -> None:
    pack(store, card)
    stop(store, card)
    with pytest.raises(Conflict, match=rf"card {card.visual_number} is {words} \(\w+\): it must not leave"):
        send(store, card)
    with pytest.raises(Conflict, match="must not leave"):
        pack(store, card)
    store.packing.unpack(card.id, "stopped", ANN)


def test_spoiled_and_unfinished_cards_are_not_packed(store: Store) -> None:
    half = reserve_for(store, 1, None)
    with pytest.raises(Conflict, match="is reserved: it was never finished"):
        pack(store, half)
    issued = finish(store, half)
    print_cards(store, [issued])
    pack(store, issued)
    spoil(store, issued)
    with pytest.raises(Conflict, match=r"is spoiled \(misprint\): it must not leave"):
        send(store, issued)
    with pytest.raises(WrongCall, match="why is it unpacked"):
        store.packing.unpack(issued.id, " ", ANN)
