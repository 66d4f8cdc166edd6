"""Killed at any instant (SIGKILL), the store holds every promise that was made, and nothing half."""

from __future__ import annotations

import random
from pathlib import Path

from postgresql_base import Base
from store_world import ANN, issue, received, tell, url_of
from warm_processes import PROCESSES

from rfid_station.domain.card import Card, CardState
from rfid_station.domain.feed import Lane
from rfid_station.errors import StoreError
from rfid_station.store.opening import Store, create_store, open_store

KILLS = 15
KILLS_OF_A_CLIENT = 6

ORDER = [CardState.RESERVED, CardState.ENCODING, CardState.ACTIVE, CardState.BLOCKED]
EVENTS = {
    CardState.RESERVED: ["card.reserved"],
    CardState.ENCODING: ["card.reserved", "card.encoding"],
    CardState.ACTIVE: ["card.reserved", "card.encoding", "card.issued", "card.active"],
    CardState.BLOCKED: ["card.reserved", "card.encoding", "card.issued", "card.active", "card.blocked"],
}


def test_a_desk_killed_again_and_again(place: Path | Base) -> None:
    import store_workers

    choose = random.Random(20261122)
    with open_store(url_of(place)) as store:
        received(store, "L1", 10_000)
    promised: dict[int, CardState] = {}
    for kill in range(KILLS if isinstance(place, Path) else KILLS_OF_A_CLIENT):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        desk = PROCESSES.Process(
            target=store_workers.issue_until_killed, args=(place, 1 + kill * 1000, sender), daemon=True
        )
        desk.start()
        sender.close()
        for _ in range(choose.randrange(1, 9)):
            number, state = receiver.recv()
            promised[number] = state
        desk.join(choose.random() * 0.006)
        desk.kill()
        desk.join(60)
        promised.update(drained(receiver))
        with open_store(url_of(place)) as store:
            check_promises(store, promised)
    with open_store(url_of(place)) as store:
        finish_what_was_begun(store)


def drained(receiver: object) -> dict[int, CardState]:
    said = {}
    try:
        while True:
            number, state = receiver.recv()
            said[number] = state
    except (EOFError, OSError):
        return said


def check_promises(store: Store, promised: dict[int, CardState]) -> None:
    check = store.audit.check()
    assert check.is_sound, check
    for number, state in promised.items():
        card = store.cards.by_order_line(f"fleet.csv:{number}")
        assert card is not None
        assert ORDER.index(card.state) >= ORDER.index(state)
    for card in store.cards.listing(limit=5):
        check_whole(store, card)


def check_whole(store: Store, card: Card) -> None:
    """State, events and token of a card tell the same."""
    assert [event.action for event in store.cards.history(card.id)] == EVENTS[card.state]
    token_id = store.feed.token_id_of(card.id)
    if card.state.is_unfinished:
        assert token_id is None
        return
    assert token_id is not None
    change = store.feed.own(token_id)
    assert change is not None
    assert (change.token.valid, change.is_urgent) == (
        card.state is CardState.ACTIVE,
        card.state is CardState.BLOCKED,
    )


def finish_what_was_begun(store: Store) -> None:
    """The same call as before finishes each card that a kill interrupted."""
    for card in store.cards.listing():
        if card.state.is_unfinished:
            store.cards.begin_encoding(card.id, "digest", ANN)
            done = store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)
            assert done.state is CardState.ACTIVE
    revisions = [change.revision for change in store.feed.own_after(0, Lane.BULK, 10_000)]
    assert len(revisions) == len(store.cards.listing())
    assert store.audit.check().is_sound


def why_not_open(path: Path) -> str | None:
    """The hint of the error, or None if the store opens."""
    try:
        open_store(url_of(path)).close()
    except StoreError as error:
        return error.hint
    return None


def test_an_init_killed_at_any_instant(tmp_path: Path) -> None:
    """Either there is a store, or init can be run again; never something between."""
    import store_workers

    choose = random.Random(20261122)
    made = 0
    for kill in range(6):
        path = tmp_path / f"{kill}.db"
        receiver, sender = PROCESSES.Pipe(duplex=False)
        init = PROCESSES.Process(target=store_workers.create_one, args=(path, sender), daemon=True)
        init.start()
        receiver.recv()
        init.join(choose.random() * 0.25)
        init.kill()
        init.join(60)
        hint = why_not_open(path)
        assert hint in (None, "rfid-station init")
        if hint:
            create_store(url_of(path), actor=ANN).close()
        made += hint is None
        with open_store(url_of(path)) as store:
            assert store.audit.check().is_sound
            assert issue(store, 1).state is CardState.ACTIVE
    assert made < 6
