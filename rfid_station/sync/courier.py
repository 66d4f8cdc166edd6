"""Carries out what one partner's lane decides: the only place where lane, store and partner meet."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Container, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from rfid_station.domain.contact import Contact, Pause
from rfid_station.domain.feed import Change, Parked, Standing
from rfid_station.errors import StationError
from rfid_station.sync.clerk import Clerk
from rfid_station.sync.clock import Clock
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.loop import run_in_loop
from rfid_station.sync.outage import Outage
from rfid_station.sync.pace import Draw, PaceState, Timing
from rfid_station.sync.port import FeedStore, Peer
from rfid_station.sync.report import LaneReport, Traffic, report
from rfid_station.sync.shift import Shift
from rfid_station.sync.speaker import Result, Speaker
from rfid_station.sync.step import Call, Commit, Deliver, Scan, Step, Wait
from rfid_station.sync.turn import Turns
from rfid_station.sync.turn_work import TurnWork

_GAVE_UP = (PaceState.DOWN, PaceState.UNAUTHORIZED)

_STANDS_BY_S = 0.02
"""For how long a partner is left to somebody else at first, who has the turn."""

_GIVES_WAY_S = 0.05
"""How long whoever brought the last change is given to bring the next one."""

_KEEP_EVERY = timedelta(seconds=10)
"""How often it is written down that a partner acknowledges what it is sent."""


class Courier:
    """Drives the lane of one partner, with as many requests at once as its profile allows.

    The lane is touched by one thread at a time; only what is said of it can be asked from others.
    """

    def __init__(
        self,
        store: FeedStore,
        peer: Peer,
        clock: Clock,
        turns: Turns,
        timing: Timing,
        draw: Draw = random.random,
    ) -> None:
        self.peer = peer
        self.clock = clock
        self.store = store
        self._turns = turns
        self._timing = timing
        self._draw = draw
        self._lane: PartnerLane | None = None
        self._outage: Outage | None = None
        self._kept_down_since: datetime | None = None
        self._kept_success: datetime | None = None
        self._nudged = threading.Event()
        self._stands_by_s = _STANDS_BY_S
        self._gives_way = False
        """Whether somebody else was quicker the last time, and is let go first."""
        self._looked_up_s = clock.elapsed_s()
        self._stopped = threading.Event()
        self._rested_at: Hashable = None
        """The age of the store at which nothing was left to do."""
        self._rests_until_s = math.inf
        self._clerk = Clerk(store, peer.name, clock)
        self._speaker = Speaker(store, peer, clock, self._stopped)

    @property
    def name(self) -> str:
        """The partner's."""
        return self.peer.name

    @property
    def traffic(self) -> Traffic:
        """What was asked and met so far."""
        return self._speaker.traffic

    def nudge(self) -> None:
        """Say that something changed: a courier at rest wakes, one at work looks for urgent changes."""
        self._nudged.set()

    def stop(self) -> None:
        """Let the requests under way be the last ones."""
        self._stopped.set()
        self._nudged.set()

    def abandon(self) -> None:
        """Wait for it no longer. The request under way ends some time, and nothing follows it."""
        self.stop()
        self.traffic.last_error = "the last request has not been answered yet"

    def rest(self, most_s: float) -> None:
        """Sleep until there is something to do, or so many seconds are over."""
        if self._stopped.is_set():
            return
        waits_s = self.resumes_in_s()
        self.clock.wait(self._nudged, most_s if waits_s is None else min(most_s, waits_s))

    def resumes_in_s(self) -> float | None:
        """In how many seconds the lane goes on by itself; None when nothing is left that time would bring."""
        at = self.traffic.resumes_at
        return max(0.0, (at - self.clock.now()).total_seconds()) if at else None

    @property
    def has_given_up(self) -> bool:
        """Whether the partner is out of order, so that waiting for it is for others to do."""
        return self._lane is not None and self._lane.pace.state(self.clock.now()) in _GAVE_UP

    def report(self) -> LaneReport:
        """How the partner stands."""
        pace = self._lane.pace if self._lane else None
        standing = self.store.standing(self.name)
        return report(
            standing,
            self.peer.agreement,
            self.clock.now(),
            pace=pace,
            traffic=self.traffic,
            timing=self._timing,
            waits_since=self._outage_since(standing.met).ended_at,
            owed=self.store.owed(self.name),
            profile=self.peer.profile,
        )

    def newest(self, token_id: int) -> Change | None:
        """A token as the partner is to see it now; None if it is not to see it at all."""
        return self._clerk.newest(token_id)

    @property
    def pause(self) -> Pause | None:
        """By whose word the partner is sent nothing but what takes rights away."""
        return self.store.standing(self.name, counted=False).met.pause

    def bring_up_to_date(self) -> Standing:
        """Put into force what is due today; where the partner stands then."""
        standing = self.store.standing(self.name, counted=False)
        if standing.is_outdated:
            self.store.enforce(self.name)
            standing = self.store.standing(self.name, counted=False)
        return standing

    # Bulk and urgent lane

    def drain(self, until_s: float, *, is_patient: bool) -> None:
        """Bring the partner as far as it goes, or until the clock shows `until_s`.

        When it was as far before, and nothing has changed anywhere since, the store is asked for no more.

        :param is_patient: whether to sit out a pause that ends in time; a partner that is down is left
        :raises StationError: the store failed; what was acknowledged and not stored is sent again
        """
        try:
            self._drain(until_s, is_patient=is_patient)
        except StationError as trouble:
            self.traffic.last_error, self.traffic.resumes_at = trouble.message, None
            self._forget()
            raise
        except BaseException:
            self._forget()
            raise

    def _drain(self, until_s: float, *, is_patient: bool) -> None:
        if self._gives_way and not is_patient:
            self.clock.wait(self._stopped, _GIVES_WAY_S)
        self._nudged.clear()
        # Who is patient comes once, and whoever is not comes again every second.
        age = None if is_patient else self.store.age()
        if age is not None and age == self._rested_at and self._is_still_at_rest:
            return
        self._rested_at = None
        self.traffic.resumes_at = None
        lane = self._refreshed_lane()
        self._looked_up_s = self.clock.elapsed_s()
        has_looked = False
        while not self._is_enough(until_s):
            self._look_up(lane)
            step = lane.next_step(self.clock.now())
            if isinstance(step, Wait):
                self.traffic.resumes_at = step.until
                if not is_patient:
                    self._rest_at(age)
                    break
                is_over = not self._sit_out(step, until_s)
                lane = self._refreshed_lane()
                # What came meanwhile may be urgent; but a backlog that is never done is no news twice.
                if is_over and (has_looked or not lane.has_news):
                    break
                has_looked = is_over
            elif isinstance(step, Deliver):
                has_looked = False
                self._deliver(lane, step, until_s)
            else:
                self._consult_store(lane, step)
        self._commit_all(lane)

    def _rest_at(self, age: Hashable) -> None:
        left_s = self.resumes_in_s()
        self._rested_at = age
        self._rests_until_s = math.inf if left_s is None else self.clock.elapsed_s() + left_s

    @property
    def _is_still_at_rest(self) -> bool:
        """Whether it is too early for the lane to go on. A clock that is set back delays nothing."""
        return self.clock.elapsed_s() < self._rests_until_s and self.resumes_in_s() != 0.0

    def _look_up(self, lane: PartnerLane) -> None:
        """Let the lane see what came meanwhile: told by a nudge, or unheard from another process."""
        elapsed_s = self.clock.elapsed_s()
        if self._nudged.is_set() or elapsed_s - self._looked_up_s >= self._timing.poll_s:
            self._nudged.clear()
            self._looked_up_s = elapsed_s
            lane.is_held = self.pause is not None
            lane.wake()

    def _is_enough(self, until_s: float) -> bool:
        return self._stopped.is_set() or self.clock.elapsed_s() > until_s

    def _sit_out(self, wait: Wait, until_s: float) -> bool:
        if wait.until is None or self.has_given_up:
            return False
        waits_s = (wait.until - self.clock.now()).total_seconds()
        if self.clock.elapsed_s() + waits_s > until_s:
            return False
        self.clock.wait(self._nudged, waits_s)
        return True

    def _refreshed_lane(self) -> PartnerLane:
        standing = self.bring_up_to_date()
        met = standing.met
        if self._outage is None:
            self._outage, self._kept_down_since = self._outage_since(met), met.down_since
        if met.last_pull_at:
            self._outage.pulled(met.last_pull_at)
        if self._lane is None:
            window = self.peer.profile.max_in_flight
            self._lane = PartnerLane(
                standing, self._timing, window=window, draw=self._draw, outage=self._outage
            )
        else:
            self._lane.refresh(standing)
        self._lane.is_held = met.pause is not None
        self._keep_contact(self._lane)
        return self._lane

    def _outage_since(self, met: Contact) -> Outage:
        """The partner's absence as this courier knows it, or else as others met the partner."""
        return self._outage or Outage(self.peer.profile.after_outage, met)

    def _forget(self) -> None:
        """Throw away what was in memory: the store knows what is certain."""
        self._lane = None

    def _commit_all(self, lane: PartnerLane) -> None:
        while commit := lane.pending_commit():
            self._clerk.commit(lane, commit)
        self._keep_contact(lane)

    def _keep_contact(self, lane: PartnerLane) -> None:
        """Write down for other processes how the partner is met, where that is news."""
        since, success = lane.outage.down_since, self.traffic.last_success
        if since != self._kept_down_since:
            self.peer.book.note_down(since)
            self._kept_down_since = since
        if success and self._is_to_be_kept(success, lane.outage.ended_at):
            self.peer.book.note_success(success)
            self._kept_success = success

    def _is_to_be_kept(self, success: datetime, back_since: datetime | None) -> bool:
        kept = self._kept_success
        if kept is None or (back_since and kept < back_since):
            return True
        return success - kept >= _KEEP_EVERY

    def _deliver(self, lane: PartnerLane, deliver: Deliver, until_s: float) -> None:
        with self._turn(0.0) as is_ours:
            if not is_ours:
                self._gives_way = True
                lane.give_back(deliver)
            elif lane.is_overtaken(self.store.standing(self.name, counted=False)):
                self._gives_way = True
                lane.give_back(deliver)
                self._commit_all(lane)
                self._refreshed_lane()
            else:
                self._gives_way = False
                self._deliver_in_turn(lane, deliver, until_s)
        if is_ours:
            self._stands_by_s = _STANDS_BY_S
        else:
            self._stand_by(until_s)

    def _stand_by(self, until_s: float) -> None:
        """Leave the partner to whoever speaks to it, and look again later and later.

        What is owed is brought by them as well. A place in the line would end their turn instead.
        """
        left_s = max(0.0, until_s - self.clock.elapsed_s())
        self.clock.wait(self._stopped, min(self._stands_by_s, left_s))
        self._stands_by_s = min(2 * self._stands_by_s, self._timing.turn_s)

    def _deliver_in_turn(self, lane: PartnerLane, deliver: Deliver, until_s: float) -> None:
        if self.peer.profile.max_in_flight == 1:
            self._request_in_a_row(lane, deliver, until_s)
        else:
            self._request_many(lane, deliver, until_s)
        # Within the turn: who has it next is to know what was sent, and a row that is written later could
        # undo what another desk wrote meanwhile.
        self._commit_all(lane)

    def _request(self, lane: PartnerLane, deliver: Deliver, call: Call | None = None) -> Result | None:
        """Make one request about a token as it is now; None when there is nothing to say about it."""
        newest = self.newest(deliver.token_id)
        return self._speaker.converse(self._speaker.request(lane, deliver, newest, call))

    def _request_in_a_row(self, lane: PartnerLane, first: Deliver, until_s: float) -> None:
        """Make requests, one after the other, until nothing is left to do now or somebody wants the turn."""
        step: Step = first
        while not isinstance(step, Wait):
            if isinstance(step, Deliver):
                self._request(lane, step)
            else:
                self._consult_store(lane, step)
            if self._is_enough(until_s) or self._turns.is_wanted(self.name):
                return
            self._look_up(lane)
            step = lane.next_step(self.clock.now())

    def _consult_store(self, lane: PartnerLane, step: Scan | Commit) -> None:
        if isinstance(step, Scan):
            self._clerk.scan(lane, step)
        else:
            self._clerk.commit(lane, step)

    def _request_many(self, lane: PartnerLane, first: Deliver, until_s: float) -> None:
        """Make requests, several at once, until nothing is left to do now or somebody wants the turn."""
        self._clerk.begin_turn(lane)
        self._speaker.begin_request()
        work = TurnWork(
            lane,
            self._speaker,
            self._clerk,
            self.clock,
            look_up=self._look_up,
            is_enough=partial(self._is_enough, until_s),
            is_wanted=partial(self._turns.is_wanted, self.name),
        )
        run_in_loop(Shift(work, self.peer.profile.max_in_flight).run(first))

    @contextmanager
    def _turn(self, patience_s: float) -> Iterator[bool]:
        """Hold the partner's turn until its next request may begin, whoever makes it (`max_rps`)."""
        with self._turns.take(self.name, patience_s) as is_ours:
            try:
                yield is_ours
            finally:
                if is_ours:
                    self._speaker.await_rate()

    # One token, out of its turn

    @contextmanager
    def own_turn(self, until_s: float) -> Iterator[PartnerLane | None]:
        """Hold the partner's turn, with a lane that knows what comes next; None if it was not free.

        What came of the requests made within the block is stored at its end.
        """
        left_s = until_s - self.clock.elapsed_s()
        if left_s < 0:
            yield None
            return
        with self._turn(left_s) as is_ours:
            if not is_ours:
                yield None
                return
            lane = self._refreshed_lane()
            while scan := lane.next_scan():
                self._clerk.scan(lane, scan)
            yield lane
            self._commit_all(lane)

    def request_now(self, lane: PartnerLane, token_id: int, call: Call) -> Result | None:
        """Make one request about a token, whatever pause there is; None when it is not to be made."""
        deliver = lane.claim(token_id)
        return self._request(lane, deliver, call) if deliver else None

    def hurry(self, token_ids: Container[int] | None, until_s: float) -> list[Parked] | None:
        """Make parked tokens due, and let a bulk lane that waits go on; None if the turn was not free."""
        with self.own_turn(until_s) as lane:
            if lane is None:
                return None
            self._rested_at = None
            if token_ids is None:
                lane.outage.release()
            return lane.hurry(token_ids, self.clock.now())

    def read_back(self, token_id: int, until_s: float) -> Result | None:
        """Ask what the partner holds, and change nothing about what it is owed.

        None when the turn was not free in time, or there is no such token.
        """
        with self._turn(until_s - self.clock.elapsed_s()) as is_ours:
            change = self.newest(token_id) if is_ours else None
            if change is None:
                return None
            return self._speaker.converse(self._speaker.read_back(change))

    def pause_left_s(self) -> float:
        """How long the partner is to be left alone: it failed just now, or asked for it."""
        pace = self._lane.pace if self._lane else None
        now = self.clock.now()
        if pace is None or pace.paused_until is None or not pace.is_pausing(now):
            return 0.0
        return (pace.paused_until - now).total_seconds()
