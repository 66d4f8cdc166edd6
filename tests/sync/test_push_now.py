"""The urgent path: a block is brought to every partner at once, and proven."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from cpo_double import (
    DOWN,
    FAILSAFE_S,
    LOST,
    REFUSED,
    UNAUTHORIZED,
    CpoDouble,
    FakeClock,
    Fault,
    always,
    first,
    numbers,
)
from memory_feed import MemoryFeed, peer

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.feed import Lane
from rfid_station.domain.partner_profile import PartnerProfile, Protocol
from rfid_station.domain.token import Token, Whitelist
from rfid_station.errors import DiskFull
from rfid_station.sync.confirmation import Confirmation, PushAnswer, Risk, risk_of
from rfid_station.sync.drive import Replicator
from rfid_station.sync.port import Peer

CPO = "CPO"


class Desk:
    """Three cards that the partner knows, the second of which is blocked now."""

    def __init__(self, fault: Fault | None = None, *more: Fault | None, **agreement: Whitelist) -> None:
        self.feed = MemoryFeed(CPO)
        self.feed.issue(3)
        self.cpo = CpoDouble()
        self.clock = FakeClock()
        agreed = Agreement(**agreement)
        self.feed.views[CPO] = lambda change: change._replace(token=agreed.present(change.token))
        peers = [peer(CPO, self.cpo, agreed)]
        self.replicator = Replicator(self.feed, peers, self.clock, draw=lambda: 1 - 1e-9)
        self.replicator.run_until_settled(60)
        self.cpo.puts.clear()
        self.cpo.fault = first(fault, *more)
        self.feed.calls.clear()
        self.blocked = self.feed.block(2)

    def push(self, deadline_s: float = 5) -> Confirmation:
        (confirmation,) = self.replicator.push_now(2, deadline_s)
        return confirmation

    @property
    def is_owed(self) -> bool:
        return not self.feed.standing(CPO).is_settled

    @property
    def is_blocked_there(self) -> bool:
        return not self.cpo.holds[self.blocked.token.uid.hex].valid


def test_a_block_is_confirmed_by_reading_it_back() -> None:
    desk = Desk()
    confirmation = desk.push()
    assert confirmation.is_confirmed
    assert confirmation == Confirmation(
        partner=CPO,
        token_id=2,
        revision=4,
        answer=PushAnswer.CONFIRMED,
        detail="",
        at=desk.clock.now(),
        may_accept="refuses the card, or asks us and hears no",
        next_step="nothing is left to do",
        risk=Risk.REFUSES_OR_ASKS,
        is_valid=False,
        confirmed_at=desk.clock.now(),
        proven_at=desk.clock.now(),
    )
    assert desk.is_blocked_there
    assert not desk.is_owed
    assert desk.feed.proofs == [(CPO, 2, 4, True, "")]


def test_what_a_block_costs() -> None:
    desk = Desk()
    desk.push()
    assert (len(desk.cpo.puts), desk.cpo.proofs) == (1, 1)
    # The token is looked up, and read again before PUT and before GET; so is where the partner stands.
    assert desk.feed.calls == {
        "newest": 3, "standing": 2, "changes_after": 1, "record_proof": 1, "advance": 1,
    }  # fmt: skip


def test_a_partner_that_accepts_and_does_not_answer_is_asked_again_and_confirms() -> None:
    desk = Desk("applied")
    confirmation = desk.push()
    assert confirmation.is_confirmed
    assert len(desk.cpo.puts) == 2
    assert desk.is_owed, "the first push may still land some time: it will be verified"
    desk.replicator.run_until_settled(30)
    assert not desk.is_owed
    assert desk.cpo.proofs == 2


def test_a_partner_that_never_answers_a_push_is_ambiguous_even_if_it_reads_back_equal() -> None:
    desk = Desk("applied", "applied")
    confirmation = desk.push()
    assert confirmation.answer is PushAnswer.AMBIGUOUS
    assert confirmation.detail == "no answer within 10 s; reads back as sent"
    assert confirmation.may_accept == "refuses the card, or asks us and hears no"
    assert "stays owed" in confirmation.next_step
    assert desk.is_owed
    desk.replicator.run_until_settled(30)
    assert not desk.is_owed


def test_a_push_that_is_lost_twice_is_ambiguous_and_sent_by_the_next_sync() -> None:
    desk = Desk(LOST, LOST)
    confirmation = desk.push()
    assert confirmation.answer is PushAnswer.AMBIGUOUS
    assert confirmation.detail == "no answer within 10 s; reads back differently: last_updated differs"
    assert confirmation.may_accept == "may go on accepting the card without asking us"
    assert desk.is_owed
    desk.replicator.run_until_settled(60)
    assert not desk.is_owed
    assert desk.is_blocked_there


@pytest.mark.parametrize(
    ("fault", "answer", "words"),
    [
        (REFUSED, PushAnswer.REFUSED, "OCPI 2001 invalid parameters"),
        (DOWN, PushAnswer.UNREACHABLE, "HTTP 503"),
        (UNAUTHORIZED, PushAnswer.REFUSED, "does not accept our client token: HTTP 401"),
    ],
    ids=["refused", "unreachable", "unauthorized"],
)
def test_a_block_that_did_not_arrive_stays_owed(fault: Outcome, answer: PushAnswer, words: str) -> None:
    desk = Desk(fault)
    confirmation = desk.push()
    assert (confirmation.answer, confirmation.detail) == (answer, words)
    assert confirmation.next_step.startswith("stays owed")
    assert not confirmation.is_confirmed
    assert desk.cpo.proofs == 0
    assert desk.is_owed
    desk.replicator.run_until_settled(90)
    assert not desk.is_owed
    assert desk.is_blocked_there


def test_a_partner_that_acknowledges_and_reads_back_something_else_is_not_confirmed() -> None:
    desk = Desk("ignored")
    confirmation = desk.push()
    assert confirmation.answer is PushAnswer.ACKNOWLEDGED
    assert confirmation.detail == "reads back differently: last_updated differs"
    assert confirmation.may_accept == "may go on accepting the card without asking us"
    assert desk.feed.proofs == [(CPO, 2, 4, False, "last_updated differs")]
    assert desk.is_owed
    desk.replicator.run_until_settled(60)
    assert desk.is_blocked_there
    assert not desk.is_owed
    assert len(desk.cpo.puts) == 2


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.ACKNOWLEDGED])
def test_a_block_that_cannot_be_read_back_is_acknowledged_only(verdict: Verdict) -> None:
    desk = Desk()
    desk.cpo.proof_fault = Outcome(verdict, "no luck")
    confirmation = desk.push()
    assert confirmation.answer is PushAnswer.ACKNOWLEDGED
    assert confirmation.detail == "cannot be read back: no luck"
    assert desk.is_owed, "an unproven block is to be verified"
    desk.cpo.proof_fault = None
    desk.replicator.run_until_settled(30)
    assert not desk.is_owed
    assert desk.feed.proofs[-1] == (CPO, 2, 4, True, "")


def test_a_push_that_may_still_land_stays_to_be_verified_although_nothing_can_be_read_back() -> None:
    desk = Desk("applied")
    desk.cpo.proof_fault = Outcome(Verdict.REFUSED, "HTTP 405")
    assert desk.push().answer is PushAnswer.ACKNOWLEDGED
    assert len(desk.cpo.puts) == 2
    (row,) = desk.feed.standing(CPO).parked
    assert row.must_verify
    assert (row.due_at - desk.clock.now()).total_seconds() == 20
    desk.replicator.run_until_settled(30)
    assert len(desk.cpo.puts) == 3, "sent once more when nothing older can land any more"
    assert not desk.is_owed


def test_a_hanging_partner_ends_nothing_but_its_own_confirmation() -> None:
    feed = MemoryFeed("hanging", "healthy")
    feed.change(1)
    blocked = feed.block(1)
    hanging, healthy = CpoDouble(always("hang")), CpoDouble()
    replicator = Replicator(feed, [peer("hanging", hanging), peer("healthy", healthy)])
    began = time.monotonic()
    try:
        first_one, second_one = replicator.push_now(1, 0.2)
        assert time.monotonic() - began < 5
        assert second_one.is_confirmed
        assert first_one.answer is PushAnswer.AMBIGUOUS
        assert first_one.detail == "has not answered yet"
        assert first_one.may_accept == "may go on accepting the card without asking us"
        assert feed.standing("hanging").cursors[Lane.BULK] < blocked.revision
    finally:
        hanging.release.set()


def test_a_block_waits_for_the_request_under_way_and_says_so_when_that_takes_too_long() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble(first("hang"))
    feed.change(1)
    replicator = Replicator(feed, [peer(CPO, cpo)])
    run = threading.Thread(target=replicator.run_until_settled, args=(FAILSAFE_S,))
    run.start()
    try:
        assert cpo.is_hanging.wait(FAILSAFE_S)
        feed.block(1)
        (confirmation,) = replicator.push_now(1, 0.1)
        assert confirmation.answer is PushAnswer.UNREACHABLE
        assert confirmation.detail == "not sent: an earlier request to it has not ended yet"
        assert len(cpo.puts) == 1, "never two requests at once"
    finally:
        cpo.release.set()
        run.join(FAILSAFE_S)
    assert replicator.push_now(1, FAILSAFE_S)[0].is_confirmed


def test_a_block_goes_ahead_of_a_backlog_and_its_cursor_is_kept() -> None:
    feed, cpo = MemoryFeed(CPO), CpoDouble()
    feed.issue(300)
    blocked = feed.block(250)
    replicator = Replicator(feed, [peer(CPO, cpo)], FakeClock())
    (confirmation,) = replicator.push_now(250, 5)
    assert confirmation.is_confirmed
    assert numbers(cpo.puts) == [250]
    assert feed.standing(CPO).cursors == {Lane.URGENT: blocked.revision, Lane.BULK: 0}


def test_a_block_goes_through_while_the_lane_pauses() -> None:
    """The partner is down for the worker, and back for the block."""
    desk = Desk(*[DOWN] * 5)
    (report,) = desk.replicator.run_until_settled(60)
    assert report.state == "down"
    assert desk.push().is_confirmed


@pytest.mark.parametrize(
    ("whitelist", "words"),
    [
        (Whitelist.ALWAYS, "may go on accepting the card at all its chargers, and never asks us"),
        (Whitelist.ALLOWED, "may go on accepting the card without asking us"),
        (
            Whitelist.ALLOWED_OFFLINE,
            "asks us and hears no, but may accept the card when it cannot reach us",
        ),
        (Whitelist.NEVER, "asks us and hears no"),
    ],
)
def test_the_clerk_hears_what_the_partner_may_still_accept(whitelist: Whitelist, words: str) -> None:
    assert Desk(DOWN, whitelist=whitelist).push().may_accept == words


NEVER_ASKS = (PartnerProfile(protocol=Protocol.OICP), PartnerProfile(authorize=False))


@pytest.mark.parametrize("profile", NEVER_ASKS, ids=["a hub by OICP", "a CPO that does not"])
@pytest.mark.parametrize("whitelist", Whitelist)
def test_who_never_asks_us_goes_by_what_it_holds(whitelist: Whitelist, profile: PartnerProfile) -> None:
    blocked = replace(Desk().blocked.token, whitelist=whitelist)
    assert risk_of(blocked, profile, is_held=True) is Risk.REFUSES
    assert risk_of(blocked, profile, is_held=False) is Risk.MAY_ACCEPT_EVERYWHERE
    # Nobody can say yes to a card that has to be asked for.
    admitted = risk_of(replace(blocked, valid=True), profile, is_held=True)
    assert admitted is (Risk.REFUSES if whitelist is Whitelist.NEVER else Risk.ACCEPTS)


def test_a_hub_that_does_not_know_us_is_said_in_its_own_words() -> None:
    desk = Desk(UNAUTHORIZED, UNAUTHORIZED)
    profile = PartnerProfile(protocol=Protocol.OICP)
    replicator = Replicator(desk.feed, [Peer(CPO, desk.cpo, Agreement(), profile)], desk.clock)
    (confirmation,) = replicator.push_now(2, 5)
    assert confirmation.detail == "does not accept our certificate or contract: HTTP 401"
    assert confirmation.next_step == "stays owed: settle it with the hub, then sync"
    (report,) = replicator.run_until_settled(60)
    assert report.alarms == ("CPO does not accept our certificate or contract: settle it with the hub",)
    assert "certificate or contract (HTTP 401)" in report.detail


def test_a_card_that_becomes_valid_may_be_refused_until_the_partner_knows() -> None:
    desk = Desk(DOWN)
    desk.feed.change(2)
    assert desk.push().may_accept == "may refuse the card until it has learned of it"
    assert desk.push().may_accept == "accepts the card"


def test_only_partners_that_are_to_see_the_card_are_asked() -> None:
    feed, cpo, former = MemoryFeed("current", "former"), CpoDouble(), CpoDouble()
    feed.change(1)
    feed.views["former"] = lambda _: None
    replicator = Replicator(feed, [peer("current", cpo), peer("former", former)], FakeClock())
    assert [one.partner for one in replicator.push_now(1, 5)] == ["current"]
    assert not former.puts


def test_a_store_that_fails_is_an_error_and_not_a_confirmation() -> None:
    desk = Desk()

    def full(*_: object, **__: object) -> None:
        raise DiskFull("no room for station.sqlite", hint="df -h .")

    desk.feed.advance = full  # type: ignore[method-assign]
    with pytest.raises(DiskFull):
        desk.push()


def test_of_an_unknown_token_nobody_is_told() -> None:
    assert Replicator(MemoryFeed(CPO), [peer(CPO, CpoDouble())], FakeClock()).push_now(77, 5) == []


def test_proving_reads_back_what_was_acknowledged_and_sends_what_was_not() -> None:
    desk = Desk()
    confirmations = desk.replicator.prove_now([1, 2, 3], 5)
    assert [one.answer for one in confirmations] == [PushAnswer.CONFIRMED] * 3
    assert numbers(desk.cpo.puts) == [2]
    assert desk.cpo.proofs == 3
    assert not desk.is_owed


def test_proving_finds_what_the_partner_lost_and_owes_it_again() -> None:
    desk = Desk()
    desk.push()
    desk.cpo.holds.clear()
    (confirmation,) = desk.replicator.prove_now([1], 5)
    assert confirmation.answer is PushAnswer.ACKNOWLEDGED
    assert confirmation.detail == "reads back differently: the partner does not know it"
    assert desk.is_owed
    desk.replicator.run_until_settled(60)
    assert numbers(desk.cpo.holds.values()) == [1]


def test_after_the_deadline_no_further_token_is_asked_for() -> None:
    desk = Desk()
    desk.push()
    real_prove = desk.cpo.prove

    def takes_its_time(token: Token) -> tuple[Outcome, list[str] | None]:
        desk.clock.passed_s += 3
        return real_prove(token)

    desk.cpo.prove = takes_its_time  # type: ignore[method-assign]
    desk.cpo.proofs = 0
    answers = [one.answer for one in desk.replicator.prove_now([1, 2, 3], 5)]
    assert answers == [PushAnswer.CONFIRMED, PushAnswer.CONFIRMED, PushAnswer.UNREACHABLE]
    assert desk.cpo.proofs == 2
