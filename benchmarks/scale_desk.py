"""One desk, or one worker of sync, in a process of its own, for `bench_scale` and `bench_desks`.

usage: python scale_desk.py desk FOLDER NAME CARDS PACE_S
       python scale_desk.py store FOLDER NAME CARDS PACE_S (the same calls of the store, and no card)
       python scale_desk.py worker FOLDER

It says `ready`, begins at each line of its input, and a desk then says what its cards took, as JSON:
`costs`, for each card the seconds by the `clock` and of the processor (`busy`), without the virtual chip, and
`locked`: how often the store stayed locked for so long that the desk gave up, and was started again.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench_station import Meter, MeteredLink

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.issue import Issued, Stage
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.numbers import Numbers
from rfid_station.desk.partners.delivery import background_delivery
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.tally import Tally
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Driver, Role
from rfid_station.domain.order import OrderLine
from rfid_station.domain.uid import CardUid
from rfid_station.errors import StationError, StoreError
from rfid_station.reader.sim import open_sim


class PacedReader:
    """Virtual cards, each laid down so long after the one before, as a clerk would; what each took."""

    uri = "sim:"

    def __init__(self, cards: int, pace_s: float) -> None:
        self._reader = open_sim(f"sim:ntag213?count={cards}")
        self._pace_s = pace_s
        self.costs: list[dict[str, float]] = []

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        meter, due_s = Meter(), time.monotonic()
        for link in self._reader.cards(stop):
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s + self._pace_s, time.monotonic())
            began_s, busy_s = time.perf_counter(), time.process_time()
            yield MeteredLink(link, meter)
            chip_s = meter.taken().get("chip", 0.0)
            clock_s, busy_s = time.perf_counter() - began_s, time.process_time() - busy_s
            self.costs.append({"clock": clock_s - chip_s, "busy": busy_s - chip_s})

    def close(self) -> None:
        self._reader.close()


class Silent:
    """A view that shows nothing, and ends the bench at the first failure."""

    def turned(self, tally: Tally) -> None: ...
    def stage(self, stage: Stage, words: str) -> None: ...
    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None: ...
    def said(self, words: str, hint: str | None = None) -> None: ...
    def failed(self, error: StationError, tally: Tally) -> None:
        raise SystemExit(error.message)


def issue(station: Station, name: str, cards: int, pace_s: float) -> dict[str, object]:
    lines = lines_of(name, cards)
    costs: list[dict[str, float]] = []
    locked = 0
    while len(costs) < cards:
        reader = PacedReader(cards - len(costs), pace_s)
        try:
            issue_cards(Run(station, station.profile("link"), lines, None, Silent()), reader, lambda: False)
        except StoreError:
            locked += 1
        costs += reader.costs
    return {"costs": costs, "locked": locked}


def book(station: Station, name: str, cards: int, _pace_s: float) -> dict[str, object]:
    """What the store does for a card of the loop, one after the other."""
    store, numbers = station.store.cards, Numbers.of(station)
    for line in lines_of(name, cards):
        uid = CardUid(b"\x04" + secrets.token_bytes(6))
        store.by_order_line(line.key)
        store.living(uid)
        card = store.reserve(
            uid=uid,
            chip="NTAG213",
            profile="link",
            order_line=line.key,
            driver=line.driver,
            contract_of=numbers.contract_of,
            draw_visual=numbers.draw_visual,
            draw_alias=numbers.draw_alias,
            actor=station.actor,
        )
        store.begin_encoding(card.id, "digest of the plan", station.actor)
        store.register(card.id, token_of=station.token, activate=True, actor=station.actor)
    return {}


def lines_of(name: str, cards: int) -> list[OrderLine]:
    return [OrderLine(f"{name}:{n}", Driver(f"{name} {n}", f"{name}-{n}", "Fleet 7")) for n in range(cards)]


DESKS = {"desk": issue, "store": book}


def main() -> None:
    what, folder, *more = sys.argv[1:]
    with open_station(Path(folder), Actor("bench", Role.CLERK)) as station:
        if what in DESKS:
            name, cards, pace_s = more[0], int(more[1]), float(more[2])
            DESKS[what](station, f"warm-{name}", 3, 0.0)
            print("ready", flush=True)
            for turn, _ in enumerate(sys.stdin):
                print(json.dumps(DESKS[what](station, f"{name}-{turn}", cards, pace_s)), flush=True)
        else:
            with background_delivery(station):
                print("ready", flush=True)
                sys.stdin.read()


if __name__ == "__main__":
    main()
