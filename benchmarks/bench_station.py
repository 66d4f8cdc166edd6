"""Host time per card in the station loop, and what of it is store, chip and view.

A card is made from its tap to the screen that asks for the next: identify, reserve, plan, write, read back,
register, 4 drawings of a terminal of 80 × 24 on a pseudo-terminal, on a virtual reader. Counted is the
processor time of the process (user and system, all threads), less that of the virtual chip, which plays
hardware: its part is measured around each exchange and shown beside. Not counted is waiting for a card, which
takes most of the time with a real one; nor what the disk takes for an fsync: the store lies in memory where
the system has a place for that (/dev/shm). Beside the median stands the tenth of the cards that was
disturbed least, since other programs on the same processor slow down what is counted too; and a piece of work
that never changes, done after each card: two runs compare by what they cost in multiples of it.
"""

from __future__ import annotations

import pty
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from time import process_time, thread_time
from typing import Any

from rfid_station.chip.exchange import CardLink, Exchange
from rfid_station.cli.issue_screen import ScreenView
from rfid_station.cli.screen import Screen
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station
from rfid_station.domain.card import Driver
from rfid_station.domain.order import OrderLine
from rfid_station.reader.sim import open_sim

CARDS = 200
WARM = 20
LIMIT_MS = 5.0
MEMORY = Path("/dev/shm")
STORE = ("reserve", "begin_encoding", "register", "living", "by_order_line")


class Meter:
    """Processor time of this thread spent inside what was wrapped, by name, since the last reset."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any, **options: Any) -> Any:
            began = thread_time()
            try:
                return call(*arguments, **options)
            finally:
                self.spent_s[part] = self.spent_s.get(part, 0.0) + thread_time() - began

        return measured

    def taken(self) -> dict[str, float]:
        spent, self.spent_s = self.spent_s, {}
        return spent


class MeteredLink:
    """A card whose own work is measured."""

    raw = True

    def __init__(self, link: CardLink, meter: Meter) -> None:
        self._link = link
        self.seen = link.seen
        self.uid = meter.around("chip", link.uid)
        self.restart_field = meter.around("chip", link.restart_field)
        self._transceive = meter.around("chip", link.transceive)

    def transceive(self, command: Exchange) -> bytes:
        return bytes(self._transceive(command))


class MeteredReader:
    """Virtual cards one after the other; what each cost is noted when the next is asked for."""

    uri = "sim:"

    def __init__(self, cards: int, meter: Meter) -> None:
        self._reader = open_sim(f"sim:ntag213?count={cards}")
        self._meter = meter
        self.costs: list[dict[str, float]] = []

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        for link in self._reader.cards(stop):
            self._meter.taken()
            began = process_time()
            yield MeteredLink(link, self._meter)
            spent_s = process_time() - began
            self._meter.around("fixed", fixed_work)()
            self.costs.append({"whole": spent_s, **self._meter.taken()})

    def close(self) -> None:
        self._reader.close()


def fixed_work() -> int:
    """Says how fast the interpreter was meanwhile."""
    return sum(len(f"{number}") for number in range(1000))


def measure(station: Station, screen: Screen) -> list[dict[str, float]]:
    meter = Meter()
    cards = station.store.cards
    for name in STORE:
        setattr(cards, name, meter.around("store", getattr(cards, name)))
    metered = MeteredView(ScreenView("bench", screen), meter)
    lines = [
        OrderLine(f"bench:{number}", Driver(f"Driver {number}", f"{number}"))
        for number in range(CARDS + WARM)
    ]
    reader = MeteredReader(len(lines), meter)
    screen.enter()
    issue_cards(Run(station, station.profile("link"), lines, None, metered), reader, lambda: False)
    screen.leave()
    return reader.costs[WARM:]


class MeteredView:
    """A view whose own work is measured."""

    def __init__(self, view: ScreenView, meter: Meter) -> None:
        self.turned = meter.around("view", view.turned)
        self.stage = meter.around("view", view.stage)
        self.issued = meter.around("view", view.issued)
        self.failed = meter.around("view", view.failed)
        self.said = meter.around("view", view.said)


def main() -> None:
    """Measure with another process as the terminal, and print the median of each part."""
    ours, terminal = pty.openpty()
    with subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL) as reading:
        try:
            report(measured(terminal))
        finally:
            reading.terminate()


def measured(terminal: int) -> list[dict[str, float]]:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "station"
        clerk = actor_at_keyboard("bench")
        create_station(path, clerk, profile="link", reader="sim:ntag213")
        with open_station(path, clerk) as station:
            return measure(station, Screen(terminal))


def report(costs: list[dict[str, float]]) -> None:
    rows = {
        f"host, from tap to the next question (limit {LIMIT_MS:.0f})": [_host(cost) for cost in costs],
        "  store: 3 transactions, 2 look-ups": [cost["store"] for cost in costs],
        "  view: 4 drawings of a terminal": [cost["view"] for cost in costs],
        "  dialogues, plan, loop": [_host(cost) - cost["store"] - cost["view"] for cost in costs],
        "the virtual chip beside it": [cost["chip"] for cost in costs],
        "fixed work of the interpreter beside it": [cost["fixed"] for cost in costs],
    }
    print(f"processor time a card, {len(costs)} cards, profile link on an NTAG213, in ms")
    print(f"{'':44}{'median':>8}{'quiet tenth':>13}")
    for name, seconds in rows.items():
        print(f"{name:44}{median(seconds) * 1000:8.2f}{quantiles(seconds, n=10)[0] * 1000:13.2f}")


def _host(cost: dict[str, float]) -> float:
    return cost["whole"] - cost["chip"]


if __name__ == "__main__":
    main()
