"""Authorize and the token list, beside the endpoint one would write first, in the same run.

Both are processes of their own with one uvicorn worker on the same tokens in SQLite. CPU is what the server's
process used for a request, which other programs disturb less than the rate.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rfid_station.desk.station import actor_at_keyboard, create_station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.partner import Connection
from rfid_station.store.partners import server_token_hash

TOKENS = int(os.environ.get("BENCH_TOKENS", "100000"))
TOKEN = "server-token-of-the-bench"
SECONDS = 4.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def uid_of(number: int) -> str:
    return f"04{number:012X}"


def make_station(folder: Path, port: int) -> None:
    clerk = actor_at_keyboard("bench")
    create_station(folder, clerk, profile="plain", reader="sim:ntag213")
    settings = folder / "station.toml"
    settings.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", settings.read_text()))
    with open_station(folder, clerk) as station:
        partners = station.store.partners
        reference = station.vault.keep("puller", "x")
        partners.add("puller", "http://127.0.0.1:9/versions", reference, Agreement(), clerk)
        partners.begin_connecting("puller", server_token_hash(TOKEN))
        gone = Connection("2.2.1", "http://127.0.0.1:9/versions", (), ())
        partners.finish_connecting("puller", gone, reference, clerk)
    with closing(sqlite3.connect(folder / "station.db")) as db, db:
        at = "2026-01-15T09:30:00.000000Z"
        db.executemany(
            "INSERT INTO card (id, uid, chip, profile, state, contract_id, visual_number, visual_bare, alias,"
            " created_at, changed_at) VALUES (?, ?, 'NTAG213', 'plain', 'active', ?, ?, ?, ?, ?, ?)",
            (
                (n, uid_of(n), f"NLEXMC{n:08}", f"EXM-{n}", f"EXM{n}", f"a{n}", at, at)
                for n in range(1, TOKENS + 1)
            ),
        )
        db.executemany(
            "INSERT INTO token (id, card_id, created_seq, revision, urgent, type, uid, country_code,"
            " party_id, contract_id, visual_number, issuer, valid, whitelist, last_updated)"
            " VALUES (?, ?, ?, ?, 0, 'RFID', ?, 'NL', 'EXM', ?, ?, 'Example Mobility', 1, 'ALLOWED', ?)",
            ((n, n, n, n, uid_of(n), f"NLEXMC{n:08}", f"EXM-{n}", at) for n in range(1, TOKENS + 1)),
        )
        db.execute("UPDATE meta SET revision = ?, token_count = ?", (TOKENS, TOKENS))


def make_naive(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE naive_partner (token TEXT PRIMARY KEY, name TEXT NOT NULL)")
        db.execute(
            "CREATE TABLE naive_token (id INTEGER PRIMARY KEY, country_code TEXT, party_id TEXT, uid TEXT,"
            " type TEXT, contract_id TEXT, visual_number TEXT, issuer TEXT, valid BOOLEAN, whitelist TEXT,"
            " last_updated TEXT)"
        )
        db.execute("INSERT INTO naive_partner VALUES (?, 'puller')", (TOKEN,))
        db.executemany(
            "INSERT INTO naive_token VALUES (?, 'NL', 'EXM', ?, 'RFID', ?, ?, 'Example Mobility', 1,"
            " 'ALLOWED', '2026-01-15T09:30:00Z')",
            ((n, uid_of(n), f"NL-EXM-C{n:08}-X", f"EXM-{n}") for n in range(1, TOKENS + 1)),
        )
        db.execute("CREATE UNIQUE INDEX naive_uid ON naive_token (uid)")


@contextmanager
def process(command: list[str], port: int) -> Iterator[int]:
    started = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
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
        yield started.pid
    finally:
        started.terminate()
        started.wait(20)
        if started.stderr:
            started.stderr.close()


def cpu_s(pid: int) -> float:
    spent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK")


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Send a request, read the whole answer; its status."""
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
    await reader.readexactly(length)
    return int(head[9:12])


async def load(port: int, requests: list[bytes], clients: int, seconds: float) -> list[float]:
    """What each request took, in seconds, from so many clients that ask one after the other."""
    took: list[float] = []
    until_s = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while time.perf_counter() < until_s:
            began_s = time.perf_counter()
            status = await ask(reader, writer, requests[turn % len(requests)])
            took.append(time.perf_counter() - began_s)
            if status != 200:
                raise SystemExit(f"the server answered {status}")
            turn += clients
        writer.close()

    await asyncio.gather(*map(client, range(clients)))
    return took


def request(method: str, path: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Token {TOKEN}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n".encode() if method == "POST" else f"{head}\r\n".encode()


def measure(pid: int, port: int, requests: list[bytes], clients: int) -> tuple[float, float, float, float]:
    """Requests a second, p50 and p99 in milliseconds, CPU microseconds a request."""
    before = cpu_s(pid)
    took = asyncio.run(load(port, requests, clients, SECONDS))
    spent = cpu_s(pid) - before
    cuts = statistics.quantiles(took, n=100)
    return len(took) / SECONDS, cuts[49] * 1000, cuts[98] * 1000, spent / len(took) * 1e6


def once(pid: int, port: int, requests: list[bytes]) -> tuple[float, float, float, float]:
    """The same for requests that are each made once."""
    before, began_s, took = cpu_s(pid), time.perf_counter(), []

    async def one_after_the_other() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for each in requests:
            began_s = time.perf_counter()
            await ask(reader, writer, each)
            took.append(time.perf_counter() - began_s)
        writer.close()

    asyncio.run(one_after_the_other())
    cuts = statistics.quantiles(took, n=100)
    rate = len(took) / (time.perf_counter() - began_s)
    return rate, cuts[49] * 1000, cuts[98] * 1000, (cpu_s(pid) - before) / len(took) * 1e6


def while_crawled(pid: int, port: int, asks: list[bytes], pages: list[bytes]) -> float:
    """The p99 of authorizing in milliseconds while somebody reads the list."""

    async def both() -> list[float]:
        took, _ = await asyncio.gather(load(port, asks, 2, SECONDS), load(port, pages, 1, SECONDS))
        return took

    return statistics.quantiles(asyncio.run(both()), n=100)[98] * 1000


def main() -> None:
    """Print a line for each server and load, and the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder, port, naive_port = Path(name), free_port(), free_port()
        make_station(folder / "station", port)
        make_naive(folder / "naive.db")
        ours = [sys.executable, "-m", "rfid_station", "--station", str(folder / "station"), "serve"]
        ours += ["--no-sync", "--no-access-log"]
        naive = [sys.executable, str(Path(__file__).with_name("naive_endpoint.py"))]
        naive += [str(folder / "naive.db"), str(naive_port)]
        with process(ours, port) as pid, process(naive, naive_port) as naive_pid:
            report(pid, port, naive_pid, naive_port)


def report(pid: int, port: int, naive_pid: int, naive_port: int) -> None:
    numbers = range(1, TOKENS, 37)
    asks = [request("POST", f"/ocpi/2.2.1/tokens/{uid_of(n)}/authorize") for n in numbers]
    naive_asks = [request("POST", f"/tokens/{uid_of(n)}/authorize") for n in numbers]
    offsets = range(0, min(TOKENS, 15_000), 1000)
    pages = [request("GET", f"/ocpi/2.2.1/tokens?offset={offset}&limit=1000") for offset in offsets]
    naive_pages = [request("GET", f"/tokens?offset={offset}&limit=1000") for offset in offsets]
    first = once(pid, port, pages)
    print(f"{TOKENS} tokens; p50 and p99 in ms, CPU in us a request")
    print(f"{'':34}{'req/s':>9}{'p50':>9}{'p99':>9}{'CPU':>9}")
    _line("list 1000, as first read, ours", first)
    for what, mine, theirs, clients in (
        ("authorize, 1 client", asks, naive_asks, 1),
        ("authorize, 16 clients", asks, naive_asks, 16),
        ("list 1000, read before, 4 clients", pages, naive_pages, 4),
    ):
        us, them = measure(pid, port, mine, clients), measure(naive_pid, naive_port, theirs, clients)
        _line(f"{what}, ours", us)
        _line(f"{what}, naive", them)
        print(f"{'':34}ratio: {us[0] / them[0]:.1f} in requests a second, {them[3] / us[3]:.1f} in CPU")
    print(f"authorize, 2 clients, while the list is read: p99 {while_crawled(pid, port, asks, pages):.2f} ms")
    naive_p99 = while_crawled(naive_pid, naive_port, naive_asks, naive_pages)
    print(f"naive, the same: p99 {naive_p99:.2f} ms")


def _line(what: str, measured: tuple[float, float, float, float]) -> None:
    print(f"{what:34}{measured[0]:9.0f}{measured[1]:9.2f}{measured[2]:9.2f}{measured[3]:9.0f}")


if __name__ == "__main__":
    main()
