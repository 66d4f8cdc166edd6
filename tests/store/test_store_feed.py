from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from store_world import ANN, START, Clock, issue, reserve, tell

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.contact import NEVER_MET
from rfid_station.domain.feed import Lane, Parked
from rfid_station.errors import WrongCall
from rfid_station.store.engines.engine import Database
from rfid_station.store.opening import Store
from rfid_station.store.told.feed import Feed, Proof
from rfid_station.sync.port import FeedStore


@pytest.fixture
def partner(store: Store) -> str:
    return store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN).name


def parked(token_id: int, revision: int = 1, *, must_verify: bool = False, error: str = "2001") -> Parked:
    return Parked(token_id, revision, 3, START + timedelta(minutes=1), must_verify, error)


METHODS = [name for name in vars(FeedStore) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_feed_is_what_sync_asks_for(name: str) -> None:
    wanted, given = (inspect.signature(getattr(kind, name)) for kind in (FeedStore, Feed))
    assert [str(one) for one in given.parameters.values()] == [str(one) for one in wanted.parameters.values()]


def test_sync_asks_for_something() -> None:
    assert set(METHODS) >= {"standing", "changes_after", "newest", "advance", "record_proof"}


def test_feed_shows_each_token_once_in_order_of_revision(store: Store, partner: str) -> None:
    cards = [issue(store, n) for n in range(4)]
    for card in (cards[1], cards[0]):
        store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    everything = store.feed.changes_after(partner, 0, Lane.BULK, 100)
    assert [(change.revision, change.token.uid) for change in everything] == [
        (3, cards[2].uid),
        (4, cards[3].uid),
        (5, cards[1].uid),
        (6, cards[0].uid),
    ]
    assert store.feed.changes_after(partner, 3, Lane.BULK, 2) == everything[1:3]
    assert store.feed.changes_after(partner, 6, Lane.BULK, 2) == []
    assert store.feed.changes_after(partner, 0, Lane.URGENT, 100) == everything[2:]
    assert store.feed.changes_after(partner, 5, Lane.URGENT, 100) == everything[3:]
    assert store.feed.changes_after(partner, 0, Lane.URGENT, 1) == everything[2:3]


def test_newest_is_the_newest(store: Store, partner: str) -> None:
    card = issue(store, 1)
    (change,) = store.feed.changes_after(partner, 0, Lane.BULK, 10)
    assert store.feed.newest(partner, change.token_id) == change
    store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    moved_on = store.feed.newest(partner, change.token_id)
    assert moved_on is not None
    assert (moved_on.revision, moved_on.token.valid) == (2, False)
    assert store.feed.newest(partner, 99) is None


def test_a_cursor_never_moves_back_and_lanes_are_apart(store: Store, partner: str) -> None:
    for number in range(5):
        issue(store, number)
    store.feed.advance(partner, Lane.BULK, 3)
    store.feed.advance(partner, Lane.URGENT, 5)
    store.feed.advance(partner, Lane.BULK, 2)
    standing = store.feed.standing(partner)
    assert standing.cursors == {Lane.BULK: 3, Lane.URGENT: 5}
    assert (standing.behind, standing.is_settled) == (2, False)
    assert store.feed.standing(partner, counted=False) == replace(standing, behind=1)
    store.feed.advance(partner, Lane.BULK, 5)
    assert store.feed.standing(partner, counted=False).is_settled
    assert store.feed.standing(partner).is_settled


def test_a_cursor_alone_is_a_note_and_a_parked_row_is_not(
    store: Store, partner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token_id = store.feed.token_id_of(issue(store, 1).id) or 0
    begun: list[str] = []
    for name in ("note", "write"):
        plain = getattr(Database, name)

        def noted(database: Database, name: str = name, plain: Any = plain) -> Any:
            begun.append(name)
            return plain(database)

        monkeypatch.setattr(Database, name, noted)
    store.feed.advance(partner, Lane.BULK, 1)
    store.feed.advance(partner, Lane.BULK, 1, park=[parked(token_id)])
    store.feed.advance(partner, Lane.BULK, 1, unpark=[token_id])
    assert begun == ["note", "write", "write"]


def test_the_age_changes_with_every_commit_and_every_day_and_with_nothing_else(
    store: Store, partner: str
) -> None:
    seen = [store.feed.age()]
    assert store.feed.standing(partner).head == 0
    assert store.feed.age() == seen[0]
    token_id = store.feed.token_id_of(issue(store, 1).id) or 0
    seen.append(store.feed.age())
    store.feed.advance(partner, Lane.BULK, 1)
    seen.append(store.feed.age())
    store.feed.advance(partner, Lane.BULK, 1, park=[parked(token_id)])
    seen.append(store.feed.age())
    store.contacts.note_pull(partner, store.database.clock())
    seen.append(store.feed.age())
    assert store.feed.age() == seen[-1]
    tomorrow = store.database.clock() + timedelta(days=1)
    store.database.clock = lambda: tomorrow
    seen.append(store.feed.age())
    assert len(set(seen)) == len(seen)


def test_a_standing_tells_how_the_partner_was_met(store: Store, partner: str) -> None:
    assert store.feed.standing(partner).met == NEVER_MET
    at = store.database.clock()
    store.contacts.note_down(partner, at)
    store.contacts.note_pull(partner, at)
    pause = store.contacts.pause(partner, "they migrate", ANN)
    met = store.feed.standing(partner, counted=False).met
    assert met == store.contacts.get(partner)
    assert (met.down_since, met.last_pull_at, met.pause) == (at, at, pause)


def test_a_standing_tells_whether_the_day_asks_for_more(store: Store) -> None:
    now = store.database.clock()
    today = now.date()
    store.partners.add("ends", "https://ends.example", "ref", Agreement(until=today), ANN)
    card = issue(store, 1)
    assert not store.feed.standing("ends").is_outdated
    store.database.clock = lambda: now + timedelta(days=1)
    assert store.feed.standing("ends").is_outdated, "its agreement is over"
    store.feed.enforce("ends")
    assert not store.feed.standing("ends").is_outdated
    store.dates.set(card.id, today + timedelta(days=1), ANN)
    assert not store.feed.standing("ends").is_outdated
    store.database.clock = lambda: now + timedelta(days=2)
    assert store.feed.standing("ends").is_outdated, "a card is over"
    store.feed.enforce("ends")
    assert not store.feed.standing("ends").is_outdated


def test_partners_are_apart(store: Store, partner: str) -> None:
    store.partners.add("other", "https://other.example", "ref", Agreement(), ANN)
    card = issue(store, 1)
    token_id = store.feed.token_id_of(card.id)
    assert token_id is not None
    store.feed.advance(partner, Lane.BULK, 1, park=[parked(token_id)])
    other = store.feed.standing("other")
    assert (other.cursors[Lane.BULK], other.parked, other.behind) == (0, (), 1)
    store.feed.advance("other", Lane.BULK, 1, unpark=[token_id])
    assert store.feed.standing(partner).parked == (parked(token_id),)


def test_parked_rows_read_back_are_replaced_and_removed(store: Store, partner: str) -> None:
    ids = [store.feed.token_id_of(issue(store, n).id) or 0 for n in range(3)]
    rows = [parked(ids[0]), parked(ids[1], 2, must_verify=True, error="timeout")]
    store.feed.advance(partner, Lane.BULK, 2, park=rows)
    standing = store.feed.standing(partner)
    assert standing.parked == tuple(rows)
    assert (standing.behind, standing.is_settled) == (1, False)
    newer = parked(ids[0], 3, error="still no")
    store.feed.advance(partner, Lane.BULK, 2, park=[newer], unpark=[ids[1], ids[2]])
    assert store.feed.standing(partner).parked == (newer,)
    store.feed.advance(partner, Lane.BULK, 3, unpark=[ids[0]])
    assert store.feed.standing(partner).is_settled


def test_the_same_token_parked_and_unparked_stays_parked(store: Store, partner: str) -> None:
    token_id = store.feed.token_id_of(issue(store, 1).id) or 0
    last = parked(token_id, error="last")
    store.feed.advance(partner, Lane.BULK, 1, park=[parked(token_id), last], unpark=[token_id])
    assert store.feed.standing(partner).parked == (last,)


def test_proofs_are_kept_with_the_card(store: Store, partner: str, clock: Clock) -> None:
    card, other = issue(store, 1), issue(store, 2)
    token_id = store.feed.token_id_of(card.id) or 0
    store.feed.record_proof(partner, token_id, 1, False, f"{card.uid.hex.lower()}: valid differs")
    clock.pass_by(3)
    store.feed.record_proof(partner, token_id, 1, True, "")
    assert store.feed.proofs(card.id) == [
        Proof(partner, 1, False, f"{card.uid.masked}: valid differs", START),
        Proof(partner, 1, True, "", clock.now),
    ]
    assert store.feed.proofs(other.id) == []
    assert [event.action for event in store.cards.history(card.id)][-2:] == ["token.differs", "token.proven"]
    assert store.cards.history(card.id)[-1].actor.name == "sync"


def test_a_proof_of_an_unknown_token_is_a_wrong_call(store: Store, partner: str) -> None:
    with pytest.raises(WrongCall, match="there is no token with id 99"):
        store.feed.record_proof(partner, 99, 1, True, "")


def test_only_a_registered_card_has_a_token(store: Store) -> None:
    assert store.feed.token_id_of(reserve(store, 1).id) is None
    assert store.feed.token_id_of(issue(store, 2).id) == 1
