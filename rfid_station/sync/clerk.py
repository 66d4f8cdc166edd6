"""Between one partner's lane and the store: reads pages and tokens, and commits."""

from __future__ import annotations

from collections.abc import Sequence

from rfid_station.domain.feed import Change
from rfid_station.sync.clock import Clock
from rfid_station.sync.fresh import Fresh
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.port import FeedStore
from rfid_station.sync.step import Commit, Scan


class Clerk:
    """Does what a lane asks of the store."""

    def __init__(self, store: FeedStore, partner: str, clock: Clock) -> None:
        self._store = store
        self._partner = partner
        self._clock = clock
        self._fresh = Fresh()

    def begin_turn(self, lane: PartnerLane) -> None:
        """Read anew what is owed next: others may have sent anything before this turn."""
        self._fresh.forget()
        if page := lane.next_page():
            self._read(page)

    def newest(self, token_id: int) -> Change | None:
        """A token as the partner is to see it now; None if it is not to see it at all."""
        return self._store.newest(self._partner, token_id)

    def fresh(self, lane: PartnerLane, token_id: int) -> Change | None:
        """The same, or as it was read within this turn (R4).

        When that is too long ago, all that is owed next is read again at once.
        """
        now_s = self._clock.elapsed_s()
        if self._fresh.is_late(token_id, now_s) and (page := lane.next_page()):
            self._read(page)
        return self._fresh.read(token_id, now_s, self.newest)

    def scan(self, lane: PartnerLane, scan: Scan) -> None:
        """Read a page of the feed for a lane."""
        lane.scanned(scan, self._read(scan))

    def _read(self, page: Scan) -> Sequence[Change]:
        read_s = self._clock.elapsed_s()
        changes = self._store.changes_after(self._partner, page.after, page.lane, page.limit)
        self._fresh.note(changes, read_s)
        return changes

    def commit(self, lane: PartnerLane, commit: Commit) -> None:
        """Write down what is certain by now."""
        self._store.advance(
            self._partner, commit.lane, commit.cursor, commit.park, commit.unpark, resync=commit.resync
        )
        lane.committed(commit)
