"""What was read from the feed within this turn, so that a bulk needs no second reading for each token.

Rule R4 says: read a token again just before it is sent, so that no stale state overtakes a newer one. Who
holds the turn is the only one who speaks to the partner. So what was read within the turn is as good, as
long as nothing newer about that token was sent from here meanwhile. It is not kept for long all the same:
what changes while it waits is to go out as one push of the newest state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rfid_station.domain.feed import Change

KEPT_S = 1.0
"""How long a reading is good enough."""


class Fresh:
    """The readings of one turn. Times are those of one clock that never goes back."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._read: dict[int, tuple[Change, float]] = {}
        self._given: dict[int, int] = {}

    def forget(self) -> None:
        """Take note that a turn begins: others may have sent anything before it."""
        self._read.clear()
        self._given.clear()

    def note(self, changes: Iterable[Change], read_s: float) -> None:
        """Take over a page of the feed.

        :param read_s: when reading it began
        """
        for change in changes:
            self._read[change.token_id] = change, read_s

    def is_late(self, token_id: int, now_s: float) -> bool:
        """Whether a token was read so long ago that it is to be read again."""
        _, read_s = self._read.get(token_id, (None, now_s))
        return now_s - read_s > self._kept_s

    def read(self, token_id: int, now_s: float, newest: Callable[[int], Change | None]) -> Change | None:
        """A token as it was within this turn, never older than what was given out before.

        :param newest: reads it again
        """
        change, read_s = self._read.pop(token_id, (None, 0.0))
        if change is None or now_s - read_s > self._kept_s or self._is_outdated(change):
            change = newest(token_id)
        if change is not None:
            self._given[token_id] = change.revision
        return change

    def _is_outdated(self, change: Change) -> bool:
        return change.revision < self._given.get(change.token_id, 0)
