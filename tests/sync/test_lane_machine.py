"""The lane core in a hostile world, and wrong cores and drivers that the same world must find out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from lane_machine import CPO, LaneMachine

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.sync.backlog import Backlog
from rfid_station.sync.fresh import Fresh
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.step import Attempt, Commit, Deliver, Scan


class OneAtATime(LaneMachine):
    """The same world with a partner that wants one request at a time."""

    window = 1


TestLane = LaneMachine.TestCase
TestNarrowLane = OneAtATime.TestCase
TestLane.settings = TestNarrowLane.settings = settings(
    max_examples=80,
    stateful_step_count=30,
    deadline=None,
    # Making a failing example small can take minutes, and thirty steps can be read as they are.
    phases=[Phase.generate],
    database=None,
)


class _GreedyBacklog(Backlog):
    def reach(self, lane: Lane) -> int:
        return self._read_to[lane]


class SkipsTheUnacknowledged(PartnerLane):
    """Against R2: a cursor goes as far as the feed was read."""

    def _rebuild(self, standing: Standing) -> None:
        super()._rebuild(standing)
        self._backlog = _GreedyBacklog(standing, self.timing.scan_limit)


class TwoAtOnce(PartnerLane):
    """Against R3: a token is sent again while it is in flight."""

    def _take(self, token_id: int, *, is_urgent: bool) -> Deliver:
        step = super()._take(token_id, is_urgent=is_urgent)
        self._in_flight = _Forgetful()
        return step


class _Forgetful(dict):
    """Holds nothing, and misses nothing."""

    def __delitem__(self, key: int) -> None:
        self.pop(key, None)


class BelievesTheUnanswered(PartnerLane):
    """Against R5: what may have landed counts as acknowledged."""

    def finish_put(self, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        if outcome.verdict is Verdict.AMBIGUOUS:
            outcome = Outcome(Verdict.ACKNOWLEDGED)
        super().finish_put(attempt, outcome, now)


class ForgetsDoubt(PartnerLane):
    """An acknowledgement clears what may still land on top of it."""

    def _acknowledge(self, attempt: Attempt, now: datetime) -> None:
        super()._acknowledge(attempt, now)
        self._drop_row(attempt.token_id)


class ProvesTooEarly(PartnerLane):
    """A proof counts although an older request may still land."""

    def _compare(self, attempt: Attempt, differences: Sequence[str], now: datetime) -> None:
        super()._compare(attempt, differences, now)
        if not differences:
            self._drop_row(attempt.token_id)


class GivesUpOnProof(PartnerLane):
    """What cannot be read back is believed, although an older request may still land."""

    def _send_unproven(self, attempt: Attempt, error: str, now: datetime) -> None:
        row = self._parked.get(attempt.token_id)
        if row:
            self._write_row(replace(row, must_verify=False, due_at=now, error=error))


class NeverRetries(PartnerLane):
    """What was refused once is never tried again."""

    def _due_row(self, now: datetime) -> Parked | None:
        row = super()._due_row(now)
        return row if row and row.must_verify else None


class TooManyAtOnce(PartnerLane):
    """As many requests at once as there are tokens."""

    def _rebuild(self, standing: Standing) -> None:
        super()._rebuild(standing)
        self._window = 99


class IgnoresTheWindow(LaneMachine):
    """A partner that wants one request at a time gets more."""

    lane_class = TooManyAtOnce
    window = 1


class _KeepsReadings(Fresh):
    def forget(self) -> None:
        pass


class ReadBeforeTheTurn(LaneMachine):
    """Against R4: what was read before others had the turn is sent after them."""

    fresh_class = _KeepsReadings


class _SendsWhatCameLate(Fresh):
    def _is_outdated(self, change: Change) -> bool:
        return False


class ReadBeforeWhatWasSent(LaneMachine):
    """Against R4: a page that comes late brings back what was overtaken from here."""

    fresh_class = _SendsWhatCameLate


class _Judge(LaneMachine):
    """The world for a wrong core, without the check that would see the fault itself and not its harm."""

    def one_request_per_token(self) -> None:
        pass


class StaleSend(LaneMachine):
    """Against R4: the driver sends what it read from the feed, not what the token is now."""

    def __init__(self) -> None:
        self.seen: dict[int, Change] = {}
        super().__init__()

    def carry_out(self, step: Scan | Deliver | Commit) -> None:
        if isinstance(step, Scan):
            changes = self.feed.changes_after(CPO, step.after, step.lane, step.limit)
            self.seen |= {change.token_id: change for change in changes}
        super().carry_out(step)

    def read_again(self, token_id: int) -> Change | None:
        return self.seen.get(token_id) or super().read_again(token_id)


class ParksLater(LaneMachine):
    """Against R2: the parked rows are written in a transaction of their own, after the cursor's."""

    def store(self, commit: Commit) -> None:
        self.feed.advance(CPO, commit.lane, commit.cursor)
        self.nothing_is_lost()  # The process may be killed here.
        self.feed.advance(CPO, commit.lane, commit.cursor, commit.park, commit.unpark)


class UndoesAResync(LaneMachine):
    """A cursor moves though it was set back meanwhile; it was at zero before, and is no lower now."""

    def store(self, commit: Commit) -> None:
        now = self.feed.partners[CPO].resync
        self.feed.advance(CPO, commit.lane, commit.cursor, commit.park, commit.unpark, resync=now)


def world_of(core: type[PartnerLane]) -> type[LaneMachine]:
    return type(core.__name__, (_Judge,), {"lane_class": core})


WRONG_CORES = [
    SkipsTheUnacknowledged,
    TwoAtOnce,
    BelievesTheUnanswered,
    ForgetsDoubt,
    ProvesTooEarly,
    GivesUpOnProof,
    NeverRetries,
]
WRONG_WORLDS = [
    StaleSend,
    IgnoresTheWindow,
    ReadBeforeTheTurn,
    ReadBeforeWhatWasSent,
    ParksLater,
    UndoesAResync,
    *map(world_of, WRONG_CORES),
]


@pytest.mark.parametrize("wrong", WRONG_WORLDS, ids=lambda wrong: wrong.__name__)
def test_every_seeded_bug_is_found(wrong: type[LaneMachine]) -> None:
    """Not by chance: the same examples in each run, and the first failing one is enough."""
    hunt = settings(
        max_examples=2000,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError, match=r"overtook|is passed|should hold|not settled|under way"):
        run_state_machine_as_test(wrong, settings=hunt)
