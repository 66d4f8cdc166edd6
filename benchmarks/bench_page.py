"""The page of a card, beside a bare static answer of the same server, in the same run.

One process serves both: pages of a station with `BENCH_CARDS` cards before, and behind them an application
that answers the bytes of one such page. They are asked in turns of a second on several connections; what is
printed is the median of the turns. CPU is what the server's process used for a request.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import resource
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rfid_station.desk.station import actor_at_keyboard, create_station, open_station
from rfid_station.ocpi.server import serve_in_thread
from rfid_station.web import card_pages
from rfid_station.web.limits import Allowance, Tries

CARDS = int(os.environ.get("BENCH_CARDS", "100000"))
CONNECTIONS = 8
SECONDS = 1.0
TURNS = 5
ROW = "{:34}{:>12}{:>12}{:>12}"


def make_station(folder: Path) -> None:
    clerk = actor_at_keyboard("bench")
    create_station(folder, clerk, profile="plain", reader="sim:ntag213")
    at = "2026-01-15T09:30:00.000000Z"
    with closing(sqlite3.connect(folder / "station.db")) as db, db:
        db.executemany(
            "INSERT INTO card (id, uid, chip, profile, state, contract_id, visual_number, visual_bare, alias,"
            " created_at, changed_at, card_group)"
            " VALUES (?, ?, 'NTAG213', 'plain', 'active', ?, ?, ?, ?, ?, ?, 'general')",
            (
                (n, f"04{n:012X}", f"NLEXMC{n:08}", f"EXM-{n:08}", f"EXM{n:08}", f"A{n}", at, at)
                for n in range(1, CARDS + 1)
            ),
        )


def serve(folder: Path, pipe: Connection) -> None:
    """Be the server, and tell on each call how much CPU was used so far."""
    tries = Tries()
    tries.requests = Allowance(time.monotonic, most=10**9, each_s=1e-9)
    with (
        open_station(folder, actor_at_keyboard("bench")) as station,
        card_pages(station, None, None, tries=tries) as before,
        serve_in_thread(before(_static)) as where,
    ):
        pipe.send(where[1])
        _static.body = pipe.recv()
        while pipe.recv():
            used = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(used.ru_utime + used.ru_stime)


class Static:
    """Answers the same bytes to everybody."""

    body = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        length = (b"content-length", str(len(self.body)).encode())
        headers = [(b"content-type", b"text/html; charset=utf-8"), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


_static = Static()


@contextmanager
def running(folder: Path) -> Iterator[tuple[int, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(folder, theirs))
    process.start()
    try:
        yield ours.recv(), ours
        ours.send(False)
        process.join(20)
    finally:
        process.kill()


def one_page(port: int, target: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{target} was answered by {answer.status}")
    return body


def ask(port: int, targets: list[str], counts: list[int]) -> None:
    """Ask for one after the other, for a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    until_s, count = time.perf_counter() + SECONDS, 0
    while time.perf_counter() < until_s:
        connection.request("GET", targets[count % len(targets)])
        connection.getresponse().read()
        count += 1
    connection.close()
    counts.append(count)


def a_turn(port: int, pipe: Connection, targets: list[str]) -> tuple[float, float]:
    """Requests a second, and microseconds of the server's CPU for each."""
    pipe.send(True)
    before_s, began_s = pipe.recv(), time.perf_counter()
    counts: list[int] = []
    threads = [
        threading.Thread(target=ask, args=(port, targets[n::CONNECTIONS], counts)) for n in range(CONNECTIONS)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    took_s = time.perf_counter() - began_s
    pipe.send(True)
    return sum(counts) / took_s, (pipe.recv() - before_s) / sum(counts) * 1e6


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "station"
        make_station(folder)
        with running(folder) as (port, pipe):
            page = one_page(port, "/c/A1")
            pipe.send(page)
            asked = {
                f"page of one of {CARDS:,} cards": [f"/c/A{n % CARDS + 1}" for n in range(0, 977 * 64, 977)],
                "static answer, same bytes": ["/static"] * 64,
            }
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
            for _ in range(TURNS):
                for name, targets in asked.items():
                    found[name].append(a_turn(port, pipe, targets))
    print(ROW.format(f"{len(page):,} bytes", "requests/s", "CPU us", "times"))
    bare = statistics.median(cpu for _, cpu in found["static answer, same bytes"])
    for name, turns in found.items():
        rate, cpu = (statistics.median(values) for values in zip(*turns, strict=True))
        print(ROW.format(name, f"{rate:,.0f}", f"{cpu:,.0f}", f"{cpu / bare:.1f}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
