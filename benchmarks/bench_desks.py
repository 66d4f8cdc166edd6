"""Eight desks on one PostgreSQL, beside what pgbench gets with the same statements and eight clients.

A desk is a process that makes card after card on a virtual reader: identify, reserve, plan, write, read back,
register. The statements are those that the server logged of one such card, the reads between its three
transactions included. Both wait for the disk at each commit, and take turns on the same server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench_scale import a_process, go, said
from issued_statements import LOGGED, counters, script_of, sent_during, spread
from scale_desk import issue
from scale_world import a_world
from throwaway_postgresql import ACCOUNT, Cluster, program_path, throwaway_cluster

from rfid_station.desk.station import open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.visual_number import bare

CARDS = int(os.environ.get("BENCH_CARDS", "10000"))
DESKS = 8
ISSUED = int(os.environ.get("BENCH_ISSUED", "40"))
RUNS = 3
SECONDS = 8
CLERK = Actor("bench", Role.CLERK)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-desks-") as name, throwaway_cluster(**LOGGED) as cluster:
        folder, database = Path(name) / "station", cluster.make()
        with a_world(folder, CARDS, 1, cluster.url(database)):
            pass
        script = Path(name) / "card.sql"
        script.write_text(captured(folder, cluster, database))
        with ExitStack() as all_of_it:
            desks, stores = (Desks(folder, what, all_of_it) for what in ("desk", "store"))
            desks.wait()
            stores.wait()
            turns = [
                (desks.rate(), stores.rate(), pgbench_rate(cluster, database, script)) for _ in range(RUNS)
            ]
    for turn in turns:
        print("  desks {:.1f}, the store alone {:.1f}, pgbench {:.1f} cards/s".format(*turn))
    report(*(median(rates) for rates in zip(*turns, strict=True)))
    return 0


def captured(folder: Path, cluster: Cluster, database: str) -> str:
    """The script, made of the statements of one card in the middle of a pile."""
    spread(cluster, database)
    with cluster.connect() as server:
        server.execute(f"ALTER ROLE {ACCOUNT} SET log_statement = 'all'")
    with open_station(folder, CLERK) as station:
        issue(station, "warm", 10, 0.0)
        before = counters(cluster, database)
        sent = sent_during(cluster, database, lambda: issue(station, "noted", 1, 0.0))
        made = station.store.cards.by_order_line("noted:0")
    with cluster.connect() as server:
        server.execute(f"ALTER ROLE {ACCOUNT} RESET log_statement")
    with cluster.connect(database) as server:
        row = server.execute("SELECT id, driver_id FROM card WHERE order_line = 'noted:0'").fetchone()
    assert made
    assert row
    named = {
        made.uid.hex: ":uid",
        made.alias: ":alias",
        made.visual_number: ":number",
        bare(made.visual_number): ":number",
        made.contract_id.compact: ":contract",
        "noted:0": ":uid",
        "noted-0": ":uid",
        f"{row[0]}": ":card_id",
        f"{row[1]}": ":driver_id",
        f"card:{row[0]}": "('card' || chr(58) || :card_id::text)",
    }
    writes = sum(one.statement.startswith(("INSERT", "UPDATE")) for one in sent)
    print(f"a card: {len(sent)} statements, {writes} of them write", flush=True)
    return script_of(sent, named, before)


class Desks:
    """Processes that wait to be told to begin, again and again."""

    def __init__(self, folder: Path, what: str, all_of_it: ExitStack) -> None:
        self._at_work = [
            all_of_it.enter_context(a_process(what, folder, f"{what}-{n}", ISSUED, 0.0)) for n in range(DESKS)
        ]

    def wait(self) -> None:
        for process in self._at_work:
            said(process)

    def rate(self) -> float:
        """Cards a second of all together."""
        began_s = time.perf_counter()
        for process in self._at_work:
            go(process)
        self.wait()
        return DESKS * ISSUED / (time.perf_counter() - began_s)


def pgbench_rate(cluster: Cluster, database: str, script: Path) -> float:
    options = ["-n", "-c", f"{DESKS}", "-j", "2", "-T", f"{SECONDS}", "-M", "prepared", "-f", str(script)]
    told = subprocess.run(
        [program_path("pgbench"), *options, "-h", str(cluster.folder), "-U", ACCOUNT, database],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"tps = ([\d.]+)", told.stdout)
    if told.returncode or not found or "number of failed transactions: 0 " not in told.stdout:
        raise SystemExit(f"pgbench: {told.stdout}{told.stderr}")
    return float(found[1])


def report(desks: float, store: float, pgbench: float) -> None:
    print(f"{DESKS} at once on a server with {CARDS:,} cards, median of {RUNS} runs that take turns")
    print(f"  pgbench, the same statements           {pgbench:7.1f} cards/s")
    print(f"  desks with their virtual chips         {desks:7.1f} cards/s {desks / pgbench:5.0%}")
    print(f"  the store's calls of such a desk alone {store:7.1f} cards/s {store / pgbench:5.0%}")
    print(f"  load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    sys.exit(main())
