"""Bringing tokens to partners: the rate beside what the same receiver takes from wrk, and from a peer.

Store and cursor are included; only the partner is small. All run on one machine: sender, receiver and wrk
share its processors, so that ratios within one run say more than rates. CPU is what the sending process
used for a token. `BENCH_TOKENS` makes all of it smaller; a name of a part as argument runs that alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

from rfid_station.collector import spare_what_is_there
from rfid_station.desk.partners.delivery import replicator
from rfid_station.desk.station import Station, actor_at_keyboard, create_station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.delivery import Outcome
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner import Connection, Endpoint
from rfid_station.domain.token import Party, Token
from rfid_station.store.partners.registry import server_token_hash
from rfid_station.sync.worker import Worker

TOKENS = int(os.environ.get("BENCH_TOKENS", "20000"))
BACKLOG = max(TOKENS, 5 * TOKENS)
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SECONDS = 3.0
BLOCKS = int(os.environ.get("BENCH_BLOCKS", "100"))
RECEIVER = Path(__file__).with_name("push_receiver.py")
PEER = Path(__file__).with_name("push_peer.py")
PEERS = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"

WRK_SCRIPT = """
wrk.method = "PUT"
wrk.body = '{"country_code":"NL","party_id":"EXM","uid":"04000000000001","type":"RFID",' ..
  '"contract_id":"NL-EXM-C00000001-X","visual_number":"EXM-1","issuer":"Example Mobility",' ..
  '"valid":true,"whitelist":"ALLOWED","last_updated":"2026-01-15T09:30:00Z"}'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json"
wrk.headers["Authorization"] = "Token c2VydmVyLXRva2VuLW9mLXRoZS1iZW5jaA=="
wrk.headers["X-Request-ID"] = "a4b3c0f2-7c4e-4f0e-9a37-1b1fd0a6b0aa"
wrk.headers["X-Correlation-ID"] = "a4b3c0f2-7c4e-4f0e-9a37-1b1fd0a6b0ab"
wrk.headers["OCPI-from-country-code"] = "NL"
wrk.headers["OCPI-from-party-id"] = "EXM"
wrk.headers["OCPI-to-country-code"] = "DE"
wrk.headers["OCPI-to-party-id"] = "CPX"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: object, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process that listens."""
    started = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > until_s or started.poll() is not None:
                    raise SystemExit(f"{command} did not start") from None
                time.sleep(0.05)
        yield started
    finally:
        started.kill()
        started.wait(20)


@contextmanager
def receiver(*words: str) -> Iterator[int]:
    port = free_port()
    with running(sys.executable, RECEIVER, port, *words, port=port):
        yield port


def make_station(folder: Path, ports: dict[str, int], tokens: int) -> None:
    """A station with so many cards, and partners that know none of them."""
    clerk = actor_at_keyboard("bench")
    create_station(folder, clerk, profile="plain", reader="sim:ntag213")
    with open_station(folder, clerk) as station:
        partners = station.store.partners
        party = station.settings.ocpi.party
        for name, port in ports.items():
            url = f"http://127.0.0.1:{port}"
            reference = station.vault.keep(name, "server-token-of-the-bench")
            partners.add(name, f"{url}/versions", reference, Agreement(), clerk)
            partners.begin_connecting(name, server_token_hash(name))
            endpoints = (Endpoint("tokens", "RECEIVER", f"{url}/tokens"),)
            connection = Connection("2.2.1", f"{url}/versions", endpoints, (Party("DE", "CPX"),))
            partners.finish_connecting(name, connection, reference, clerk)
    fill(folder / "station.db", tokens, party)


def fill(path: Path, tokens: int, party: Party) -> None:
    country, party_id = party.country_code, party.party_id
    at = "2026-01-15T09:30:00.000000Z"
    numbers = range(1, tokens + 1)
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO card (id, uid, chip, profile, state, contract_id, visual_number, visual_bare, alias,"
            " created_at, changed_at, card_group)"
            " VALUES (?, ?, 'NTAG213', 'plain', 'active', ?, ?, ?, ?, ?, ?, 'general')",
            (
                (n, f"04{n:012X}", f"{country}{party_id}C{n:08}", f"E-{n}", f"E{n}", f"a{n}", at, at)
                for n in numbers
            ),
        )
        db.executemany(
            "INSERT INTO token (id, card_id, created_seq, revision, urgent, type, uid, country_code,"
            " party_id, contract_id, visual_number, issuer, valid, whitelist, last_updated, card_group,"
            " grouped_at)"
            " VALUES (?, ?, ?, ?, 0, 'RFID', ?, ?, ?, ?, ?, 'Example', 1, 'ALLOWED', ?, 'general', 1)",
            (
                (n, n, n, n, f"04{n:012X}", country, party_id, f"{country}{party_id}C{n:08}", f"E-{n}", at)
                for n in numbers
            ),
        )
        db.execute("UPDATE meta SET revision = ?, token_count = ?", (tokens, tokens))


def forget_all(folder: Path) -> None:
    """Owe everybody everything again."""
    with closing(sqlite3.connect(folder / "station.db")) as db, db:
        db.execute("UPDATE partner SET bulk_cursor = 0, urgent_cursor = 0")
        db.execute("DELETE FROM parked")


def cursors(station: Station, names: list[str]) -> int:
    return sum(station.store.feed.standing(name).cursors[Lane.BULK] for name in names)


def push_for(folder: Path, names: list[str], seconds: float) -> tuple[float, float, dict[str, int]]:
    """Tokens a second that these partners acknowledged, CPU microseconds for each, requests to each."""
    forget_all(folder)
    with open_station(folder, actor_at_keyboard("bench")) as station, replicator(station) as replication:
        worker = Worker(replication)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        worker.start()
        time.sleep(seconds)
        worker.stop(0.5)
        took_s, spent_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        count = cursors(station, names)
        requests = {report.partner: report.puts for report in worker.reports()}
    return count / took_s, spent_s / max(count, 1) * 1e6, requests


def wrk_rate(port: int, script: Path, connections: int = 8) -> float:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS:g}s", "-s", str(script)]
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/tokens/1"], capture_output=True, text=True, check=True
    )
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told.stdout)[1])  # type: ignore[index]


def peer_rate(port: int) -> float:
    """What extrawest-ocpi, which pushes as py-ocpi does, brings to the same receiver."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [PEERS, PEER, str(port)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=alone)
    return float(told.stdout.split()[-1])


def one_partner() -> None:
    print(f"one partner, {TOKENS} tokens, {SECONDS:g} s; median of {RUNS} runs that take turns")
    ours, cpu, wrk, peer = [], [], [], []
    with tempfile.TemporaryDirectory() as name, receiver() as port:
        folder, script = Path(name) / "station", Path(name) / "put.lua"
        script.write_text(WRK_SCRIPT)
        make_station(folder, {"one": port}, TOKENS)
        for _ in range(RUNS):
            wrk.append(wrk_rate(port, script))
            rate, spent_us, _ = push_for(folder, ["one"], SECONDS)
            ours.append(rate)
            cpu.append(spent_us)
            peer += [peer_rate(port)] if PEERS.exists() else []
    rate, most = statistics.median(ours), statistics.median(wrk)
    print(f"  ours                  {rate:9.0f} tokens/s {statistics.median(cpu):7.0f} us CPU")
    print(f"  wrk, 8 connections    {most:9.0f} requests/s: ours is {rate / most:.0%}")
    if peer:
        slow = statistics.median(peer)
        print(f"  extrawest-ocpi's push {slow:9.1f} tokens/s: ours is {rate / slow:.0f} times that")


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def ten_partners() -> None:
    seconds = 12.0
    print(f"ten partners, {seconds:g} s; all of them well, and then one dead and one hanging")
    good = [f"good{number}" for number in range(8)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as all_of_it:
        enter = all_of_it.enter_context
        port, hanging, dead = enter(receiver()), enter(receiver("hang")), enter(dead_port())
        well, ill = Path(name) / "well", Path(name) / "ill"
        make_station(well, dict.fromkeys([*good, "nine", "ten"], port), TOKENS)
        make_station(ill, {**dict.fromkeys(good, port), "dead": dead, "hanging": hanging}, TOKENS)
        alone, beside, wasted = [], [], []
        for _ in range(RUNS):
            alone.append(push_for(well, [*good, "nine", "ten"], seconds)[0])
            rate, _, requests = push_for(ill, good, seconds)
            beside.append(rate)
            wasted.append((requests["dead"], count_of(hanging)))
    healthy, among = statistics.median(alone), statistics.median(beside)
    print(f"  all ten well, together         {healthy:7.0f} tokens/s")
    print(f"  eight beside a dead and a hanging one {among:6.0f} tokens/s: {among / healthy:.0%}")
    before = 0
    for dead_ones, so_far in wasted:
        print(f"  attempts in 12 s: {dead_ones} on the dead one, {so_far - before} on the hanging one")
        before = so_far


def count_of(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/count", timeout=5) as answer:
        return int(json.load(answer)["put"])


def blocks() -> None:
    """From the moment a block is committed until the partner holds it, proven, while a bulk is on its way.

    The first one stands apart: a program makes its HTTP client then, which reads the certificates of all whom
    this machine trusts, and its statements.
    """
    print(f"a block while {BACKLOG} tokens are on their way to the partner, {BLOCKS} times")
    with tempfile.TemporaryDirectory() as name, receiver() as port:
        folder = Path(name) / "station"
        make_station(folder, {"one": port}, BACKLOG)
        for what, measure in (
            ("told by its own process", block_in_process),
            ("by another process, read back there", block_from_outside),
        ):
            forget_all(folder)
            (first, *took), left = measure(folder)
            cuts = statistics.quantiles(took, n=100)
            print(
                f"  {what:37} p50 {cuts[49] * 1e3:6.1f} ms, p99 {cuts[98] * 1e3:6.1f} ms; {left} still owed;"
                f" the first of the program {first * 1e3:.1f} ms"
            )


def block(station: Station, number: int) -> int:
    """Take the rights of a card away at the end of the backlog; its token."""
    token_id = BACKLOG - number
    stamp = "2026-01-15T10:30:00.000000Z"
    with closing(sqlite3.connect(station.store.path, timeout=10)) as db:
        db.isolation_level = None
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE meta SET revision = revision + 1")
        db.execute(
            "UPDATE token SET valid = 0, urgent = 1, last_updated = ?,"
            " revision = (SELECT revision FROM meta) WHERE id = ?",
            (stamp, token_id),
        )
        db.execute("COMMIT")
    return token_id


def block_in_process(folder: Path) -> tuple[list[float], int]:
    """The worker is woken; it is over when the partner has answered."""
    took: list[float] = []
    with open_station(folder, actor_at_keyboard("bench")) as station, replicator(station) as replication:
        seen = threading.Condition()
        arrived: dict[str, float] = {}
        worker = Worker(replication)
        (peer,) = replication.peers
        plain_put = peer.receiver.put_soon

        async def put(token: Token) -> Outcome:
            outcome = await plain_put(token)
            if not token.valid:
                with seen:
                    arrived[token.uid.hex] = time.perf_counter()
                    seen.notify_all()
            return outcome

        peer.receiver.put_soon = put  # type: ignore[method-assign]
        worker.start()
        time.sleep(0.5)
        for number in range(BLOCKS + 1):
            token_id = block(station, number)
            began_s = time.perf_counter()
            worker.wake()
            uid = f"04{token_id:012X}"
            with seen:
                if not seen.wait_for(lambda uid=uid: uid in arrived, timeout=20):
                    raise SystemExit("a block did not arrive")
            took.append(arrived[uid] - began_s)
            time.sleep(0.02)
        worker.stop(2)
        left = station.store.feed.standing("one").behind
    return took, left


def block_from_outside(folder: Path) -> tuple[list[float], int]:
    """A worker runs in another process, as everybody starts it; we block, send, and read back."""
    bulk = [sys.executable, "-m", "rfid_station", "--station", str(folder), "serve", "--no-serve"]
    took = []
    with (
        subprocess.Popen(bulk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as working,
        open_station(folder, actor_at_keyboard("b")) as station,
        replicator(station) as replication,
    ):
        try:
            wait_for_progress(station)
            spare_what_is_there()  # Whoever blocks a card is a new program each time.
            for number in range(BLOCKS + 1, 2 * BLOCKS + 2):
                token_id = block(station, number)
                began_s = time.perf_counter()
                (confirmation,) = replication.push_now(token_id, 10)
                took.append(time.perf_counter() - began_s)
                if not confirmation.is_confirmed:
                    raise SystemExit(f"a block was not confirmed: {confirmation}")
                time.sleep(0.02)
            left = station.store.feed.standing("one").behind
        finally:
            working.kill()
    return took, left


def wait_for_progress(station: Station) -> None:
    """Until the partner has got the first tokens."""
    until_s = time.monotonic() + 30
    while not station.store.feed.standing("one", counted=False).cursors[Lane.BULK]:
        if time.monotonic() > until_s:
            raise SystemExit("the worker does not begin")
        time.sleep(0.02)


def main() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    for part in (one_partner, ten_partners, blocks):
        if part.__name__ in (sys.argv[1:] or part.__name__):
            part()


if __name__ == "__main__":
    main()
