"""Authorize and the token list, beside the endpoint one would write first and py-ocpi, in the same run.

Each is a process of its own with one uvicorn worker on the same tokens in SQLite. They are asked in turns of
a second, and what is printed is the median of the turns: whatever else this machine does disturbs all of
them. CPU is what the server's process used for a request, which is disturbed less than the rate.

Beside authorize stands an empty application in the same uvicorn: nobody gets below that with it.
Authorizations are asked for by wrk, which needs little of the processor itself; lists by a client of ours.

py-ocpi needs an environment of its own, since it pins an old FastAPI: `BENCH_PY_OCPI` names its Python.
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
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from rfid_station.desk.station import actor_at_keyboard, create_station, open_station
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import CardState, Reason
from rfid_station.domain.partner import Connection
from rfid_station.store.partners.registry import server_token_hash

TOKENS = int(os.environ.get("BENCH_TOKENS", "100000"))
TOKEN = "server-token-of-the-bench"
SECONDS = 1.0
TURNS = 3
LEAST = 10
PAGES = 15
CLEAR, BASE64 = TOKEN, b64encode(TOKEN.encode()).decode()
PY_OCPI = os.environ.get("BENCH_PY_OCPI", ".venv-py-ocpi/bin/python")
WRK_SCRIPT = """
local requests, turn = {}, 0
for line in io.lines("%s") do
  requests[#requests + 1] = line:gsub("\\\\r", "\\r"):gsub("\\\\n", "\\n")
end
request = function()
  turn = turn %% #requests + 1
  return requests[turn]
end
"""
"""The requests stand in a file, one in a line."""
ROW = "{:42}{:>9}{:>9}{:>9}{:>9}"


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
            " created_at, changed_at, card_group)"
            " VALUES (?, ?, 'NTAG213', 'plain', 'active', ?, ?, ?, ?, ?, ?, 'general')",
            (
                (n, uid_of(n), f"NLEXMC{n:08}", f"EXM-{n}", f"EXM{n}", f"a{n}", at, at)
                for n in range(1, TOKENS + 1)
            ),
        )
        db.executemany(
            "INSERT INTO token (id, card_id, created_seq, revision, urgent, type, uid, country_code,"
            " party_id, contract_id, visual_number, issuer, valid, whitelist, last_updated, card_group,"
            " grouped_at)"
            " VALUES (?, ?, ?, ?, 0, 'RFID', ?, 'NL', 'EXM', ?, ?, 'Example Mobility', 1, 'ALLOWED', ?,"
            " 'general', 1)",
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


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and how it is asked for the same things."""

    name: str
    pid: int
    port: int
    path: str
    token: str

    def asks(self) -> list[bytes]:
        return [self._request("POST", f"/{uid_of(n)}/authorize") for n in range(1, TOKENS, 37)]

    def pages(self, first: int = 0) -> list[bytes]:
        offsets = range(first, min(TOKENS, first + PAGES * 1000), 1000)
        return [self._request("GET", f"{self._list}?offset={offset}&limit=1000") for offset in offsets]

    @property
    def _list(self) -> str:
        return "/" if self.name == "py-ocpi" else ""

    def _request(self, method: str, rest: str) -> bytes:
        """With the message ids that OCPI asks for."""
        lines = [
            f"{method} {self.path}{rest} HTTP/1.1",
            "Host: a",
            f"Authorization: Token {self.token}",
            "X-Request-ID: 2b9a3f2e-6f0c-4f5e-9d4e-7f3f5a1f0c11",
            "X-Correlation-ID: 0f8f7a55-0f4e-4b0e-8d1c-0c6a0f3e9b22",
            *(["Content-Length: 0"] if method == "POST" else []),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True, slots=True)
class Measured:
    """Requests a second, p50 and p99 in milliseconds, CPU microseconds a request."""

    rate: float
    p50: float
    p99: float
    cpu: float

    @classmethod
    def of(cls, took_s: list[float], seconds: float, cpu_s: float) -> Measured:
        cuts = statistics.quantiles(took_s, n=100)
        each = cpu_s / len(took_s) * 1e6
        return cls(len(took_s) / seconds, cuts[49] * 1000, cuts[98] * 1000, each)

    @classmethod
    def median(cls, turns: list[Measured]) -> Measured:
        middle = {name: statistics.median(getattr(one, name) for one in turns) for name in cls.__slots__}
        return cls(**middle)


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


class Client(asyncio.Protocol):
    """Asks one thing after the other on one connection, and leaves the machine to the servers."""

    def __init__(self, requests: list[bytes], took: list[float], until_s: float, times: int) -> None:
        self._requests = requests
        self._took = took
        self._until_s = until_s
        self._left = times
        self._turn = 0
        self._received = b""
        self._length = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(SystemExit("the server hung up"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._length:
            head, found, _ = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            if head[9:12] != b"200":
                raise SystemExit(f"the server answered {head!r}")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            self._length = len(head) + 4 + int(length[1])  # type: ignore[index]
        if len(self._received) >= self._length:
            self._took.append(time.perf_counter() - self._began_s)
            self._received, self._length = b"", 0
            self._ask()

    def _ask(self) -> None:
        is_late = time.perf_counter() > self._until_s and len(self._took) >= LEAST
        if not self._left or is_late:
            self.done.set_result(None)
            self._transport.close()
            return
        self._left -= 1
        self._began_s = time.perf_counter()
        self._transport.write(self._requests[self._turn % len(self._requests)])  # type: ignore[attr-defined]
        self._turn += 1


async def load(port: int, requests: list[bytes], clients: int, times: int = 1 << 40) -> list[float]:
    """What each request took, in seconds, from so many clients that ask one after the other."""
    took: list[float] = []
    until_s = time.perf_counter() + (SECONDS if times > len(requests) else 600)
    asking = []
    for number in range(clients):
        order = requests[number * 7 :] + requests[: number * 7]
        _, client = await asyncio.get_running_loop().create_connection(
            lambda order=order: Client(order, took, until_s, times),  # type: ignore[misc]
            "127.0.0.1",
            port,
        )
        asking.append(client.done)
    await asyncio.gather(*asking)
    return took


def measure(server: Server, requests: list[bytes], clients: int, times: int = 1 << 40) -> Measured:
    before, began_s = cpu_s(server.pid), time.perf_counter()
    took = uvloop.run(load(server.port, requests, clients, times))
    return Measured.of(took, time.perf_counter() - began_s, cpu_s(server.pid) - before)


def measure_by_wrk(server: Server, requests: list[bytes], clients: int) -> Measured:
    """The same by wrk."""
    before = cpu_s(server.pid)
    with tempfile.TemporaryDirectory() as name:
        asked, script = Path(name) / "requests", Path(name) / "ask.lua"
        asked.write_text("\n".join(one.decode().replace("\r\n", r"\r\n") for one in requests))
        script.write_text(WRK_SCRIPT % asked)
        command = ["wrk", "-t1", f"-c{clients}", f"-d{SECONDS * 2:g}s", "--latency", "-s", str(script)]
        told = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}"], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in told:
        raise SystemExit(f"{server.name} refused: {told}")
    p50, p99 = (_ms(re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", told)) for share in (50, 99))
    count = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    return Measured(rate, p50, p99, (cpu_s(server.pid) - before) / count * 1e6)


def _ms(found: re.Match[str] | None) -> float:
    if found is None:
        raise SystemExit("wrk told no latency")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def in_turns(servers: list[Server], what: str, clients: int) -> None:
    """The same load for each, in turns; prints a line for each, and how they compare to the first."""
    turns: dict[str, list[Measured]] = {one.name: [] for one in servers}
    asked = {one.name: one.asks() if what == "authorize" else one.pages() for one in servers}
    for one in servers:
        measure(one, asked[one.name][:PAGES], 1, PAGES)  # each page once, as whoever comes back finds it
    for turn in range(TURNS + 1):
        for one in servers:
            by = measure_by_wrk if what == "authorize" else measure
            measured = by(one, asked[one.name], clients)
            if turn:  # the first one warms up
                turns[one.name].append(measured)
    medians = {name: Measured.median(measured) for name, measured in turns.items()}
    ours = medians["ours"]
    for name, measured in medians.items():
        line(f"{what}, {clients} at once, {name}", measured)
    for name, theirs in medians.items():
        if name != "ours":
            rate, cpu = ours.rate / theirs.rate, theirs.cpu / ours.cpu
            print(f"{'':6}ours beside {name}: {rate:.1f} x the requests a second, {cpu:.1f} x less CPU")


def while_crawled(server: Server) -> float:
    """The p99 of authorizing in milliseconds, 2 clients, while somebody reads the list."""

    async def both() -> list[float]:
        took, _ = await asyncio.gather(
            load(server.port, server.asks(), 2), load(server.port, server.pages(), 1)
        )
        return took

    turns = [statistics.quantiles(uvloop.run(both()), n=100)[98] * 1000 for _ in range(TURNS)]
    return statistics.median(turns)


def crawl_while_written(folder: Path, server: Server) -> str:
    """Read the whole list along its links while cards are blocked by another process."""
    written, ended = 0, threading.Event()

    def write() -> None:
        nonlocal written
        clerk = actor_at_keyboard("bench")
        with open_station(folder, clerk) as station:
            cards = station.store.cards
            while not ended.is_set():
                cards.move(1 + written * 7919 % TOKENS, CardState.BLOCKED, Reason.LOST, clerk, station.token)
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    found: list[bytes] = []
    path: str | None = f"{server.path}?limit=500"
    with (
        socket.create_connection(("127.0.0.1", server.port)) as connection,
        connection.makefile("rb") as answers,
    ):
        while path:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Token {TOKEN}\r\n\r\n".encode()
            )
            head = b"".join(iter(answers.readline, b"\r\n"))
            length = int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]
            found += re.findall(rb'"uid":"([0-9A-F]+)"', answers.read(length))
            link = re.search(rb"link: <http://[^/]+(/[^>]+)>", head)
            path = link[1].decode() if link else None
    ended.set()
    writer.join()
    missed, twice = TOKENS - len(set(found)), len(found) - len(set(found))
    told = f"{len(found)} tokens in pages of 500 while {written} changes were written"
    return f"{told}: missed {missed}, twice {twice}"


def main() -> None:
    """Print a line for each server and load, and the ratios."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder, here = Path(name), Path(__file__).parent
        ports = [free_port() for _ in range(3)]
        make_station(folder / "station", ports[0])
        make_naive(folder / "naive.db")
        options = ["--station", str(folder / "station"), "serve", "--no-sync", "--no-access-log"]
        wanted = [
            ("ours", [sys.executable, "-m", "rfid_station", *options], "/ocpi/2.2.1/tokens", BASE64),
            ("naive", [sys.executable, str(here / "naive_endpoint.py")], "/tokens", CLEAR),
            ("py-ocpi", [PY_OCPI, str(here / "py_ocpi_endpoint.py")], "/ocpi/emsp/2.2.1/tokens", BASE64),
        ]
        servers = []
        for (what, command, path, token), port in zip(wanted, ports, strict=True):
            if not Path(command[0]).exists():
                print(f"{what} is left out: there is no {command[0]}")
                continue
            given = command if what == "ours" else [*command, str(folder / "naive.db"), str(port)]
            servers.append(Server(what, running.enter_context(process(given, port)), port, path, token))
        floor_port = free_port()
        floor = [sys.executable, str(here / "empty_endpoint.py"), str(floor_port)]
        pid = running.enter_context(process(floor, floor_port))
        report(servers, Server("empty", pid, floor_port, "/tokens", CLEAR), folder / "station")


def report(servers: list[Server], empty: Server, folder: Path) -> None:
    ours = servers[0]
    print(f"{TOKENS} tokens; p50 and p99 in ms, CPU in us a request; medians of {TURNS} turns")
    print(ROW.format("", "req/s", "p50", "p99", "CPU"))
    line(
        "list of 1000 as first read, 1 at once, ours", measure(ours, cold := ours.pages(40_000), 1, len(cold))
    )
    in_turns([*servers, empty], "authorize", 1)
    in_turns([*servers, empty], "authorize", 16)
    in_turns(servers, "list of 1000", 1)
    in_turns(servers, "list of 1000", 4)
    for one in servers:
        print(f"authorize, 2 at once, while the list is read, {one.name}: p99 {while_crawled(one):.2f} ms")
    print(crawl_while_written(folder, ours))


def line(what: str, measured: Measured) -> None:
    given = (f"{measured.rate:.0f}", f"{measured.p50:.2f}", f"{measured.p99:.2f}", f"{measured.cpu:.0f}")
    print(ROW.format(what, *given), flush=True)


if __name__ == "__main__":
    main()
