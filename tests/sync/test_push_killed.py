"""kill -9 of the process that changes cards and of the one that tells partners, while partners misbehave.

After each kill what is durable must be true by itself; in the end every partner equals the store.
`make soak` does it sixty times.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from killed_processes import SUPPORT, hurried, work, write
from station_invariants import check_invariants
from stations import CLERK, issue_from
from warm_processes import PROCESSES

from rfid_station.desk.partners.delivery import replicator
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.token import Party
from rfid_station.store.partners.registry import server_token_hash

SOAK = bool(os.environ.get("SOAK"))
KILLS = 60 if SOAK else 3
CARDS = 24
PARTNERS = ("one", "two", "three")


@dataclass
class FaultyCpo:
    """Keeps what it is told, obeys what comes last, and counts what came too late."""

    name: str
    dice: random.Random
    is_faulty: bool = True
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    backwards: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, uid: str) -> str:
        with self.lock:
            chance = self.dice.random()
        if not self.is_faulty:
            return "none"
        if int(uid, 16) % 5 == 0 and chance < 0.5:
            return "refuse"
        parts = {"busy": 0.03, "wait": 0.01, "drop": 0.02, "apply and drop": 0.02, "apply and fail": 0.02}
        for name, part in parts.items():
            chance -= part
            if chance < 0:
                return name
        return "none"

    def apply(self, uid: str, token: dict[str, Any]) -> None:
        with self.lock:
            held = self.holds.get(uid)
            if held and held["last_updated"] > token["last_updated"]:
                self.backwards.append(f"{uid}: {token['last_updated']} after {held['last_updated']}")
            self.holds[uid] = token

    def is_there(self, uid: str, last_updated: str) -> bool:
        with self.lock:
            return uid in self.holds and self.holds[uid]["last_updated"] >= last_updated


@contextmanager
def serving(cpo: FaultyCpo) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_PUT(self) -> None:
            uid = self.path.rpartition("/")[2].partition("?")[0]
            token = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fault = cpo.fault(uid)
            cpo.seen[fault] += 1
            if fault in ("none", "apply and drop", "apply and fail"):
                cpo.apply(uid, token)
            if fault in ("drop", "apply and drop"):
                self.close_connection = True
                return
            answers = {"busy": (503, 3000), "wait": (429, 3000), "apply and fail": (500, 3000)}
            self.answer(*answers.get(fault, (200, 2001 if fault == "refuse" else 1000)))

        def do_GET(self) -> None:
            held = cpo.holds.get(self.path.rpartition("/")[2].partition("?")[0])
            self.answer(200, 1000 if held else 2004, held)

        def answer(self, status: int, code: int, data: object = None) -> None:
            body = json.dumps({"status_code": code, "data": data}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def connect(station: Station, name: str, port: int) -> None:
    partners, url = station.store.partners, f"http://127.0.0.1:{port}"
    reference = station.vault.keep(name, "client-token")
    partners.add(name, f"{url}/versions", reference, Agreement(), CLERK)
    partners.begin_connecting(name, server_token_hash(name))
    endpoints = (Endpoint("tokens", "RECEIVER", f"{url}/tokens"),)
    connection = Connection("2.2.1", f"{url}/versions", endpoints, (Party("DE", "CPX"),))
    partners.finish_connecting(name, connection, reference, CLERK)


def requests_to(cpos: list[FaultyCpo]) -> int:
    return sum(cpo.seen.total() for cpo in cpos)


class Two:
    """The two processes, with their station open and waiting: opening takes longer than they live."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self._dice = dice
        self._start_line = PROCESSES.Barrier(3)
        seeds = [dice.randrange(1 << 30) for _ in range(2)]
        self._processes = [
            PROCESSES.Process(target=what, args=(folder, seed, self._start_line))
            for what, seed in zip((write, work), seeds, strict=True)
        ]
        for process in self._processes:
            process.start()

    def begin(self) -> None:
        self._start_line.wait(60)

    def kill(self, cpos: list[FaultyCpo]) -> None:
        """One of them first, and at some moment after it the other; not before partners heard of it."""
        heard = requests_to(cpos) + self._dice.randint(1, 60)
        self._dice.shuffle(self._processes)
        for process in self._processes:
            end = time.monotonic() + 20
            while requests_to(cpos) < heard and time.monotonic() < end:
                time.sleep(0.005)
            time.sleep(self._dice.uniform(0.0, 0.1))
            process.kill()

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.join(20)
            assert process.exitcode == -signal.SIGKILL, "it did not live until it was killed"


def check_what_is_durable(station: Station, cpos: list[FaultyCpo]) -> int:
    """Whatever a cursor has passed is parked or there; how many states that was seen of."""
    checked = 0
    for cpo in cpos:
        standing = station.store.feed.standing(cpo.name)
        excused = {row.token_id for row in standing.parked}
        for change in tokens_of(station):
            lanes = Lane if change.is_urgent else (Lane.BULK,)
            is_passed = any(change.revision <= standing.cursors[lane] for lane in lanes)
            if is_passed and change.token_id not in excused:
                stamp = f"{change.token.last_updated:%Y-%m-%dT%H:%M:%SZ}"
                assert cpo.is_there(change.token.uid.hex, stamp), f"{cpo.name} lost {change}"
                checked += 1
    return checked


def tokens_of(station: Station) -> list[Any]:
    return list(station.store.feed.own_after(0, Lane.BULK, 10_000))


@pytest.mark.timeout(1800)
def test_killed_again_and_again_nothing_is_lost_and_nothing_goes_back(folder: Path) -> None:
    settings = folder / "station.toml"
    settings.write_text(re.sub(r"timeout_s = [\d.]+", "timeout_s = 0.5", settings.read_text()))
    dice = random.Random(4)
    cpos = [FaultyCpo(name, random.Random(name)) for name in PARTNERS]
    with ExitStack() as servers, open_station(folder, SUPPORT) as station:
        with open_station(folder, CLERK) as desk:
            issue_from(desk, f"sim:ntag213?count={CARDS}", count=CARDS)
            for cpo in cpos:
                connect(desk, cpo.name, servers.enter_context(serving(cpo)))
        checked = 0
        pairs = [Two(folder, dice)]
        servers.callback(lambda: [pair.end() for pair in pairs])
        for kill in range(KILLS):
            two = pairs.pop()
            pairs += [Two(folder, dice)] if kill + 1 < KILLS else []
            two.begin()
            if kill % 7 == 3:
                station.store.feed.rewind(cpos[kill % 3].name, SUPPORT)
            two.kill(cpos)
            two.end()
            checked += check_what_is_durable(station, cpos)
            check_invariants(station)
        for cpo in cpos:
            cpo.is_faulty = False
        bring_home(station)
        check_what_is_durable(station, cpos)
        check_invariants(station, {cpo.name: held_by(cpo) for cpo in cpos})
        newest = {
            change.token.uid.hex: (change.token.valid, f"{change.token.last_updated:%Y-%m-%dT%H:%M:%SZ}")
            for change in tokens_of(station)
        }
    assert len(newest) == CARDS
    for cpo in cpos:
        assert held_by(cpo) == newest, cpo.name
        assert cpo.backwards == []
        assert not SOAK or min(cpo.seen[fault] for fault in ("refuse", "busy", "drop", "apply and drop")) > 0
    assert not SOAK or checked > KILLS
    seen = sum((cpo.seen for cpo in cpos), Counter[str]())
    sys.stdout.write(f"{KILLS} kills, {checked} states checked, {seen.total()} PUTs: {dict(seen)}\n")


def held_by(cpo: FaultyCpo) -> dict[str, tuple[bool, str]]:
    return {uid: (token["valid"], token["last_updated"]) for uid, token in cpo.holds.items()}


def bring_home(station: Station) -> None:
    """Until every partner is settled: what is parked or to be verified comes due by itself."""
    with replicator(station) as plain:
        replication = hurried(station, plain)
        end = time.monotonic() + 60
        while not all(report.is_settled for report in replication.run_until_settled(10)):
            assert time.monotonic() < end, "it does not come to an end"
