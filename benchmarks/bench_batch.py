"""A maker's list of 100,000 cards from CSV to stored cards, tokens and audit events, beside the bare driver.

The bare driver inserts the very rows that the run left in the store, table by table with `executemany`, into
an empty store of the same shape, in one transaction: no check, no number drawn, no hash.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import median
from time import perf_counter

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import run
from rfid_station.desk.station import create_station, open_station
from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role

ROWS = 100_000
REPEATS = 3
TARGET = 0.45
TABLES = ("driver", "card", "token", "event")
CLERK = Actor("bench", Role.CLERK)


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        ratios = [measure(Path(folder) / f"{number}", rows) for number in range(REPEATS)]
    best = median(ratios)
    print(f"median {best:.0%} of the bare driver's rows/s; wanted {TARGET:.0%}")
    return 0


def measure(folder: Path, rows: int) -> float:
    folder.mkdir()
    path = makers_list(folder / "lot.csv", rows)
    create_station(folder / "ours", CLERK, profile="plain", reader="sim:")
    create_station(folder / "bare", CLERK, profile="plain", reader="sim:")
    started = perf_counter()
    with open_station(folder / "ours", CLERK) as station, open_table(path) as table:
        done = run(station, Check(table, Wish("lot"), station.number_pattern), partial=False).done
    ours_s = perf_counter() - started
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if done != rows:
        raise SystemExit(f"{done} of {rows} rows were done")
    bare_s = insert_barely(folder / "ours" / "station.db", folder / "bare" / "station.db")
    ours, bare = rows / ours_s, rows / bare_s
    print(f"ours {ours:7.0f} rows/s, bare driver {bare:7.0f} rows/s, {ours / bare:.0%}; {memory_mb:.0f} MB")
    return bare_s / ours_s


def makers_list(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("UID;Referenz;Name;Firma;Sprache\n")
        for number in range(rows):
            file.write(f"04{number * 7919 % (1 << 40):010X}80;E{number:07};Driver {number};Delta;de\n")
    return path


def insert_barely(source: Path, target: Path) -> float:
    with closing(sqlite3.connect(source)) as ours:
        taken = {table: ours.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
    taken["event"] = [row for row in taken["event"] if row[0] > 1]
    with closing(sqlite3.connect(target, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        started = perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        for table, rows in taken.items():
            marks = ",".join("?" * len(rows[0]))
            bare.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        bare.execute("COMMIT")
        return perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
