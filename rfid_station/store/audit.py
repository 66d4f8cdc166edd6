"""The audit log: who did what to which card or partner, in an order that cannot be changed unseen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, String, select, type_coerce

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.errors import StoreError
from rfid_station.store.chain import START, ChainReport, Event, event_hash
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import booking
from rfid_station.store.soundness import CheckReport, unsound
from rfid_station.store.tables import event, meta

_BATCH = 1000


class Audit:
    """Reads the log, adds to it, and proves it whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, actor: Actor, action: str, subject: str, **data: object) -> None:
        """Note something that changed nothing else in the store. `data` holds no UID, no name and no secret.

        :raises StoreError: the store cannot be written
        """
        with booking(self._database, actor) as ledger:
            ledger.note(action, subject, **data)

    def events(self, *, after: int = 0, limit: int | None = None) -> list[Event]:
        """Events behind a sequence number, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_EVENTS.where(event.c.seq > after).limit(limit))
            return [event_of(row) for row in rows]

    def between(self, since: datetime, until: datetime, actor: str | None = None) -> list[Event]:
        """What happened from a moment on and before another, oldest first; of one actor, if one is named."""
        query = _EVENTS.where(event.c.at >= since, event.c.at < until)
        if actor is not None:
            query = query.where(event.c.actor == actor)
        with self._database.read() as connection:
            return [event_of(row) for row in connection.execute(query)]

    def newest(self, limit: int) -> list[Event]:
        """The last events, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(_TEXTS.order_by(event.c.seq.desc()).limit(limit))
            return [event_of(row) for row in rows][::-1]

    def verify(self) -> ChainReport:
        """Compute the chain anew, from the first event to the end that the store remembers."""
        with self._database.read() as connection:
            return verify_chain(connection)

    def check(self) -> CheckReport:
        """Look for everything that cannot be in a sound store: the file, the chain, and what must agree."""
        with self._database.read() as connection:
            place = self._database.place
            damaged = tuple(place.damages(connection))
            if damaged:
                unread = ChainReport(0, START, broken_at=1, why="it was not read, since the file is damaged")
                return CheckReport(unread, damaged)
            return CheckReport(
                verify_chain(connection), (*place.weaknesses(connection), *unsound(connection))
            )


_FIELDS = ("actor", "role", "action", "subject", "data", "previous_hash")
_TEXTS = select(
    event.c.seq,
    type_coerce(event.c.at, String).label("at"),
    *(event.c[name] for name in _FIELDS),
    event.c.hash,
)
"""Events as they lie there: what was tampered with must still be readable."""
_EVENTS = _TEXTS.order_by(event.c.seq)


def events_of(connection: Connection, subject: str, actions: Iterable[str] = ()) -> list[Event]:
    """What happened to a subject, oldest first; only some actions if any are named."""
    query = _EVENTS.where(event.c.subject == subject)
    wanted = list(actions)
    if wanted:
        query = query.where(event.c.action.in_(wanted))
    return [event_of(row) for row in connection.execute(query)]


def event_of(row: Row[Any]) -> Event:
    """An event from its texts.

    :raises StoreError: the row was tampered with so that it makes no sense
    """
    try:
        at, actor = datetime.fromisoformat(row.at), Actor(row.actor, Role(row.role))
        return Event(row.seq, at, actor, row.action, row.subject, dict(json.loads(row.data)), row.hash)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"event {row.seq} of the audit log is damaged: {error}", hint="rfid-station store check"
        ) from error


def verify_chain(connection: Connection) -> ChainReport:
    """Compute the chain anew, from the first event to the end that the store remembers."""
    last, head = 0, START
    for row in connection.execute(_EVENTS).yield_per(_BATCH):
        why = _what_is_wrong(row, last, head)
        if why:
            return ChainReport(last, head, broken_at=last + 1, why=why)
        last, head = row.seq, row.hash
    why = _what_is_wrong_at_the_end(connection, last, head)
    return ChainReport(last, head, broken_at=last + 1 if why else None, why=why)


def _what_is_wrong(row: Row[Any], last: int, head: str) -> str | None:
    if row.seq != last + 1:
        return f"event {last + 1} is missing: event {row.seq} follows event {last}"
    if row.previous_hash != head:
        return f"event {row.seq} does not follow the one before it"
    texts = {name: getattr(row, name) for name in ("at", *_FIELDS)}
    if not all(isinstance(text, str) for text in texts.values()):
        return f"event {row.seq} is not text"
    if row.hash != event_hash(seq=row.seq, **texts):
        return f"event {row.seq} is not what was written"
    return None


def _what_is_wrong_at_the_end(connection: Connection, last: int, head: str) -> str | None:
    end = connection.execute(select(meta.c.event_count, meta.c.event_hash)).one_or_none()
    if end is None:
        return "the row that remembers the end is gone"
    if end.event_count != last:
        return f"the store remembers {end.event_count} events, and the log ends after {last}"
    if end.event_hash != head:
        return f"the store remembers another event {last}"
    return None
