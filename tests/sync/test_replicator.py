"""Sync runs over several partners: what is sent, what it costs, and what is reported."""

from __future__ import annotations

import time
from datetime import date

import pytest
from cpo_double import DOWN, LOST, REFUSED, CpoDouble, FakeClock, Fault, always, first
from memory_feed import START, MemoryFeed, peer

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.feed import Lane
from rfid_station.domain.token import Whitelist
from rfid_station.errors import DiskFull
from rfid_station.sync.drive import Replicator
from rfid_station.sync.pace import Timing
from rfid_station.sync.report import LaneState

CPO = "CPO"
HASTY = Timing(backoff_least_s=0.001, backoff_most_s=0.01, verify_first_s=0.01, park_first_s=0.01)


def test_twelve_new_cards_cost_twelve_puts_and_few_transactions() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(12)
    (report,) = Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)
    assert report.is_settled
    assert (report.puts, report.proofs, report.cursor, report.head) == (12, 0, 12, 12)
    assert (len(cpo.puts), cpo.proofs) == (12, 0)
    # Begin, with the turn, once more in the end, report; one page; R4 for each token; one commit.
    assert feed.calls == {"standing": 4, "changes_after": 1, "newest": 12, "advance": 1}


def test_nothing_to_do_costs_no_request_and_no_write() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    (report,) = Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)
    assert report.state is LaneState.IN_STEP
    assert not cpo.puts
    assert set(feed.calls) == {"standing"}


def test_a_backlog_is_committed_now_and_then_not_only_at_the_end() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(3 * Timing().commit_every + 1)
    seen = []

    def watches(number: int, _token: object) -> Fault | None:
        seen.append(number - feed.partners[CPO].cursors[Lane.BULK])
        return None

    Replicator(feed, [peer(CPO, CpoDouble(watches))], FakeClock()).run_until_settled(60)
    assert max(seen) <= Timing().commit_every
    assert feed.calls["advance"] == 4


def test_a_long_backlog_is_read_page_by_page() -> None:
    feed = MemoryFeed(CPO)
    feed.issue(1000)
    pages = []

    def watches(_number: int, _token: object) -> Fault | None:
        pages.append(feed.calls["changes_after"])
        return None

    Replicator(feed, [peer(CPO, CpoDouble(watches))], FakeClock()).run_until_settled(60)
    assert pages[0] <= 2
    assert pages[500] <= 16
    assert pages[-1] <= 24


def test_a_slow_partner_is_committed_every_second() -> None:
    feed, clock = MemoryFeed(CPO), FakeClock()
    feed.issue(10)

    def takes_its_time(_number: int, _token: object) -> Fault | None:
        clock.passed_s += 0.4
        return None

    Replicator(feed, [peer(CPO, CpoDouble(takes_its_time))], clock).run_until_settled(60)
    assert 3 <= feed.calls["advance"] <= 5


@pytest.mark.parametrize("fault", [LOST, "applied", REFUSED, DOWN], ids=["lost", "applied", "refused", "5xx"])
def test_whatever_happens_to_every_third_request_all_partners_end_equal(fault: Fault) -> None:
    """Over the real clock, threads and waits, with short times."""
    names = [f"CPO {n}" for n in range(3)]
    feed = MemoryFeed(*names)
    feed.issue(20)
    for token_id in (3, 7, 20):
        feed.block(token_id)
    cpos = {
        name: CpoDouble(lambda number, _token: fault if number % 3 == 1 and number < 60 else None)
        for name in names
    }
    replicator = Replicator(feed, [peer(name, cpo) for name, cpo in cpos.items()], timing=HASTY)
    reports = replicator.run_until_settled(20)
    assert [report.state for report in reports] == [LaneState.IN_STEP] * 3
    for cpo in cpos.values():
        assert cpo.holds == {change.token.uid.hex: change.token for change in feed.tokens.values()}
        assert not cpo.overtaken
        assert cpo.most_at_once == 1


def test_a_new_partner_is_a_cursor_at_zero() -> None:
    feed = MemoryFeed("old", "new")
    feed.issue(5)
    Replicator(feed, [peer("old", CpoDouble())], FakeClock()).run_until_settled(60)
    newcomer = CpoDouble()
    old, new = Replicator(
        feed, [peer("old", CpoDouble()), peer("new", newcomer)], FakeClock()
    ).run_until_settled(60)
    assert old.puts == 0
    assert new.puts == len(newcomer.holds) == 5


def test_a_partner_sees_the_token_as_its_agreement_presents_it() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(1)
    agreement = Agreement(whitelist=Whitelist.NEVER)
    feed.views[CPO] = lambda change: change._replace(token=agreement.present(change.token))
    Replicator(feed, [peer(CPO, cpo, agreement)], FakeClock()).run_until_settled(60)
    assert cpo.puts[0].whitelist is Whitelist.NEVER
    assert feed.tokens[1].token.whitelist is Whitelist.ALLOWED


@pytest.mark.parametrize(
    ("agreement", "span"),
    [
        (Agreement(since=date(2026, 3, 2)), "from 2026-03-02"),
        (Agreement(until=date(2026, 2, 28)), "until 2026-02-28"),
        (Agreement(date(2026, 1, 1), date(2026, 2, 1)), "from 2026-01-01 until 2026-02-01"),
    ],
    ids=["not yet", "no more", "in the past"],
)
def test_without_an_agreement_in_force_nothing_is_sent_and_it_says_so(
    agreement: Agreement, span: str
) -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(2)
    feed.views[CPO] = lambda _: None
    replicator = Replicator(feed, [peer(CPO, cpo, agreement)], FakeClock())
    (report,) = replicator.run_until_settled(60)
    assert report.state is LaneState.NOT_IN_FORCE
    assert report.detail == f"the agreement is in force {span}; nothing is sent"
    assert (len(cpo.puts), report.behind, report.is_settled) == (0, 0, False)
    assert replicator.push_now(1, 5) == []
    assert not cpo.puts


def test_an_agreement_covers_both_its_ends() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(1)
    agreement = Agreement(START.date(), START.date())
    (report,) = Replicator(feed, [peer(CPO, cpo, agreement)], FakeClock()).run_until_settled(60)
    assert report.is_settled


def test_a_request_that_outlasts_the_deadline_is_left_and_stays_owed() -> None:
    feed, cpo, healthy = MemoryFeed("hanging", "healthy"), CpoDouble(always("hang")), CpoDouble()
    feed.issue(3)
    replicator = Replicator(feed, [peer("hanging", cpo), peer("healthy", healthy)])
    began = time.monotonic()
    try:
        hanging, fine = replicator.run_until_settled(0.2)
        assert time.monotonic() - began < 5
        assert fine.is_settled
        assert hanging.state is LaneState.BEHIND
        assert hanging.last_error == "the last request has not been answered yet"
        assert (hanging.behind, len(cpo.puts)) == (3, 1)
    finally:
        cpo.release.set()


def test_a_store_that_fails_ends_the_run_with_its_own_error() -> None:
    class Full(MemoryFeed):
        def advance(self, *_: object, **__: object) -> None:
            raise DiskFull("no room for station.sqlite", hint="df -h .")

    feed, cpo = Full(CPO), CpoDouble()
    feed.issue(2)
    with pytest.raises(DiskFull, match=r"station\.sqlite"):
        Replicator(feed, [peer(CPO, cpo)], FakeClock()).run_until_settled(60)


def test_status_sends_nothing() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(2)
    (report,) = Replicator(feed, [peer(CPO, cpo)], FakeClock()).status()
    assert (report.state, report.detail, report.head, report.cursor) == (
        LaneState.BEHIND, "2 tokens behind", 2, 0,
    )  # fmt: skip
    assert not cpo.puts


def test_status_shows_what_is_parked_and_why() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(first(REFUSED))
    feed.issue(1)
    replicator = Replicator(feed, [peer(CPO, cpo)], FakeClock(), draw=lambda: 0.5)
    replicator.run_until_settled(1)
    (report,) = replicator.status()
    assert report.state is LaneState.PARKED
    assert report.parked[0].error == "OCPI 2001 invalid parameters"
    assert report.resumes_at == report.parked[0].due_at


def test_a_station_without_partners_is_an_empty_list() -> None:
    assert Replicator(MemoryFeed(), [], FakeClock()).run_until_settled(1) == []
