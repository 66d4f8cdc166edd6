"""A push that goes on until it is proven, and what may still happen at hubs and caches meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from cpo_double import DOWN, REFUSED, CpoDouble, FakeClock, Fault, first
from memory_feed import MemoryFeed, peer

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Whitelist
from rfid_station.sync.confirmation import Confirmation, PushAnswer
from rfid_station.sync.drive import Replicator

CPO = "CPO"


def push(
    *faults: Fault | None,
    deadline_s: float = 300,
    profile: PartnerProfile | None = None,
    whitelist: Whitelist = Whitelist.ALLOWED,
    cpo: CpoDouble | None = None,
) -> tuple[Confirmation, CpoDouble, FakeClock]:
    feed, clock = MemoryFeed(CPO), FakeClock()
    feed.change(1, valid=False, urgent=True, whitelist=whitelist)
    there = cpo or CpoDouble(first(*faults))
    one = peer(CPO, there, profile=profile or PartnerProfile())
    replicator = Replicator(feed, [one], clock, draw=lambda: 0.5)
    (confirmation,) = replicator.push_now(1, deadline_s, insist=True)
    return confirmation, there, clock


def test_a_partner_that_comes_back_in_time_confirms() -> None:
    confirmation, cpo, clock = push(DOWN, DOWN, DOWN)
    assert confirmation.is_confirmed
    assert len(cpo.puts) == 4
    assert clock.waits == sorted(clock.waits), "the pauses grow"
    assert confirmation.confirmed_at == confirmation.proven_at == clock.now()


def test_a_partner_that_asks_for_a_pause_gets_it() -> None:
    busy = Outcome(Verdict.UNREACHABLE, "HTTP 503", retry_after_s=120)
    confirmation, cpo, clock = push(busy)
    assert confirmation.is_confirmed
    assert len(cpo.puts) == 2
    assert clock.passed_s >= 120
    given_up, cpo, _ = push(busy, deadline_s=60)
    assert given_up.answer is PushAnswer.UNREACHABLE
    assert len(cpo.puts) == 1


def test_one_that_refuses_is_asked_a_few_times_and_not_without_end() -> None:
    confirmation, cpo, _ = push(*[REFUSED] * 99, deadline_s=60)
    assert confirmation.answer is PushAnswer.REFUSED
    assert 3 <= len(cpo.puts) <= 6
    assert confirmation.confirmed_at is None


def test_what_is_acknowledged_and_not_held_is_confirmed_and_not_proven() -> None:
    confirmation, _, clock = push("ignored", deadline_s=1)
    assert confirmation.answer is PushAnswer.ACKNOWLEDGED
    assert confirmation.confirmed_at == clock.now()
    assert confirmation.proven_at is None


def test_a_hub_and_a_cache_are_told() -> None:
    profile = PartnerProfile(is_hub=True, cache_minutes=30)
    confirmation, _, clock = push(profile=profile)
    assert confirmation.is_hub
    assert confirmation.cached_until == clock.now() + timedelta(minutes=30)
    assert "the hub confirmed it, the operators behind it are unknown" in confirmation.may_accept
    assert "may go by the state before until 2026-03-01T08:30:00Z" in confirmation.may_accept
    asking, _, _ = push(profile=PartnerProfile(cache_minutes=30), whitelist=Whitelist.NEVER)
    assert asking.cached_until is None, "who always asks us keeps nothing"
    away, _, _ = push(*[DOWN] * 99, profile=profile, deadline_s=5)
    assert away.cached_until is None, "nobody knows when it will learn of it"
    assert "it is a hub" in away.may_accept


def test_whoever_watches_hears_of_the_end() -> None:
    feed, clock = MemoryFeed(CPO, "other"), FakeClock()
    feed.block(1)
    seen: list[list[PushAnswer]] = []

    def watch(said: Sequence[Confirmation]) -> None:
        seen.append([one.answer for one in said])

    peers = [peer(CPO, CpoDouble()), peer("other", CpoDouble(first(*[REFUSED] * 9)))]
    Replicator(feed, peers, clock).push_now(1, 5, watch=watch)
    assert seen[-1] == [PushAnswer.CONFIRMED, PushAnswer.REFUSED]
