"""What one partner is owed next: a state machine that neither waits, nor sends, nor stores.

The driver asks for the next step, carries it out, and reports how it ended. Whatever the machine
remembers is a cache: thrown away at any moment, it is built again from the store's standing,
and what was not committed is sent again, which is harmless because a PUT carries the whole newest state.

    Scan     read the feed                           → scanned
    Deliver  read the token again, then begin        → begin, then finish_put or finish_proof
    Commit   one transaction in the store            → committed
    Wait     nothing to do before a time, or at all

Any number of steps may be under way at once: one per token (R3), and a cursor stops short of the
lowest revision that is neither acknowledged nor parked (R2).
"""

from __future__ import annotations

import random
from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.sync.backlog import Backlog, Entry, cursors_of
from rfid_station.sync.outage import Outage
from rfid_station.sync.pace import Draw, Pace, Timing
from rfid_station.sync.step import Attempt, Call, Commit, Deliver, Scan, Step, Wait

_NEVER = datetime.max.replace(tzinfo=UTC)


class PartnerLane:
    """Both lanes of one partner. Not to be shared between threads without a lock.

    :param window: how many requests besides an urgent one may be under way at once
    :param draw: where jitter comes from
    :param outage: what is known of the partner's absence, for those who begin by themselves afterwards
    """

    def __init__(
        self,
        standing: Standing,
        timing: Timing | None = None,
        *,
        window: int = 1,
        draw: Draw = random.random,
        outage: Outage | None = None,
    ) -> None:
        self.outage = outage or Outage()
        self.is_held = False
        """Whether somebody wants nothing but urgent changes to be sent."""
        self.timing = timing or Timing()
        self.pace = Pace(self.timing, draw)
        self._draw = draw
        self._window = window
        self._rebuild(standing)

    def _rebuild(self, standing: Standing) -> None:
        self._resync = standing.resync
        self._backlog = Backlog(standing, self.timing.scan_limit)
        self._in_flight: dict[int, bool] = {}
        self._committing = False
        self._parked = {row.token_id: row for row in standing.parked}
        self._parked_in_store = {row.token_id: row for row in standing.parked}
        self._none_due_before: datetime | None = None
        self._postponed: dict[int, Parked] = {}
        self._unwritten: dict[int, Parked | None] = {}
        self._resend: set[int] = set()
        self._failed: set[int] = set()
        self._uncommitted = 0
        self._uncommitted_since: datetime | None = None

    @property
    def has_news(self) -> bool:
        """Whether a page of the feed is to be read now."""
        return self._backlog.has_news

    def is_acknowledged(self, change: Change) -> bool:
        """Whether the partner is known to hold this state, or a newer one."""
        return change.revision <= self._backlog.cursors[Lane.BULK] and change.token_id not in self._parked

    def is_overtaken(self, standing: Standing) -> bool:
        """Whether somebody else did some of what this lane would do next, or undid what it knows."""
        cursors, known = cursors_of(standing), self._backlog.cursors
        is_further = any(cursors[lane] > known[lane] for lane in Lane)
        is_parked_anew = {row.token_id: row for row in standing.parked} != self._parked_in_store
        return is_further or is_parked_anew or standing.resync != self._resync

    def refresh(self, standing: Standing) -> None:
        """Take over what the store says, now that other desks and processes may have changed it.

        A resync starts this partner anew, as soon as nothing is under way. Until then the store does not
        take a cursor from here.
        """
        if standing.resync != self._resync:
            if self._is_quiet:
                self._rebuild(standing)
            return
        cursors = cursors_of(standing)
        if not standing.behind or cursors[Lane.BULK] > self._backlog.cursors[Lane.BULK]:
            # Another process sent what waits here: somebody wanted it.
            self.outage.release()
        for lane, cursor in cursors.items():
            self._backlog.move(lane, cursor)
        self._parked_in_store = {row.token_id: row for row in standing.parked}
        if self._is_quiet:
            self._parked = {row.token_id: self._as_postponed(row) for row in standing.parked}
            self._none_due_before = None
        self._backlog.wake_up_to(standing.head)

    def _as_postponed(self, row: Parked) -> Parked:
        """A durable row, with the later time in memory unless somebody has written it anew since."""
        kept = self._parked.get(row.token_id)
        return kept if kept and self._postponed.get(row.token_id) == row else row

    @property
    def _is_quiet(self) -> bool:
        return not (self._in_flight or self._backlog.is_scanning or self._committing or self._unwritten)

    def wake(self) -> None:
        """Look at the feed again: something changed, or may have."""
        self._backlog.wake()

    def next_step(self, now: datetime) -> Step:
        """What to do next. The step is the caller's until it reports how it ended."""
        return (
            self.pressing_commit(now)
            or self.next_scan()
            or self._delivery(now)
            # While requests are under way, what they bring is worth waiting for.
            or (None if self._in_flight else self.pending_commit())
            or Wait(self._next_due(now))
        )

    def claim(self, token_id: int) -> Deliver | None:
        """Take one token out of its turn, whatever pause there is; None while it is in flight (R3)."""
        if token_id in self._in_flight:
            return None
        return self._take(token_id, is_urgent=True)

    def hurry(self, token_ids: Container[int] | None, now: datetime) -> list[Parked]:
        """Make parked tokens due at once, all of them with None; those that are, as they were before.

        A push that ended ambiguously may still land for a while: it is never verified before that.
        """
        chosen = [
            row
            for row in self._parked.values()
            if row.token_id not in self._in_flight and (token_ids is None or row.token_id in token_ids)
        ]
        for row in chosen:
            wait_s = self.timing.verify_first_s if row.must_verify else 0.0
            due_at = min(row.due_at, now + timedelta(seconds=wait_s))
            # Patience with a verification begins anew, so that it does not grow late again at once.
            hurried = replace(row, due_at=due_at, attempts=1 if row.must_verify else row.attempts)
            if hurried != row:
                self._write_row(hurried)
        return chosen

    def give_back(self, deliver: Deliver) -> None:
        """Report that a delivery was not begun."""
        self._in_flight.pop(deliver.token_id, None)

    def next_scan(self) -> Scan | None:
        """The page of the feed to read next, if any is missing."""
        return self._backlog.next_scan()

    def next_page(self) -> Scan | None:
        """The page that holds what is owed next, where that is more than a few tokens."""
        return self._backlog.next_page()

    def scanned(self, scan: Scan, changes: Sequence[Change]) -> None:
        """Take over what the feed holds."""
        self._backlog.scanned(scan, changes, self._is_covered)

    def _is_covered(self, change: Change) -> bool:
        row = self._parked.get(change.token_id)
        return row is not None and row.revision >= change.revision

    # Choosing what to send

    def _delivery(self, now: datetime) -> Deliver | None:
        if not self.pace.allows(now, len(self._in_flight)) or (self._in_flight and self.outage.is_down):
            return None
        urgent_in_flight = sum(self._in_flight.values())
        entry = self._next_entry()
        if entry and entry.is_urgent and not urgent_in_flight:
            return self._take(entry.token_id, is_urgent=True)
        if len(self._in_flight) - urgent_in_flight >= self._window:
            return None
        row = self._due_row(now)
        if row:
            return self._take(row.token_id, is_urgent=False)
        return self._take(entry.token_id, is_urgent=False) if entry else None

    def _take(self, token_id: int, *, is_urgent: bool) -> Deliver:
        self._in_flight[token_id] = is_urgent
        return Deliver(token_id)

    def _next_entry(self) -> Entry | None:
        """Urgent first, then by revision; who failed since the last success gives way to who did not."""
        is_held = self.outage.is_waiting or self.is_held
        return self._backlog.next_owed(self._in_flight, self._failed, urgent_only=is_held)

    def _due_row(self, now: datetime) -> Parked | None:
        if self._none_due_before and now < self._none_due_before:
            return None
        self._none_due_before = min((row.due_at for row in self._parked.values()), default=_NEVER)
        due = (r for r in self._parked.values() if r.due_at <= now and r.token_id not in self._in_flight)
        return min(due, key=lambda row: row.due_at, default=None)

    def _next_due(self, now: datetime) -> datetime | None:
        times = [row.due_at for row in self._parked.values() if row.token_id not in self._in_flight]
        if self._next_entry():
            times.append(now)
        if not times:
            return None
        pause_end = self.pace.paused_until if self.pace.is_pausing(now) else None
        return max(min(times), pause_end or now)

    # One request

    def begin(
        self, deliver: Deliver, change: Change | None, now: datetime, call: Call | None = None
    ) -> Attempt | None:
        """Begin a request about a token as it was read just now (R4); None when there is nothing to send.

        :param call: which request to make; by default the one that is due
        """
        if change is None:
            self.give_back(deliver)
            self._backlog.drop(deliver.token_id)
            self._drop_row(deliver.token_id)
            return None
        if self.is_held and not change.is_urgent and call is None:
            self._hold(deliver, now)
            return None
        row = self._parked.get(change.token_id)
        is_retry = row is not None and row.revision == change.revision
        due = Call.PROVE if self._is_to_verify(row, change, now) else Call.PUT
        return Attempt(
            call or due, change.token_id, change.revision, change.token, is_retry, self.pace.setback
        )

    def _hold(self, deliver: Deliver, now: datetime) -> None:
        """Let a token wait that takes no right away, or does not any more."""
        self.give_back(deliver)
        self._postpone(deliver.token_id, now)
        self._backlog.calm(deliver.token_id)

    def _is_to_verify(self, row: Parked | None, change: Change, now: datetime) -> bool:
        if row is None or not row.must_verify or row.due_at > now:
            return False
        return change.revision <= row.revision and row.token_id not in self._resend

    def finish_put(self, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        """Judge how a PUT ended (R5: only an acknowledgement is one)."""
        del self._in_flight[attempt.token_id]
        if outcome.verdict is Verdict.ACKNOWLEDGED:
            self._acknowledge(attempt, now)
        elif outcome.verdict is Verdict.REFUSED:
            self._refuse(attempt, outcome, now)
        elif outcome.verdict is Verdict.UNAUTHORIZED:
            self.pace.was_unauthorized(now, outcome.detail)
        else:
            self._fail(attempt, outcome, now)
        self._heed(outcome, now)

    def _heed(self, outcome: Outcome, now: datetime) -> None:
        self.outage.look(now, is_down=self.pace.is_down, is_well=self.pace.is_well)
        if outcome.retry_after_s is not None:
            self.pace.wait(now, outcome.retry_after_s)

    def _acknowledge(self, attempt: Attempt, now: datetime) -> None:
        self._succeed(attempt, now)
        is_repeated = attempt.token_id in self._resend
        self._resend.discard(attempt.token_id)
        row = self._parked.get(attempt.token_id)
        if row and row.must_verify:
            # The push that got no answer may still land on top of this one.
            due_at = now + timedelta(seconds=self.timing.verify_s(row.attempts))
            attempts = row.attempts + is_repeated
            self._write_row(replace(row, revision=attempt.revision, attempts=attempts, due_at=due_at))
        elif row:
            self._drop_row(attempt.token_id)

    def _succeed(self, attempt: Attempt, now: datetime) -> None:
        self.pace.succeeded()
        self._failed.clear()
        self._settle(attempt, now)

    def _refuse(self, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        if attempt.is_retry:
            self.pace.answered()
            self._park(attempt, outcome.detail, now)
        elif self.pace.was_refused(attempt.token_id, now, outcome.detail):
            self._park(attempt, outcome.detail, now)
        else:
            self._failed.add(attempt.token_id)

    def _park(self, attempt: Attempt, error: str, now: datetime) -> None:
        before = self._parked.get(attempt.token_id)
        attempts = before.attempts + 1 if before and attempt.is_retry else 1
        must_verify = before is not None and before.must_verify
        wait_s = max(
            self._draw() * self.timing.park_s(attempts), self.timing.verify_first_s if must_verify else 0
        )
        self._resend.discard(attempt.token_id)
        self._write_row(
            Parked(
                attempt.token_id,
                attempt.revision,
                attempts,
                now + timedelta(seconds=wait_s),
                must_verify,
                error,
            )
        )
        self._settle(attempt, now)

    def _fail(self, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        is_poison = self.pace.is_well and self._is_poison(attempt.token_id)
        if outcome.verdict is Verdict.AMBIGUOUS:
            self._doubt(attempt, outcome.detail, now)
        else:
            self._postpone(attempt.token_id, now)
        self._failed.add(attempt.token_id)
        self.pace.failed(now, outcome.detail, outcome.retry_after_s, began_at=attempt.setback)
        if is_poison:
            self._park(attempt, outcome.detail, now)

    def _is_poison(self, token_id: int) -> bool:
        """Whether a token fails again and again while others get through."""
        entries = self._backlog.owed_of(token_id)
        for entry in entries:
            entry.failures += 1
        return any(entry.failures >= self.timing.poison_after for entry in entries)

    def _doubt(self, attempt: Attempt, error: str, now: datetime) -> None:
        """Remember that a request may have landed, or may still land."""
        before = self._parked.get(attempt.token_id)
        attempts = before.attempts if before and before.must_verify else 0
        # In an outage nothing is learned about a token: its patience does not grow.
        attempts += 1 if self.pace.is_well or not attempts else 0
        due_at = now + timedelta(seconds=self.timing.verify_s(attempts))
        self._write_row(Parked(attempt.token_id, attempt.revision, attempts, due_at, True, error))

    def _postpone(self, token_id: int, now: datetime) -> None:
        """Let a parked token wait, in memory only: it was the partner that failed, not the token."""
        row = self._parked.get(token_id)
        if row and row.due_at <= now:
            wait_s = (self.timing.verify_s if row.must_verify else self.timing.park_s)(row.attempts)
            self._postponed.setdefault(token_id, row)
            self._parked[token_id] = replace(row, due_at=now + timedelta(seconds=wait_s))
            self._none_due_before = None

    def finish_proof(
        self, attempt: Attempt, outcome: Outcome, differences: Sequence[str] | None, now: datetime
    ) -> None:
        """Judge what the partner read back."""
        del self._in_flight[attempt.token_id]
        verdict = outcome.verdict
        if verdict is Verdict.ACKNOWLEDGED and differences is not None:
            self._compare(attempt, differences, now)
        elif verdict is Verdict.REFUSED:
            self.pace.answered()
            self._send_unproven(attempt, outcome.detail, now)
        else:
            self._leave_unproven(attempt, outcome, now)
        self._heed(outcome, now)

    def _compare(self, attempt: Attempt, differences: Sequence[str], now: datetime) -> None:
        row = self._parked.get(attempt.token_id)
        if differences:
            self.pace.answered()
            attempts = row.attempts if row else 1
            error = f"reads back differently: {'; '.join(differences)}"
            self._write_row(Parked(attempt.token_id, attempt.revision, attempts, now, True, error))
            self._resend.add(attempt.token_id)
            return
        self._succeed(attempt, now)
        # Before it is due, a push without an answer may still land: then the proof came too early.
        if row and (row.due_at <= now or not row.must_verify):
            self._drop_row(attempt.token_id)

    def _send_unproven(self, attempt: Attempt, error: str, now: datetime) -> None:
        """Send a token once more whose state cannot be read back, and be content with the acknowledgement.

        Not before the proof is due: until then an older request may still land on top of it.
        """
        row = self._parked.get(attempt.token_id)
        if row is None:
            self._doubt(attempt, error, now)
        elif row.due_at <= now:
            self._write_row(replace(row, must_verify=False, due_at=now, error=error))

    def _leave_unproven(self, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
        row = self._parked.get(attempt.token_id)
        if row and row.must_verify and outcome.verdict is Verdict.AMBIGUOUS:
            self._doubt(attempt._replace(revision=row.revision), outcome.detail, now)
        elif row:
            self._postpone(attempt.token_id, now)
        else:
            self._doubt(attempt, outcome.detail, now)
        if outcome.verdict is Verdict.UNAUTHORIZED:
            self.pace.was_unauthorized(now, outcome.detail)
        else:
            self.pace.failed(now, outcome.detail, outcome.retry_after_s, began_at=attempt.setback)

    # What becomes certain

    def _settle(self, attempt: Attempt, now: datetime) -> None:
        """Take a token as settled up to a revision: acknowledged, or a parked row stands for it."""
        self._uncommitted += self._backlog.settle(attempt.token_id, attempt.revision)
        self._uncommitted_since = self._uncommitted_since or now

    def _write_row(self, row: Parked) -> None:
        self._postponed.pop(row.token_id, None)
        self._none_due_before = None
        self._parked[row.token_id] = self._unwritten[row.token_id] = row

    def _drop_row(self, token_id: int) -> None:
        self._resend.discard(token_id)
        self._postponed.pop(token_id, None)
        if self._parked.pop(token_id, None):
            self._unwritten[token_id] = None

    def pressing_commit(self, now: datetime) -> Commit | None:
        """A parked row is written at once; acknowledgements may gather a little."""
        since = self._uncommitted_since
        is_late = since is not None and (now - since).total_seconds() >= self.timing.commit_after_s
        if self._unwritten or is_late or self._uncommitted >= self.timing.commit_every:
            return self.pending_commit()
        return None

    def pending_commit(self) -> Commit | None:
        """What the store should know by now, if anything."""
        if self._committing:
            return None
        commit = self._compose_commit()
        if commit:
            self._committing = True
            self._uncommitted, self._uncommitted_since = 0, None
        return commit

    def _compose_commit(self) -> Commit | None:
        """A cursor with the rows it passes; rows without a cursor that moves are not kept waiting."""
        moved = self._backlog.next_cursor()
        if moved is None and not self._unwritten:
            return None
        lane, cursor = moved or (Lane.BULK, self._backlog.cursors[Lane.BULK])
        rows = tuple(row for row in self._unwritten.values() if row)
        gone = tuple(token_id for token_id, row in self._unwritten.items() if not row)
        return Commit(lane, cursor, rows, gone, resync=self._resync)

    def committed(self, commit: Commit) -> None:
        """Take note that a commit is durable."""
        self._committing = False
        for row in commit.park:
            self._parked_in_store[row.token_id] = row
            if self._unwritten.get(row.token_id) is row:
                del self._unwritten[row.token_id]
        for token_id in commit.unpark:
            self._parked_in_store.pop(token_id, None)
            if token_id in self._unwritten and self._unwritten[token_id] is None:
                del self._unwritten[token_id]
        self._backlog.move(commit.lane, commit.cursor)
