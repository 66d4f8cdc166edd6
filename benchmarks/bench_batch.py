"""A maker's list of 100,000 cards from CSV to stored cards, tokens and audit events, beside the bare driver.

The bare driver inserts the very rows that the run left in the store, table by table with `executemany`, into
an empty store of the same shape, in one transaction: no check, no number drawn, no hash. It does so twice: as
it comes, and with the cache that our long changes have. Rows per second are told by the clock and by the time
of the processor, which says more where others load the machine.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import run
from rfid_station.desk.station import create_station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.store.engines.spelling import LONG_CHANGE_KIB

ROWS = 100_000
REPEATS = 3
TARGET = 0.45
TABLES = ("driver", "card", "token", "event")
CLERK = Actor("bench", Role.CLERK)
BARE = {"as it comes": "SELECT 1", "with our cache": f"PRAGMA cache_size = -{LONG_CHANGE_KIB}"}


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        shares = [measure(Path(folder) / f"{number}", rows) for number in range(REPEATS)]
    for kind in BARE:
        by_clock, by_processor = (median(each) for each in zip(*(one[kind] for one in shares), strict=True))
        print(
            f"median {by_clock:.0%} of the bare driver's rows/s {kind} by the clock, {by_processor:.0%} of "
            f"its pace by the processor; wanted {TARGET:.0%}"
        )
    return 0


def measure(folder: Path, rows: int) -> dict[str, tuple[float, float]]:
    """Our share of each bare driver's rows a second: by the clock, and by the processor."""
    folder.mkdir()
    path = makers_list(folder / "lot.csv", rows)
    create_station(folder / "ours", CLERK, profile="plain", reader="sim:")
    started, busy = perf_counter(), process_time()
    with open_station(folder / "ours", CLERK) as station, open_table(path) as table:
        done = run(station, Check(table, Wish("lot"), station.number_pattern), partial=False).done
    ours_s, ours_busy_s = perf_counter() - started, process_time() - busy
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if done != rows:
        raise SystemExit(f"{done} of {rows} rows were done")
    per_row_us = 1e6 * ours_busy_s / rows
    print(f"ours {rows / ours_s:7.0f} rows/s, {per_row_us:.0f} us of the processor a row, {memory_mb:.0f} MB")
    shares = {}
    for kind, setting in BARE.items():
        create_station(folder / kind, CLERK, profile="plain", reader="sim:")
        bare_s, busy_s = insert_barely(folder / "ours" / "station.db", folder / kind / "station.db", setting)
        shares[kind] = bare_s / ours_s, busy_s / ours_busy_s
        print(
            f"  bare driver {kind:15} {rows / bare_s:7.0f} rows/s, {1e6 * busy_s / rows:.0f} us", flush=True
        )
    return shares


def makers_list(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("UID;Referenz;Name;Firma;Sprache\n")
        for number in range(rows):
            file.write(f"04{number * 7919 % (1 << 40):010X}80;E{number:07};Driver {number};Delta;de\n")
    return path


def insert_barely(source: Path, target: Path, setting: str) -> tuple[float, float]:
    """What the bare driver takes: seconds by the clock, and of the processor."""
    with closing(sqlite3.connect(source)) as ours:
        taken = {table: ours.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    taken["event"] = [row for row in taken["event"] if row[0] > 1]
    with closing(sqlite3.connect(target, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute(setting)
        started, busy = perf_counter(), process_time()
        bare.execute("BEGIN IMMEDIATE")
        for table, rows in taken.items():
            marks = ",".join("?" * len(rows[0]))
            bare.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        bare.execute("COMMIT")
        return perf_counter() - started, process_time() - busy


if __name__ == "__main__":
    sys.exit(main())
