"""Cards and a partner in any order of events, against a model that is a dictionary."""

from __future__ import annotations

import shutil
import tempfile
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
from store_world import ANN, SUE, Clock, do_not_wait, reserve, tell, uid, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import MOVES, Card, CardState, Reason, Replacement, ReplaceWhen
from rfid_station.domain.feed import Lane
from rfid_station.domain.token import Token
from rfid_station.domain.uid import CardUid
from rfid_station.errors import Conflict, StationError
from rfid_station.store.opening import open_store

PLASTICS = 3


class Life(RuleBasedStateMachine):
    """`model` is what the calls have answered; `partner` is what came through the two lanes of the feed."""

    blank: ClassVar[Path]

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(shutil.copy(self.blank, Path(self.folder.name) / "station.db"))
        self.clock = Clock()
        self.store = open_store(url_of(path), clock=self.clock)
        do_not_wait(self.store)
        self.store.partners.add("cpo", "https://cpo.example", "ref", Agreement(), ANN)
        self.model: dict[int, Card] = {}
        self.partner: dict[CardUid, Token] = {}
        self.reserved = 0

    def teardown(self) -> None:
        try:
            self.everything_agrees()
        finally:
            self.store.close()
            self.folder.cleanup()

    @rule(plastic=st.integers(1, PLASTICS))
    def reserve(self, plastic: int) -> None:
        self.reserved += 1
        holder = [
            card for card in self.model.values() if card.uid == uid(plastic) and card.state != "spoiled"
        ]
        try:
            card = reserve(self.store, self.reserved, of=uid(plastic))
        except Conflict:
            assert holder
        else:
            assert not holder
            self.model[card.id] = card

    @rule(plastic=st.integers(1, PLASTICS), synced=st.booleans())
    def issue(self, plastic: int, synced: bool) -> None:
        """The common way, in one step: without it the rare ones hide what comes after."""
        self.reserve(plastic)
        for card in list(self.model.values()):
            if card.state.is_unfinished:
                self.model[card.id] = self.store.cards.register(
                    card.id, token_of=tell, activate=True, actor=ANN
                )
                self.end_replaced(self.model[card.id])
        if synced:
            self.sync(Lane.BULK, 100)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), activate=st.booleans(), encode=st.booleans())
    def register(self, data: st.DataObject, activate: bool, encode: bool) -> None:
        card = self.any_card(data)
        try:
            if encode:
                self.model[card.id] = self.store.cards.begin_encoding(card.id, "digest", ANN)
            done = self.store.cards.register(card.id, token_of=tell, activate=activate, actor=ANN)
        except StationError:
            assert not card.state.is_unfinished
        else:
            assert not done.state.is_unfinished
            self.model[card.id] = done
            self.end_replaced(done)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), times=st.integers(1, 3))
    def move(self, data: st.DataObject, times: int) -> None:
        card = self.any_card(data)
        for _ in range(times):
            self.move_once(data, self.model[card.id])

    def move_once(self, data: st.DataObject, card: Card) -> None:
        allowed = sorted(to for state, to in MOVES if state is card.state)
        to = data.draw(st.sampled_from(allowed or list(CardState)))
        needed = MOVES[card.state, to].reasons if allowed else frozenset(Reason)
        reason = data.draw(st.sampled_from(sorted(needed) or [None]))
        try:
            self.model[card.id] = self.store.cards.move(card.id, to, reason, SUE, tell)
        except StationError:
            is_held = any(before.state is CardState.SUSPENDED for before in self.chain(card))
            is_refused = not allowed or SUE.role not in MOVES[card.state, to].roles
            assert is_refused or card.state.is_unfinished or is_held
        else:
            self.end_replaced(self.model[card.id])

    def end_replaced(self, new: Card) -> None:
        """What charges took the place of what does not any more."""
        for before in self.chain(new) if new.state is CardState.ACTIVE else []:
            after = self.store.cards.by_id(before.id)
            assert after.state is (before.state if before.state.is_final else CardState.REPLACED)
            assert before.state is not CardState.SUSPENDED
            self.model[after.id] = after

    def chain(self, new: Card) -> list[Card]:
        """The cards before one on its contract."""
        before = []
        while new.replaces is not None:
            new = self.model[new.replaces]
            before.append(new)
        return before

    @precondition(lambda self: self.model)
    @rule(data=st.data(), when=st.sampled_from(ReplaceWhen), finish=st.booleans())
    def replace(self, data: st.DataObject, when: ReplaceWhen, finish: bool) -> None:
        """Ask for another card, and make it of plastic that was never used."""
        card = self.any_card(data)
        reason = data.draw(st.sampled_from([Reason.LOST, Reason.DAMAGED]))
        successors = [
            one for one in self.model.values() if one.replaces == card.id and one.state != "spoiled"
        ]
        try:
            asked = self.store.replacements.ask(card.id, Replacement(when, reason), SUE, tell)
        except StationError:
            assert (
                successors
                or (card.state, CardState.REPLACED) not in MOVES
                or card.state is CardState.SUSPENDED
            )
            return
        self.model[card.id] = asked
        if successors:
            return
        self.reserved += 1
        new = reserve(self.store, self.reserved, of=uid(100 + self.reserved), replaces=card.id)
        assert new.contract_id == card.contract_id
        self.model[new.id] = new
        if finish:
            self.model[new.id] = self.store.cards.register(new.id, token_of=tell, activate=True, actor=ANN)
            self.end_replaced(self.model[new.id])

    @rule(seconds=st.sampled_from([-3600.0, 0.0, 0.4, 1.0, 90.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)

    @rule(lane=st.sampled_from(Lane), limit=st.integers(1, 3))
    def sync(self, lane: Lane, limit: int) -> None:
        cursor = self.store.feed.standing("cpo").cursors[lane]
        changes = self.store.feed.changes_after("cpo", cursor, lane, limit)
        for change in changes:
            self.tell_partner(change.token)
        if changes:
            resync = self.store.feed.standing("cpo").resync
            self.store.feed.advance("cpo", lane, changes[-1].revision, resync=resync)

    def tell_partner(self, token: Token) -> None:
        """A partner that believes dates: what is not newer than what it holds is ignored."""
        held = self.partner.get(token.uid)
        if held is None or token.last_updated > held.last_updated:
            self.partner[token.uid] = token

    def any_card(self, data: st.DataObject) -> Card:
        return self.model[data.draw(st.sampled_from(sorted(self.model)))]

    @invariant()
    def cards_are_what_was_answered(self) -> None:
        if hasattr(self, "model"):
            assert {card.id: card for card in self.store.cards.listing()} == self.model

    @invariant()
    def who_may_not_charge_is_in_the_urgent_lane_or_known(self) -> None:
        """Whatever the partner holds as valid and is not any more, the urgent lane still brings."""
        if not hasattr(self, "model"):
            return
        cursor = self.store.feed.standing("cpo").cursors[Lane.URGENT]
        coming = {
            change.token.uid for change in self.store.feed.changes_after("cpo", cursor, Lane.URGENT, 100)
        }
        for change in self.store.feed.changes_after("cpo", 0, Lane.BULK, 100):
            held = self.partner.get(change.token.uid)
            if held is not None and held.valid and not change.token.valid:
                assert change.token.uid in coming

    @invariant()
    def no_contract_has_two_cards_that_charge_unless_asked_for(self) -> None:
        """Only a card that was found again charges beside its successor, and that one does not yet."""
        if not hasattr(self, "model"):
            return
        charging = [card.contract_id for card in self.model.values() if card.state is CardState.ACTIVE]
        assert len(charging) == len(set(charging))

    def everything_agrees(self) -> None:
        assert self.store.audit.check().is_sound
        for lane in Lane:
            while self.store.feed.changes_after(
                "cpo", self.store.feed.standing("cpo").cursors[lane], lane, 1
            ):
                self.sync(lane, 3)
        newest = {
            change.token.uid: change.token
            for change in self.store.feed.changes_after("cpo", 0, Lane.BULK, 100)
        }
        assert self.partner == newest
        assert self.store.feed.standing("cpo").is_settled


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_any_life_of_some_cards(blank_store: Path) -> None:
    """Add `Phase.shrink` to make a failure short; with a store behind each step that takes minutes."""
    Life.blank = blank_store
    run_state_machine_as_test(
        Life,
        settings=settings(max_examples=12, stateful_step_count=30, deadline=None, phases=[Phase.generate]),
    )
