"""A power failure between a cursor and the disk: the newest commits that did not wait for it are gone.

A cursor is a note (decision 9). What a disk may then hold is tried from real bytes: the file, and its log cut
at the end of each frame behind the last commit that waited. `make soak` tries every one, else some are drawn.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from killed_processes import HURRIED, SUPPORT
from postgresql_base import Base
from postgresql_cluster import private_cluster
from sqlalchemy import Connection
from stations import CLERK, issue_from
from test_push_killed import (
    FaultyCpo,
    bring_home,
    check_invariants,
    check_what_is_durable,
    connect,
    held_by,
    serving,
)

from rfid_station.desk.partners.delivery import replicator
from rfid_station.desk.station import Station, open_station
from rfid_station.domain.card import CardState, Reason
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.place import Purpose
from rfid_station.store.engines.sqlite import empty_log
from rfid_station.store.opening import create_store
from rfid_station.sync.drive import Replicator

SOAK = bool(os.environ.get("SOAK"))
CARDS, BLOCKS = 24, 3
DRAWN = 12
EVERY_TIME = replace(HURRIED, commit_every=1)
WAL_HEADER, FRAME_HEADER = 32, 24


@dataclass(frozen=True)
class Moment:
    """What there was right before a commit that waits for the disk, or in the end."""

    file: bytes
    log: bytes
    durable: int
    """So much of the log is on the disk for certain."""
    holds: dict[str, dict[str, Any]]
    """What the partner held then."""

    def cuts(self) -> list[int]:
        """Where the log may end, by whole frames."""
        if not self.log:
            return []
        (page,) = struct.unpack(">I", self.log[8:12])
        frames = range(WAL_HEADER, len(self.log) + 1, FRAME_HEADER + page)
        return [end for end in frames if end >= self.durable]


@dataclass
class Disk:
    """Watches a store's file and its log while a station works."""

    path: Path
    cpo: FaultyCpo
    moments: list[Moment] = field(default_factory=list)
    durable: int = 0
    notes: int = 0

    @property
    def log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    def moment(self) -> Moment:
        holds = {uid: dict(token) for uid, token in self.cpo.holds.items()}
        return Moment(self.path.read_bytes(), self.log.read_bytes(), self.durable, holds)

    @contextmanager
    def watched(self, change: Any, database: Database, purpose: Purpose) -> Iterator[Connection]:
        before = self.moment()
        with change(database, purpose) as connection:
            yield connection
        # A commit that changed nothing writes nothing, and waits for nothing.
        is_change = self.log.stat().st_size > len(before.log)
        if is_change and purpose is Purpose.NOTE:
            self.notes += 1
        elif is_change:
            self.moments.append(before)
            self.durable = self.log.stat().st_size


def swift(station: Station, plain: Replicator) -> Replicator:
    return Replicator(station.store.feed, plain.peers, timing=EVERY_TIME)


def work(station: Station) -> None:
    """Bring cards to the partner, and block some in between."""
    active = [card for card in station.store.cards.listing() if card.state is CardState.ACTIVE]
    with replicator(station) as plain:
        replication = swift(station, plain)
        replication.run_until_settled(10)
        for card in active[:BLOCKS]:
            station.store.cards.move(card.id, CardState.BLOCKED, Reason.LOST, SUPPORT, station.token)
            replication.run_until_settled(10)


def come_back(folder: Path, cpo: FaultyCpo) -> None:
    """What holds in a store that was found after the power came back, and after sync has run."""
    with open_station(folder, SUPPORT) as station:
        check_what_is_durable(station, [cpo])
        check_invariants(station)
        bring_home(station)
        check_what_is_durable(station, [cpo])
        check_invariants(station, {cpo.name: held_by(cpo)})
    assert cpo.backwards == []


@pytest.mark.timeout(900 if SOAK else 120)
def test_whatever_is_left_of_the_log_every_partner_comes_to_what_is_wanted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpo = FaultyCpo("one", random.Random(1), is_faulty=False)
    change = Database._change
    with serving(cpo) as port:
        with open_station(folder, SUPPORT) as station:
            with open_station(folder, CLERK) as desk:
                issue_from(desk, f"sim:ntag213?count={CARDS}", count=CARDS)
                connect(desk, cpo.name, port)
            disk = Disk(folder / "station.db", cpo)
            empty_log(disk.path)
            monkeypatch.setattr(Database, "_change", lambda *call: disk.watched(change, *call))
            work(station)
            monkeypatch.undo()
            disk.moments.append(disk.moment())
        states = [(moment, cut) for moment in disk.moments for cut in moment.cuts()]
        lost = [(moment, cut) for moment, cut in states if cut < len(moment.log)]
        assert disk.notes > BLOCKS, "cursors do not wait for the disk"
        assert len(lost) > DRAWN
        dice = random.Random(7)
        for number, (moment, cut) in enumerate(lost if SOAK else dice.sample(lost, DRAWN)):
            left = shutil.copytree(
                folder, tmp_path / f"left-{number}", ignore=shutil.ignore_patterns("station.db*")
            )
            (left / "station.db").write_bytes(moment.file)
            (left / "station.db-wal").write_bytes(moment.log[:cut] + torn(moment.log[cut:], dice))
            cpo.holds = {uid: dict(token) for uid, token in moment.holds.items()}
            come_back(left, cpo)


def torn(rest: bytes, dice: random.Random) -> bytes:
    """What a disk may hold of the rest: nothing, a part of a frame, or later frames without the first."""
    kind = dice.randrange(3)
    if kind == 0:
        return b""
    if kind == 1:
        return rest[: dice.randrange(1, FRAME_HEADER + 512)]
    return bytes(FRAME_HEADER + 4096) + rest[FRAME_HEADER + 4096 :]


@pytest.mark.timeout(900 if SOAK else 120)
def test_a_server_whose_log_was_not_flushed_comes_back_with_a_cursor_that_is_behind(folder: Path) -> None:
    cpo = FaultyCpo("one", random.Random(1), is_faulty=False)
    fell_back = 0
    with private_cluster() as cluster, serving(cpo) as port:
        # Nobody but a commit that waits writes the log to the disk.
        cluster.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        base = Base(cluster, cluster.make())
        settings = folder / "station.toml"
        entries = f'url = "{base.url}"\ncopy_minutes = 0'
        settings.write_text(settings.read_text().replace('url = "sqlite:///station.db"', entries))
        create_store(base.url, actor=CLERK).close()
        with open_station(folder, CLERK) as desk:
            issue_from(desk, f"sim:ntag213?count={CARDS}", count=CARDS)
            connect(desk, cpo.name, port)
        for _ in range(20 if SOAK else 2):
            cluster.stop("fast")
            cluster.start()
            with open_station(folder, SUPPORT) as station:
                station.store.feed.rewind(cpo.name, SUPPORT)
                work(station)
                before = station.store.feed.standing(cpo.name)
                assert before.is_settled
                cluster.stop("immediate")
            cluster.start()
            with open_station(folder, SUPPORT) as station:
                fell_back += station.store.feed.standing(cpo.name).behind > 0
            come_back(folder, cpo)
    assert fell_back, "no cursor was lost: nothing was tried"
