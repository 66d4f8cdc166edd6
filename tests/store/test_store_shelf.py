"""What partners may see: pages while others write, windows that lose nothing, decisions that are kept."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import store_workers
from postgresql_base import Base
from sqlalchemy import update
from store_world import ANN, SUE, Clock, do_not_wait, issue, reserve, sql, tell, uid, url_of
from warm_processes import PROCESSES

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Driver, Reason
from rfid_station.domain.partner import Connection
from rfid_station.domain.token import Token, Whitelist
from rfid_station.ocpi.port import Allowed, Caller
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.snapshot import Remembered
from rfid_station.store.opening import Store, open_store
from rfid_station.store.tables import token
from rfid_station.store.told.shelf import Doorman, Shelf


def add(store: Store, name: str, agreement: Agreement | None = None) -> None:
    store.partners.add(name, "https://cpo.example/versions", "ref", agreement or Agreement(), ANN)


def connect(store: Store, name: str) -> None:
    store.partners.begin_connecting(name, f"hash of {name}")
    store.partners.finish_connecting(name, Connection("2.2.1", "https://cpo.example", (), ()), "ref", ANN)


def shelf_of(store: Store, folder: Path) -> Shelf:
    return Shelf(store.database, store.partners, folder / "authorizations")


@pytest.fixture
def shelf(store: Store, tmp_path: Path) -> Iterator[Shelf]:
    add(store, "cpo")
    opened = shelf_of(store, tmp_path)
    yield opened
    opened.close()


def numbers(tokens: object) -> list[int]:
    assert isinstance(tokens, list)
    return [int.from_bytes(one.uid.raw[1:], "big") for one in tokens]


def crawl(shelf: Shelf, partner: str = "cpo", limit: int = 3, **window: datetime | None) -> list[Token]:
    found: list[Token] = []
    after: int | None = None
    while True:
        page = shelf.page(partner, after=after, limit=limit, **window)  # type: ignore[arg-type]
        found += [one for one in page.tokens if one is not None]
        if page.after is None:
            return found
        after = page.after


def test_a_page_holds_what_the_store_holds(store: Store, shelf: Shelf) -> None:
    for number in range(1, 8):
        issue(store, number, driver=Driver("Ann", "1", "Fleet", "de"))

    page = shelf.page("cpo", offset=2, limit=3)

    assert numbers(list(page.tokens)) == [3, 4, 5]
    assert list(page.tokens) == [store.feed.own(number).token for number in (3, 4, 5)]  # type: ignore[union-attr]
    assert (page.total, page.after, list(page.revisions)) == (7, 5, [3, 4, 5])
    assert numbers(crawl(shelf)) == [1, 2, 3, 4, 5, 6, 7]
    assert list(shelf.page("cpo", offset=7, limit=3).tokens) == []
    assert shelf.page("cpo", offset=10**18, limit=3).after is None


@pytest.mark.parametrize("is_restated", [False, True], ids=["a part of the table", "a subquery"])
def test_what_is_out_of_sight_is_nowhere(store: Store, shelf: Shelf, *, is_restated: bool) -> None:
    cards = [issue(store, number, group="odd" if number % 2 else "even") for number in range(1, 7)]
    store.partners.agree("cpo", Agreement(groups=frozenset({"odd"})), ANN)
    if is_restated:
        connect(store, "cpo")
        store.partners.agree("cpo", Agreement(whitelist=Whitelist.NEVER, groups=frozenset({"odd"})), ANN)

    page = shelf.page("cpo", limit=2)

    assert (numbers(list(page.tokens)), page.total, page.after) == ([1, 3], 3, 3)
    assert page.style == shelf.style("cpo") != ""
    assert numbers(list(shelf.page("cpo", offset=1, limit=5).tokens)) == [3, 5]
    assert numbers(crawl(shelf, limit=1)) == [1, 3, 5]
    assert numbers(crawl(shelf, limit=1, date_to=datetime(2100, 1, 1, tzinfo=UTC))) == [1, 3, 5]
    assert [shelf.one("cpo", card.uid.hex, "RFID") is not None for card in cards] == [True, False] * 3
    assert [shelf.decide("cpo", card.uid.hex, "RFID") is not None for card in cards] == [True, False] * 3


def test_what_was_withdrawn_is_shown_as_it_was_and_may_not_charge(
    store: Store, shelf: Shelf, clock: Clock
) -> None:
    cards = [issue(store, number) for number in range(1, 4)]
    connect(store, "cpo")
    clock.pass_by(60)
    store.cards.regroup(cards[1].id, "staff's", token_of=tell, actor=ANN)
    store.partners.agree("cpo", Agreement(groups=frozenset({"general"})), ANN)
    store.cards.move(cards[1].id, CardState.BLOCKED, Reason.LOST, ANN, tell)
    shown = crawl(shelf)
    assert [one.valid for one in shown] == [True, False, True]
    assert shown == [store.feed.newest("cpo", number).token for number in (1, 2, 3)]  # type: ignore[union-attr]
    assert numbers(crawl(shelf, date_from=clock.now - timedelta(seconds=1))) == [2]
    decision = shelf.decide("cpo", cards[1].uid.hex, "RFID")
    assert decision is not None
    assert (decision.allowed, decision.token) == (Allowed.NOT_ALLOWED, shown[1])


def test_known_revisions_are_not_told_again(store: Store, shelf: Shelf) -> None:
    cards = [issue(store, number) for number in range(1, 5)]
    store.cards.move(cards[1].id, CardState.BLOCKED, Reason.LOST, ANN, tell)

    page = shelf.page("cpo", limit=10, known={1, 2, 4})

    assert list(page.revisions) == [1, 5, 3, 4]
    assert [one and one.valid for one in page.tokens] == [None, False, True, None]


def test_each_partner_sees_what_its_agreement_says(store: Store, clock: Clock, tmp_path: Path) -> None:
    today = clock.now.date()
    add(store, "never", Agreement(whitelist=Whitelist.NEVER))
    add(store, "ended", Agreement(until=today - timedelta(days=1)))
    add(store, "to come", Agreement(since=today + timedelta(days=1)))
    add(store, "all")
    card = issue(store, 1)
    shelf = shelf_of(store, tmp_path)

    told = {name: list(shelf.page(name, limit=9).tokens) for name in ("never", "ended", "to come", "all")}

    assert [one.whitelist for one in told["never"] if one] == [Whitelist.NEVER]
    assert [one.whitelist for one in told["all"] if one] == [Whitelist.ALLOWED]
    assert shelf.style("never") != shelf.style("all")
    for name in ("ended", "to come", "nobody"):
        assert told.get(name, []) == []
        assert shelf.page(name, limit=9).total == 0
        assert shelf.one(name, card.uid.hex, "RFID") is None
        assert shelf.decide(name, card.uid.hex, "RFID") is None
    assert shelf.one("never", card.uid.hex.lower(), "rfid") == told["never"][0]
    clock.pass_by(86_400)
    assert len(list(shelf.page("to come", limit=9).tokens)) == 1
    shelf.close()


def test_the_window_includes_its_start_and_not_its_end(store: Store, shelf: Shelf, clock: Clock) -> None:
    start = clock.now.replace(microsecond=0)
    for number in range(1, 6):
        issue(store, number)
        clock.pass_by(10)

    def seen(first: float | None, last: float | None) -> list[int]:
        window = [None if s is None else start + timedelta(seconds=s) for s in (first, last)]
        found = crawl(shelf, limit=2, date_from=window[0], date_to=window[1])
        assert shelf.page("cpo", date_from=window[0], date_to=window[1], limit=9).total == len(found)
        return numbers(found)

    assert seen(10, 30) == [2, 3]
    assert seen(10.9, None) == [2, 3, 4, 5]  # a stamp is a whole second: it may be later than 10.9
    assert seen(None, 20.5) == [1, 2, 3]
    assert seen(20, 20) == []
    assert numbers(list(shelf.page("cpo", date_from=start, offset=3, limit=9).tokens)) == [4, 5]


@pytest.mark.parametrize(
    ("moves", "allowed", "word"),
    [
        ([], Allowed.ALLOWED, ""),
        ([(CardState.BLOCKED, Reason.LOST)], Allowed.BLOCKED, "gesperrt"),
        ([(CardState.SUSPENDED, Reason.UNPAID)], Allowed.BLOCKED, "gesperrt"),
        ([(CardState.EXPIRED, Reason.DATE_PASSED)], Allowed.EXPIRED, "abgelaufen"),
        ([(CardState.REPLACED, Reason.LOST)], Allowed.NOT_ALLOWED, "gilt hier nicht"),
        ([(CardState.RETIRED, Reason.RETURNED)], Allowed.NOT_ALLOWED, "gilt hier nicht"),
        ([(CardState.BLOCKED, Reason.LOST), (CardState.ACTIVE, Reason.FOUND)], Allowed.ALLOWED, ""),
    ],
)
def test_a_card_is_judged_by_its_state(
    store: Store, shelf: Shelf, moves: list[tuple[CardState, Reason]], allowed: Allowed, word: str
) -> None:
    card = issue(store, 1, driver=Driver("Ann", "1", "Fleet", "de"))
    assert shelf.decide("cpo", card.uid.hex, "RFID").allowed is Allowed.ALLOWED  # type: ignore[union-attr]
    for state, reason in moves:
        store.cards.move(card.id, state, reason, SUE, tell)

    decision = shelf.decide("cpo", card.uid.hex.lower(), "rfid")

    assert decision is not None
    assert decision.allowed is allowed
    assert word in decision.words
    assert bool(word) is bool(decision.words)
    assert len(decision.reference) == 36


def test_a_card_that_may_not_charge_yet_and_one_that_is_none(store: Store, shelf: Shelf) -> None:
    fresh = issue(store, 1, activate=False)
    reserve(store, 2)

    assert shelf.decide("cpo", fresh.uid.hex, "RFID").allowed is Allowed.NOT_ALLOWED  # type: ignore[union-attr]
    for unknown in (uid(2).hex, uid(3).hex, "", "%", "04'"):
        assert shelf.decide("cpo", unknown, "RFID") is None
    assert shelf.decide("cpo", fresh.uid.hex, "APP_USER") is None


def test_every_decision_is_kept_without_saying_whose(
    store: Store, shelf: Shelf, clock: Clock, tmp_path: Path
) -> None:
    card = issue(store, 1)
    references = [shelf.decide("cpo", card.uid.hex, "RFID").reference for _ in range(3)]  # type: ignore[union-attr]
    clock.pass_by(40 * 86_400)
    shelf.decide("cpo", card.uid.hex, "RFID")
    shelf.decide("cpo", uid(9).hex, "RFID")

    kept = (tmp_path / "authorizations" / "2026-11.jsonl").read_text().splitlines()

    assert [json.loads(line)["reference"] for line in kept] == references
    assert json.loads(kept[0]) == {
        "at": "2026-11-22T08:00:00.250000Z",
        "partner": "cpo",
        "reference": references[0],
        "card": card.id,
        "allowed": "ALLOWED",
    }
    assert len((tmp_path / "authorizations" / "2027-01.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "authorizations" / "2026-11.jsonl").stat().st_mode & 0o077 == 0


def test_a_filtered_list_waits_for_what_is_stamped_already(store: Store, shelf: Shelf, clock: Clock) -> None:
    issue(store, 1)
    stamp = clock.now.replace(microsecond=0) + timedelta(seconds=5)
    other, writer = Database(store.database.place), ExitStack()
    writing = writer.enter_context(other.write())
    writing.execute(update(token).values(last_updated=stamp))
    pages: list[object] = []
    window = {"date_from": stamp, "date_to": stamp + timedelta(seconds=1)}
    reader = threading.Thread(target=lambda: pages.append(shelf.page("cpo", limit=9, **window).total))
    reader.start()
    reader.join(0.3)
    assert pages == []
    assert shelf.page("cpo", limit=9).total == 1  # without a window nobody has to be waited for
    assert shelf.decide("cpo", uid(1).hex, "RFID") is not None

    writer.close()
    other.close()
    reader.join(60)

    assert pages == [1]


def test_a_crawl_while_others_write_misses_none_and_repeats_none(place: Path | Base, tmp_path: Path) -> None:
    with open_store(url_of(place)) as store:
        do_not_wait(store)
        add(store, "cpo")
        for number in range(1, 101):
            issue(store, number)
        shelf = shelf_of(store, tmp_path)
        writer = PROCESSES.Process(target=store_workers.write_much, args=(place, 1000, 150))
        writer.start()
        crawls = 0
        while writer.is_alive() or not crawls:
            before = shelf.page("cpo", limit=1).total
            seen = numbers(crawl(shelf, limit=7))
            assert len(seen) == len(set(seen))
            assert set(range(1, 101)) <= set(seen)
            assert len(seen) >= before
            crawls += 1
        writer.join(60)
        assert writer.exitcode == 0
        assert len(crawl(shelf)) == 250
        assert crawls > 1
        shelf.close()


def test_windows_laid_end_to_end_lose_no_change(place: Path | Base, tmp_path: Path) -> None:
    """A partner that reads what changed since it last asked holds everything in the end."""
    with open_store(url_of(place)) as store:
        do_not_wait(store)
        add(store, "cpo")
        shelf = shelf_of(store, tmp_path)
        held: dict[str, Token] = {}
        since = datetime(2000, 1, 1, tzinfo=UTC)
        polls = 0

        def poll(until: datetime) -> None:
            nonlocal since, polls
            for one in crawl(shelf, limit=20, date_from=since, date_to=until):
                held[one.uid.hex] = one
            since, polls = until, polls + 1

        writer = PROCESSES.Process(target=store_workers.write_much, args=(place, 1, 30))
        writer.start()
        while writer.is_alive():
            poll(datetime.now(UTC))
        writer.join(60)
        newest = max(one.last_updated for one in crawl(shelf))
        while datetime.now(UTC) <= newest:
            time.sleep(0.05)
        poll(datetime.now(UTC) + timedelta(seconds=1))

        assert writer.exitcode == 0
        assert held == {one.uid.hex: one for one in crawl(shelf)}
        assert polls > 2
        shelf.close()


class CountingBook:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked = 0

    def caller_of(self, server_token: str) -> Caller | None:
        self.asked += 1
        return self.store.partners.caller_of(server_token)


def test_the_doorman_asks_again_only_after_a_change(store: Store, path: Path) -> None:
    from rfid_station.store.partners.registry import server_token_hash

    book = CountingBook(store)
    snapshots = store.database.snapshots()
    doorman = Doorman(snapshots, book)
    assert doorman.recall("t") is None
    assert doorman.caller_of("t") is None
    assert doorman.caller_of("t") is None
    assert book.asked == 1

    add(store, "cpo")
    store.partners.begin_connecting("cpo", server_token_hash("t"))
    assert doorman.recall("t") is None
    for _ in range(3):
        found = doorman.caller_of("t")
        assert found is not None
        assert (found.partner, doorman.recall("t")) == ("cpo", found)
    assert book.asked == 2

    sql(path, "DELETE FROM server_token")
    assert doorman.recall("t") is None
    assert doorman.caller_of("t") is None
    snapshots.close()


def test_what_is_remembered_does_not_grow_for_ever(store: Store) -> None:
    snapshots = store.database.snapshots()
    remembered: Remembered[int, int] = Remembered(snapshots, most=10)

    assert [remembered.get(number, lambda number=number: number) for number in range(100)] == list(range(100))
    assert sum(remembered.kept(number) is not None for number in range(100)) <= 10
    snapshots.close()


def test_a_list_is_counted_once_and_again_after_every_change(
    store: Store, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    rows = type(shelf._pages).rows

    def noting(pages: object, statement: str, *values: object) -> list[object]:
        counted.extend([statement] if "count(*)" in statement else [])
        return rows(pages, statement, *values)  # type: ignore[arg-type]

    monkeypatch.setattr(type(shelf._pages), "rows", noting)
    add(store, "some", Agreement(groups=frozenset({"North"})))
    add(store, "others", Agreement(groups=frozenset({"South"})))
    for number in range(1, 7):
        issue(store, number, group=("North", "South")[number % 2])
    for name in ("some", "others"):
        assert len(crawl(shelf, name, limit=1)) == 3
    assert len(counted) == 2
    issue(store, 7, group="South")
    assert (shelf.page("some", limit=1).total, shelf.page("others", limit=1).total) == (3, 4)
    assert len(counted) == 4
    later = datetime(2099, 1, 1, tzinfo=UTC)
    assert [shelf.page("some", date_from=at, limit=1).total for at in (None, later)] == [3, 0]
