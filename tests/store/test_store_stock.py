"""Blanks as a ledger: what goes where, what is refused, and that nothing gets lost in any order of events."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import store_workers
from postgresql_base import Base
from store_world import (
    ANN,
    DESK,
    PATTERN,
    START,
    SUE,
    Clock,
    contract,
    issue,
    received,
    reserve,
    sql,
    tell,
    uid,
    url_of,
)
from warm_processes import PROCESSES

from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.lot_line import Movement
from rfid_station.domain.stock import Account, LotState, Sample, Spot, Supply, on_hand, sample_size
from rfid_station.errors import Conflict, MoveNotAllowed, StoreError, WrongCall
from rfid_station.store import ledger as ledgers
from rfid_station.store import moving
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import Store, open_store

ALIASES = count()


class Rising:
    """Numbers for cards in bulk."""

    def __init__(self, first: int) -> None:
        self.number = first

    contract_of = staticmethod(contract)

    def draw_visual(self) -> str:
        self.number += 1
        return PATTERN.render(self.number)

    def draw_alias(self) -> str:
        return f"bulk-{next(ALIASES)}"


def register(store: Store, numbers: list[int], supply: Supply, chip: str = "NTAG213") -> list[str | None]:
    """Register cards of a maker's list; what was refused, in words."""
    new = [NewCard(uid(n), "list", f"{n}", chip, "plain", visual_number=PATTERN.render(n)) for n in numbers]
    with store.bulk.registering(
        numbers=Rising(numbers[0]), token_of=tell, activate=True, actor=ANN, supply=supply
    ) as registrar:
        return [one.refusal for one in registrar.add(new)]


def stands(store: Store, name: str) -> dict[str, int]:
    """Where a lot's blanks stand, after looking whether the whole store is sound."""
    check = store.audit.check()
    assert check.is_sound, check
    return {f"{spot}": count for spot, count in store.stock.standing(name).balances.items()}


def test_without_a_lot_cards_are_made_as_before(store: Store) -> None:
    assert not store.stock.is_kept
    assert issue(store, 1).lot is None
    assert register(store, [2], DESK) == [None]
    received(store, "L1", 1)
    assert store.cards.move(1, CardState.BLOCKED, Reason.LOST, ANN, tell).lot is None
    assert stands(store, "L1") == {"on hand at desk-1": 1}


def test_a_blank_goes_along_with_its_card(store: Store) -> None:
    received(store, "L1", 3)
    card = reserve(store, 1)
    assert stands(store, "L1") == {"on hand at desk-1": 2, "in work": 1}
    store.cards.register(card.id, token_of=tell, activate=False, actor=ANN)
    assert stands(store, "L1") == {"on hand at desk-1": 2, "issued": 1}
    assert store.cards.move(card.id, CardState.SPOILED, Reason.MISPRINT, ANN, tell).lot == card.lot
    assert stands(store, "L1") == {"on hand at desk-1": 2, "spoiled": 1}


def test_nothing_on_hand_is_told_with_what_helps(store: Store) -> None:
    received(store, "L1", 1, chip="NTAG215")
    with pytest.raises(Conflict, match="no blank NTAG213 is on hand at desk-1") as none:
        reserve(store, 1)
    assert none.value.hint == 'rfid-station stock receive LOT --supplier NAME --chip "NTAG213" --quantity N'
    received(store, "L2", 1, place="cellar")
    with pytest.raises(Conflict) as elsewhere:
        reserve(store, 1)
    assert elsewhere.value.hint == "rfid-station stock transfer L2 1 --from cellar --to desk-1"
    assert store.cards.listing() == []


def test_a_held_lot_gives_no_blanks(store: Store) -> None:
    lot = received(store, "L1", 5, is_released=False)
    with pytest.raises(Conflict) as held:
        reserve(store, 1)
    assert held.value.hint == "rfid-station stock sample L1"
    with pytest.raises(Conflict, match="lot L1 is held: no sample was taken yet"):
        reserve(store, 1, supply=Supply("desk-1", lot.id))
    with pytest.raises(Conflict, match="lot L1 is held"):
        register(store, [1], Supply("desk-1", lot.id))


def test_the_oldest_lot_comes_first_unless_one_is_chosen(store: Store, clock: Clock) -> None:
    young = received(store, "L1", 1)
    clock.pass_by(-60)
    old = received(store, "L0", 1)
    assert reserve(store, 1, supply=Supply("desk-1", young.id)).lot == young.id
    assert reserve(store, 2).lot == old.id
    with pytest.raises(Conflict, match="no blank"):
        reserve(store, 3)


def test_the_makers_list_says_which_lot_a_blank_is_of(store: Store) -> None:
    listed = received(store, "L2", 2, uids=(uid(1).hex, uid(2).hex))
    with pytest.raises(Conflict, match="not in the maker's list of lot L2"):
        reserve(store, 9)
    with pytest.raises(Conflict, match="not in the maker's list of lot L2"):
        reserve(store, 9, supply=Supply("desk-1", listed.id))
    other = received(store, "L1", 2)
    assert reserve(store, 9).lot == other.id
    assert reserve(store, 1).lot == listed.id
    with pytest.raises(Conflict, match="is of lot L2, and not of L1"):
        reserve(store, 2, supply=Supply("desk-1", other.id))


def test_a_chosen_lot_must_have_that_chip(store: Store) -> None:
    lot = received(store, "L1", 2, chip="NTAG215")
    with pytest.raises(Conflict, match="lot L1 is of NTAG215"):
        reserve(store, 1, supply=Supply("desk-1", lot.id))


def test_what_is_received_must_make_sense(store: Store, place: Path | Base) -> None:
    received(store, "L1", 2, uids=(uid(1).hex, uid(2).hex))
    with pytest.raises(Conflict, match="lot L1 was received before"):
        received(store, "L1", 2)
    with pytest.raises(Conflict, match="in the list of lot L1 already"):
        received(store, "L2", 1, uids=(uid(2).hex,))
    with pytest.raises(WrongCall, match="has 1 UIDs, and 2 blanks came"):
        received(store, "L2", 2, uids=(uid(3).hex,))
    for name in ("", "  ", "a=b", "x\ny"):
        with pytest.raises(WrongCall, match="cannot name a lot"):
            received(store, name, 1)
    with pytest.raises(WrongCall, match="0 is no number of blanks"):
        received(store, "L2", 0)
    issue(store, 1)
    sql(place, "DELETE FROM lot_uid")
    with pytest.raises(Conflict, match="1 UIDs of the list are cards already"):
        received(store, "L2", 1, uids=(uid(1).hex,))
    assert [one.lot.name for one in store.stock.standings()] == ["L1"]


def test_an_unknown_lot_offers_the_nearest(store: Store) -> None:
    received(store, "LOT-2026-07", 1)
    with pytest.raises(WrongCall, match="no lot") as unknown:
        store.stock.lot("lot-2026-7")
    assert unknown.value.hint
    assert "did you mean 'LOT-2026-07'?" in unknown.value.hint


def test_a_spoiled_cards_chip_is_the_same_blank(store: Store) -> None:
    """Made blank again it lies on hand; tapped as it is, the new card takes it from the spoiled ones."""
    received(store, "L0", 9)
    lot = received(store, "L1", 2)
    first = reserve(store, 1, supply=Supply("desk-1", lot.id))
    store.cards.move(first.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)
    second = reserve(store, 2, of=first.uid)
    assert second.lot == lot.id
    assert stands(store, "L1") == {"on hand at desk-1": 1, "in work": 1}
    store.cards.move(second.id, CardState.SPOILED, Reason.DAMAGED, ANN, tell)
    for _ in range(2):
        store.cards.note_recycled(second.id, ANN, "desk-2")
        assert stands(store, "L1") == {"on hand at desk-1": 1, "on hand at desk-2": 1}
    third = reserve(store, 3, of=first.uid)
    assert third.lot == lot.id
    assert stands(store, "L1") == {"on hand at desk-2": 1, "in work": 1}


def test_the_chip_of_a_retired_card_is_kept(store: Store) -> None:
    """It was known to partners, so it never becomes another card."""
    received(store, "L1", 1)
    card = issue(store, 1)
    store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    store.cards.note_recycled(card.id, ANN, "desk-1")
    assert stands(store, "L1") == {"samples": 1}


def test_a_maker_makes_cards_of_a_lot(store: Store) -> None:
    lot = received(store, "L1", 5)
    supply = Supply("desk-1", lot.id)
    assert register(store, [1, 2, 3], supply) == [None] * 3
    assert register(store, [1, 2, 3], supply) == [None] * 3
    assert stands(store, "L1") == {"on hand at desk-1": 2, "issued": 3}
    assert [entry.quantity for entry in store.stock.entries(lot.id)] == [5, 3]
    with pytest.raises(Conflict, match="lot L1 has 2 on hand at desk-1, and 3 are to be taken"):
        register(store, [4, 5, 6], supply)
    assert len(store.cards.listing()) == 3
    assert register(store, [7], supply, "NTAG215") == ["lot L1 is of NTAG213, and the row says NTAG215"]
    spoiled = store.cards.listing()[0]
    store.cards.move(spoiled.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    assert stands(store, "L1") == {"on hand at desk-1": 2, "issued": 3}


def test_a_makers_list_of_cards_must_name_the_lot_of_its_blanks(store: Store) -> None:
    lot = received(store, "L1", 2, uids=(uid(1).hex, uid(2).hex))
    other = received(store, "L2", 2)
    words = f"UID {uid(1).masked} is a blank of lot L1: add --lot L1"
    assert register(store, [1, 9], DESK) == [words, None]
    assert register(store, [1], Supply("desk-1", other.id)) == [words]
    assert register(store, [1, 8], Supply("desk-1", lot.id)) == [
        None,
        f"UID {uid(8).masked} is not in the maker's list of lot L1",
    ]
    assert stands(store, "L1") == {"on hand at desk-1": 1, "issued": 1}


@pytest.mark.parametrize(
    ("quantity", "size"),
    [(1, 1), (2, 2), (25, 2), (26, 3), (150, 3), (151, 5), (1200, 5), (1201, 8), (35000, 8), (35001, 13)],
)
def test_the_size_of_a_sample(quantity: int, size: int) -> None:
    assert sample_size(quantity) == size


def test_samples_release_and_hold(store: Store) -> None:
    lot = received(store, "L1", 10, is_released=False)
    stock = store.stock
    assert stock.note_sample(lot.id, Sample(2, 1), ANN).state is LotState.HELD
    assert stock.note_sample(lot.id, Sample(2, 2), ANN).state is LotState.RELEASED
    held = stock.note_sample(lot.id, Sample(2, 2, ("is not genuine",)), ANN)
    assert (held.state, held.state_reason) == (
        LotState.HELD,
        "1 of 2 in the sample are bad; one is not genuine",
    )
    assert stock.note_sample(lot.id, Sample(2, 2), ANN).state is LotState.HELD
    with pytest.raises(MoveNotAllowed, match="a clerk may not release lot L1"):
        stock.release(lot.id, "why not", ANN)
    assert stock.note_sample(lot.id, Sample(2, 2), SUE).state is LotState.RELEASED
    assert stock.hold(lot.id, "a recall", ANN).state is LotState.HELD
    assert stock.note_sample(lot.id, Sample(2, 2), ANN).state is LotState.RELEASED
    assert store.audit.check().is_sound


def test_what_is_moved_by_hand(store: Store) -> None:
    lot = received(store, "L1", 10)
    store.stock.move(lot.id, 4, on_hand("desk-1"), on_hand("cellar"), ANN)
    store.stock.move(lot.id, 1, on_hand("desk-1"), Spot(Account.SAMPLES), ANN, reason="tests")
    store.stock.move(lot.id, 2, on_hand("cellar"), Spot(Account.DESTROYED), ANN, reason="bent", witness="sue")
    assert stands(store, "L1") == {
        "on hand at desk-1": 5,
        "on hand at cellar": 2,
        "samples": 1,
        "destroyed": 2,
    }
    with pytest.raises(Conflict, match="lot L1 has 2 on hand at cellar, and 3 are to be taken"):
        store.stock.move(lot.id, 3, on_hand("cellar"), on_hand("desk-1"), ANN)
    with pytest.raises(Conflict, match="on hand at desk-1 already"):
        store.stock.move(lot.id, 1, on_hand("desk-1"), on_hand("desk-1"), ANN)
    event = store.audit.events()[-1]
    assert (event.action, event.data["witness"], event.data["quantity"]) == ("stock.destroyed", "sue", 2)


def test_only_a_card_whose_life_is_over_is_destroyed_and_once(store: Store) -> None:
    received(store, "L1", 3)
    card = issue(store, 1)
    with pytest.raises(MoveNotAllowed, match="is active"):
        store.stock.destroy_card(card.id, "bent", ANN, "sue", "desk-1")
    store.cards.move(card.id, CardState.RETIRED, Reason.RETURNED, SUE, tell)
    store.stock.destroy_card(card.id, "returned", ANN, "sue", "desk-1")
    assert stands(store, "L1") == {"on hand at desk-1": 2, "destroyed": 1}
    with pytest.raises(Conflict, match="booked off already"):
        store.stock.destroy_card(card.id, "returned", ANN, "sue", "desk-1")
    store.cards.note_recycled(card.id, ANN, "desk-1")
    assert stands(store, "L1")["destroyed"] == 1


def test_a_variance_takes_a_second_person(store: Store) -> None:
    lot, other = received(store, "L1", 10), received(store, "L2", 5)
    before = store.audit.events()
    with pytest.raises(MoveNotAllowed) as refused:
        store.stock.count("desk-1", {other.id: 5, lot.id: 8}, ANN, None)
    assert "10" not in f"{refused.value.message} {refused.value.hint}"
    assert store.audit.events() == before
    assert store.stock.differing("desk-1", {other.id: 5, lot.id: 8}) == {lot.id}
    found = store.stock.count("desk-1", {other.id: 5, lot.id: 8}, ANN, "sue")
    assert [(one.variance, one.witness) for one in found] == [(0, None), (-2, "sue")]
    assert stands(store, "L1") == {"on hand at desk-1": 8, "missing": 2}
    store.stock.count("desk-1", {lot.id: 11}, ANN, "sue")
    assert stands(store, "L1") == {"on hand at desk-1": 11}
    assert store.stock.standing("L1").received == 11


def test_what_is_counted_at_a_place(store: Store) -> None:
    here, gone = received(store, "L1", 1), received(store, "L2", 1)
    received(store, "L3", 1, place="cellar")
    store.stock.move(gone.id, 1, on_hand("desk-1"), Spot(Account.SAMPLES), ANN)
    assert store.stock.to_count("desk-1") == [here]
    store.stock.count("desk-1", {here.id: 0}, ANN, "sue")
    assert store.stock.to_count("desk-1") == [here]


def test_movements_of_a_shift_add_up(store: Store, clock: Clock) -> None:
    received(store, "L0", 4)
    lot = received(store, "L1", 20)
    of_lot = Supply("desk-1", lot.id)
    early = reserve(store, 1, supply=of_lot)
    clock.pass_by(3600)
    since = clock.now
    store.cards.register(early.id, token_of=tell, activate=True, actor=ANN)
    for number in (2, 3, 4):
        card = reserve(store, number, supply=of_lot)
        if number < 4:
            store.cards.register(card.id, token_of=tell, activate=False, actor=ANN)
    store.cards.move(card.id - 1, CardState.SPOILED, Reason.MISPRINT, ANN, tell)
    store.stock.move(lot.id, 5, on_hand("desk-1"), on_hand("cellar"), ANN)
    store.stock.move(lot.id, 1, on_hand("cellar"), on_hand("desk-1"), ANN)
    store.stock.move(lot.id, 2, on_hand("desk-1"), Spot(Account.DESTROYED), ANN, witness="sue")
    register(store, [7, 8], of_lot)
    store.stock.count("desk-1", {lot.id: 7}, ANN, "sue")
    clock.pass_by(60)
    until = clock.now
    reserve(store, 9, supply=of_lot)
    quiet, moved = store.stock.movements("desk-1", since, until)
    assert quiet == Movement(lot="L0", at_start=4, at_end=4)
    assert moved == Movement(
        lot="L1",
        at_start=19,
        transferred_in=1,
        transferred_out=5,
        in_work=0,
        issued=4,
        spoiled=1,
        destroyed=2,
        missing=1,
        at_end=7,
    )
    (counted,) = store.stock.counts("desk-1", since, until)
    assert (counted.lot, counted.expected, counted.counted, counted.witness) == ("L1", 8, 7, "sue")
    assert store.stock.counts("desk-1", until, until + timedelta(hours=1)) == []
    elsewhere = store.stock.movements("cellar", START, until)
    assert [(one.transferred_in, one.transferred_out, one.at_end) for one in elsewhere] == [(5, 1, 4)]
    assert all(one.expected == one.at_end for one in (quiet, moved, *elsewhere))


def test_of_several_desks_one_gets_the_last_blank(path: Path) -> None:
    with open_store(url_of(path)) as store:
        received(store, "L1", 1)
    barrier = PROCESSES.Barrier(3)
    receiver, sender = PROCESSES.Pipe(duplex=False)
    desks = [
        PROCESSES.Process(
            target=store_workers.reserve_at_once, args=(path, barrier, sender, 10 + desk, "blank")
        )
        for desk in range(3)
    ]
    for desk in desks:
        desk.start()
    for desk in desks:
        desk.join(60)
        assert desk.exitcode == 0
    answers = Counter(receiver.recv() for _ in desks)
    assert answers == {"won": 1, "no blank NTAG213 is on hand at desk-1": 2}
    with open_store(url_of(path)) as store:
        assert stands(store, "L1") == {"in work": 1}


def test_a_crash_at_the_commit_leaves_it_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lot = received(store, "L1", 3)
    card = reserve(store, 1)
    before = stands(store, "L1")

    def crash(_ledger: object) -> None:
        raise StoreError("the power went")

    monkeypatch.setattr(ledgers.Ledger, "settle", crash)
    for change in (
        lambda: reserve(store, 2),
        lambda: store.cards.register(card.id, token_of=tell, activate=True, actor=ANN),
        lambda: register(store, [5], Supply("desk-1", lot.id)),
        lambda: store.stock.count("desk-1", {lot.id: 0}, ANN, "sue"),
    ):
        with pytest.raises(StoreError, match="the power went"):
            change()
    monkeypatch.undo()
    assert stands(store, "L1") == before
    assert store.stock.counts("desk-1", START, START + timedelta(days=1)) == []


def test_an_entry_that_is_left_out_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    received(store, "L1", 3)
    card = reserve(store, 1)
    monkeypatch.setattr(moving, "follow", lambda *_: None)
    store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)
    assert store.audit.check().findings == (
        "0 cards of lot L1 are in work, and its account says 1",
        "1 cards of lot L1 are issued, and its account says 0",
    )


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (
            "UPDATE stock_balance SET quantity = 9 WHERE account = 'on_hand'",
            "3 blanks of lot L1 were received, and its accounts add up to 10",
        ),
        (
            "DELETE FROM stock_entry WHERE card_id IS NOT NULL",
            "lot L1 has 2 on hand at desk-1, and its entries add up to 3",
        ),
        (
            "UPDATE card SET state = 'spoiled', lot_id = 1",
            "1 cards of lot L1 are spoiled, and its account says 0",
        ),
    ],
)
def test_what_was_changed_by_hand_is_found(
    store: Store, place: Path | Base, statement: str, finding: str
) -> None:
    received(store, "L1", 3)
    reserve(store, 1)
    sql(place, statement)
    assert finding in store.audit.check().findings
