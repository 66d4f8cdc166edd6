"""What was read from the feed and is not yet behind the bulk cursor, for one partner.

Every revision has one entry, whichever lane it was read for; so a change that the urgent lane
brought is not sent again by the bulk lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rfid_station.domain.feed import Change, Lane, Standing
from rfid_station.sync.step import Scan


@dataclass(slots=True)
class Entry:
    """One revision of the feed."""

    revision: int
    token_id: int
    is_urgent: bool
    is_done: bool = False
    """Whether it is acknowledged, or a parked row stands for it."""
    failures: int = 0
    """How often it failed while the partner was well."""


class Backlog:
    """Entries, cursors, and how far each lane has read.

    :param limit: how many changes a page holds, and how many owed entries are enough to go on with
    """

    def __init__(self, standing: Standing, limit: int) -> None:
        self._limit = limit
        self._entries: dict[int, Entry] = {}
        self._scanning: set[Lane] = set()
        self.cursors = cursors_of(standing)
        self._read_to = dict(self.cursors)
        self._is_read = {Lane.BULK: self._read_to[Lane.BULK] >= standing.head, Lane.URGENT: True}

    @property
    def is_scanning(self) -> bool:
        """Whether a page is being read."""
        return bool(self._scanning)

    @property
    def has_news(self) -> bool:
        """Whether a page is to be read: there may be one, and there is too little to go on with."""
        return self._wants_bulk or self._wants_urgent

    # Reading

    def wake(self) -> None:
        """Look at the feed again: something changed, or may have."""
        # What the bulk lane has not read yet may hide something urgent.
        self._is_read = {Lane.URGENT: self._is_read[Lane.BULK], Lane.BULK: False}

    def wake_up_to(self, head: int) -> None:
        """Look at the feed again if it is longer than what was read."""
        if head > self._read_to[Lane.BULK]:
            self.wake()

    def next_scan(self) -> Scan | None:
        """The page to read next, if any is missing and there is too little to go on with."""
        if self._wants_bulk:
            return self._take(Lane.BULK, self._read_to[Lane.BULK])
        if self._wants_urgent:
            return self._take(Lane.URGENT, self._furthest)
        return None

    @property
    def _wants_bulk(self) -> bool:
        return self._wants(Lane.BULK, sum(1 for _ in self.owed()))

    @property
    def _wants_urgent(self) -> bool:
        return self._wants(Lane.URGENT, sum(entry.is_urgent for entry in self.owed()))

    def _wants(self, lane: Lane, owed: int) -> bool:
        return not self._is_read[lane] and lane not in self._scanning and owed < self._limit

    def _take(self, lane: Lane, after: int) -> Scan:
        self._scanning.add(lane)
        return Scan(lane, after, self._limit)

    def scanned(self, scan: Scan, changes: Sequence[Change], is_covered: Callable[[Change], bool]) -> None:
        """Take over a page.

        :param is_covered: whether a parked row stands for a change already
        """
        self._scanning.discard(scan.lane)
        for change in changes:
            if change.revision > self.cursors[Lane.BULK] and change.revision not in self._entries:
                self._entries[change.revision] = Entry(
                    change.revision, change.token_id, change.is_urgent, is_done=is_covered(change)
                )
        is_last_page = len(changes) < scan.limit
        reached = max([scan.after, *(change.revision for change in changes)])
        self._read_to[scan.lane] = max(self._read_to[scan.lane], reached)
        self._is_read[scan.lane] = is_last_page
        if scan.lane is Lane.BULK:
            self._is_read[Lane.URGENT] = is_last_page

    @property
    def _furthest(self) -> int:
        return max(self._read_to.values())

    # Entries

    def owed(self) -> Iterator[Entry]:
        """What is neither acknowledged nor parked."""
        return (entry for entry in self._entries.values() if not entry.is_done)

    def owed_of(self, token_id: int) -> list[Entry]:
        """The same, of one token."""
        return [entry for entry in self.owed() if entry.token_id == token_id]

    def settle(self, token_id: int, revision: int) -> int:
        """Take a token as settled up to a revision, read or not; returns how many entries that ticked off."""
        if revision > self.cursors[Lane.BULK] and revision not in self._entries:
            self._entries[revision] = Entry(revision, token_id, is_urgent=False, is_done=True)
        settled = [entry for entry in self.owed_of(token_id) if entry.revision <= revision]
        for entry in settled:
            entry.is_done = True
        return len(settled)

    def drop(self, token_id: int) -> None:
        """Forget a token that the store does not hold any more."""
        for entry in self.owed_of(token_id):
            entry.is_done = True

    # Cursors

    def reach(self, lane: Lane) -> int:
        """How far a cursor may go: just short of the lowest revision that is owed (R2)."""
        if lane is Lane.BULK:
            top, owed = self._read_to[Lane.BULK], [entry.revision for entry in self.owed()]
        else:
            top, owed = self._furthest, [entry.revision for entry in self.owed() if entry.is_urgent]
        return min(top, min(owed, default=top + 1) - 1)

    def next_cursor(self) -> tuple[Lane, int] | None:
        """A cursor that may move, and where to; the urgent one only past something urgent."""
        bulk, urgent = self.reach(Lane.BULK), self.reach(Lane.URGENT)
        if bulk > self.cursors[Lane.BULK]:
            return Lane.BULK, bulk
        told = max(bulk, self.cursors[Lane.URGENT])
        if any(entry.is_urgent and told < entry.revision <= urgent for entry in self._entries.values()):
            return Lane.URGENT, urgent
        return None

    def move(self, lane: Lane, cursor: int) -> None:
        """Take note that a cursor is further by now; never back."""
        self.cursors[lane] = max(self.cursors[lane], cursor)
        self._read_to[lane] = max(self._read_to[lane], cursor)
        if lane is Lane.BULK:
            self._entries = {r: entry for r, entry in self._entries.items() if r > cursor}


def cursors_of(standing: Standing) -> dict[Lane, int]:
    """Both cursors of a standing; a lane that never moved is at zero."""
    return {lane: standing.cursors.get(lane, 0) for lane in Lane}
