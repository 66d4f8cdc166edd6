"""Locks among all desks and servers of one store, and news: both end with who holds or hears them."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from rfid_station.store.engines.postgresql import explained
from rfid_station.store.engines.spelling import NEWS

Connect = Callable[[], "psycopg.Connection[Any]"]

_LOOK_UP_S = 0.25
"""How often who listens looks whether it is to end."""

_HOLDER = (
    "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (l.classid::bigint << 32 | l.objid::bigint) = %s::bigint"
)


class ServerLocks:
    """Advisory locks that this process holds by one session; the server frees them when the session ends.

    May be used from several threads. Each lock is to be asked for by one of them at a time.
    """

    def __init__(self, name: str, connect: Connect) -> None:
        """Take how to connect; that is done when the first lock is asked for."""
        self._name = name
        self._connect = connect
        self._turn = threading.Lock()
        self._session: psycopg.Connection[Any] | None = None
        self._held: set[str] = set()

    def try_take(self, what: str) -> bool:
        """Take a lock if nobody has it.

        :raises StoreError: the server cannot be asked; every lock of this process is lost then
        """
        is_ours = bool(self._ask("SELECT pg_try_advisory_lock(%s)", what))
        if is_ours:
            self._held.add(what)
        return is_ours

    def give_back(self, what: str) -> None:
        """Let go of a lock; of one that was lost, nothing is left to let go.

        :raises StoreError: the server cannot be asked
        """
        if what in self._held:
            self._held.discard(what)
            self._ask("SELECT pg_advisory_unlock(%s)", what)

    def has(self, what: str) -> bool:
        """Whether this process has a lock still, as far as it knows."""
        return what in self._held

    def holder(self, what: str) -> str | None:
        """Who has a lock, as `rfid-station 4711 on desk-3`; None for nobody.

        :raises StoreError: the server cannot be asked
        """
        found = self._ask(_HOLDER, what)
        return None if found is None else str(found)

    def close(self) -> None:
        """Let go of every lock."""
        with self._turn:
            self._forget()

    def _ask(self, statement: str, what: str) -> Any:  # noqa: ANN401 - what the statement says
        with explained(self._name), self._turn:
            try:
                return self._answer(statement, what)
            except psycopg.OperationalError:
                has_lost = bool(self._held)
                self._forget()
                if has_lost:
                    raise
                return self._answer(statement, what)

    def _answer(self, statement: str, what: str) -> Any:  # noqa: ANN401
        if self._session is None:
            self._session = self._connect()
            self._session.execute("SELECT set_config('application_name', %s, false)", [_own_name()])
        row = self._session.execute(statement, [_key(what)]).fetchone()
        return row[0] if row else None

    def _forget(self) -> None:
        self._held.clear()
        if self._session:
            self._session.close()
        self._session = None


@contextmanager
def listening(connect: Connect, hear: Callable[[], None]) -> Iterator[None]:
    """Call `hear` whenever somebody has committed a change that partners are to hear of.

    It is a hint: while the server is away nothing is heard, so whoever needs to know looks by itself, too.
    """
    over = threading.Event()
    listener = threading.Thread(target=_listen, args=(connect, hear, over), name="store news", daemon=True)
    listener.start()
    try:
        yield
    finally:
        over.set()
        listener.join()


def _listen(connect: Connect, hear: Callable[[], None], over: threading.Event) -> None:
    while not over.is_set():
        try:
            with connect() as connection:
                connection.execute(f"LISTEN {NEWS}")
                hear()  # of what was committed before the server began to tell us
                while not over.is_set():
                    for _ in connection.notifies(timeout=_LOOK_UP_S, stop_after=1):
                        hear()
        except psycopg.Error:
            over.wait(1.0)


def _own_name() -> str:
    return f"rfid-station {os.getpid()} on {socket.gethostname()}"[:63]


def _key(what: str) -> int:
    """A lock's number: 64 bits of a hash of its name."""
    return int.from_bytes(hashlib.blake2b(what.encode(), digest_size=8).digest(), signed=True)
