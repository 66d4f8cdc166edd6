"""Random days at desks, on the books: whatever is done in whatever order, no blank comes or goes unseen."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from store_world import ANN, PATTERN, SUE, Clock, contract, do_not_wait, received, reserve, tell, uid, url_of

from rfid_station.domain.card import MOVES, Card, CardState
from rfid_station.domain.stock import Account, Lot, Spot, Supply, on_hand
from rfid_station.errors import Conflict, StationError
from rfid_station.store import moving
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import open_store

PLACES = ("desk-1", "desk-2")
PLASTICS = 6
UNFINISHED = (CardState.RESERVED, CardState.ENCODING)


class Numbers:
    """Numbers for one card of a maker's list."""

    contract_of = staticmethod(contract)

    def __init__(self, number: int) -> None:
        self.number = number

    def draw_visual(self) -> str:
        return PATTERN.render(self.number)

    def draw_alias(self) -> str:
        return f"alias-{self.number}"


class Days(RuleBasedStateMachine):
    """`lies` is where the hands put the blanks; `cards` is what the calls have answered."""

    blank: ClassVar[Path]

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(shutil.copy(self.blank, Path(self.folder.name) / "station.db"))
        self.store = open_store(url_of(path), clock=Clock())
        do_not_wait(self.store)
        self.lots: list[Lot] = []
        self.came: Counter[int] = Counter()
        self.lies: Counter[tuple[int, str]] = Counter()
        """On hand, by lot and place."""
        self.off: Counter[tuple[int, Account]] = Counter()
        """Destroyed, samples and missing, by lot."""
        self.cards: dict[int, Card] = {}
        self.without_plastic: set[int] = set()
        """Spoiled or retired cards whose blank lies elsewhere now."""
        self.spent: Counter[tuple[int, Account]] = Counter()
        """Plastic of spoiled cards that was destroyed by number."""
        self.numbers = 0
        self.receive(10, "desk-1")

    def teardown(self) -> None:
        try:
            check = self.store.audit.check()
            assert check.is_sound, check
        finally:
            self.store.close()
            self.folder.cleanup()

    @precondition(lambda self: len(self.lots) < 3)
    @rule(quantity=st.integers(1, 12), place=st.sampled_from(PLACES))
    def receive(self, quantity: int, place: str) -> None:
        lot = received(self.store, f"L{len(self.lots)}", quantity, place=place)
        self.lots.append(lot)
        self.came[lot.id] += quantity
        self.lies[lot.id, place] += quantity

    @rule(plastic=st.integers(1, PLASTICS), place=st.sampled_from(PLACES), data=st.data())
    def make(self, plastic: int, place: str, data: st.DataObject) -> None:
        """A card, torn at some step or finished."""
        chosen = data.draw(st.sampled_from([None, *self.lots]))
        end = data.draw(st.sampled_from(["reserved", "encoding", "issued", "active"]))
        self.numbers += 1
        supply = Supply(place, chosen.id if chosen else None)
        lying = sum(self.lies.values())
        try:
            card = reserve(self.store, self.numbers, of=uid(plastic), supply=supply)
        except Conflict:
            return
        self.took_blank(card, place, lying)
        if end != "reserved":
            card = self.store.cards.begin_encoding(card.id, "digest", ANN)
        if end in ("issued", "active"):
            card = self.store.cards.register(card.id, token_of=tell, activate=end == "active", actor=ANN)
        self.cards[card.id] = card

    def took_blank(self, card: Card, place: str, lying: int) -> None:
        """The blank is that of the spoiled card with the same chip, or one that lies here."""
        assert card.lot is not None
        entry = self.store.stock.entries(card.lot)[-1]
        assert (entry.card, entry.quantity, entry.target.account) == (card.id, 1, Account.IN_WORK)
        before = [one for one in self.cards.values() if one.uid == card.uid]
        assert all(one.state is CardState.SPOILED for one in before)
        if entry.source == on_hand(place):
            self.lies[card.lot, place] -= 1
        else:
            assert entry.source == Spot(Account.SPOILED, place)
            assert max(before, key=lambda one: one.id).id not in self.without_plastic
            self.without_plastic.add(max(before, key=lambda one: one.id).id)
        assert lying >= sum(self.lies.values())

    @precondition(lambda self: self.cards)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        card = self.any_card(data)
        if card.state in UNFINISHED:
            self.cards[card.id] = self.store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)

    @precondition(lambda self: self.cards)
    @rule(data=st.data(), times=st.integers(1, 2))
    def move(self, data: st.DataObject, times: int) -> None:
        """Spoil, block, retire: whatever the life of a card allows."""
        chosen = self.any_card(data).id
        for _ in range(times):
            card = self.cards[chosen]
            to = data.draw(st.sampled_from(sorted(to for was, to in MOVES if was is card.state) or [None]))
            if to is None or (card.state in UNFINISHED and to is not CardState.SPOILED):
                return
            reasons = sorted(MOVES[card.state, to].reasons) or [None]
            try:
                after = self.store.cards.move(card.id, to, data.draw(st.sampled_from(reasons)), SUE, tell)
            except StationError:
                assert SUE.role not in MOVES[card.state, to].roles
                return
            assert (card.state, after.state) in MOVES
            self.cards[card.id] = after

    @precondition(lambda self: self.cards)
    @rule(data=st.data(), place=st.sampled_from(PLACES))
    def recycle(self, data: st.DataObject, place: str) -> None:
        card = self.any_card(data)
        if card.state not in (CardState.SPOILED, CardState.RETIRED):
            return
        before = self.store.stock.standings()
        self.store.cards.note_recycled(card.id, ANN, place)
        if self.store.stock.standings() == before:
            return
        assert card.id not in self.without_plastic
        self.without_plastic.add(card.id)
        if card.state is CardState.SPOILED:
            self.lies[card.lot, place] += 1
        else:
            self.off[card.lot, Account.SAMPLES] += 1

    @precondition(lambda self: self.cards)
    @rule(data=st.data())
    def destroy_card(self, data: st.DataObject) -> None:
        card = self.any_card(data)
        try:
            self.store.stock.destroy_card(card.id, "bent", ANN, "sue", "desk-1")
        except Conflict:
            return
        assert card.state.is_final
        assert card.id not in self.without_plastic
        self.without_plastic.add(card.id)
        self.off[card.lot, Account.DESTROYED] += 1

    @rule(
        data=st.data(),
        quantity=st.integers(1, 5),
        what=st.sampled_from(["transfer", "keep", "destroy", "spoiled"]),
    )
    def by_hand(self, data: st.DataObject, quantity: int, what: str) -> None:
        lot = data.draw(st.sampled_from(self.lots)).id
        place = data.draw(st.sampled_from(PLACES))
        other = PLACES[place == PLACES[0]]
        source, target = {
            "transfer": (on_hand(place), on_hand(other)),
            "keep": (on_hand(place), Spot(Account.SAMPLES, place)),
            "destroy": (on_hand(place), Spot(Account.DESTROYED, place)),
            "spoiled": (Spot(Account.SPOILED, place), Spot(Account.DESTROYED, place)),
        }[what]
        try:
            self.store.stock.move(lot, quantity, source, target, ANN, witness="sue", reason="a rule")
        except Conflict:
            assert what == "spoiled" or self.lies[lot, place] < quantity
            return
        if what == "spoiled":
            self.spent[lot, Account.SPOILED] += quantity
        else:
            self.lies[lot, place] -= quantity
        if what == "transfer":
            self.lies[lot, other] += quantity
        else:
            self.off[lot, target.account] += quantity

    @rule(data=st.data(), off=st.integers(-3, 2))
    def count(self, data: st.DataObject, off: int) -> None:
        lot, place = data.draw(st.sampled_from(self.lots)).id, data.draw(st.sampled_from(PLACES))
        number = max(0, self.lies[lot, place] + off)
        (found,) = self.store.stock.count(place, {lot: number}, ANN, "sue")
        assert found.expected == self.lies[lot, place]
        found_again = min(max(found.variance, 0), self.off[lot, Account.MISSING])
        self.off[lot, Account.MISSING] -= found_again if found.variance > 0 else found.variance
        self.came[lot] += max(0, found.variance) - found_again
        self.lies[lot, place] = number

    @rule(data=st.data(), count=st.integers(1, 4))
    def bulk(self, data: st.DataObject, count: int) -> None:
        """Cards of a maker, on plastic that the loop never sees."""
        lot, place = data.draw(st.sampled_from(self.lots)), data.draw(st.sampled_from(PLACES))
        first, self.numbers = self.numbers + 1, self.numbers + count
        new = [
            NewCard(uid(100 + n), "list", f"{n}", "NTAG213", "plain", visual_number=PATTERN.render(n))
            for n in range(first, first + count)
        ]
        before = set(self.cards)
        try:
            for one in new:
                number = int(one.key or 0)
                with self.store.bulk.registering(
                    numbers=Numbers(number),
                    token_of=tell,
                    activate=True,
                    actor=ANN,
                    supply=Supply(place, lot.id),
                ) as registrar:
                    assert registrar.add([one])[0].is_new
                self.lies[lot.id, place] -= 1
        except Conflict:
            assert self.lies[lot.id, place] == 0
        self.cards |= {card.id: card for card in self.store.cards.listing() if card.id not in before}

    def any_card(self, data: st.DataObject) -> Card:
        return self.cards[data.draw(st.sampled_from(sorted(self.cards)))]

    @invariant()
    def the_books_are_what_the_hands_did(self) -> None:
        if not hasattr(self, "cards"):
            return
        assert {card.id: card for card in self.store.cards.listing()} == self.cards
        for standing in self.store.stock.standings():
            lot = standing.lot.id
            assert standing.received == self.came[lot]
            for place in PLACES:
                assert standing.balances.get(on_hand(place), 0) == self.lies[lot, place]
            for account in (Account.DESTROYED, Account.SAMPLES, Account.MISSING):
                assert standing.on(account) == self.off[lot, account]
            for account in (Account.IN_WORK, Account.ISSUED, Account.SPOILED):
                assert standing.on(account) == self.plastic_on(lot, account)

    def plastic_on(self, lot: int, account: Account) -> int:
        """Cards of an account, less those whose plastic is not theirs any more."""
        states = {
            Account.IN_WORK: set(UNFINISHED),
            Account.SPOILED: {CardState.SPOILED},
            Account.ISSUED: set(CardState) - {*UNFINISHED, CardState.SPOILED},
        }[account]
        cards = [card for card in self.cards.values() if card.lot == lot and card.state in states]
        return sum(card.id not in self.without_plastic for card in cards) - self.spent[lot, account]


def run_days(blank_store: Path, examples: int, steps: int) -> None:
    Days.blank = blank_store
    run_state_machine_as_test(
        Days,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, phases=[Phase.generate]
        ),
    )


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_any_days_at_two_desks(blank_store: Path) -> None:
    """Add `Phase.shrink` to make a failure short; with a store behind each step that takes minutes."""
    run_days(blank_store, 8, 30)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_any_days_notice_an_entry_that_is_left_out(
    blank_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "follow", lambda *_: None)
    with pytest.raises(AssertionError):
        run_days(blank_store, 8, 30)
