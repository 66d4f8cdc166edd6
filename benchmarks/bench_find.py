"""A card found among 1,000,000 by each form of each number, beside the same among 10,000.

The cards are made by SQLite itself, with all indexes of the store; what is measured is `Cards.find`, as every
command calls it. SQLite is asked for the plan of each statement: for these forms none reads through a table.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time

from sqlalchemy import event
from sqlalchemy.engine import Engine

from rfid_station.desk.station import Station, create_station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Role

FEW, MANY = 10_000, 1_000_000
LOOKUPS = 100
TARGET = 2.0
CLERK = Actor("bench", Role.CLERK)

FORMS: dict[str, Callable[[Card], str]] = {
    "number": lambda card: card.visual_number,
    "number, small, no dashes": lambda card: card.visual_number.replace("-", "").lower(),
    "contract": lambda card: f"{card.contract_id}",
    "contract, no dashes": lambda card: card.contract_id.compact,
    "UID": lambda card: card.uid.hex,
    "UID, reversed, small": lambda card: card.uid.raw[::-1].hex(),
    "UID, decimal": lambda card: f"{int.from_bytes(card.uid.raw)}",
    "UID, padded": lambda card: f"000000{card.uid.hex}",
    "link": lambda card: f"https://cards.example.com/c/{card.alias}",
    "order line": lambda card: card.order_line or "",
    "reference": lambda card: card.driver.reference if card.driver else "",
    "beginning of a number": lambda card: card.visual_number[:-1],
    "whole name": lambda card: card.driver.name if card.driver else "",
    "end of a number": lambda card: card.visual_number[5:],
}

_DRIVERS = """
WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)
INSERT INTO driver (id, name, reference, fleet, language, search_text)
SELECT n, 'Driver ' || n, 'P-' || n, 'Fleet ' || n % 50, 'de', 'driver ' || n || char(10) || 'p-' || n
FROM counted
"""
_CARDS = """
WITH RECURSIVE
    counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?),
    drawn(n, digits) AS (SELECT n, printf('%09d', n * 387420489 % 999999937) FROM counted)
INSERT INTO card (id, uid, chip, profile, state, contract_id, visual_number, visual_bare, alias, order_line,
                  driver_id, created_at, changed_at, card_group, contract_card, claim_attempts,
                  visual_backwards)
SELECT n, printf('04%010X80', n * 6364136223 % 1099511627689), 'NTAG213', 'plain', 'active',
       printf('NLEXMC%08d', n),
       'EXM-' || substr(digits, 1, 4) || '-' || substr(digits, 5, 4) || '-' || substr(digits, 9),
       'EXM' || digits, printf('%012X', n * 704602925437 % 281474976710597), 'fleet:' || n, n,
       '2026-11-22T06:44:00.000000Z', '2026-11-22T06:44:00.000000Z', 'Fleet ' || n % 50, 1, 0,
       reverse('EXM' || digits)
FROM drawn
"""


def main() -> int:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with (
        tempfile.TemporaryDirectory() as folder,
        a_station(Path(folder) / "few", FEW) as small,
        a_station(Path(folder) / "many", many) as large,
    ):
        print(f"{'':26} {FEW:>9,} {many:>9,}")
        ratios = [beside(small, large, name, form) for name, form in FORMS.items()]
        read_through = [plan for form in FORMS.values() for plan in plans(large, form)]
    print(f"at most {max(ratios):.2f} times as long; wanted {TARGET:g}")
    for plan in sorted(set(read_through)):
        print(f"reads through: {plan}")
    return 0


@contextmanager
def a_station(folder: Path, cards: int) -> Iterator[Station]:
    create_station(folder, CLERK, profile="plain", reader="sim:")
    with closing(sqlite3.connect(folder / "station.db", isolation_level=None)) as store:
        store.execute("PRAGMA cache_size = -200000")
        store.create_function("reverse", 1, lambda text: text[::-1])
        store.execute("BEGIN")
        store.execute(_DRIVERS, (cards,))
        store.execute(_CARDS, (cards,))
        store.execute("COMMIT")
    with open_station(folder, CLERK) as station:
        yield station


def beside(small: Station, large: Station, name: str, form: Callable[[Card], str]) -> float:
    """How much longer it takes among many, by the time of the processor."""
    few, many = lookup_us(small, form), lookup_us(large, form)
    print(f"{name:26} {few:6.0f} us {many:6.0f} us {many / few:6.2f}", flush=True)
    return many / few


def lookup_us(station: Station, form: Callable[[Card], str]) -> float:
    """The median of a look-up, in microseconds of the processor; what it finds is the right card."""
    wanted = drawn(station, LOOKUPS)
    took = []
    for card in [wanted[0], *wanted]:
        text = form(card)
        started, by_the_clock = process_time(), perf_counter()
        hits = station.store.cards.find(text)
        took.append(min(process_time() - started, perf_counter() - by_the_clock))
        if card.id not in [hit.card.id for hit in hits]:
            raise SystemExit(f"{text} does not find card {card.visual_number}")
    return 1e6 * median(took[1:])


def drawn(station: Station, count: int) -> list[Card]:
    """Some cards by chance, the same in every run."""
    newest = station.store.cards.listing(limit=1)[0].id
    chance = Random(7)
    return [station.store.cards.by_id(chance.randint(1, newest)) for _ in range(count)]


def plans(station: Station, form: Callable[[Card], str]) -> list[str]:
    """The steps by which SQLite would read through cards or drivers for a whole number."""
    asked: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    (card,) = drawn(station, 1)
    event.listen(Engine, "before_cursor_execute", note)
    station.store.cards.find(form(card))
    event.remove(Engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(station.folder / "station.db")) as store:
        steps = [
            str(step[3])
            for statement, values in asked
            for step in store.execute(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
        ]
    return [step for step in steps if step.startswith(("SCAN card", "SCAN driver"))]


if __name__ == "__main__":
    sys.exit(main())
