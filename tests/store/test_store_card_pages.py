"""Counters of taps, and who may end whose block."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from store_world import ANN, SUE, issue, sql, tell, url_of

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import CardState, Reason, Role, check_move
from rfid_station.domain.driver_wish import DriverWish, wishes
from rfid_station.errors import MoveNotAllowed, WrongCall
from rfid_station.store.card_pages import TapFault
from rfid_station.store.opening import open_store

DRIVER = Actor("card page", Role.DRIVER)
SAM = Actor("sam", Role.SUPPORT)


def test_a_counter_has_to_rise(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card, other = issue(store, 1), issue(store, 2)
        said = [store.pages.note_tap(card.id, counter, DRIVER) for counter in (3, 3, 2, 9, 4, 10)]
        assert said == [None, TapFault.REPLAYED, TapFault.ROLLED_BACK, None, TapFault.ROLLED_BACK, None]
        assert store.pages.note_tap(other.id, 1, DRIVER) is None
        refused = [e.data for e in store.cards.history(card.id) if e.action == "card.tap_refused"]
        assert [(one["why"], one["counter"], one["seen"]) for one in refused] == [
            ("replayed", 3, 3),
            ("rolled_back", 2, 3),
            ("rolled_back", 4, 9),
        ]
        assert store.audit.check().is_sound
    assert sql(path, "SELECT counter FROM tap ORDER BY card_id") == [(10,), (1,)]


def test_a_permission_is_spent_once_and_only_the_newest(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card = issue(store, 1)
        assert not store.pages.spend(card.id, 1, DRIVER)
        store.pages.note_tap(card.id, 5, DRIVER)
        store.pages.note_tap(card.id, 7, DRIVER)
        assert [store.pages.spend(card.id, counter, DRIVER) for counter in (5, 8, 7, 7)] == [
            False,
            False,
            True,
            False,
        ]


def test_of_many_who_show_the_same_tap_at_once_one_is_let_in(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card = issue(store, 1)
        store.pages.note_tap(card.id, 1, DRIVER)
        taps: list[TapFault | None] = []
        spent: list[bool] = []
        barrier = threading.Barrier(6)

        def run() -> None:
            barrier.wait(60)
            taps.append(store.pages.note_tap(card.id, 2, DRIVER))
            barrier.wait(60)
            spent.append(store.pages.spend(card.id, 2, DRIVER))

        threads = [threading.Thread(target=run) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert (taps.count(None), spent.count(True)) == (1, 1)
        assert taps.count(TapFault.REPLAYED) == 5


def test_a_card_that_is_not_there_has_no_taps(path: Path) -> None:
    with open_store(url_of(path)) as store:
        for call in (
            lambda: store.pages.note_tap(9, 1, DRIVER),
            lambda: store.pages.note_refused(9, TapFault.FOREIGN, DRIVER),
        ):
            with pytest.raises(WrongCall, match="no card with id 9"):
                call()
        assert store.pages.look_up("nobody") is None


def test_a_driver_ends_only_the_block_of_a_driver(path: Path) -> None:
    with open_store(url_of(path)) as store:
        card = issue(store, 1)

        def move(to: CardState, reason: Reason, actor: Actor) -> None:
            store.cards.move(card.id, to, reason, actor, tell)

        move(CardState.BLOCKED, Reason.LOST, DRIVER)
        move(CardState.ACTIVE, Reason.FOUND, DRIVER)
        move(CardState.BLOCKED, Reason.STOLEN, ANN)
        with pytest.raises(MoveNotAllowed, match="was not blocked by its driver") as refused:
            move(CardState.ACTIVE, Reason.FOUND, DRIVER)
        assert refused.value.hint
        seen = store.pages.look_up(card.alias)
        assert seen
        assert (seen.blocked_by, wishes(seen.card, seen.blocked_by)) == (Role.CLERK, ())
        move(CardState.ACTIVE, Reason.FOUND, SAM)
        move(CardState.BLOCKED, Reason.LOST, DRIVER)
        move(CardState.SUSPENDED, Reason.FRAUD, SUE)
        with pytest.raises(MoveNotAllowed, match="a driver may not"):
            move(CardState.ACTIVE, Reason.SETTLED, DRIVER)


@pytest.mark.parametrize("state", CardState)
def test_a_driver_wants_only_what_the_life_of_a_card_allows(path: Path, state: CardState) -> None:

    with open_store(url_of(path)) as store:
        card = replace(issue(store, 1), state=state)
    for wish in wishes(card, Role.DRIVER):
        check_move(card, wish.move[0], Role.DRIVER, wish.move[1])
    assert (DriverWish.LOST in wishes(card, None)) == (state in (CardState.ISSUED, CardState.ACTIVE))
