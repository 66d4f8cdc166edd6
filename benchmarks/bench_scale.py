"""A store with 1,000,000 cards and 50 partners beside one with 10,000, on both engines, in the same run.

Both are asked in turn, so that a busy machine slows down both. Beside the time by the clock stands that of
the processor, the server's included, and what a busy machine cannot change: the instructions of SQLite's
machine and the pages that PostgreSQL looked at. `BENCH_CARDS` makes it smaller; engines as arguments
(`sqlite`, `postgresql`) leave out the other one, parts (`find`, `reads`, `block`, …) the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from statistics import mean, median, quantiles
from typing import Any

from bench_find import FORMS
from bench_push import receiver
from counted_work import Counter
from scale_world import NAMES, OF_SOME, PER_PARCEL, a_world
from throwaway_postgresql import throwaway_cluster

from rfid_station.desk.station import Station
from rfid_station.desk.support.stopping import move_and_push
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.feed import Lane
from rfid_station.store.opening import Store
from rfid_station.store.told.shelf import Shelf

CARDS = int(os.environ.get("BENCH_CARDS", "1000000"))
FEW = min(10_000, CARDS // 10)
BYTES_A_CARD = 12_000
"""What room is asked for: store, write-ahead log, and the other store beside it."""
LOOKUPS, ROUNDS = 10, 4
BLOCKS = 12
DESKS, WORKERS, ISSUED, PACE_S = 5, 2, 30, 1.0
PAGE = 1000
SCRIPT = Path(__file__).with_name("scale_desk.py")
TARGET = 2.0

Forms = dict[str, Callable[[Card], str]]
WHOLE: Forms = FORMS | {
    "order": lambda card: order_of(card),
    "tracking number": lambda card: f"JJNL{(card.id - 1) // PER_PARCEL:010}",
}
EVERYTHING, SOME = NAMES[OF_SOME + 1], NAMES[OF_SOME - 1]


@dataclass(frozen=True)
class Beside:
    """The small store and the large one."""

    few: Counter
    many: Counter

    def both(self) -> tuple[Counter, Counter]:
        return self.few, self.many

    def line(self, name: str, few: float, many: float, unit: str, places: int = 0) -> None:
        ratio = f"{many / few:6.2f}" if few else "     -"
        print(f"  {name:46} {few:10,.{places}f} {many:12,.{places}f} {unit:4} {ratio}", flush=True)


# Find


def find(beside: Beside) -> None:
    print(f"  find a card: processor, {ROUNDS * LOOKUPS} look-ups; beside it what the engine did for each")
    for name, form in WHOLE.items():
        one_form(beside, name, form)


def one_form(beside: Beside, name: str, form: Callable[[Card], str]) -> None:
    spent: dict[Counter, list[float]] = {one: [] for one in beside.both()}
    wanted = {one: drawn(one.station, LOOKUPS * ROUNDS) for one in beside.both()}
    for turn in range(ROUNDS):
        for one in beside.both():
            cards = wanted[one][turn * LOOKUPS : (turn + 1) * LOOKUPS]
            took_s = one.spent_s(lambda one=one, cards=cards: find_each(one.station, cards, form))
            spent[one].append(took_s / LOOKUPS * 1e6)
    beside.line(name, *(median(spent[one]) for one in beside.both()), "us")
    show_work(beside, lambda one: lambda: one.station.store.cards.find(form(wanted[one][0])))


def find_each(station: Station, cards: Sequence[Card], form: Callable[[Card], str]) -> None:
    for card in cards:
        hits = station.store.cards.find(form(card))
        if card.id not in [hit.card.id for hit in hits]:
            raise SystemExit(f"{form(card)} does not find card {card.visual_number}")


def show_work(beside: Beside, call_of: Callable[[Counter], Callable[[], object]]) -> None:
    few, many = (one.work(call_of(one)) for one in beside.both())
    unit = "page" if beside.many.station.store.path is None else "step"
    beside.line(f"    {many.statements} statements", few.amount, many.amount, unit)
    if many.amount > TARGET * few.amount:
        for words in sorted(many.read_through):
            print(f"      reads through: {words}")


def drawn(station: Station, count: int) -> list[Card]:
    """Some of the oldest cards by chance, the same in every run and in both stores."""
    return [station.store.cards.by_id(number) for number in Random(7).sample(range(1, FEW + 1), count)]


# What else is asked all day


def reads(beside: Beside) -> None:
    print(f"  what else is asked all day: processor, median of {ROUNDS}, and what the engine did")
    for name, ask in READS.items():
        calls = {one: asking(one, ask) for one in beside.both()}
        spent: dict[Counter, list[float]] = {one: [] for one in beside.both()}
        for _ in range(ROUNDS):
            for one in beside.both():
                spent[one].append(one.spent_s(calls[one]))
        beside.line(name, *(1e3 * median(spent[one]) for one in beside.both()), "ms", 1)
        show_work(beside, calls.__getitem__)


def asking(one: Counter, ask: Callable[[Store, Card], object]) -> Callable[[], object]:
    (card,) = drawn(one.station, 1)
    return lambda: ask(one.station.store, card)


def order_of(card: Card) -> str:
    return (card.order_line or "").split(":")[0]


def middle_of(card: Card) -> str:
    """What a number neither begins nor ends with."""
    return card.visual_number[5:-1]


def within_a_month(store: Store) -> date:
    return store.database.clock().date() + timedelta(30)


READS: dict[str, Callable[[Store, Card], object]] = {
    "is this UID a card": lambda store, card: store.cards.living(card.uid),
    "UIDs as lists show them": lambda store, card: store.cards.find(card.uid.masked),
    "a part of a number, in the newest cards": lambda store, card: store.cards.find(middle_of(card)),
    "the same in all cards": lambda store, card: store.cards.find(middle_of(card), everywhere=True),
    "history of a card": lambda store, card: store.cards.history(card.id),
    "the newest 50 cards": lambda store, _: store.cards.listing(limit=50),
    "the newest 50 that are blocked": lambda store, _: store.cards.listing(state=CardState.BLOCKED, limit=50),
    "an order": lambda store, card: store.orders.get(order_of(card)),
    "cards to be replaced": lambda store, _: store.replacements.asked(),
    "cards that end within a month": lambda store, _: store.dates.ending(within_a_month(store)),
    "enforce a partner's agreement": lambda store, _: store.feed.enforce(EVERYTHING),
    "how far a partner is": lambda store, _: store.feed.standing(EVERYTHING),
    "how far a partner of some fleets is": lambda store, _: store.feed.standing(SOME),
    "the next changes for it": lambda store, _: store.feed.changes_after(
        SOME, store.feed.standing(EVERYTHING, counted=False).head - 10, Lane.BULK, 100
    ),
    "since when a partner is owed something": lambda store, _: store.feed.owed(EVERYTHING),
    "since when one of some fleets is": lambda store, _: store.feed.owed(SOME),
    "when a partner was last proven": lambda store, _: store.feed.last_proof(EVERYTHING),
    "what one that reads by itself has not read": lambda store, _: store.contacts.unread(EVERYTHING),
}


# Block


class Stop:
    """A card to be blocked, by `stop()`; how long that took, and how many partners confirmed it."""

    took_s = 0.0
    partners = 0

    def __init__(self, station: Station, card: Card) -> None:
        self._station = station
        self._card = card

    def __call__(self) -> None:
        began_s = time.perf_counter()
        stopped = move_and_push(self._station, self._card, CardState.BLOCKED, Reason.LOST)
        self.took_s = time.perf_counter() - began_s
        stopped.check_confirmed()
        self.partners = len(stopped.confirmations)


def block(beside: Beside) -> None:
    """From the decision to stop a card until every partner was seen to hold it."""
    took: dict[Counter, list[float]] = {one: [] for one in beside.both()}
    spent: dict[Counter, list[float]] = {one: [] for one in beside.both()}
    wanted = {one: drawn(one.station, 5 * BLOCKS)[-BLOCKS:] for one in beside.both()}
    partners = 0
    for turn in range(BLOCKS):
        for one in beside.both():
            stop = Stop(one.station, wanted[one][turn])
            spent[one].append(one.spent_s(stop))
            took[one].append(stop.took_s)
            partners = stop.partners
    print(f"  block to confirmed, read back from all {partners} partners that have the card, {BLOCKS} times")
    for name, figures in (("by the clock, median", took), ("processor without the partners'", spent)):
        beside.line(name, *(1e3 * median(figures[one]) for one in beside.both()), "ms", 1)
    beside.line("by the clock, longest", *(1e3 * max(took[one]) for one in beside.both()), "ms", 1)


# Issue


def issue(beside: Beside) -> None:
    print(
        f"  one desk's card while {DESKS - 1} other desks issue one every {PACE_S:g} s each and {WORKERS} "
        f"workers bring them to {len(NAMES)} partners: without the virtual chip, {ISSUED} cards"
    )
    desks = [issued_at(one.station.folder, DESKS, WORKERS, ISSUED, PACE_S) for one in beside.both()]
    costs = [all_of_it[0]["costs"] for all_of_it in desks]
    for key, name in (("busy", "processor, median"), ("clock", "by the clock, median")):
        beside.line(name, *(1e3 * median(cost[key] for cost in each) for each in costs), "ms", 1)
    ninth = (1e3 * quantiles([cost["clock"] for cost in each], n=10)[-1] for each in costs)
    beside.line("by the clock, slowest tenth", *ninth, "ms", 1)
    locked = (sum(desk["locked"] for desk in all_of_it) for all_of_it in desks)
    beside.line("of all desks: the store was locked for 10 s", *locked, "")


def issued_at(folder: Path, desks: int, workers: int, cards: int, pace_s: float) -> list[dict[str, Any]]:
    """What the cards took, at each of several desks that issue at the same time."""
    stamp = f"{time.time_ns()}"
    with ExitStack() as all_of_it:
        helpers = [all_of_it.enter_context(a_process("worker", folder)) for _ in range(workers)]
        at_work = [
            all_of_it.enter_context(a_process("desk", folder, f"desk-{stamp}-{n}", cards, pace_s))
            for n in range(desks)
        ]
        for process in (*helpers, *at_work):
            said(process)
        for process in at_work:
            go(process)
        return [json.loads(said(process)) for process in at_work]


@contextmanager
def a_process(*words: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SCRIPT), *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args} ended without an answer")
    return line


# Pages


def page(beside: Beside) -> None:
    for name, partner in (("everything", EVERYTHING), ("some fleets", SOME)):
        read = [pages_of(one, partner) for one in beside.both()]
        counts = [(len(took), tokens) for took, tokens in read]
        print(f"  page through all tokens of a partner that gets {name}: {PAGE} a page, all made into values")
        beside.line("pages", *(pages for pages, _ in counts), "")
        beside.line("tokens", *(tokens for _, tokens in counts), "")
        for place in ("first", "middle", "last"):
            figures = (1e3 * mean(some_of(took, place)) for took, _ in read)
            beside.line(f"processor for each of the {place} ones", *figures, "ms", 1)


def pages_of(one: Counter, partner: str) -> tuple[list[float], int]:
    """What each page took of the processor, and how many tokens came."""
    store = one.station.store
    took: list[float] = []
    with closing(Shelf(store.database, store.partners, one.station.folder / "authorizations")) as shelf:
        crawl = Crawl(shelf, partner)
        while not crawl.is_over:
            took.append(one.spent_s(crawl))
    if crawl.seen != crawl.total:
        raise SystemExit(f"{crawl.seen} tokens came, and {crawl.total} were promised")
    return took, crawl.seen


class Crawl:
    """A partner's way through all pages, one at each call."""

    is_over = False
    seen = total = 0

    def __init__(self, shelf: Shelf, partner: str) -> None:
        self._shelf = shelf
        self._partner = partner
        self._after: int | None = None

    def __call__(self) -> None:
        found = self._shelf.page(self._partner, after=self._after, limit=PAGE)
        self.seen += len(list(found.tokens))
        self.total, self._after = found.total, found.after
        self.is_over = found.after is None


def some_of(took: Sequence[float], place: str) -> Sequence[float]:
    few = max(1, min(10, len(took) // 3))
    middle = (len(took) - few) // 2
    # The last page of all is seldom full.
    return {"first": took[:few], "middle": took[middle : middle + few], "last": took[-few - 1 : -1] or took}[
        place
    ]


# Size


def size(beside: Beside) -> None:
    cards = [one.station.store.cards.listing(limit=1)[0].id for one in beside.both()]
    sizes = [one.size() for one in beside.both()]
    beside.line("store", *(each / 1e6 for each in sizes), "MB", 1)
    each_card = (each / count for each, count in zip(sizes, cards, strict=True))
    beside.line("store for each card", *each_card, "B")


PARTS_OF_IT = (size, find, reads, page, block, issue)


def main() -> int:
    words = sys.argv[1:]
    engines = [name for name in ("sqlite", "postgresql") if name in words] or ["sqlite", "postgresql"]
    parts = [part for part in PARTS_OF_IT if part.__name__ in words] or PARTS_OF_IT
    check_room(Path(tempfile.gettempdir()))
    for engine in engines:
        measure(engine, parts)
    return 0


def measure(engine: str, parts: Sequence[Callable[[Beside], None]]) -> None:
    print(f"\n{engine}: {FEW:,} cards beside {CARDS:,}, {len(NAMES)} partners, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as name, ExitStack() as all_of_it:
        enter, counters = all_of_it.enter_context, []
        port = enter(receiver())
        cluster = enter(throwaway_cluster()) if engine == "postgresql" else None
        for kind, cards in (("few", FEW), ("many", CARDS)):
            database = cluster.make() if cluster else ""
            url = cluster.url(database) if cluster else None
            station = enter(a_world(Path(name) / kind, cards, port, url))
            counters.append(Counter(station, cluster, database))
        beside = Beside(*counters)
        print(f"  {'':46} {FEW:10,} {CARDS:12,}")
        for part in parts:
            part(beside)
        print(f"  load average at the end {os.getloadavg()[0]:.1f}")


def check_room(folder: Path) -> None:
    free, wanted = shutil.disk_usage(folder).free, CARDS * BYTES_A_CARD
    if free < wanted:
        raise SystemExit(
            f"{folder} has {free / 1e9:.1f} GB left, and {wanted / 1e9:.1f} are needed: TMPDIR=…"
        )


if __name__ == "__main__":
    sys.exit(main())
