"""Agreements put into force: who gains a card, who loses it, and that each of these tests can fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_world import ANN, SUE, Clock, do_not_wait, issue, make_older_store, reserve, sql, tell, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.cover import Spell
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.partner import Connection
from rfid_station.domain.service_level import ServiceLevel
from rfid_station.domain.token import Token, Whitelist
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.opening import Store, create_store, open_store
from rfid_station.store.partners import covers
from rfid_station.store.partners import registry as partners
from rfid_station.store.told import telling

CPO = "cpo"
FREE = Connection("2.2.1", "https://cpo.example", (), ())
ACME = frozenset({"acme"})
EVERYTHING = Agreement()


class World:
    """A store with a connected partner, two cards of acme's and one of nobody's."""

    def __init__(self, store: Store, clock: Clock, agreement: Agreement = EVERYTHING) -> None:
        self.store, self.clock = store, clock
        self.holds: dict[str, Token] = {}
        self.told: list[Change] = []
        store.partners.add(CPO, "https://cpo.example", "ref", agreement, ANN)
        self.connect()
        self.cards = [self.make(1, "acme"), self.make(2, "acme"), self.make(3, "general")]

    def make(self, number: int, group: str) -> Card:
        card = reserve(self.store, number, group=group)
        self.store.cards.begin_encoding(card.id, "digest", ANN)
        return self.store.cards.register(card.id, token_of=tell, activate=True, actor=ANN)

    def connect(self) -> None:
        self.store.partners.begin_connecting(CPO, "hash")
        self.store.partners.finish_connecting(CPO, FREE, "ref", SUE)

    def agree(self, **terms: Any) -> None:
        self.store.partners.agree(CPO, Agreement(**terms), SUE)

    def sync(self) -> list[str]:
        """Bring the partner what it is owed; the numbers it was told of, `-` before what it lost."""
        feed = self.store.feed
        told = []
        for lane in (Lane.URGENT, Lane.BULK):
            while changes := feed.changes_after(CPO, feed.standing(CPO).cursors[lane], lane, 2):
                for change in changes:
                    told.append(self.tell(change))
                feed.advance(CPO, lane, changes[-1].revision, resync=feed.standing(CPO).resync)
        assert feed.standing(CPO).is_settled
        return list(dict.fromkeys(told))

    def tell(self, change: Change) -> str:
        told = change.token
        held = self.holds.get(told.uid.hex)
        assert held is None or held == told or told.last_updated > held.last_updated
        self.holds[told.uid.hex] = told
        self.told.append(change)
        return f"{'' if told.valid else '-'}{told.uid.hex[-1]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a blank store, which is copied for each happening."""
    folder = tmp_path_factory.mktemp("happenings")
    create_store(url_of(folder / "blank.db"), actor=ANN).close()
    return folder


@contextmanager
def world(folder: Path, agreement: Agreement = EVERYTHING) -> Iterator[World]:
    with ExitStack() as open_:
        clock = Clock()
        path = Path(shutil.copy(folder / "blank.db", folder / "station.db"))
        open_.callback(path.unlink)
        store = open_.enter_context(open_store(url_of(path), clock=clock))
        do_not_wait(store)
        yield World(store, clock, agreement)


# What happens: each takes a folder, and is a test of its own below.


def a_partner_gets_the_groups_of_its_agreement(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        assert desk.sync() == ["1", "2"]
        desk.make(4, "general")
        desk.make(5, "acme")
        assert desk.sync() == ["5"]


def a_card_that_moves_away_is_withdrawn_at_once_and_once(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        desk.store.cards.regroup(desk.cards[0].id, "staff", token_of=tell, actor=ANN)
        (urgent,) = desk.store.feed.changes_after(CPO, 0, Lane.URGENT, 9)
        assert not urgent.token.valid
        assert desk.sync() == ["-1"]
        desk.store.cards.move(desk.cards[0].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        assert desk.sync() == [], "what became of it since is nobody's business"


def a_card_that_comes_back_is_told_again(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        for group, told in (("staff", ["-1"]), ("general", []), ("acme", ["1"])):
            desk.store.cards.regroup(desk.cards[0].id, group, token_of=tell, actor=ANN)
            assert desk.sync() == told
        assert desk.store.audit.check().is_sound


def a_card_that_was_never_covered_stays_unknown(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        desk.store.cards.regroup(desk.cards[2].id, "staff", token_of=tell, actor=ANN)
        assert desk.sync() == []
        assert desk.store.feed.newest(CPO, 3) is None


def an_agreement_that_shrinks_withdraws_and_keeps_the_rest(folder: Path) -> None:
    with world(folder) as desk:
        assert desk.sync() == ["1", "2", "3"]
        desk.agree(groups=ACME)
        assert desk.sync() == ["-3"]
        desk.agree(groups=frozenset())
        assert desk.sync() == ["-1", "-2"]


def an_agreement_that_grows_is_filled_up_and_nothing_is_sent_twice(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        desk.clock.pass_by(-3600)
        desk.agree()
        assert desk.sync() == ["3"]
        desk.agree(groups=frozenset({"acme", "general"}))
        assert desk.sync() == []


def an_agreement_that_comes_back_gives_back(folder: Path) -> None:
    with world(folder) as desk:
        desk.sync()
        for terms, told in (({"groups": frozenset()}, ["-1", "-2", "-3"]), ({}, ["1", "2", "3"])):
            desk.agree(**terms)
            assert desk.sync() == told
        desk.clock.pass_by(-86_400)
        desk.agree(groups=ACME)
        assert desk.sync() == ["-3"]
        desk.store.cards.move(desk.cards[0].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        assert desk.sync() == ["-1"], "and its time is later than all before, though the clock is not"


def another_whitelist_is_told(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        desk.agree(groups=ACME, whitelist=Whitelist.NEVER)
        assert desk.sync() == ["1", "2"]
        assert {token.whitelist for token in desk.holds.values()} == {Whitelist.NEVER}
        desk.agree(groups=ACME, whitelist=Whitelist.NEVER, level=ServiceLevel(timedelta(minutes=1)))
        assert desk.sync() == []


def days_come_and_go(folder: Path) -> None:
    tomorrow = Clock().now.date() + timedelta(days=1)
    with world(folder, Agreement(since=tomorrow, until=tomorrow)) as desk:
        for told in ([], ["1", "2", "3"], ["-1", "-2", "-3"], []):
            desk.store.feed.enforce(CPO)
            assert desk.sync() == told
            desk.clock.pass_by(86_400)


def a_partner_that_is_to_leave_loses_all_and_gets_all_anew(folder: Path) -> None:
    with world(folder) as desk:
        desk.sync()
        desk.store.partners.begin_ending(CPO, SUE)
        assert desk.store.partners.get(CPO).is_ending
        assert desk.sync() == ["-1", "-2", "-3"]
        desk.store.partners.disconnect(CPO, SUE)
        desk.connect()
        assert not desk.store.partners.get(CPO).is_ending
        assert desk.sync() == ["1", "2", "3"]


def a_new_agreement_keeps_a_partner_that_was_to_leave(folder: Path) -> None:
    with world(folder) as desk:
        desk.sync()
        desk.store.partners.begin_ending(CPO, SUE)
        assert desk.sync() == ["-1", "-2", "-3"]
        desk.agree(groups=ACME)
        assert not desk.store.partners.get(CPO).is_ending
        assert desk.sync() == ["1", "2"]


def a_partner_that_was_never_met_lost_nothing(folder: Path) -> None:
    with world(folder) as desk:
        desk.store.partners.add("new", "https://new.example", "ref", Agreement(), ANN)
        desk.store.partners.agree("new", Agreement(groups=frozenset({"staff"})), SUE)
        desk.store.cards.regroup(desk.cards[2].id, "acme", token_of=tell, actor=ANN)
        assert desk.store.feed.changes_after("new", 0, Lane.BULK, 9) == []


def a_card_that_was_blocked_before_the_restatement_stays_urgent(folder: Path) -> None:
    with world(folder) as desk:
        desk.sync()
        desk.store.cards.move(desk.cards[0].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        desk.agree(whitelist=Whitelist.NEVER)
        cursor = desk.store.feed.standing(CPO).cursors[Lane.URGENT]
        (urgent,) = desk.store.feed.changes_after(CPO, cursor, Lane.URGENT, 9)
        assert (urgent.token.valid, urgent.token.whitelist) == (False, Whitelist.NEVER)


HAPPENINGS: list[Callable[[Path], None]] = [
    a_partner_gets_the_groups_of_its_agreement,
    a_card_that_moves_away_is_withdrawn_at_once_and_once,
    a_card_that_comes_back_is_told_again,
    a_card_that_was_never_covered_stays_unknown,
    an_agreement_that_shrinks_withdraws_and_keeps_the_rest,
    an_agreement_that_grows_is_filled_up_and_nothing_is_sent_twice,
    an_agreement_that_comes_back_gives_back,
    another_whitelist_is_told,
    days_come_and_go,
    a_partner_that_is_to_leave_loses_all_and_gets_all_anew,
    a_new_agreement_keeps_a_partner_that_was_to_leave,
    a_partner_that_was_never_met_lost_nothing,
    a_card_that_was_blocked_before_the_restatement_stays_urgent,
]


@pytest.mark.parametrize("happening", HAPPENINGS, ids=lambda one: one.__name__)
def test_what_partners_are_told_as_agreements_change(happening: Callable[[Path], None], folder: Path) -> None:
    happening(folder)


def _nothing(*_: object, **__: object) -> bool:
    return False


MUTANTS: dict[str, tuple[object, str, object]] = {
    "a card that moves is not withdrawn": (telling, "note_group", _nothing),
    "an agreement that shrinks withdraws nothing": (covers, "_withdraw", _nothing),
    "what was withdrawn stays so": (covers, "_give_back", _nothing),
    "a change of cover has no time of its own": (covers.Ledger, "raise_stamp", lambda ledger, _: ledger.at),
    "what is gained is not told": (covers, "Spell", lambda covered, *_: Spell(covered)),
    "a change of the whitelist is not told": (covers, "_restated", lambda now, _: now),
    "another agreement changes nothing": (partners, "enforce", _nothing),
}


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_bug_put_in_on_purpose_is_noticed(bug: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*MUTANTS[bug])

    def is_noticed_by(happening: Callable[[Path], None]) -> bool:
        try:
            happening(folder)
        except Exception:  # noqa: BLE001 - each of them passes without the bug
            return True
        return False

    assert any(map(is_noticed_by, HAPPENINGS))


def test_a_regrouped_card_says_so_and_twice_changes_nothing(store: Store) -> None:
    card = issue(store, 1)
    moved = store.cards.regroup(card.id, " acme ", token_of=tell, actor=ANN)
    assert moved.group == "acme"
    events = store.cards.history(card.id)
    assert events[-1].action == "card.regrouped"
    assert store.cards.regroup(card.id, "acme", token_of=tell, actor=ANN) == moved
    assert store.cards.history(card.id) == events
    for name in ("", "*", "a\nb", "x" * 65):
        with pytest.raises(WrongCall, match="cannot name a card group"):
            store.cards.regroup(card.id, name, token_of=tell, actor=ANN)


def test_ending_is_for_connected_partners(store: Store) -> None:
    store.partners.add(CPO, "https://cpo.example", "ref", Agreement(), ANN)
    with pytest.raises(Conflict, match="not connected"):
        store.partners.begin_ending(CPO, SUE)


def test_what_is_withdrawn_is_owed_within_the_level_of_blocks(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        desk.sync()
        level = ServiceLevel(timedelta(minutes=1), timedelta(hours=1))
        desk.clock.pass_by(5)
        desk.agree(groups=frozenset(), level=level)
        owed = desk.store.feed.owed(CPO)
        assert (owed.urgent, owed.others, owed.level) == (2, 0, level)
        assert owed.due_at == owed.urgent_since + timedelta(minutes=1)  # type: ignore[operator]


def test_who_reads_by_itself_has_not_read_what_changed_or_was_told_anew_since(folder: Path) -> None:
    with world(folder, Agreement(groups=ACME)) as desk:
        contacts = desk.store.contacts

        def unread() -> tuple[int, int]:
            owed = contacts.unread(CPO)
            return owed.urgent, owed.others

        def reads() -> None:
            desk.clock.pass_by(60)
            contacts.note_pull(CPO, desk.clock())
            desk.clock.pass_by(60)

        assert unread() == (0, 2)
        reads()
        assert unread() == (0, 0)
        desk.store.cards.move(desk.cards[0].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        desk.store.cards.move(desk.cards[2].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
        assert unread() == (1, 0)
        reads()
        desk.agree(groups=ACME, whitelist=Whitelist.NEVER)
        assert unread() == (1, 1), "all that it has is told anew"
        desk.store.cards.regroup(desk.cards[1].id, "elsewhere", token_of=tell, actor=ANN)
        assert unread() == (2, 0), "and what it lost"
        reads()
        assert unread() == (0, 0)


def test_an_older_store_gives_its_partners_every_card(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    make_older_store(path, "0003")
    sql(path, "INSERT INTO driver VALUES (1, 'Jan', '', ' North ', NULL, 'jan')")
    columns = "uid, chip, profile, state, visual_number, created_at, changed_at"
    at = "'2026-01-01T00:00:00.000000Z'"
    values = f"'04AABBCC', 'NTAG213', 'link', 'reserved', 'X', {at}, {at}"
    for number, driver in ((1, 1), (2, None)):
        sql(
            path,
            f"INSERT INTO card (id, contract_id, visual_bare, alias, driver_id, {columns})"
            f" VALUES (?, ?, ?, ?, ?, {values.replace('04AA', f'04A{number}')})",
            *(number, f"NLEXMC0000000{number}", f"X{number}", f"a{number}", driver),
        )
    for number, since in ((1, None), (2, "2099-01-01")):
        sql(
            path,
            "INSERT INTO partner (id, name, state, versions_url, client_token_ref, bulk_cursor,"
            " urgent_cursor, profile, profile_table, since)"
            " VALUES (?, ?, 'added', '', '', 0, 0, 'standard', '{}', ?)",
            *(number, f"cpo{number}", since),
        )
    with open_store(url_of(path)) as store:
        assert [card.group for card in store.cards.listing()] == ["North", "general"]
        agreements = [partner.agreement for partner in store.partners.all()]
        assert [agreement.groups for agreement in agreements] == [None, None]
        assert sql(path, "SELECT is_covered FROM cover ORDER BY partner_id") == [(1,), (0,)]
