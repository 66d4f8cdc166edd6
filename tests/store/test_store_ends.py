"""Version 0012: what numbers end with, and the last proofs, as an older store does not have them yet."""

from __future__ import annotations

from pathlib import Path

import pytest
from postgresql_base import Base
from store_world import ANN, START, Clock, as_in, contract, issue, reserve, sql, tell, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.uid import CardUid
from rfid_station.errors import WrongCall
from rfid_station.store import migrations
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import Store, open_store

ENDS = "SELECT id, uid_backwards, contract_backwards, visual_backwards FROM card ORDER BY id"
PROOFS = "SELECT name, last_proof_at FROM partner ORDER BY name"


def fill(store: Store, clock: Clock) -> None:
    """Three cards, and two partners of three that were proven, one of them twice."""
    for number in (1, 2):
        issue(store, number)
    reserve(store, 3)
    for name in ("first", "never", "second"):
        store.partners.add(name, "https://cpo.example/versions", "ref", Agreement(), ANN)
    for name, is_proven in (("first", True), ("second", True), ("never", False), ("first", True)):
        clock.pass_by(60)
        store.feed.record_proof(name, 1, 1, is_proven, "seen")
    clock.pass_by(60)
    store.feed.record_proof("first", 1, 1, False, "differs")


def test_a_store_of_version_0010_with_cards_and_proofs(place: Path | Base, clock: Clock) -> None:
    with open_store(url_of(place), clock=clock) as store:
        fill(store, clock)
        assert store.feed.last_proof("first") == START.replace(minute=4)
        assert store.feed.last_proof("second") == START.replace(minute=2)
        assert store.feed.last_proof("never") is None
        with pytest.raises(WrongCall):
            store.feed.last_proof("nobody")
    ends, proofs = sql(place, ENDS), sql(place, PROOFS)
    assert all(turned for row in ends for turned in row)
    cards = sql(place, "SELECT id, uid, contract_id, visual_bare FROM card ORDER BY id")
    assert [tuple(f"{text}"[::-1] for text in row[1:]) for row in cards] == [row[1:] for row in ends]
    as_in(place, "0010")
    with open_store(url_of(place), clock=clock) as store:
        assert store.migration is not None
        assert (store.migration.before, store.migration.after) == ("0010", migrations.REVISIONS[-1])
        assert store.audit.check().findings == ()
        assert (sql(place, ENDS), sql(place, PROOFS)) == (ends, proofs)
        card = issue(store, 4)
        assert store.cards.search(card.uid.masked) == [card]


def test_cards_of_a_list_are_found_by_their_ends_as_well(store: Store, place: Path | Base) -> None:
    new = NewCard(CardUid(bytes.fromhex("04E10CDA993C80")), "list.csv", "7", "NTAG213", "link")
    with store.bulk.registering(numbers=Drawn(), token_of=tell, activate=True, actor=ANN) as registrar:
        (done,) = registrar.add([new])
    assert sql(place, ENDS) == [(1, "08C399ADC01E40", f"{contract(1).compact}"[::-1], "7654321MXE")]
    assert [card.visual_number for card in store.cards.search("04…3C80")] == [done.visual_number]


class Drawn:
    """Numbers for one card."""

    def contract_of(self, number: int) -> ContractId:
        return contract(number)

    def draw_visual(self) -> str:
        return "EXM-1234-567"

    def draw_alias(self) -> str:
        return "alias"
