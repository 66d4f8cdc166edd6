"""Cards, groups and agreements in any order, and partners that obey whatever the feed tells them.

The model knows what was agreed and which group each card is in; it asks the store for nothing but the feed.
Wrong stores are made by replacing one step of the right one.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_world import ANN, SUE, Clock, do_not_wait, reserve, tell, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Token, Whitelist
from rfid_station.domain.uid import CardUid
from rfid_station.store.opening import open_store
from rfid_station.store.told.shelf import Shelf

NAMES = ("cpo", "hub")
GROUPS = ("general", "acme", "staff")
FREE = Connection("2.2.1", "https://cpo.example", (), ())

groups = st.none() | st.frozensets(st.sampled_from(GROUPS), max_size=2)
days = st.none() | st.integers(-1, 2)


@dataclass
class Partner:
    """A partner as the world sees it."""

    agreement: Agreement
    is_ending: bool = False
    is_met: bool = False
    is_connected: bool = False
    holds: dict[CardUid, Token] = field(default_factory=dict)
    was_due: set[CardUid] = field(default_factory=set)
    """What it was entitled to at some time since it was met."""


class CoverLife(RuleBasedStateMachine):
    """What partners hold is the sum of what the feed told them, in the order in which it did."""

    blank: ClassVar[Path]

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(shutil.copy(self.blank, Path(self.folder.name) / "station.db"))
        self.clock = Clock()
        self.store = open_store(url_of(path), clock=self.clock)
        do_not_wait(self.store)
        self.partners = {name: Partner(Agreement()) for name in NAMES}
        for name in NAMES:
            self.store.partners.add(name, "https://cpo.example", "ref", Agreement(), ANN)
        self.cards: dict[int, Card] = {}
        for group in GROUPS:
            self.issue(group, activate=True)
        for name in NAMES:
            self.connect(name)
        self.come_to_rest("cpo")

    def teardown(self) -> None:
        try:
            self.everybody_comes_to_rest()
        finally:
            self.store.close()
            self.folder.cleanup()

    # The desk

    @precondition(lambda self: len(self.cards) < 5)
    @rule(group=st.sampled_from(GROUPS), activate=st.booleans())
    def issue(self, group: str, activate: bool) -> None:
        number = len(self.cards) + 1
        card = reserve(self.store, number, group=group)
        self.store.cards.begin_encoding(card.id, "digest", ANN)
        self.keep(self.store.cards.register(card.id, token_of=tell, activate=activate, actor=ANN))

    @rule(data=st.data())
    def block_or_unblock(self, data: st.DataObject) -> None:
        card = self.any_card(data)
        to = {
            CardState.ISSUED: (CardState.ACTIVE, None),
            CardState.ACTIVE: (CardState.BLOCKED, Reason.LOST),
            CardState.BLOCKED: (CardState.ACTIVE, Reason.FOUND),
        }[card.state]
        self.keep(self.store.cards.move(card.id, *to, SUE, tell))

    @rule(data=st.data(), group=st.sampled_from(GROUPS))
    def regroup(self, data: st.DataObject, group: str) -> None:
        card = self.any_card(data)
        self.keep(self.store.cards.regroup(card.id, group, token_of=tell, actor=ANN))

    def keep(self, card: Card) -> None:
        self.cards[card.id] = card
        self.note_due()

    def any_card(self, data: st.DataObject) -> Card:
        return self.cards[data.draw(st.sampled_from(sorted(self.cards)))]

    # The business

    @rule(
        name=st.sampled_from(NAMES),
        groups=groups,
        since=days,
        until=days,
        whitelist=st.sampled_from([None, Whitelist.NEVER]),
    )
    def agree(
        self,
        name: str,
        groups: frozenset[str] | None,
        since: int | None,
        until: int | None,
        whitelist: Whitelist | None,
    ) -> None:
        agreement = Agreement(self.day(since), self.day(until), whitelist, groups)
        self.partners[name].agreement = agreement
        self.partners[name].is_ending = False
        self.store.partners.agree(name, agreement, SUE)
        self.note_due()

    @rule(name=st.sampled_from(NAMES))
    def connect(self, name: str) -> None:
        partner = self.partners[name]
        if not partner.is_connected:
            self.store.partners.begin_connecting(name, f"hash of {name}")
            self.store.partners.finish_connecting(name, FREE, "ref", SUE)
            partner.is_connected = partner.is_met = True
            partner.is_ending = False
            self.note_due()

    @rule(name=st.sampled_from(NAMES), is_withdrawn=st.booleans())
    def disconnect(self, name: str, is_withdrawn: bool) -> None:
        partner = self.partners[name]
        if partner.is_connected:
            if is_withdrawn:
                self.store.partners.begin_ending(name, SUE)
                partner.is_ending = True
                self.come_to_rest(name)
            self.store.partners.disconnect(name, SUE)
            partner.is_connected = False

    @rule(seconds=st.sampled_from([-3600.0, 0.4, 90.0, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.pass_by(seconds)
        for name in NAMES:
            self.store.feed.enforce(name)
        self.note_due()

    def day(self, days_ahead: int | None) -> date | None:
        return None if days_ahead is None else (self.clock.now + timedelta(days=days_ahead)).date()

    # Sync

    @rule(
        name=st.sampled_from(NAMES), lane=st.sampled_from(Lane), limit=st.integers(1, 3), dies=st.booleans()
    )
    def sync(self, name: str, lane: Lane, limit: int, dies: bool) -> None:
        """Send a page of a lane; who dies before the commit sends it again some time."""
        if not self.partners[name].is_connected:
            return
        cursor = self.store.feed.standing(name).cursors[lane]
        changes = self.store.feed.changes_after(name, cursor, lane, limit)
        assert len({change.revision for change in changes}) == len(changes)
        for change in changes:
            assert change.revision > cursor
            newest = self.store.feed.newest(name, change.token_id)
            assert newest == change
            self.tell_partner(self.partners[name], change)
        if changes and not dies:
            resync = self.store.feed.standing(name).resync
            self.store.feed.advance(name, lane, changes[-1].revision, resync=resync)

    def tell_partner(self, partner: Partner, change: Change) -> None:
        told = change.token
        held = partner.holds.get(told.uid)
        assert told.uid in partner.was_due, "it sees a card that it was never entitled to"
        assert self.is_due(partner, told.uid) or not told.valid, "it may use a card that it is not to have"
        if held is not None and held != told:
            assert told.last_updated > held.last_updated, "it would take this for known"
        partner.holds[told.uid] = told

    def come_to_rest(self, name: str) -> None:
        for lane in (Lane.URGENT, Lane.BULK):
            while self.store.feed.changes_after(name, self.store.feed.standing(name).cursors[lane], lane, 1):
                self.sync(name, lane, 3, dies=False)

    def everybody_comes_to_rest(self) -> None:
        assert self.store.audit.check().is_sound
        for name, partner in self.partners.items():
            if partner.is_connected:
                self.come_to_rest(name)
                assert self.store.feed.standing(name).is_settled
                self.holds_what_it_should(partner)
                assert self.read_by(name) == sorted(partner.holds.values(), key=lambda token: token.uid.hex)

    def read_by(self, name: str) -> list[Token]:
        """What the partner reads by itself."""
        shelf = Shelf(self.store.database, self.store.partners, Path(self.folder.name))
        try:
            return [told for told in shelf.page(name, limit=99).tokens if told]
        finally:
            shelf.close()

    def holds_what_it_should(self, partner: Partner) -> None:
        for card in self.cards.values():
            held = partner.holds.get(card.uid)
            if self.is_due(partner, card.uid):
                assert held is not None, "a card that it should have"
                assert held.valid == (card.state is CardState.ACTIVE)
                wanted = tell(card, held.last_updated)
                whitelist = partner.agreement.whitelist or wanted.whitelist
                assert held == replace(wanted, whitelist=whitelist)
            else:
                assert held is None or not held.valid, "a card that it should have lost"

    @precondition(lambda self: hasattr(self, "cards"))
    @invariant()
    def what_is_to_be_taken_away_is_urgent(self) -> None:
        for name, partner in self.partners.items():
            if not partner.is_connected:
                continue
            cursor = self.store.feed.standing(name).cursors[Lane.URGENT]
            urgent = self.store.feed.changes_after(name, cursor, Lane.URGENT, 100)
            coming = {change.token.uid for change in urgent if not change.token.valid}
            may_use = {uid for uid, held in partner.holds.items() if held.valid}
            active = {card.uid for card in self.cards.values() if card.state is CardState.ACTIVE}
            should = {uid for uid in active if self.is_due(partner, uid)}
            assert may_use - should <= coming

    # Who is entitled to what

    def is_due(self, partner: Partner, uid: CardUid) -> bool:
        card = next(card for card in self.cards.values() if card.uid == uid)
        is_in_force = partner.agreement.covers(self.clock.now.date()) and not partner.is_ending
        return is_in_force and partner.agreement.includes(card.group)

    def note_due(self) -> None:
        for partner in self.partners.values():
            if partner.is_met:
                uids = {card.uid for card in self.cards.values()}
                partner.was_due |= {uid for uid in uids if self.is_due(partner, uid)}
