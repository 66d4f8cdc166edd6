"""A hostile world around the lane core: everything that may happen, in any order.

The world is the judge. It knows what the partner really holds, what is durable, and what was lost;
it asks the core for nothing but steps. Wrong cores and wrong drivers are made by subclassing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from memory_feed import START, MemoryFeed

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane, Parked
from rfid_station.sync.fresh import Fresh
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.pace import Timing
from rfid_station.sync.step import Attempt, Call, Commit, Deliver, Scan, Wait

CPO = "CPO"
NOBODY = Actor("nobody", Role.SYSTEM)
TOKENS = st.integers(1, 4)
TIMING = Timing(
    breaker_after=3, refused_in_a_row=2, commit_every=2, scan_limit=3, poison_after=2, verify_first_s=20
)

ACK = Outcome(Verdict.ACKNOWLEDGED)
GHOST_BOUND = timedelta(seconds=TIMING.verify_first_s)


@dataclass(frozen=True)
class Fault:
    """How a request ends: what the partner does, and what we see of it."""

    lands: bool
    outcome: Outcome
    lands_later: bool = False


FINE = Fault(True, ACK)
HANGS = Fault(False, Outcome(Verdict.AMBIGUOUS, "on its way"), lands_later=True)
REFUSES = Fault(False, Outcome(Verdict.REFUSED, "2001"))
FAULTS = [
    FINE,
    FINE,
    FINE,
    Fault(False, Outcome(Verdict.AMBIGUOUS, "lost")),
    Fault(True, Outcome(Verdict.AMBIGUOUS, "applied, no answer")),
    HANGS,
    REFUSES,
    Fault(False, Outcome(Verdict.UNREACHABLE, "503")),
    Fault(False, Outcome(Verdict.UNREACHABLE, "429", retry_after_s=30)),
    Fault(False, Outcome(Verdict.UNAUTHORIZED, "401")),
]


@dataclass(frozen=True)
class Ghost:
    """A request given up by us that may still arrive at the partner, for a while."""

    token_id: int
    revision: int
    until: datetime


class LaneMachine(RuleBasedStateMachine):
    """One partner, a window of three, a partner that obeys whatever arrives last."""

    lane_class: type[PartnerLane] = PartnerLane
    fresh_class: type[Fresh] = Fresh
    window = 3

    def __init__(self) -> None:
        super().__init__()
        self.feed = MemoryFeed(CPO)
        self.now = START
        self.holds: dict[int, int] = {}
        self.requests: list[Attempt] = []
        self.deliveries: list[Deliver] = []
        self.scans: list[tuple[Scan, list[Change], float]] = []
        self.fresh = self.fresh_class()
        self.ghosts: list[Ghost] = []
        self.landed: list[Attempt] = []
        """Requests that the partner obeyed, and then forgot, before we hear of it."""
        self.lane = self.new_lane()

    # What mutants replace

    def new_lane(self) -> PartnerLane:
        return self.lane_class(self.feed.standing(CPO), TIMING, window=self.window, draw=lambda: 0.5)

    def read_again(self, token_id: int) -> Change | None:
        return self.fresh.read(token_id, self.now_s, self.newest)

    def newest(self, token_id: int) -> Change | None:
        return self.feed.newest(CPO, token_id)

    def store(self, commit: Commit) -> None:
        self.feed.advance(CPO, commit.lane, commit.cursor, commit.park, commit.unpark, commit.resync)

    # The desk

    @rule(token_id=TOKENS, urgent=st.booleans())
    def change(self, token_id: int, urgent: bool) -> None:
        self.feed.change(token_id, valid=not urgent, urgent=urgent)

    @rule(token_id=TOKENS, urgent=st.booleans(), steps=st.integers(1, 4))
    def change_and_start(self, token_id: int, urgent: bool, steps: int) -> None:
        self.change(token_id, urgent)
        self.lane.wake()
        self.start(steps)

    # The driver

    @rule(steps=st.integers(1, 6))
    def start(self, steps: int) -> None:
        for _ in range(steps):
            step = self.lane.next_step(self.now)
            if isinstance(step, Wait):
                return
            self.carry_out(step)

    def carry_out(self, step: Scan | Deliver | Commit) -> None:
        if isinstance(step, Scan):
            self.end_reading(
                step, list(self.feed.changes_after(CPO, step.after, step.lane, step.limit)), self.now_s
            )
        elif isinstance(step, Deliver):
            self.begin(step)
        else:
            self.store(step)
            self.lane.committed(step)

    def begin(self, deliver: Deliver, call: Call | None = None) -> None:
        attempt = self.lane.begin(deliver, self.read_again(deliver.token_id), self.now, call)
        if attempt:
            self.requests.append(attempt)

    @rule()
    def read_the_feed_slowly(self) -> None:
        """The answer of the store comes when the feed has moved on."""
        scan = self.lane.next_scan()
        if scan:
            changes = list(self.feed.changes_after(CPO, scan.after, scan.lane, scan.limit))
            self.scans.append((scan, changes, self.now_s))

    @precondition(lambda self: self.scans)
    @rule()
    def end_a_slow_reading(self) -> None:
        self.end_reading(*self.scans.pop(0))

    def end_reading(self, scan: Scan, changes: list[Change], read_s: float) -> None:
        self.fresh.note(changes, read_s)
        self.lane.scanned(scan, changes)

    @property
    def now_s(self) -> float:
        return (self.now - START).total_seconds()

    @rule(token_id=TOKENS, fault=st.sampled_from(FAULTS))
    def a_page_comes_late(self, token_id: int, fault: Fault) -> None:
        """It was read before a change that is sent meanwhile."""
        self.change(token_id, urgent=False)
        self.lane.wake()
        self.read_the_feed_slowly()
        deliver = self.lane.claim(token_id)
        if deliver is None:
            return
        self.change(token_id, urgent=False)
        self.begin(deliver, Call.PUT)
        self.end(self.requests.pop(), fault)
        while self.scans:
            self.end_a_slow_reading()
        self.start(3)

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 9), fault=st.sampled_from(FAULTS), steps=st.integers(0, 3))
    def finish(self, which: int, fault: Fault, steps: int) -> None:
        self.end(self.requests.pop(which % len(self.requests)), fault)
        self.start(steps)

    @rule(token_id=TOKENS, faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=6))
    def drive(self, token_id: int, faults: list[Fault]) -> None:
        """Much of what happens every day, so that the rest of the rules meets a lane at work."""
        self.change(token_id, urgent=False)
        for fault in faults:
            self.lane.wake()
            self.start(6)
            if self.requests:
                self.end(self.requests.pop(0), fault)
            self.pass_time(2)

    @rule(token_id=TOKENS)
    def change_twice_and_finish_backwards(self, token_id: int) -> None:
        for _ in range(2):
            self.change_and_start(token_id, False, 6)
        while self.requests:
            self.end(self.requests.pop(), FINE)

    def end(self, attempt: Attempt, fault: Fault) -> None:
        if attempt.call is Call.PROVE:
            differences = self.read_back(attempt) if fault.outcome is ACK else None
            self.lane.finish_proof(attempt, fault.outcome, differences, self.now)
            return
        if attempt in self.landed:
            self.landed.remove(attempt)
        elif fault.lands:
            self.arrive(attempt.token_id, attempt.revision)
        if fault.lands_later:
            self.ghosts.append(Ghost(attempt.token_id, attempt.revision, self.now + GHOST_BOUND))
        self.lane.finish_put(attempt, fault.outcome, self.now)

    def read_back(self, attempt: Attempt) -> list[str]:
        held = self.holds.get(attempt.token_id)
        return [] if held == attempt.revision else [f"revision {held}"]

    def arrive(self, token_id: int, revision: int) -> None:
        held = self.holds.get(token_id, 0)
        assert revision >= held, f"token {token_id}: stale state {revision} overtook {held}"
        self.holds[token_id] = revision

    @rule(token_id=TOKENS)
    def somebody_retries(self, token_id: int) -> None:
        self.lane.hurry({token_id}, self.now)
        self.start(3)

    @rule(has_lost_all=st.booleans())
    def somebody_owes_everything_again(self, has_lost_all: bool) -> None:
        """At any moment, even before a cursor ever moved: what is under way may have landed and be lost."""
        before = set(self.feed.partners[CPO].parked)
        if has_lost_all:
            self.holds.clear()
            self.landed = [attempt for attempt in self.requests if attempt.call is Call.PUT]
        self.feed.rewind(CPO, NOBODY)
        assert set(self.feed.partners[CPO].parked) == before

    @rule()
    def refresh(self) -> None:
        self.lane.refresh(self.feed.standing(CPO))

    @precondition(lambda self: not self.requests and not self.scans)
    @rule(token_id=TOKENS, landing=st.booleans(), proof_by_other=st.sampled_from([None, FINE, REFUSES]))
    def a_newer_state_is_sent_while_an_old_one_hangs(
        self, token_id: int, landing: bool, proof_by_other: Fault | None
    ) -> None:
        """Rare if left to chance, and the worst that can happen to a block."""
        self.change_and_end_all(token_id, HANGS)
        if proof_by_other:
            self.other_desk_blocks(token_id, FINE, proof_by_other, read_before=False)
            self.refresh()
            self.pass_time(2)
            self.start(8)
            while self.requests:
                self.end(self.requests.pop(), FINE)
            self.start(8)
        else:
            self.change_and_end_all(token_id, FINE)
        if landing and self.ghosts:
            self.a_ghost_lands(len(self.ghosts) - 1)

    def change_and_end_all(self, token_id: int, fault: Fault) -> None:
        self.pass_time(2)
        self.change_and_start(token_id, True, 8)
        while self.requests:
            request = self.requests.pop()
            self.end(request, fault if request.token_id == token_id else FINE)

    # Another process, which has the turn while we have nothing under way

    @precondition(lambda self: not self.requests and not self.scans)
    @rule(
        token_id=TOKENS,
        fault=st.sampled_from(FAULTS),
        proof=st.sampled_from(FAULTS),
        read_before=st.booleans(),
    )
    def other_desk_blocks(self, token_id: int, fault: Fault, proof: Fault, read_before: bool) -> None:
        if read_before:
            self.change(token_id, urgent=False)
            self.lane.wake()
            self.start(1)
        if self.requests:
            return
        self.change(token_id, urgent=True)
        self.other_process_pushes(token_id, fault, proof)

    @precondition(lambda self: not self.requests and not self.scans)
    @rule(token_id=TOKENS, fault=st.sampled_from(FAULTS), proof=st.sampled_from(FAULTS))
    def other_process_pushes(self, token_id: int, fault: Fault, proof: Fault) -> None:
        commit = self.lane.pressing_commit(self.now)
        if commit:
            self.carry_out(commit)
        ours, self.lane = self.lane, self.new_lane()
        our_readings, self.fresh = self.fresh, self.fresh_class()
        if token_id in self.feed.tokens:
            while scan := self.lane.next_scan():
                self.carry_out(scan)
            for call, how_it_ends in ((Call.PUT, fault), (Call.PROVE, proof)):
                deliver = self.lane.claim(token_id)
                assert deliver
                self.begin(deliver, call)
                self.end(self.requests.pop(), how_it_ends)
            while commit := self.lane.pending_commit():
                self.carry_out(commit)
        self.lane, self.fresh = ours, our_readings
        # Whoever takes the turn back has read nothing in it.
        self.fresh.forget()

    # The world

    @rule(seconds=st.sampled_from([1, 10, 21, 70, 400]))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.ghosts = [ghost for ghost in self.ghosts if ghost.until > self.now]

    @precondition(lambda self: self.ghosts)
    @rule(which=st.integers(0, 9))
    def a_ghost_lands(self, which: int) -> None:
        ghost = self.ghosts.pop(which % len(self.ghosts))
        self.holds[ghost.token_id] = ghost.revision

    @rule(landed=st.booleans())
    def crash(self, landed: bool) -> None:
        """All memory is lost. What was under way has landed by the time we are back, or never will."""
        known = self.feed.partners[CPO].parked
        unknown = [ghost for ghost in self.ghosts if not self.is_to_verify(known.get(ghost.token_id))]
        self.ghosts = [ghost for ghost in self.ghosts if ghost not in unknown]
        puts = [one for one in self.requests if one.call is Call.PUT and one not in self.landed]
        for one in [*unknown, *puts] if landed else []:
            if one.revision >= self.holds.get(one.token_id, 0):
                self.holds[one.token_id] = one.revision
        self.requests, self.scans, self.landed = [], [], []
        self.lane, self.fresh = self.new_lane(), self.fresh_class()

    @staticmethod
    def is_to_verify(row: Parked | None) -> bool:
        return row is not None and row.must_verify

    # What must be true at every moment, by what is durable alone

    @invariant()
    def nothing_is_lost(self) -> None:
        row = self.feed.partners[CPO]
        for change in self.feed.tokens.values():
            lanes = Lane if change.is_urgent else [Lane.BULK]
            is_ahead = all(change.revision > row.cursors[lane] for lane in lanes)
            held = self.holds.get(change.token_id, 0)
            assert is_ahead or change.token_id in row.parked or held >= change.revision, (
                f"token {change.token_id} at {change.revision} is passed, and the partner holds {held}"
            )

    @invariant()
    def one_request_per_token(self) -> None:
        tokens = [attempt.token_id for attempt in self.requests]
        assert len(tokens) == len(set(tokens)), f"two requests at once for one token: {tokens}"

    @invariant()
    def no_more_at_once_than_the_partner_wants(self) -> None:
        count = len(self.requests)
        assert count <= self.window + 1, f"{count} requests under way, and {self.window} and one allowed"

    # In the end everything is well

    def teardown(self) -> None:
        while self.scans:
            self.end_a_slow_reading()
        for _ in range(500):
            while self.requests:
                self.end(self.requests.pop(0), FINE)
            step = self.lane.next_step(self.now)
            if not isinstance(step, Wait):
                self.carry_out(step)
            elif not self.wait_for_more(step):
                break
        self.check_the_end()

    def wait_for_more(self, step: Wait) -> bool:
        if step.until is not None:
            self.now = max(self.now, step.until)
            self.ghosts = []
            return True
        standing = self.feed.standing(CPO)
        self.lane.refresh(standing)
        return not standing.is_settled

    def check_the_end(self) -> None:
        newest = {token_id: change.revision for token_id, change in self.feed.tokens.items()}
        assert self.holds == newest, f"the partner holds {self.holds}, and should hold {newest}"
        standing = self.feed.standing(CPO)
        assert standing.is_settled, f"not settled: {standing}"
