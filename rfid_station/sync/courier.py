"""Carries out what one partner's lane decides: the only place where lane, store and partner meet."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Parked
from rfid_station.domain.token import Token
from rfid_station.errors import StationError
from rfid_station.sync.clock import Clock
from rfid_station.sync.fresh import Fresh
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.outage import Outage
from rfid_station.sync.pace import Draw, PaceState, Timing
from rfid_station.sync.port import FeedStore, Peer
from rfid_station.sync.report import LaneReport, Traffic, report
from rfid_station.sync.shift import Shift, Work
from rfid_station.sync.step import Call, Commit, Deliver, Scan, Wait
from rfid_station.sync.turn import Turns

_GAVE_UP = (PaceState.DOWN, PaceState.UNAUTHORIZED)

_KEEP_EVERY = timedelta(seconds=10)
"""How often it is written down that a partner acknowledges what it is sent."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one request: the state it was about, the outcome, and what a GET showed."""

    change: Change
    outcome: Outcome
    differences: list[str] | None = None


class Courier:
    """Drives the lane of one partner, with as many requests at once as its profile allows.

    `drain` and `push` run in one thread; the lane is touched under a lock.
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
        self.traffic = Traffic()
        self.store = store
        self._turns = turns
        self._timing = timing
        self._draw = draw
        self._lane: PartnerLane | None = None
        met = peer.book.contact()
        self._outage = Outage(peer.profile.after_outage, met)
        self._kept_down_since = met.down_since
        self._kept_success: datetime | None = None
        self._nudged = threading.Event()
        self._looked_up_s = clock.elapsed_s()
        self._stopped = threading.Event()
        self._apart_s = 1.0 / peer.profile.max_rps if peer.profile.max_rps else 0.0
        self._next_request_s = -math.inf
        self._lock = threading.RLock()
        self._bell = threading.Event()
        self._fresh = Fresh()

    @property
    def name(self) -> str:
        """The partner's."""
        return self.peer.name

    def nudge(self) -> None:
        """Say that something changed: a courier at rest wakes, one at work looks for urgent changes."""
        self._nudged.set()
        self._bell.set()

    def stop(self) -> None:
        """Let the requests under way be the last ones."""
        self._stopped.set()
        self._nudged.set()
        self._bell.set()

    def abandon(self) -> None:
        """Wait for it no longer. The request under way ends some time, and nothing follows it."""
        self.stop()
        self.traffic = replace(self.traffic, last_error="the last request has not been answered yet")

    def rest(self, most_s: float) -> None:
        """Sleep until there is something to do, or so many seconds are over."""
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
        return report(
            self.store.standing(self.name),
            self.peer.agreement,
            self.clock.now(),
            pace=pace,
            traffic=self.traffic,
            timing=self._timing,
            waits_since=self._outage.ended_at,
            owed=self.store.owed(self.name),
            met=self.peer.book.contact(),
            profile=self.peer.profile,
        )

    def newest(self, token_id: int) -> Change | None:
        """A token as the partner is to see it now; None if it is not to see it at all."""
        return self.store.newest(self.name, token_id)

    # Bulk and urgent lane

    def drain(self, until_s: float, *, is_patient: bool) -> None:
        """Bring the partner as far as it goes, or until the clock shows `until_s`.

        :param is_patient: whether to sit out a pause that ends in time; a partner that is down is left
        :raises StationError: the store failed; what was acknowledged and not stored is sent again
        """
        try:
            self._drain(until_s, is_patient=is_patient)
        except StationError as trouble:
            self.traffic = replace(self.traffic, last_error=trouble.message, resumes_at=None)
            self._forget()
            raise
        except BaseException:
            self._forget()
            raise

    def _drain(self, until_s: float, *, is_patient: bool) -> None:
        self.traffic = replace(self.traffic, resumes_at=None)
        lane = self._refreshed_lane()
        has_looked = False
        while self._may_go_on(until_s):
            self._look_up(lane)
            step = lane.next_step(self.clock.now())
            if isinstance(step, Wait):
                self.traffic = replace(self.traffic, resumes_at=step.until)
                if not is_patient:
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
            elif isinstance(step, Scan):
                self._scan(lane, step)
            else:
                self._commit(lane, step)
        self._commit_all(lane)

    def _look_up(self, lane: PartnerLane) -> None:
        """Let the lane see what came meanwhile: told by a nudge, or unheard from another process."""
        elapsed_s = self.clock.elapsed_s()
        if self._nudged.is_set() or elapsed_s - self._looked_up_s >= self._timing.poll_s:
            self._nudged.clear()
            self._looked_up_s = elapsed_s
            lane.is_held = self.is_held
            lane.wake()

    def _may_go_on(self, until_s: float) -> bool:
        return not self._stopped.is_set() and self.clock.elapsed_s() <= until_s

    def _sit_out(self, wait: Wait, until_s: float) -> bool:
        if wait.until is None or self.has_given_up:
            return False
        waits_s = (wait.until - self.clock.now()).total_seconds()
        if self.clock.elapsed_s() + waits_s > until_s:
            return False
        self.clock.wait(self._nudged, waits_s)
        return True

    def _refreshed_lane(self) -> PartnerLane:
        pulled_at = self.peer.last_pull()
        if pulled_at:
            self._outage.pulled(pulled_at)
        self.store.enforce(self.name)
        standing = self.store.standing(self.name)
        if self._lane is None:
            window = self.peer.profile.max_in_flight
            self._lane = PartnerLane(
                standing, self._timing, window=window, draw=self._draw, outage=self._outage
            )
        else:
            self._lane.refresh(standing)
        self._lane.is_held = self.is_held
        self._keep_contact()
        return self._lane

    @property
    def is_held(self) -> bool:
        """Whether somebody wants the partner to be sent nothing but what takes rights away."""
        return self.peer.book.contact().pause is not None

    def _forget(self) -> None:
        """Throw away what was in memory: the store knows what is certain."""
        self._lane = None

    def _scan(self, lane: PartnerLane, scan: Scan) -> None:
        read_s = self.clock.elapsed_s()
        changes = self._read(scan)
        with self._lock:
            self._fresh.note(changes, read_s)
            lane.scanned(scan, changes)

    def _read(self, page: Scan) -> Sequence[Change]:
        return self.store.changes_after(self.name, page.after, page.lane, page.limit)

    def _commit(self, lane: PartnerLane, commit: Commit) -> None:
        self.store.advance(
            self.name, commit.lane, commit.cursor, commit.park, commit.unpark, after=commit.after
        )
        with self._lock:
            lane.committed(commit)

    def _commit_all(self, lane: PartnerLane) -> None:
        while commit := lane.pending_commit():
            self._commit(lane, commit)
        self._keep_contact()

    def _keep_contact(self) -> None:
        """Write down for other processes how the partner is met, where that is news."""
        since, success = self._outage.down_since, self.traffic.last_success
        if since != self._kept_down_since:
            self.peer.book.note_down(since)
            self._kept_down_since = since
        if success and self._is_to_be_kept(success):
            self.peer.book.note_success(success)
            self._kept_success = success

    def _is_to_be_kept(self, success: datetime) -> bool:
        kept, back_since = self._kept_success, self._outage.ended_at
        if kept is None or (back_since and kept < back_since):
            return True
        return success - kept >= _KEEP_EVERY

    def _deliver(self, lane: PartnerLane, deliver: Deliver, until_s: float) -> None:
        patience_s = min(until_s - self.clock.elapsed_s(), self._timing.turn_s)
        with self._turn(patience_s) as is_ours:
            if not is_ours:
                lane.give_back(deliver)
                return
            if self.peer.profile.max_in_flight == 1:
                self._request(lane, deliver)
            else:
                self._deliver_many(lane, deliver, until_s)
            # Within the turn: a row that is written later could undo what another desk wrote meanwhile.
            while commit := lane.pressing_commit(self.clock.now()):
                self._commit(lane, commit)
            self._keep_contact()

    def _deliver_many(self, lane: PartnerLane, first: Deliver, until_s: float) -> None:
        """Make requests, several at once, until nothing is left to do now or somebody wants the turn."""
        self._fresh.forget()
        if page := lane.next_page():
            read_s = self.clock.elapsed_s()
            self._fresh.note(self._read(page), read_s)
        work = _TurnWork(self, lane, until_s)
        window = self.peer.profile.max_in_flight
        Shift(work, self._lock, window, self._bell, f"sync {self.name}").run(first)

    def _request(self, lane: PartnerLane, deliver: Deliver, call: Call | None = None) -> Result | None:
        """Make one request about a token as it is now; None when there is nothing to say about it."""
        return self._request_about(lane, deliver, self.newest(deliver.token_id), call)

    def _request_about(
        self,
        lane: PartnerLane,
        deliver: Deliver,
        change: Change | None,
        call: Call | None = None,
        *,
        is_begun: bool = False,
    ) -> Result | None:
        with self._lock:
            attempt = lane.begin(deliver, change, self.clock.now(), call)
        if attempt is None or change is None:
            return None
        if not is_begun:
            self._begin_request()
        if attempt.call is Call.PUT:
            outcome = self._bring(change, attempt.token)
            with self._lock:
                lane.finish_put(attempt, outcome, self.clock.now())
            return Result(change, outcome)
        outcome, differences = self._prove(change, attempt.token)
        with self._lock:
            lane.finish_proof(attempt, outcome, differences, self.clock.now())
        return Result(change, outcome, differences)

    @contextmanager
    def _turn(self, patience_s: float) -> Iterator[bool]:
        """Hold the partner's turn until its next request may begin, whoever makes it (`max_rps`)."""
        with self._turns.take(self.name, patience_s) as is_ours:
            try:
                yield is_ours
            finally:
                if is_ours:
                    self._await_rate()

    def _await_rate(self) -> None:
        left_s = self._rate_left_s()
        if left_s > 0:
            self.clock.wait(self._stopped, left_s)

    def _rate_left_s(self) -> float:
        return self._next_request_s - self.clock.elapsed_s()

    def _begin_request(self) -> None:
        """Wait until the next request may begin, and begin it."""
        with self._lock:
            now_s = self.clock.elapsed_s()
            begin_s = max(now_s, self._next_request_s)
            self._next_request_s = begin_s + self._apart_s
        if begin_s > now_s:
            self.clock.wait(self._stopped, begin_s - now_s)

    def _bring(self, change: Change, token: Token) -> Outcome:
        """Send a token. What was sent in part is believed after a read-back alone, or is sent as a whole."""
        outcome = self._put(token)
        if not outcome.is_partial or outcome.verdict not in (Verdict.ACKNOWLEDGED, Verdict.REFUSED):
            return outcome
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            self._begin_request()
            if self._prove(change, token)[1] == []:
                return outcome
        self._begin_request()
        return self._put(token)

    def _put(self, token: Token) -> Outcome:
        outcome = self.peer.receiver.put(token)
        self._note(outcome, puts=1)
        return outcome

    def _prove(self, change: Change, token: Token) -> tuple[Outcome, list[str] | None]:
        outcome, differences = self.peer.receiver.prove(token)
        self._note(outcome, proofs=1)
        if differences is not None:
            self.store.record_proof(
                self.name, change.token_id, change.revision, not differences, "; ".join(differences)
            )
        return outcome, differences

    def _note(self, outcome: Outcome, *, puts: int = 0, proofs: int = 0) -> None:
        with self._lock:
            known = self.traffic
            error, success = known.last_error, known.last_success
            if outcome.verdict is Verdict.ACKNOWLEDGED:
                success = self.clock.now()
            else:
                error = f"{outcome.verdict}: {outcome.detail}"
            self.traffic = Traffic(known.puts + puts, known.proofs + proofs, error, known.resumes_at, success)

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
                self._scan(lane, scan)
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
            if token_ids is None:
                self._outage.release()
            return lane.hurry(token_ids, self.clock.now())

    def read_back(self, token_id: int, until_s: float) -> Result | None:
        """Ask what the partner holds, and change nothing about what it is owed.

        None when the turn was not free in time, or there is no such token.
        """
        with self._turn(until_s - self.clock.elapsed_s()) as is_ours:
            change = self.newest(token_id) if is_ours else None
            if change is None:
                return None
            self._begin_request()
            return Result(change, *self._prove(change, change.token))

    def pause_left_s(self) -> float:
        """How long the partner is to be left alone: it failed just now, or asked for it."""
        pace = self._lane.pace if self._lane else None
        now = self.clock.now()
        if pace is None or pace.paused_until is None or not pace.is_pausing(now):
            return 0.0
        return (pace.paused_until - now).total_seconds()


class _TurnWork:
    """What is done at a partner within one turn, step by step, as its lane says."""

    def __init__(self, courier: Courier, lane: PartnerLane, until_s: float) -> None:
        self._courier = courier
        self._lane = lane
        self._until_s = until_s
        self._is_one_about_to_begin = False

    def is_enough(self) -> bool:
        """Whether it is over for today."""
        return not self._courier._may_go_on(self._until_s)

    def is_wanted(self) -> bool:
        """Whether somebody else wants the turn."""
        return self._courier._turns.is_wanted(self._courier.name)

    def next_work(self) -> Work | None:
        """The lane's next step, if it is one that can be done now."""
        if self._is_one_about_to_begin or self._courier._rate_left_s() > 0:
            return None
        self._courier._look_up(self._lane)
        step = self._lane.next_step(self._courier.clock.now())
        # So that what waits for the rate is read again when it goes, and not now.
        self._is_one_about_to_begin = isinstance(step, Deliver) and self._courier._apart_s > 0
        return None if isinstance(step, Wait) else step

    def carry_out(self, work: Work) -> None:
        """Do it; from several threads at once."""
        if isinstance(work, Deliver):
            self._deliver(work)
        elif isinstance(work, Scan):
            self._courier._scan(self._lane, work)
        else:
            self._courier._commit(self._lane, work)

    def _deliver(self, deliver: Deliver) -> None:
        courier = self._courier
        change = courier._fresh.read(deliver.token_id, courier.clock.elapsed_s(), courier.newest)
        if courier._apart_s:
            courier._begin_request()
            self._is_one_about_to_begin = False
        courier._request_about(self._lane, deliver, change, is_begun=True)
