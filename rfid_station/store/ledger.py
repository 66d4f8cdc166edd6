"""One change of the store: whoever changes anything books it here, and it is numbered and witnessed.

The row `meta` holds the counters and the end of the audit chain. It is read under the lock that the
transaction keeps until it commits, so numbers become visible in the order in which they were given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.lease import Lease, Leasing
from rfid_station.domain.token import next_stamp
from rfid_station.store.chain import canonical_json, event_hash, sealing
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import tell_news
from rfid_station.store.leases.drawing import LeasedNumbers
from rfid_station.store.tables import event, meta, moment_text
from rfid_station.store.whole_rows import insert_whole


@dataclass(slots=True)
class _Head:
    revision: int
    token_count: int
    contract_count: int
    event_count: int
    event_hash: str
    stamp_floor: datetime | None

    def columns(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__}


_READ_HEAD = Prepared(select(*(meta.c[field.name] for field in fields(_Head))).with_for_update())
_KEEP_HEAD = Prepared(update(meta))
_EVENT = ("seq", "at", "actor", "role", "action", "subject", "data", "previous_hash", "hash")


class Ledger:
    """The change that is being made: its connection, who makes it, and when."""

    def __init__(
        self, connection: Connection, actor: Actor, at: datetime, leasing: Leasing | None = None
    ) -> None:
        self.connection = connection
        self.actor = actor
        self.at = at
        self._leased = LeasedNumbers(self, leasing) if leasing else None
        self._known_head: _Head | None = None
        self._has_news = False
        self._events: list[tuple[object, ...]] = []
        self._at_text = moment_text(at)

    def next_contract(self) -> int:
        """A contract number that was never given out, counted from 1."""
        return self.next_contracts(1)[0]

    def next_contracts(self, most: int) -> range:
        """Contract numbers in a row that were never given out: at most so many, and one at least."""
        return self._leased.take(most) if self._leased else self.count_off(most)

    def count_off(self, count: int) -> range:
        """The next so many contract numbers of the store, for whoever leases them or uses them at once."""
        before = self._head.contract_count
        self._head.contract_count += count
        return range(before + 1, before + count + 1)

    def hold_numbers(self) -> Lease | None:
        """What the desk holds, leased anew if it held nothing; None if it leases no numbers."""
        return self._leased.held() if self._leased else None

    def next_token(self) -> int:
        """The place of a new token in the order of creation, counted from 1 without gaps."""
        self._head.token_count += 1
        return self._head.token_count

    def next_revision(self) -> int:
        """The number of a change that partners are to hear of."""
        self._has_news = True
        self._head.revision += 1
        return self._head.revision

    def next_tokens(self, count: int) -> Iterator[tuple[int, int]]:
        """Place and revision of each of so many new tokens."""
        head = self._head
        places, revisions = head.token_count, head.revision
        head.token_count, head.revision = places + count, revisions + count
        return zip(
            range(places + 1, places + count + 1), range(revisions + 1, revisions + count + 1), strict=True
        )

    def next_revisions(self) -> tuple[int, int]:
        """One revision for each place in the order of creation: the number before the first, and the last."""
        self._has_news = True
        before = self._head.revision
        self._head.revision += max(1, self._head.token_count)
        return before, self._head.revision

    def stamp(self, previous: datetime | None) -> datetime:
        """The `last_updated` of a change, later than whatever a partner was told of the token before."""
        return next_stamp(max(filter(None, (previous, self._head.stamp_floor)), default=None), self.at)

    def raise_stamp(self, newest: datetime | None) -> datetime:
        """A `last_updated` that is later than every one so far; every later one is later still."""
        self._head.stamp_floor = self.stamp(newest)
        return self._head.stamp_floor

    def leave_out(self, *, revisions: int, contracts: int) -> int:
        """Give out no revision and no contract number up to these; the next contract number."""
        self._head.revision = max(self._head.revision, revisions)
        self._head.contract_count = max(self._head.contract_count, contracts)
        return self._head.contract_count + 1

    def note(self, action: str, subject: str, **data: object) -> None:
        """Add an event to the audit log. `data` holds no UID, no name and no secret.

        Who agreed to it, where it took two people, is told by the actor.
        """
        if self.actor.witness:
            data["witness"] = self.actor.witness
        head = self._head
        head.event_count += 1
        row: dict[str, Any] = {
            "seq": head.event_count,
            "actor": self.actor.name,
            "role": str(self.actor.role),
            "action": action,
            "subject": subject,
            "data": canonical_json(data),
            "previous_hash": head.event_hash,
        }
        head.event_hash = event_hash(**row, at=self._at_text)
        seq, *others = row.values()
        self._events.append((seq, self._at_text, *others, head.event_hash))

    def note_all(self, action: str, told: Iterable[tuple[str, str]]) -> None:
        """Add one event for each subject with its data, which is canonical JSON already."""
        head, at = self._head, self._at_text
        actor, role = self.actor.name, str(self.actor.role)
        seal = sealing(at=at, actor=actor, role=role, action=action)
        before = head.event_hash
        for subject, data in told:
            head.event_count += 1
            after = seal(head.event_count, subject, data, before)
            self._events.append((head.event_count, at, actor, role, action, subject, data, before, after))
            before = after
        head.event_hash = before

    def write_events(self) -> None:
        """Write the events so far: a long change keeps none of them in memory."""
        if self._events:
            insert_whole(self.connection, event, _EVENT, self._events)
            self._events = []

    def settle(self) -> None:
        """Write the events and the counters: the last thing before the commit."""
        if self._leased:
            self._leased.settle()
        self.write_events()
        if self._has_news:
            tell_news(self.connection)
        if self._known_head:
            _KEEP_HEAD.run(self.connection, self._known_head.columns())

    @property
    def _head(self) -> _Head:
        if self._known_head is None:
            self._known_head = _Head(*_READ_HEAD.one(self.connection))
        return self._known_head


@contextmanager
def booking(database: Database, actor: Actor) -> Iterator[Ledger]:
    """Change the store in one transaction, audit events included.

    :raises DiskFull: there was no room; nothing was changed
    :raises StoreError: the store cannot be used; nothing was changed
    """
    with database.write() as connection:
        ledger = Ledger(connection, actor, database.clock(), database.leasing)
        yield ledger
        ledger.settle()
