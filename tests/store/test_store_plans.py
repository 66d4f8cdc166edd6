"""What is asked all day costs the same among few cards and many: counted in steps of SQLite's machine.

`benchmarks/bench_scale.py` shows the same for a million, and for PostgreSQL.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from order_world import order
from sqlalchemy import event
from store_world import ANN, SUE, do_not_wait, issue, tell, url_of

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Reason, Replacement, ReplaceWhen
from rfid_station.domain.feed import Lane
from rfid_station.domain.order import Way
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Party
from rfid_station.domain.uid import CardUid
from rfid_station.store import search
from rfid_station.store.bulk.new_cards import NewCard
from rfid_station.store.opening import Store, open_store
from rfid_station.store.told import sight

FEW, MANY = 10, 40
BETWEEN = Agreement(groups=frozenset({"North", "South"}))


def caught_up(store: Store) -> int:
    """Everything was acknowledged, but for what the newest card brought; the revision before that."""
    newest = store.feed.standing("cpo").head - 1
    for lane in Lane:
        store.feed.advance("cpo", lane, newest)
    return newest


def has_read(store: Store) -> None:
    """It read the list to its end when everything that there is was told."""
    store.contacts.note_pull("cpo", store.database.clock() + timedelta(seconds=2))


NEW = NewCard(CardUid(bytes.fromhex("04AABBCCDDEE80")), "list.csv", "7", "NTAG213", "link")
NEW_IN_ORDER = NewCard(CardUid(bytes.fromhex("04AABBCCDDEF80")), "delivered", "R7", "NTAG213", "link")
ASKED: dict[str, Callable[[Store], object]] = {
    "cards to be replaced": lambda store: store.replacements.asked(),
    "how far a partner of some groups is": lambda store: store.feed.standing("cpo"),
    "whether it is behind": lambda store: store.feed.standing("cpo", counted=False),
    "the next changes for it": lambda store: store.feed.changes_after("cpo", caught_up(store), Lane.BULK, 9),
    "its next block": lambda store: store.feed.changes_after("cpo", caught_up(store), Lane.URGENT, 9),
    "the same from the beginning": lambda store: store.feed.changes_after("cpo", 0, Lane.BULK, 4),
    "since when it is owed something": lambda store: (caught_up(store), store.feed.owed("cpo")),
    "what it has not read": lambda store: (has_read(store), store.contacts.unread("cpo")),
    "when it was last proven": lambda store: store.feed.last_proof("cpo"),
    "the newest cards": lambda store: store.cards.listing(limit=3),
    "a card by the end of its number": lambda store: store.cards.find(store.cards.by_id(3).visual_number[3:]),
    "a card by its UID as lists show it": lambda store: store.cards.find(store.cards.by_id(3).uid.masked),
    "cards for some lines": lambda store: store.bulk.by_order_lines(["fleet.csv:2", "fleet.csv:3"]),
    "what a portion of a list meets": lambda store: store.bulk.known([NEW, NEW_IN_ORDER]),
    "a card by its number": lambda store: store.cards.find(store.cards.by_id(3).visual_number),
    "what happened to a card": lambda store: store.cards.history(3),
}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory, blank_store: Path) -> tuple[Path, Path]:
    """A store with few cards and one with many, alike in everything else."""
    folder = tmp_path_factory.mktemp("sizes")
    return filled(folder / "few.db", FEW, blank_store), filled(folder / "many.db", MANY, blank_store)


def filled(path: Path, cards: int, blank_store: Path) -> Path:
    path.write_bytes(blank_store.read_bytes())
    return fill(path, cards, lambda number: ("North", "South")[number % 2])


def fill(path: Path, cards: int, group_of: Callable[[int], str]) -> Path:
    """Cards, two of which are to be replaced, and a partner that knows of all but the newest change."""
    with open_store(url_of(path)) as store:
        do_not_wait(store)
        store.partners.add("cpo", "https://cpo.example/versions", "ref", BETWEEN, SUE)
        store.partners.begin_connecting("cpo", "0" * 64)
        free = Connection("2.2.1", "https://cpo.example/versions", (), (Party("DE", "CPX"),))
        store.partners.finish_connecting("cpo", free, "ref", SUE)
        order(store, "delivered", cards, Way.DELIVERED)
        for number in range(1, cards + 1):
            issue(store, number, group=group_of(number))
        wanted = Replacement(ReplaceWhen.ACTIVATED, Reason.DAMAGED)
        for card_id in (2, 1):
            store.replacements.ask(card_id, wanted, ANN, tell)
        caught_up(store)
    return path


@pytest.mark.parametrize("what", ASKED)
def test_what_is_asked_all_day_costs_the_same_among_many_cards(sizes: tuple[Path, Path], what: str) -> None:
    few, many = (steps(path, ASKED[what]) for path in sizes)
    assert 0 < many <= few + 10, (what, few, many)


def test_a_partner_whose_groups_rest_is_not_looked_for_among_the_changes_of_others(
    blank_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cursor stays where its own newest change was, however much happens to others."""
    monkeypatch.setattr(sight, "NEAR", 5)
    few, many = (
        fill(Path(shutil.copy(blank_store, tmp_path / f"{cards}.db")), cards, lambda _: "Elsewhere")
        for cards in (FEW, MANY)
    )
    behind: Callable[[Store], object] = lambda store: store.feed.changes_after("cpo", 2, Lane.BULK, 9)  # noqa: E731
    everything: Callable[[Store], object] = lambda store: store.feed.own_after(2, Lane.BULK, MANY)  # noqa: E731
    assert steps(few, everything) < steps(many, everything)
    assert steps(few, behind) == steps(many, behind)


def test_a_search_for_a_part_is_seen_to_cost_more(sizes: tuple[Path, Path]) -> None:
    """Or else nothing would be counted here."""
    few, many = (steps(path, lambda store: store.cards.find("NO SUCH", everywhere=True)) for path in sizes)
    assert many > few + 10 * (MANY - FEW)


def test_a_part_is_read_through_in_the_newest_cards_only(
    sizes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "NEWEST", FEW)
    few, many = (steps(path, lambda store: store.cards.find("NO SUCH")) for path in sizes)
    assert many <= few + 10


def test_cards_to_be_replaced_come_in_the_order_in_which_they_were_made(sizes: tuple[Path, Path]) -> None:
    with open_store(url_of(sizes[0])) as store:
        assert [card.id for card in store.replacements.asked()] == [1, 2]


def steps(path: Path, ask: Callable[[Store], object]) -> int:
    """How many steps the machine takes for what is read."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    with open_store(url_of(path)) as store:
        ask(store)

        def note(_c: object, _cursor: object, statement: str, values: tuple[object, ...], *_: object) -> None:
            asked.append((statement, values))

        event.listen(store.database._engine, "before_cursor_execute", note)
        ask(store)
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    with closing(sqlite3.connect(path)) as file:
        file.set_progress_handler(step, 1)
        for statement, values in asked:
            if statement.startswith(("SELECT", "WITH")):
                file.execute(statement, values).fetchall()
        file.set_progress_handler(None, 0)
    return taken
