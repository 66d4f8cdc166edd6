"""What is killed and cut off in the tests of faults: work in processes of its own, a faulty line."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from stations import CLERK, issue_from

from rfid_station.desk.batch.checking import Check, Wish
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.running import run
from rfid_station.desk.station import open_station
from rfid_station.domain.card import Driver
from rfid_station.domain.order import OrderLine
from rfid_station.store.opening import open_store

PILE = [OrderLine(f"fleet:{n}", Driver(f"Driver {n}", f"{n}", "Fleet", "de")) for n in range(1, 13)]


def issue_pile(folder: Path, uri: str, ready: Connection) -> None:
    with open_station(folder, CLERK) as station:
        ready.send(os.getpid())
        issue_from(station, uri, PILE)


def run_batch(folder: Path, path: Path, ready: Connection) -> None:
    with open_station(folder, CLERK) as station, open_table(path) as table:
        ready.send(os.getpid())
        run(station, Check(table, Wish(path.stem)), partial=True)


def migrate(url: str, ready: Connection) -> None:
    ready.send(os.getpid())
    open_store(url).close()


@dataclass
class FaultyLine:
    """Stands between a program and a server: cuts the line when a COMMIT was passed on, before its answer."""

    place: Path
    server: Path
    is_armed: threading.Event = field(default_factory=threading.Event)
    cuts: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def carry(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            far.connect(str(self.server))
            with selectors.DefaultSelector() as ready:
                ready.register(near, selectors.EVENT_READ)
                ready.register(far, selectors.EVENT_READ)
                while not self.over.is_set():
                    for key, _ in ready.select(0.05):
                        if not self._pass_on(near, far, is_ours=key.fileobj is near):
                            return

    def _pass_on(self, near: socket.socket, far: socket.socket, *, is_ours: bool) -> bool:
        """Whether the line still stands."""
        data = (near if is_ours else far).recv(65536)
        if not data:
            return False
        (far if is_ours else near).sendall(data)
        if is_ours and b"COMMIT" in data and self.is_armed.is_set():
            self.is_armed.clear()
            self.cuts += 1
            far.recv(65536)  # the server's answer, which nobody hears
            return False
        return True


@contextmanager
def faulty_line(folder: Path, server: Path) -> Iterator[FaultyLine]:
    """A socket in a folder like that of the server itself."""
    line = FaultyLine(folder / server.name, server)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(line.place))
        door.listen()
        door.settimeout(0.05)
        threads: list[threading.Thread] = []

        def let_in() -> None:
            while not line.over.is_set():
                with suppress(TimeoutError):
                    near, _ = door.accept()
                    threads.append(threading.Thread(target=line.carry, args=(near,)))
                    threads[-1].start()

        porter = threading.Thread(target=let_in)
        porter.start()
        try:
            yield line
        finally:
            line.over.set()
            for one in (porter, *threads):
                one.join()
