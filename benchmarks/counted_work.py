"""What the engine of a store does for a call, counted so that a busy machine changes nothing.

SQLite: instructions of its virtual machine. PostgreSQL: pages that were looked at, in memory or on the disk.
The statements of a call are noted, and asked once more for that.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from throwaway_postgresql import Cluster

from rfid_station.desk.station import Station

_STEP = 10
_MANY_ROWS = 500
"""A table read through counts from so many rows on: small ones are read through at any size of the store."""


@dataclass
class Asked:
    """The statements of a call, with their values."""

    statements: list[tuple[str, Any]] = field(default_factory=list)

    @classmethod
    def by(cls, call: Callable[[], object]) -> Asked:
        asked = cls()

        def note(_c: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
            if statement.lstrip("( ").startswith(("SELECT", "WITH")):
                asked.statements.append((statement.replace("FOR UPDATE", ""), values))

        event.listen(Engine, "before_cursor_execute", note)
        try:
            call()
        finally:
            event.remove(Engine, "before_cursor_execute", note)
        return asked


@dataclass(frozen=True)
class Work:
    statements: int
    amount: int
    """Instructions, or pages."""
    read_through: frozenset[str]
    """Large tables, or their indexes, that were read from end to end."""


class Counter:
    """Counts what one station's engine does."""

    def __init__(self, station: Station, cluster: Cluster | None, database: str) -> None:
        self.station = station
        self._cluster = cluster
        self._database = database

    def work(self, call: Callable[[], object]) -> Work:
        asked = Asked.by(call)
        return self._on_server(asked) if self._cluster else self._in_file(asked)

    def spent_s(self, call: Callable[[], object]) -> float:
        """Processor time of this process, and of the server's that work for anybody on this database."""
        server_s, ours_s = self._server_s(), time.process_time()
        call()
        ours_s = time.process_time() - ours_s
        return ours_s + self._server_s() - server_s

    def _server_s(self) -> float:
        cluster = self._cluster
        if cluster is None:
            return 0.0
        postmaster = (cluster.data / "postmaster.pid").read_text().split("\n", 1)[0]
        spent_ns = 0
        for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            place = Path("/proc") / pid
            try:
                if f" {self._database} " in (place / "cmdline").read_text():
                    spent_ns += int((place / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return spent_ns / 1e9

    def size(self) -> int:
        """Bytes on the disk."""
        path = self.station.store.path
        if path is None:
            assert self._cluster
            with self._cluster.connect(self._database) as connection:
                (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
                return int(str(size))
        with closing(sqlite3.connect(path)) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size

    def _in_file(self, asked: Asked) -> Work:
        ticks, scans = 0, set()

        def tick() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        with closing(sqlite3.connect(self.station.folder / "station.db")) as store:
            for statement, values in asked.statements:
                plan = store.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
                scans |= {
                    words for *_, words in plan if words.startswith("SCAN ") and _is_large(store, words)
                }
                store.set_progress_handler(tick, _STEP)
                store.execute(statement, values).fetchall()
                store.set_progress_handler(None, 0)
        return Work(len(asked.statements), ticks * _STEP, frozenset(scans))

    def _on_server(self, asked: Asked) -> Work:
        pages, scans = 0, set()
        assert self._cluster
        with self._cluster.connect(self._database) as server:
            for statement, values in asked.statements:
                query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
                ((found,),) = server.execute(query, values or None).fetchall()
                plan: dict[str, Any] = found[0]["Plan"]  # type: ignore[index]
                pages += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                scans |= set(_seq_scans(plan))
        return Work(len(asked.statements), pages, frozenset(scans))


def _is_large(store: sqlite3.Connection, words: str) -> bool:
    table = words.split()[1]
    known = store.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if not known:
        return False
    (rows,) = store.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {_MANY_ROWS})").fetchone()
    return int(rows) >= _MANY_ROWS


def _seq_scans(plan: dict[str, Any]) -> Iterator[str]:
    rows = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0)
    if plan["Node Type"] == "Seq Scan" and rows >= _MANY_ROWS:
        yield f"Seq Scan {plan['Relation Name']}"
    for below in plan.get("Plans", ()):
        yield from _seq_scans(below)
