from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from postgresql_base import Base
from store_world import ANN, SUE, Clock, contents, issue, make_older_store, sql, url_of

from rfid_station.errors import Conflict, StationError, WrongCall
from rfid_station.store.opening import Store, open_store
from rfid_station.store.prints import PlacedCard, Printed, PrintItem, PrintJob

SHA = "ab" * 32
WORN = "the first one was worn"


def record(store: Store, *items: PrintItem, kind: str = "sheet", reason: str | None = None) -> int:
    return store.prints.record(
        design="classic",
        sheet="a4-10up",
        file_sha256=SHA,
        items=items,
        actor=SUE,
        kind=kind,
        reason=reason,
    )


def test_a_job_reads_back_per_card(store: Store, clock: Clock) -> None:
    first, second = issue(store, 1), issue(store, 2)
    clock.pass_by(9)
    job = record(store, PrintItem(first.id, 1, 1), PrintItem(second.id, 1, 2))
    again = record(store, PrintItem(first.id, 1, 1), PrintItem(first.id, 1, 2, "back"), reason=WORN)
    about = {"at": clock.now, "actor": "sue", "design": "classic", "sheet": "a4-10up", "file_sha256": SHA}
    told = {"job_id": job, "kind": "sheet", "reason": None, **about}
    assert store.prints.of_card(second.id) == [Printed(sheet_number=1, position=2, side="front", **told)]
    assert [(one.job_id, one.side, one.position, one.reason) for one in store.prints.of_card(first.id)] == [
        (job, "front", 1, None),
        (again, "front", 1, WORN),
        (again, "back", 2, WORN),
    ]
    assert store.prints.of_card(99) == []
    assert store.prints.job(job) == PrintJob(**told)
    assert [(one.job_id, cards) for one, cards in store.prints.jobs()] == [(again, 1), (job, 2)]
    assert [one.job_id for one, _ in store.prints.jobs(limit=1)] == [again]
    with pytest.raises(StationError, match="there is no print job 3"):
        store.prints.job(3)


def test_what_lies_on_a_sheet(store: Store) -> None:
    cards = [issue(store, n) for n in range(1, 5)]
    places = [
        PrintItem(card.id, 1 + n // 2, 1 + (n % 2 if side == "front" else 1 - n % 2), side)
        for n, card in enumerate(cards)
        for side in ("back", "front")
    ]
    job = record(store, *places)
    assert store.prints.on_sheet(job, 2) == [
        PlacedCard(2, 1, "front", cards[2]),
        PlacedCard(2, 2, "front", cards[3]),
        PlacedCard(2, 1, "back", cards[3]),
        PlacedCard(2, 2, "back", cards[2]),
    ]
    assert [(placed.sheet_number, placed.side) for placed in store.prints.on_sheet(job)] == [
        (sheet, side) for sheet in (1, 2) for side in ("front", "front", "back", "back")
    ]
    assert store.prints.on_sheet(job, 3) == store.prints.on_sheet(99) == []


def test_printing_is_witnessed_with_the_card(store: Store) -> None:
    card = issue(store, 1)
    job = record(store, PrintItem(card.id, 2, 7))
    event = store.cards.history(card.id)[-1]
    assert (event.action, event.actor) == ("card.printed", SUE)
    assert event.data == {
        "visual_number": card.visual_number,
        "job": job,
        "design": "classic",
        "sheet": "a4-10up",
        "file_sha256": SHA,
        "kind": "sheet",
        "reason": None,
        "place": [2, 7],
        "side": "front",
    }
    record(store, PrintItem(card.id, 1, 1, "back"), kind="card", reason=WORN)
    event = store.cards.history(card.id)[-1]
    assert (event.data["kind"], event.data["reason"], event.data["side"]) == ("card", WORN, "back")
    assert store.audit.check().is_sound


def test_which_cards_were_printed_and_the_next_number(store: Store) -> None:
    assert (store.prints.card_ids(), store.prints.next_job()) == (set(), 1)
    card, other = issue(store, 1), issue(store, 2)
    for job in (1, 2):
        assert store.prints.next_job() == record(store, PrintItem(card.id, 1, 1), reason=WORN) == job
    assert store.prints.card_ids() == {card.id}
    record(store, PrintItem(other.id, 1, 1), kind="letter")
    assert store.prints.card_ids() == {card.id}
    assert store.prints.card_ids(["letter"]) == {other.id}


@pytest.mark.parametrize(
    ("before", "now", "is_again"),
    [
        ("sheet", "sheet", True),
        ("sheet", "press", True),
        ("press", "card", True),
        ("letter", "letter", True),
        ("sheet", "letter", False),
        ("letter", "sheet", False),
    ],
)
def test_a_second_time_needs_a_reason(
    store: Store, place: Path | Base, before: str, now: str, is_again: bool
) -> None:
    card, other = issue(store, 1), issue(store, 2)
    record(store, PrintItem(card.id, 1, 1), kind=before)
    kept = contents(place)
    both = PrintItem(other.id, 1, 1), PrintItem(card.id, 1, 2)
    if is_again:
        for nothing in (None, "", "  "):
            with pytest.raises(Conflict, match=f"{card.visual_number} was printed before, in job 1 by sue"):
                store.prints.check_again([other.id, card.id], now, nothing)
            with pytest.raises(Conflict, match=f"{card.visual_number} was printed before") as refused:
                record(store, *both, kind=now, reason=nothing)
            assert '--reason "' in str(refused.value.hint)
        assert contents(place) == kept
    else:
        store.prints.check_again([card.id], now, None)
    assert record(store, *both, kind=now, reason=WORN if is_again else None) == 2


def test_more_cards_than_a_statement_takes(store: Store) -> None:
    card = issue(store, 1)
    record(store, PrintItem(card.id, 1, 1))
    with pytest.raises(Conflict, match="was printed before"):
        store.prints.check_again([*range(10_000, 400_000), card.id], "sheet", None)
    store.prints.check_again(range(10_000, 400_000), "sheet", None)


def test_an_unknown_card_an_empty_job_and_a_place_taken_twice(store: Store, place: Path | Base) -> None:
    card, other = issue(store, 1), issue(store, 2)
    before = contents(place)
    with pytest.raises(WrongCall, match="there is no card with id 77"):
        record(store, PrintItem(card.id, 1, 1), PrintItem(77, 1, 2))
    with pytest.raises(WrongCall, match="a print job without cards"):
        record(store)
    with pytest.raises(Conflict, match="refuses this"):
        record(store, PrintItem(card.id, 1, 1), PrintItem(other.id, 1, 1))
    assert contents(place) == before
    assert ANN != SUE


def test_prints_of_an_older_store_were_fronts_on_sheets(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    make_older_store(path, "0004")
    with open_store(url_of(tmp_path / "older.db")) as store:
        card = issue(store, 1)
    before = tmp_path / "before.db"
    make_older_store(before, "0004")
    with closing(sqlite3.connect(before, isolation_level=None)) as older:
        older.execute("ATTACH ? AS newer", (str(path),))
        for table in ("card", "token"):
            names = ", ".join(row[1] for row in older.execute(f"PRAGMA main.table_info({table})"))
            older.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM newer.{table}")
        older.execute("DELETE FROM meta")
        older.execute("INSERT INTO meta SELECT * FROM newer.meta")
        older.execute("INSERT INTO event SELECT * FROM newer.event")
    sql(before, "INSERT INTO print_job VALUES (4, '2026-11-22T06:44:00.000000Z', 'sue', 'd', 's', 'ab')")
    sql(before, "INSERT INTO print_item VALUES (4, 1, 7, ?)", card.id)
    with open_store(url_of(before)) as store:
        [printed] = store.prints.of_card(card.id)
        assert (printed.job_id, printed.kind, printed.reason) == (4, "sheet", None)
        assert (printed.sheet_number, printed.position, printed.side) == (1, 7, "front")
        assert record(store, PrintItem(card.id, 1, 7, "back"), reason=WORN) == 5
