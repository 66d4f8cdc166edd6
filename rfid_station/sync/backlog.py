"""What was read from the feed and is not yet behind the bulk cursor, for one partner.

Every revision has one entry, whichever lane it was read for; so a change that the urgent lane
brought is not sent again by the bulk lane.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Container, Iterator, Sequence, Sized
from dataclasses import dataclass

from rfid_station.domain.feed import Change, Lane, Standing
from rfid_station.sync.step import Scan

_FEW = 8
"""So many tokens are read one by one in about the time of a page."""


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
        self._of_token: dict[int, list[Entry]] = {}
        # Revisions in ascending order: of all that is owed, of its urgent part, and of all that was urgent.
        # A token that hangs holds the cursor, and much is done behind it: nothing may count that each time.
        self._owed: list[int] = []
        self._owed_urgent: list[int] = []
        self._urgent: list[int] = []
        self._scanning: set[Lane] = set()
        self._outdated: set[Lane] = set()
        # Whether all that is urgent was read, so that a page of the bulk brings nothing urgent to light.
        self._is_all_urgent_read = False
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
        return self._wants(Lane.URGENT, self._owed_urgent) or self._wants(Lane.BULK, self._owed)

    # Reading

    def wake(self) -> None:
        """Look at the feed again: something changed, or may have."""
        # A page that is being read may have been read before that.
        self._outdated |= self._scanning
        self._is_all_urgent_read = False
        # What the bulk lane does not read now may hide something urgent.
        is_bulk_next = self._is_read[Lane.BULK] and len(self._owed) < self._limit
        self._is_read = {Lane.URGENT: is_bulk_next, Lane.BULK: False}

    def wake_up_to(self, head: int) -> None:
        """Look at the feed again if it is longer than what was read."""
        if head > self._read_to[Lane.BULK]:
            self.wake()

    def next_scan(self) -> Scan | None:
        """The page to read next, if any is missing and there is too little to go on with."""
        if self._wants(Lane.URGENT, self._owed_urgent):
            return self._take(Lane.URGENT, self._furthest)
        if self._wants(Lane.BULK, self._owed):
            return self._take(Lane.BULK, self._read_to[Lane.BULK])
        return None

    def next_page(self) -> Scan | None:
        """The page that holds what is owed next, where that is more than a few entries."""
        is_much = len(self._owed) > _FEW
        return Scan(Lane.BULK, self._owed[0] - 1, self._limit) if is_much else None

    def _wants(self, lane: Lane, owed: Sized) -> bool:
        return not self._is_read[lane] and lane not in self._scanning and len(owed) < self._limit

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
                self._add(
                    Entry(change.revision, change.token_id, change.is_urgent, is_done=is_covered(change))
                )
        is_last_page = len(changes) < scan.limit and scan.lane not in self._outdated
        self._outdated.discard(scan.lane)
        reached = changes[-1].revision if changes else scan.after
        self._read_to[scan.lane] = max(self._read_to[scan.lane], reached)
        self._is_read[scan.lane] = is_last_page
        if scan.lane is Lane.BULK:
            self._is_read[Lane.URGENT] = is_last_page or self._is_all_urgent_read
        else:
            self._is_all_urgent_read = is_last_page

    @property
    def _furthest(self) -> int:
        return max(self._read_to.values())

    # Entries

    def owed(self) -> Iterator[Entry]:
        """What is neither acknowledged nor parked, by revision."""
        return (self._entries[revision] for revision in self._owed)

    def owed_of(self, token_id: int) -> list[Entry]:
        """The same, of one token."""
        return [entry for entry in self._of_token.get(token_id, ()) if not entry.is_done]

    def next_owed(
        self, busy: Container[int], failed: Container[int], *, urgent_only: bool = False
    ) -> Entry | None:
        """Urgent first, then by revision; tokens that failed give way to those that did not.

        :param busy: tokens that are not to be chosen
        """
        ranks = (self._owed_urgent,) if urgent_only else (self._owed_urgent, self._owed)
        fallback: Entry | None = None
        for revisions in ranks:
            for revision in revisions:
                entry = self._entries[revision]
                if entry.token_id in busy:
                    continue
                if entry.token_id not in failed:
                    return entry
                fallback = fallback or entry
        return fallback

    def settle(self, token_id: int, revision: int) -> int:
        """Take a token as settled up to a revision, read or not; returns how many entries that ticked off."""
        if revision > self.cursors[Lane.BULK] and revision not in self._entries:
            self._add(Entry(revision, token_id, is_urgent=False, is_done=True))
        settled = 0
        for entry in self._of_token.get(token_id, ()):
            if entry.revision <= revision and not entry.is_done:
                self._tick_off(entry)
                settled += 1
        return settled

    def drop(self, token_id: int) -> None:
        """Forget a token that the store does not hold any more."""
        for entry in self.owed_of(token_id):
            self._tick_off(entry)

    def calm(self, token_id: int) -> None:
        """Take note that what is owed of a token takes no right away any more."""
        for entry in self.owed_of(token_id):
            if entry.is_urgent:
                entry.is_urgent = False
                for revisions in (self._urgent, self._owed_urgent):
                    del revisions[bisect_left(revisions, entry.revision)]

    def _add(self, entry: Entry) -> None:
        self._entries[entry.revision] = entry
        self._of_token.setdefault(entry.token_id, []).append(entry)
        if entry.is_urgent:
            insort(self._urgent, entry.revision)
        if not entry.is_done:
            insort(self._owed, entry.revision)
            if entry.is_urgent:
                insort(self._owed_urgent, entry.revision)

    def _tick_off(self, entry: Entry) -> None:
        entry.is_done = True
        for revisions in (self._owed, self._owed_urgent) if entry.is_urgent else (self._owed,):
            del revisions[bisect_left(revisions, entry.revision)]

    def _forget(self, revision: int) -> None:
        entry = self._entries.pop(revision)
        if not entry.is_done:
            self._tick_off(entry)
        rest = self._of_token[entry.token_id]
        rest.remove(entry)
        if not rest:
            del self._of_token[entry.token_id]

    # Cursors

    def reach(self, lane: Lane) -> int:
        """How far a cursor may go: just short of the lowest revision that is owed (R2)."""
        if lane is Lane.BULK:
            top, owed = self._read_to[Lane.BULK], self._owed
        else:
            top, owed = self._furthest, self._owed_urgent
        return min(top, owed[0] - 1) if owed else top

    def next_cursor(self) -> tuple[Lane, int] | None:
        """A cursor that may move, and where to; the urgent one only past something urgent."""
        bulk, urgent = self.reach(Lane.BULK), self.reach(Lane.URGENT)
        if bulk > self.cursors[Lane.BULK]:
            return Lane.BULK, bulk
        told = max(bulk, self.cursors[Lane.URGENT])
        if bisect_right(self._urgent, told) < bisect_right(self._urgent, urgent):
            return Lane.URGENT, urgent
        return None

    def move(self, lane: Lane, cursor: int) -> None:
        """Take note that a cursor is further by now; never back."""
        self._read_to[lane] = max(self._read_to[lane], cursor)
        if cursor <= self.cursors[lane]:
            return
        self.cursors[lane] = cursor
        if lane is Lane.BULK:
            for revision in [revision for revision in self._entries if revision <= cursor]:
                self._forget(revision)
            del self._urgent[: bisect_right(self._urgent, cursor)]


def cursors_of(standing: Standing) -> dict[Lane, int]:
    """Both cursors of a standing; a lane that never moved is at zero."""
    return {lane: standing.cursors.get(lane, 0) for lane in Lane}
