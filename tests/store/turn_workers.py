"""Writers who take turns, in processes of their own."""

from __future__ import annotations

import os
import threading
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from sqlalchemy import text
from store_world import do_not_wait, url_of

from rfid_station.store.engines.sqlite_turn import turn_to_write
from rfid_station.store.opening import Store, open_store

_COUNT = text("UPDATE meta SET revision = revision + 1")
_COUNTED = text("SELECT revision FROM meta")


def counted(store: Store) -> int:
    """How many changes there were."""
    with store.database.read() as connection:
        return int(connection.execute(_COUNTED).scalar_one())


def change(store: Store) -> int:
    """Make a change; how many there were before it."""
    with store.database.write() as connection:
        before = int(connection.execute(_COUNTED).scalar_one())
        connection.execute(_COUNT)
        return before


def change_without_a_pause(path: Path, threads: int, is_over: Event) -> None:
    """Write again and again, from several threads."""

    def run() -> None:
        while not is_over.is_set():
            change(store)

    with open_store(url_of(path)) as store:
        do_not_wait(store)
        running = [threading.Thread(target=run) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()


def keep_the_turn(path: Path, told: Connection) -> None:
    """Have the turn until killed, and write nothing."""
    with turn_to_write(path):
        told.send(os.getpid())
        told.poll(None)
