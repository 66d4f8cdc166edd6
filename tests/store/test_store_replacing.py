"""A card in another's place: one contract, two pieces of plastic, and never both by accident."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgresql_base import Base
from store_world import ANN, SUE, contract, issue, reserve, sql, tell, uid

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Driver, Reason, Replacement, ReplaceWhen, Role
from rfid_station.domain.feed import Lane
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.opening import Store

LOST_NOW = Replacement(ReplaceWhen.NOW, Reason.LOST)
LOST_LATER = Replacement(ReplaceWhen.ACTIVATED, Reason.LOST)
DAMAGED_NOW = Replacement(ReplaceWhen.NOW, Reason.DAMAGED)
SAM = Actor("sam", Role.SUPPORT)
DRIVER = Driver("Jan", "P-17", "North", "nl")


def successor(store: Store, old: Card, number: int = 2) -> Card:
    return store.cards.reserve(
        uid=uid(number),
        chip="NTAG213",
        profile="link",
        order_line=f"replace:{old.visual_number}",
        driver=None,
        draw_visual=lambda: f"EXM-NEW-{number}",
        contract_of=contract,
        draw_alias=lambda: f"alias-{number}",
        actor=ANN,
        replaces=old.id,
    )


def made(store: Store, old: Card, number: int = 2, *, activate: bool = True) -> Card:
    card = successor(store, old, number)
    store.cards.begin_encoding(card.id, "digest", ANN)
    return store.cards.register(card.id, token_of=tell, activate=activate, actor=ANN)


def told(store: Store) -> dict[str, bool]:
    changes = store.feed.changes_after("cpo", 0, Lane.BULK, 100)
    return {change.token.uid.hex: change.token.valid for change in changes}


def by_id(store: Store, card: Card) -> Card:
    return store.cards.by_id(card.id)


def test_a_lost_card_stops_now_and_is_replaced_when_the_new_one_charges(store: Store) -> None:
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    old = issue(store, 1, driver=DRIVER, group="Vans")
    blocked = store.replacements.ask(old.id, LOST_NOW, SAM, tell)
    assert (blocked.state, blocked.reason, blocked.replacement) == (CardState.BLOCKED, Reason.LOST, LOST_NOW)
    assert [one.id for one in store.replacements.asked()] == [old.id]
    new = made(store, blocked)
    assert (new.contract_id, new.driver, new.group, new.state) == (
        old.contract_id,
        DRIVER,
        "Vans",
        CardState.ACTIVE,
    )
    assert (new.visual_number, new.uid) != (old.visual_number, old.uid)
    assert store.replacements.asked() == []
    after = by_id(store, old)
    assert (after.state, after.reason, after.replacement) == (CardState.REPLACED, Reason.LOST, None)
    assert told(store) == {old.uid.hex: False, new.uid.hex: True}
    assert store.cards.history(old.id)[-1].data["by"] == new.visual_number
    assert store.replacements.successor(after) == new
    assert store.audit.check().is_sound


def test_the_old_card_goes_on_until_the_new_one_is_activated(store: Store) -> None:
    store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
    old = issue(store, 1)
    asked = store.replacements.ask(old.id, LOST_LATER, SAM, tell)
    assert asked.state is CardState.ACTIVE
    new = made(store, asked)
    assert new.state is CardState.ISSUED, "it is still to travel, whatever the setting says"
    assert told(store) == {old.uid.hex: True, new.uid.hex: False}
    store.cards.move(new.id, CardState.ACTIVE, None, Actor("jan", Role.DRIVER), tell)
    assert by_id(store, old).state is CardState.REPLACED
    assert told(store) == {old.uid.hex: False, new.uid.hex: True}
    assert store.audit.check().is_sound


def test_a_damaged_card_is_replaced_at_once_and_never_charges_again(store: Store) -> None:
    old = issue(store, 1)
    assert store.replacements.ask(old.id, DAMAGED_NOW, ANN, tell).state is CardState.REPLACED
    assert made(store, old).state is CardState.ACTIVE
    with pytest.raises(MoveNotAllowed):
        store.cards.move(old.id, CardState.ACTIVE, Reason.FOUND, SUE, tell)


def test_lost_and_found_again_before_a_new_one_was_made(store: Store) -> None:
    old = issue(store, 1)
    store.replacements.ask(old.id, LOST_NOW, SAM, tell)
    found = store.cards.move(old.id, CardState.ACTIVE, Reason.FOUND, SAM, tell)
    assert (found.state, found.replacement) == (CardState.ACTIVE, None)
    assert by_id(store, old) == found
    assert store.replacements.asked() == []
    with pytest.raises(Conflict, match="nobody asked for a card in place of"):
        successor(store, old)


def test_found_again_while_the_new_one_travels_both_are_there_until_it_is_activated(store: Store) -> None:
    old = issue(store, 1)
    store.replacements.ask(old.id, LOST_NOW, SAM, tell)
    new = made(store, old, activate=False)
    found = store.cards.move(old.id, CardState.ACTIVE, Reason.FOUND, SAM, tell)
    assert found.replacement == LOST_NOW
    store.cards.move(new.id, CardState.ACTIVE, None, ANN, tell)
    assert by_id(store, old).state is CardState.REPLACED


@pytest.mark.parametrize("when", ReplaceWhen)
def test_a_successor_lost_in_the_mail_has_one_of_its_own_which_ends_both(
    store: Store, when: ReplaceWhen
) -> None:
    first = issue(store, 1)
    store.replacements.ask(first.id, LOST_LATER, SAM, tell)
    second = made(store, first)
    store.replacements.ask(second.id, LOST_NOW, SAM, tell)
    third = made(store, second, 3)
    assert third.state is CardState.ISSUED, "the first one still charges until this one does"
    assert by_id(store, first).state is CardState.ACTIVE
    if when is ReplaceWhen.NOW:
        store.cards.move(first.id, CardState.BLOCKED, Reason.LOST, SAM, tell)
    store.cards.move(third.id, CardState.ACTIVE, None, ANN, tell)
    states = [card.state for card in store.cards.listing()]
    assert states == [CardState.REPLACED, CardState.REPLACED, CardState.ACTIVE]
    assert store.audit.check().is_sound


def test_asking_twice_changes_nothing_and_a_second_card_is_refused(store: Store) -> None:
    old = issue(store, 1)
    first = store.replacements.ask(old.id, LOST_NOW, SAM, tell)
    events = len(store.cards.history(old.id))
    assert store.replacements.ask(old.id, LOST_NOW, SAM, tell) == first
    assert len(store.cards.history(old.id)) == events
    successor(store, old)
    with pytest.raises(Conflict, match="is replaced by EXM-NEW-2"):
        reserve(store, 3, replaces=old.id)
    with pytest.raises(Conflict, match="belongs to card EXM-NEW-2"):
        successor(store, old, 3)
    with pytest.raises(Conflict, match="is replaced by EXM-NEW-2"):
        store.replacements.withdraw(old.id, SAM)


def test_a_spoiled_successor_leaves_the_place_open(store: Store) -> None:
    old = issue(store, 1)
    store.replacements.ask(old.id, LOST_NOW, SAM, tell)
    first = successor(store, old)
    assert [one.id for one in store.replacements.asked()] == [old.id], "it is to be tapped again"
    store.cards.move(first.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)
    assert [one.id for one in store.replacements.asked()] == [old.id]
    assert made(store, old, 3).state is CardState.ACTIVE
    assert store.audit.check().is_sound


def test_replacements_follow_each_other_on_one_contract(store: Store) -> None:
    card = issue(store, 1)
    for number in (2, 3, 4):
        store.replacements.ask(card.id, LOST_NOW, SAM, tell)
        card = made(store, card, number)
    cards = store.cards.listing()
    assert {one.contract_id for one in cards} == {card.contract_id}
    assert [one.state for one in cards] == [CardState.REPLACED] * 3 + [CardState.ACTIVE]
    assert store.cards.search(f"{card.contract_id}")[0] == card, "the one in use comes first"
    assert store.audit.check().is_sound


def test_a_suspension_is_not_escaped_by_a_new_card(store: Store) -> None:
    old = issue(store, 1)
    store.replacements.ask(old.id, LOST_LATER, SAM, tell)
    store.cards.move(old.id, CardState.SUSPENDED, Reason.UNPAID, SAM, tell)
    new = made(store, old)
    assert new.state is CardState.ISSUED
    with pytest.raises(MoveNotAllowed, match="which is suspended"):
        store.cards.move(new.id, CardState.ACTIVE, None, SUE, tell)
    store.cards.move(old.id, CardState.ACTIVE, Reason.SETTLED, SUE, tell)
    assert store.cards.move(new.id, CardState.ACTIVE, None, SUE, tell).state is CardState.ACTIVE
    assert by_id(store, old).state is CardState.REPLACED


@pytest.mark.parametrize("wanted", [LOST_NOW, LOST_LATER, DAMAGED_NOW])
def test_who_may_not_and_what_is_not_replaced(store: Store, wanted: Replacement) -> None:
    old = issue(store, 1)
    with pytest.raises(MoveNotAllowed, match="a driver may not"):
        store.replacements.ask(old.id, wanted, Actor("jan", Role.DRIVER), tell)
    with pytest.raises(WrongCall, match="requested does not make"):
        store.replacements.ask(old.id, Replacement(ReplaceWhen.NOW, Reason.REQUESTED), SAM, tell)
    store.cards.move(old.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    with pytest.raises(MoveNotAllowed, match="is retired and cannot become"):
        store.replacements.ask(old.id, wanted, SAM, tell)
    unfinished = reserve(store, 5)
    with pytest.raises(MoveNotAllowed):
        store.replacements.ask(unfinished.id, wanted, SAM, tell)


def test_a_request_is_withdrawn(store: Store) -> None:
    old = issue(store, 1)
    store.replacements.ask(old.id, LOST_LATER, SAM, tell)
    assert store.replacements.withdraw(old.id, SAM).replacement is None
    with pytest.raises(Conflict, match="nobody asked"):
        store.replacements.withdraw(old.id, SAM)


def test_check_finds_contracts_that_were_mixed_up(store: Store, place: Path | Base) -> None:
    old, other = issue(store, 1), issue(store, 2)
    sql(place, "UPDATE card SET replaces_id = ? WHERE id = ?", old.id, other.id)
    assert [f"card {other.visual_number} takes the place of a card of another contract"] == [
        line for line in store.audit.check().findings if "place" in line
    ]
