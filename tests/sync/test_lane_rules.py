"""The rules R1 to R7 of the revision feed, one by one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cpo_double import (
    DOWN,
    FAILSAFE_S,
    GARBAGE,
    LOST,
    OK,
    REFUSED,
    UNAUTHORIZED,
    CpoDouble,
    FakeClock,
    Fault,
    first,
    numbers,
)
from memory_feed import START, MemoryFeed, peer

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Change, Lane
from rfid_station.domain.token import Token
from rfid_station.sync.drive import Replicator
from rfid_station.sync.lane import PartnerLane
from rfid_station.sync.step import Attempt, Commit, Deliver, Scan, Wait
from rfid_station.sync.turn import Turns
from rfid_station.sync.worker import Worker

CPO = "CPO"


def lane_of(feed: MemoryFeed, window: int = 8) -> PartnerLane:
    return PartnerLane(feed.standing(CPO), window=window, draw=lambda: 0.5)


def in_flight(feed: MemoryFeed, lane: PartnerLane) -> list[Attempt]:
    """Carry out what the lane wants until it waits, and leave the requests open."""
    attempts = []
    while not isinstance(step := lane.next_step(START), Wait):
        if isinstance(step, Scan):
            lane.scanned(step, feed.changes_after(CPO, step.after, step.lane, step.limit))
        elif isinstance(step, Deliver):
            attempt = lane.begin(step, feed.newest(CPO, step.token_id), START)
            if attempt:
                attempts.append(attempt)
        else:
            commit(feed, lane, step)
    return attempts


def commit(feed: MemoryFeed, lane: PartnerLane, step: Commit) -> None:
    feed.advance(CPO, step.lane, step.cursor, step.park, step.unpark)
    lane.committed(step)


def reach_of(lane: PartnerLane, which: Lane) -> int:
    return lane._backlog.reach(which)


def test_r1_what_several_desks_change_meanwhile_all_arrives() -> None:
    """The feed shows revisions in the order of their commits, so a cursor leaves nothing behind."""
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    worker = Worker(Replicator(feed, [peer(CPO, cpo)]))
    worker.start()

    def desk(offset: int) -> None:
        for number in range(60):
            feed.change(offset + number % 20)
            worker.wake()

    desks = [threading.Thread(target=desk, args=(100 * n,)) for n in range(1, 5)]
    for one in desks:
        one.start()
    for one in desks:
        one.join(FAILSAFE_S)
    reports = worker.settle(FAILSAFE_S)
    worker.stop()
    assert reports[0].is_settled
    assert cpo.holds == {change.token.uid.hex: change.token for change in feed.tokens.values()}
    assert not cpo.overtaken


def test_r2_a_cursor_stops_short_of_the_lowest_revision_that_is_not_acknowledged() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(4)
    lane = lane_of(feed)
    one, two, three, four = in_flight(feed, lane)
    for attempt in (four, two):
        lane.finish_put(attempt, OK, START)
    assert reach_of(lane, Lane.BULK) == 0
    assert lane.pending_commit() is None
    lane.finish_put(one, OK, START)
    assert reach_of(lane, Lane.BULK) == 2
    lane.finish_put(three, OK, START)
    assert reach_of(lane, Lane.BULK) == 4


def test_r2_the_parked_row_is_written_with_the_cursor_that_passes_it() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(2)
    lane = lane_of(feed)
    one, two = in_flight(feed, lane)
    lane.finish_put(two, OK, START)
    lane.finish_put(one, REFUSED, START)
    step = lane.next_step(START)
    assert isinstance(step, Commit)
    assert (step.lane, step.cursor, [row.token_id for row in step.park]) == (Lane.BULK, 2, [1])


def test_r2_a_parked_row_is_written_within_the_turn_of_its_request() -> None:
    """Later, it could undo what another process parked or delivered meanwhile."""
    feed, cpo = MemoryFeed(CPO), CpoDouble(first(REFUSED))
    feed.issue(3)
    parked_at_the_end_of_a_turn = []

    class Watched(Turns):
        @contextmanager
        def take(self, partner: str, timeout_s: float) -> Iterator[bool]:
            with super().take(partner, timeout_s) as is_ours:
                yield is_ours
                parked_at_the_end_of_a_turn.append(list(feed.partners[CPO].parked))

        def is_wanted(self, partner: str) -> bool:
            return True

    Replicator(feed, [peer(CPO, cpo)], FakeClock(), turns=Watched()).run_until_settled(0)
    assert parked_at_the_end_of_a_turn == [[1], [1], [1]]


def test_r2_an_urgent_cursor_waits_for_urgent_changes_only() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(150)
    for token_id in (140, 141):
        feed.block(token_id)
    lane = lane_of(feed, window=1)
    first_block, second_block = in_flight(feed, lane)
    assert (first_block.token_id, second_block.token_id) == (140, 141)
    lane.finish_put(second_block, OK, START)
    assert reach_of(lane, Lane.URGENT) == 150
    lane.finish_put(first_block, OK, START)
    assert reach_of(lane, Lane.URGENT) == 152
    assert reach_of(lane, Lane.BULK) == 0
    assert lane.pending_commit() == Commit(Lane.URGENT, 152)


def test_r3_one_token_has_one_request_in_flight() -> None:
    feed = MemoryFeed(CPO)
    feed.change(1)
    lane = lane_of(feed)
    (old,) = in_flight(feed, lane)
    feed.block(1)
    lane.wake()
    assert in_flight(feed, lane) == []
    assert lane.claim(1) is None
    lane.finish_put(old, OK, START)
    (new,) = in_flight(feed, lane)
    assert (new.token_id, new.revision) == (1, 2)


def test_r4_a_token_is_read_again_just_before_it_is_sent() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(3)

    def changes_meanwhile(number: int, _token: Token) -> None:
        if number == 0:
            feed.block(3)

    cpo.fault = changes_meanwhile
    (report,) = Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)
    assert report.is_settled
    assert numbers(cpo.puts) == [1, 2, 3], "and the state it had before is never sent"
    assert cpo.puts[2] == feed.tokens[3].token


def test_r4_a_retry_never_replays_an_old_body() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(first(LOST, DOWN))
    feed.change(1)
    clock = FakeClock()
    lane_clock_wait = clock.wait

    def wait_while_the_desk_blocks(event: threading.Event, seconds: float) -> None:
        feed.block(1)
        lane_clock_wait(event, seconds)

    clock.wait = wait_while_the_desk_blocks  # type: ignore[method-assign]
    Replicator(feed, [peer(CPO, cpo)], clock).run_until_settled(10)
    stamps = [token.last_updated for token in cpo.puts]
    assert stamps == sorted(set(stamps))
    assert cpo.holds[feed.tokens[1].token.uid.hex].valid is False


@pytest.mark.parametrize(
    "outcome", [LOST, REFUSED, DOWN, UNAUTHORIZED, GARBAGE], ids=lambda o: o.verdict.value
)
def test_r5_nothing_but_an_acknowledgement_is_one(outcome: Outcome) -> None:
    feed = MemoryFeed(CPO)
    feed.change(1)
    lane = lane_of(feed)
    (attempt,) = in_flight(feed, lane)
    lane.finish_put(attempt, outcome, START)
    in_flight(feed, lane)
    standing = feed.standing(CPO)
    assert not standing.is_settled
    assert outcome.verdict is not Verdict.REFUSED or standing.parked
    assert outcome.verdict is Verdict.REFUSED or standing.cursors[Lane.BULK] == 0


def test_r6_the_whole_newest_state_is_put_whatever_changed() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.change(1)
    replicator = Replicator(feed, [peer(CPO, cpo)], FakeClock())
    replicator.run_until_settled(60)
    feed.change(1, valid=False)
    replicator.run_until_settled(60)
    feed.change(1)
    replicator.run_until_settled(60)
    assert [token.valid for token in cpo.puts] == [True, False, True]
    assert cpo.puts[-1] == feed.tokens[1].token


def test_r6_changes_collapse_into_one_put_of_the_newest_state() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    for _ in range(4):
        feed.issue(5)
    Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)
    assert len(cpo.puts) == 5


def test_r7_a_partner_has_one_owner_at_a_time() -> None:
    """A worker, a sync run and a block, all at once: one request at a time all the same."""
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(100)
    replicator = Replicator(feed, [peer(CPO, cpo)])
    worker = Worker(replicator)
    worker.start()
    runs = [
        threading.Thread(target=replicator.run_until_settled, args=(FAILSAFE_S,)),
        threading.Thread(target=replicator.push_now, args=(50, FAILSAFE_S)),
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(FAILSAFE_S)
    worker.settle(FAILSAFE_S)
    worker.stop()
    assert cpo.most_at_once == 1
    assert len(cpo.holds) == 100
    assert not cpo.overtaken


def test_r7_lanes_share_nothing_but_the_store() -> None:
    """A dead and a hanging partner cost the healthy ones not one request, and no waiting."""
    names = ["healthy 1", "dead", "healthy 2", "hanging", "healthy 3"]
    feed = MemoryFeed(*names)
    feed.issue(40)
    cpos = {name: CpoDouble() for name in names}
    cpos["dead"].fault = lambda _number, _token: DOWN
    cpos["hanging"].fault = lambda _number, _token: "hang"
    worker = Worker(Replicator(feed, [peer(name, cpo) for name, cpo in cpos.items()]))
    worker.start()
    healthy = [name for name in names if name.startswith("healthy")]
    try:
        assert cpos["hanging"].is_hanging.wait(FAILSAFE_S)
        wait_for(lambda: all(len(cpos[name].holds) == 40 for name in healthy))
        assert not cpos["hanging"].release.is_set(), "it hangs on while the others are done"
        assert [len(cpos[name].puts) for name in healthy] == [40, 40, 40]
        assert len(cpos["hanging"].puts) == 1
        assert len(cpos["dead"].puts) <= 3
    finally:
        cpos["hanging"].release.set()
        worker.stop()


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again until it is true; the deadline only ends a broken run."""
    pause = threading.Event()
    for _ in range(int(FAILSAFE_S / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it never came true")


def test_the_urgent_lane_overtakes_a_backlog() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(300)

    def blocks_meanwhile(number: int, _token: Token) -> Fault | None:
        if number == 10:
            feed.block(299)
            clock.passed_s += 2
        return None

    cpo.fault = blocks_meanwhile
    clock = FakeClock()
    Replicator(feed, [peer(CPO, cpo)], clock).run_until_settled(600)
    assert numbers(cpo.puts)[11] == 299, "the very next request, once the lane has looked up"
    assert cpo.puts[11].valid is False
    assert numbers(cpo.puts).count(299) == 1, "and the bulk lane does not repeat what is known to be there"
    assert len(cpo.puts) == 300


def test_a_page_of_the_bulk_brings_nothing_urgent_to_light_that_was_not_looked_for() -> None:
    class Counting(MemoryFeed):
        urgent = 0

        def changes_after(self, partner: str, revision: int, lane: Lane, limit: int) -> Sequence[Change]:
            self.urgent += lane is Lane.URGENT
            return super().changes_after(partner, revision, lane, limit)

    feed, cpo = Counting(CPO), CpoDouble()
    feed.issue(1000)
    Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(600)
    assert len(cpo.puts) == 1000
    assert feed.urgent == 1, "not once for every page"


def test_what_is_settled_during_a_commit_waits_for_the_next_handful() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(200)
    lane = lane_of(feed, window=128)
    attempts = in_flight(feed, lane)
    every = lane.timing.commit_every
    for attempt in attempts[: every + 1]:
        lane.finish_put(attempt, OK, START)
        if attempt is attempts[every - 1]:
            under_way = lane.pressing_commit(START)
    assert isinstance(under_way, Commit)
    assert under_way.cursor == attempts[every - 1].revision
    commit(feed, lane, under_way)
    assert lane.pressing_commit(START) is None, "one acknowledgement is no reason for another commit"
    late = START + timedelta(seconds=lane.timing.commit_after_s)
    again = lane.pressing_commit(late)
    assert again, "but it does not wait for long"
    assert again.cursor == attempts[every].revision


def test_after_a_crash_an_urgent_change_is_repeated_rather_than_trusted() -> None:
    """Somebody who sets back the bulk cursor for a full resync must get the blocked cards as well."""
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(150)
    blocked = feed.block(140)
    lane = lane_of(feed, window=1)
    lane.finish_put(in_flight(feed, lane)[0], OK, START)
    step = lane.pending_commit()
    assert isinstance(step, Commit)
    commit(feed, lane, step)
    assert feed.standing(CPO).cursors == {Lane.URGENT: blocked.revision, Lane.BULK: 0}
    Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)
    assert numbers(cpo.puts).count(140) == 1


def test_time_moves_on_in_the_lane_only_when_it_is_told() -> None:
    feed = MemoryFeed(CPO)
    feed.change(1)
    lane = lane_of(feed)
    (attempt,) = in_flight(feed, lane)
    lane.finish_put(attempt, DOWN, START)
    step = lane.next_step(START)
    assert isinstance(step, Wait)
    assert step.until == START + timedelta(seconds=0.75)
    assert isinstance(lane.next_step(step.until), Deliver)
