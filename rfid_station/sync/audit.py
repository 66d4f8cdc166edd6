"""Reads a partner back and says where it has drifted from what it should hold.

Only tokens of ours can be asked for: the Tokens receiver interface has no list (OCPI 2.2.1,
mod_tokens, Receiver Interface), so what a partner holds beside them stays unseen.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from rfid_station.domain.delivery import Verdict
from rfid_station.domain.feed import Change, Lane, Standing
from rfid_station.sync.confirmation import Confirmation, PushAnswer
from rfid_station.sync.courier import Courier
from rfid_station.sync.pace import Draw, Pace, PaceState, Timing
from rfid_station.sync.push import Push
from rfid_station.sync.speaker import Result

UNKNOWN_THERE = "unknown there"
"""What `TokenReceiver.prove` says of a token that a partner does not know."""

_TIME_THERE = re.compile(r"last_updated: (\S+) there")


class Drift(StrEnum):
    """How a partner's copy of a token stands to ours."""

    RIGHT = "right"
    MISSING = "missing"
    """The partner does not know it."""
    STALE = "stale"
    """An older state of it."""
    ALTERED = "altered"
    """Something else than we ever sent, or not all of it."""
    UNREAD = "unread"
    """The partner did not show it."""

    @property
    def is_drift(self) -> bool:
        """Whether the partner was seen to hold something else."""
        return self in (Drift.MISSING, Drift.STALE, Drift.ALTERED)


@dataclass(frozen=True, slots=True)
class Finding:
    """One token as it was found at a partner."""

    partner: str
    token_id: int
    visual_number: str
    drift: Drift
    fields: tuple[str, ...]
    """The names of the fields that differ."""
    detail: str
    """What differs, or why it could not be read, in words. UIDs are masked."""
    is_owed: bool
    """Whether sync knows that the partner lacks it, and will send it anyway."""
    at: datetime
    repair: Confirmation | None = None
    """What came of sending it again."""
    is_unreachable: bool = False

    @property
    def is_in_step(self) -> bool:
        """Whether the partner holds exactly this token, by now."""
        return self.drift is Drift.RIGHT or (self.repair is not None and self.repair.is_confirmed)


class Auditor:
    """Reads one partner back, giving way to whoever else has something for it."""

    def __init__(
        self, courier: Courier, timing: Timing, *, rate: float, repair: bool, draw: Draw = random.random
    ) -> None:
        self._courier = courier
        self._pace = Pace(timing, draw)
        self._apart_s = 1.0 / rate
        self._repair = repair
        self._enough = threading.Event()

    def run(self, token_ids: Sequence[int], until_s: float) -> Iterator[Finding]:
        """What each token is found to be. Ends when the partner is out of order: the rest is unread.

        :raises StationError: the store failed
        """
        clock = self._courier.clock
        for token_id in token_ids:
            begun_s = clock.elapsed_s()
            finding = self._look(token_id, until_s)
            if finding is not None:
                yield finding
            if self._is_over(until_s):
                return
            # Whoever waits for the partner's turn gets it here.
            clock.wait(self._enough, begun_s + self._apart_s - clock.elapsed_s())

    def _is_over(self, until_s: float) -> bool:
        state = self._pace.state(self._courier.clock.now())
        return state in (PaceState.DOWN, PaceState.UNAUTHORIZED) or self._courier.clock.elapsed_s() >= until_s

    def _look(self, token_id: int, until_s: float) -> Finding | None:
        change = self._courier.newest(token_id)
        if change is None:
            return None
        result = self._read(token_id, until_s)
        if result is None:
            return self._unread(change, "there was no time to ask", is_unreachable=True)
        if result.differences is None:
            is_refused = result.outcome.verdict is Verdict.REFUSED
            return self._unread(result.change, result.outcome.detail, is_unreachable=not is_refused)
        finding = self._compared(result.change, result.differences)
        if self._repair and finding.drift.is_drift:
            finding = replace(finding, repair=self._mend(result.change, finding.drift, until_s))
        return finding

    def _mend(self, change: Change, drift: Drift, until_s: float) -> Confirmation:
        """Send the newest state. Who goes by `last_updated` alone takes it only with a later one."""
        sent = Push(self._courier, change).run(until_s)
        is_seen_as_old = sent.answer in (PushAnswer.REFUSED, PushAnswer.ACKNOWLEDGED)
        if drift is not Drift.ALTERED or not is_seen_as_old:
            return sent
        self._courier.store.renew(self._courier.name, change.token_id)
        return Push(self._courier, self._courier.newest(change.token_id) or change).run(until_s)

    def _read(self, token_id: int, until_s: float) -> Result | None:
        """Ask until the partner answers, or is out of order."""
        clock = self._courier.clock
        while True:
            result = self._courier.read_back(token_id, until_s)
            if result is None:
                return None
            self._judge(token_id, result)
            if not self._pace.is_pausing(clock.now()) or self._is_over(until_s):
                return result
            pause_s = self._pause_s()
            if clock.elapsed_s() + pause_s >= until_s:
                return result
            clock.wait(self._enough, pause_s)
            if result.differences is not None:
                return result

    def _pause_s(self) -> float:
        until = self._pace.paused_until
        return max(0.0, (until - self._courier.clock.now()).total_seconds()) if until else 0.0

    def _judge(self, token_id: int, result: Result) -> None:
        now, outcome = self._courier.clock.now(), result.outcome
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            self._pace.succeeded()
        elif outcome.verdict is Verdict.REFUSED:
            self._pace.was_refused(token_id, now, outcome.detail)
        elif outcome.verdict is Verdict.UNAUTHORIZED:
            self._pace.was_unauthorized(now, outcome.detail)
        else:
            self._pace.failed(now, outcome.detail, outcome.retry_after_s)
        if outcome.retry_after_s is not None:
            self._pace.wait(now, outcome.retry_after_s)

    def _compared(self, change: Change, differences: Sequence[str]) -> Finding:
        drift = _drift(change, differences)
        names = () if drift in (Drift.RIGHT, Drift.MISSING) else tuple(map(_field, differences))
        return self._finding(change, drift, names, "; ".join(differences))

    def _unread(self, change: Change, detail: str, *, is_unreachable: bool) -> Finding:
        return replace(self._finding(change, Drift.UNREAD, (), detail), is_unreachable=is_unreachable)

    def _finding(self, change: Change, drift: Drift, names: tuple[str, ...], detail: str) -> Finding:
        uid = change.token.uid
        return Finding(
            partner=self._courier.name,
            token_id=change.token_id,
            visual_number=change.token.visual_number,
            drift=drift,
            fields=names,
            detail=re.sub(uid.hex, uid.masked, detail, flags=re.IGNORECASE),
            is_owed=drift is not Drift.RIGHT and self._is_owed(change),
            at=self._courier.clock.now(),
        )

    def _is_owed(self, change: Change) -> bool:
        return is_owed(self._courier.store.standing(self._courier.name), change)


def is_owed(standing: Standing, change: Change) -> bool:
    """Whether a partner did not acknowledge a state yet, as far as we know."""
    if any(row.token_id == change.token_id for row in standing.parked):
        return True
    lanes = Lane if change.is_urgent else (Lane.BULK,)
    return change.revision > max(standing.cursors.get(lane, 0) for lane in lanes)


def _drift(change: Change, differences: Sequence[str]) -> Drift:
    if not differences:
        return Drift.RIGHT
    if UNKNOWN_THERE in differences:
        return Drift.MISSING
    there = next(filter(None, map(_TIME_THERE.match, differences)), None)
    return Drift.STALE if there and _is_before(there[1], change.token.last_updated) else Drift.ALTERED


def _is_before(text: str, ours: datetime) -> bool:
    try:
        there = datetime.fromisoformat(text.strip("'"))
    except ValueError:
        return False
    return there.replace(tzinfo=there.tzinfo or UTC) < ours


def _field(difference: str) -> str:
    return difference.partition(":")[0]
