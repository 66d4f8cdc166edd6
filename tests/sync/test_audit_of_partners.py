"""A partner read back: what differs is named, and nothing is changed unless it is to be repaired."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from cpo_double import DOWN, LOST, REFUSED, UNAUTHORIZED, CpoDouble, FakeClock
from memory_feed import MemoryFeed, peer

from rfid_station.domain.delivery import Outcome, Verdict
from rfid_station.domain.partner_profile import PartnerProfile
from rfid_station.domain.token import Token
from rfid_station.sync.audit import Drift, Finding
from rfid_station.sync.drive import Replicator

CPO = "CPO"


class Drifting(CpoDouble):
    """Compares as the OCPI client does, by name; `trouble` says how the next GETs end."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: list[Outcome] = []

    def prove(self, token: Token) -> tuple[Outcome, list[str] | None]:
        self.proofs += 1
        if self.trouble:
            return self.trouble.pop(0), None
        held = self.holds.get(token.uid.hex)
        if held is None:
            return Outcome(Verdict.ACKNOWLEDGED), ["unknown there"]
        found = []
        if held.valid != token.valid:
            found.append(f"valid: {held.valid} there, {token.valid} here")
        if held.issuer != token.issuer:
            found.append(f"issuer: {held.issuer} of {token.uid.hex} there, {token.issuer} here")
        if held.last_updated != token.last_updated:
            at = f"{held.last_updated:%Y-%m-%dT%H:%M:%SZ}"
            found.append(f"last_updated: {at} there, {token.last_updated:%Y-%m-%dT%H:%M:%SZ} here")
        return Outcome(Verdict.ACKNOWLEDGED), found


class Desk:
    def __init__(self, tokens: int = 4, profile: PartnerProfile | None = None) -> None:
        self.feed, self.clock, self.cpo = MemoryFeed(CPO), FakeClock(), Drifting()
        self.feed.issue(tokens)
        self.replicator = Replicator(
            self.feed,
            [peer(CPO, self.cpo, profile=profile or PartnerProfile())],
            self.clock,
            draw=lambda: 0.5,
        )
        self.replicator.run_until_settled(60)
        self.cpo.puts.clear()

    def audit(self, *, repair: bool = False, rate: float = 10, deadline_s: float = 600) -> list[Finding]:
        ids = sorted(self.feed.tokens)
        return list(self.replicator.audit(CPO, ids, rate=rate, repair=repair, deadline_s=deadline_s))

    def drift(self) -> None:
        """Token 1 is missing, 2 stale, 3 altered, and 4 as it should be."""
        uids = [self.feed.tokens[n].token.uid.hex for n in (1, 2, 3)]
        del self.cpo.holds[uids[0]]
        held = self.cpo.holds[uids[1]]
        self.cpo.holds[uids[1]] = replace(
            held, valid=False, last_updated=held.last_updated - timedelta(seconds=5)
        )
        self.cpo.holds[uids[2]] = replace(self.cpo.holds[uids[2]], issuer="Somebody Else")


def test_each_kind_of_drift_is_named_with_its_fields() -> None:
    desk = Desk()
    desk.drift()
    found = desk.audit()
    assert [(one.drift, one.fields) for one in found] == [
        (Drift.MISSING, ()),
        (Drift.STALE, ("valid", "last_updated")),
        (Drift.ALTERED, ("issuer",)),
        (Drift.RIGHT, ()),
    ]
    assert [one.is_in_step for one in found] == [False, False, False, True]
    assert not any(one.is_owed for one in found)
    uid = desk.feed.tokens[3].token.uid
    assert uid.hex not in found[2].detail
    assert uid.masked in found[2].detail


def test_an_audit_changes_nothing_but_keeps_the_proofs() -> None:
    desk = Desk()
    desk.drift()
    before = desk.feed.standing(CPO)
    desk.audit()
    assert desk.feed.standing(CPO) == before
    assert desk.cpo.puts == []
    assert [proven for _, _, _, proven, _ in desk.feed.proofs] == [False, False, False, True]


def test_a_repair_sends_what_differs_and_nothing_else_and_reads_it_back() -> None:
    desk = Desk()
    desk.drift()
    found = desk.audit(repair=True)
    assert all(one.is_in_step for one in found)
    assert [bool(one.repair) for one in found] == [True, True, True, False]
    assert len(desk.cpo.puts) == 3
    assert [one.drift for one in desk.audit()] == [Drift.RIGHT] * 4
    assert desk.feed.standing(CPO).is_settled


def test_a_repair_that_is_refused_is_told_and_stays_owed() -> None:
    desk = Desk()
    desk.drift()
    desk.cpo.fault = lambda _number, _token: REFUSED
    found = desk.audit(repair=True)
    assert [one.is_in_step for one in found] == [False, False, False, True]
    assert found[0].repair
    assert "2001" in found[0].repair.detail
    assert {row.token_id for row in desk.feed.standing(CPO).parked} == {1, 2, 3}


def test_what_sync_still_owes_is_told_apart() -> None:
    desk = Desk()
    desk.feed.block(2)
    found = desk.audit()
    assert [(one.drift, one.is_owed) for one in found][1] == (Drift.STALE, True)


def test_a_partner_that_answers_again_after_a_while_is_waited_for() -> None:
    desk = Desk()
    desk.cpo.trouble = [DOWN, LOST, Outcome(Verdict.UNREACHABLE, "HTTP 429", retry_after_s=30)]
    assert [one.drift for one in desk.audit()] == [Drift.RIGHT] * 4
    assert desk.clock.passed_s >= 30


def test_a_partner_that_is_down_ends_the_audit() -> None:
    desk = Desk()
    desk.cpo.trouble = [DOWN] * 99
    (one,) = desk.audit()
    assert (one.drift, one.is_unreachable, one.detail) == (Drift.UNREAD, True, "HTTP 503")
    assert desk.cpo.proofs == 5
    desk.cpo.trouble = [UNAUTHORIZED] * 99
    (one,) = desk.audit()
    assert one.detail == "HTTP 401"
    assert desk.cpo.proofs == 6


def test_what_cannot_be_read_back_is_not_called_right() -> None:
    desk = Desk()
    desk.cpo.trouble = [REFUSED]
    assert [one.drift for one in desk.audit()] == [Drift.UNREAD, *[Drift.RIGHT] * 3]


def test_reads_are_paced_by_the_rate_and_by_the_partners_limit() -> None:
    desk = Desk()
    start_s = desk.clock.passed_s
    desk.audit(rate=2)
    assert desk.clock.passed_s - start_s >= 1.5
    slow = Desk(profile=PartnerProfile(max_rps=0.25))
    start_s = slow.clock.passed_s
    slow.audit(rate=100)
    assert slow.clock.passed_s - start_s >= 12


def test_the_deadline_ends_it_and_the_rest_is_not_found() -> None:
    desk = Desk(tokens=30)
    assert 3 <= len(desk.audit(rate=1, deadline_s=4)) <= 6


def test_an_altered_token_goes_with_a_later_time_to_who_compares_only_times() -> None:
    desk = Desk()
    desk.drift()
    stamp = desk.feed.tokens[3].token.last_updated

    def refuses_what_is_no_newer(_number: int, token: Token) -> Outcome | None:
        held = desk.cpo.holds.get(token.uid.hex)
        return REFUSED if held and held.last_updated >= token.last_updated else None

    desk.cpo.fault = refuses_what_is_no_newer
    found = desk.audit(repair=True)
    assert all(one.is_in_step for one in found)
    assert desk.feed.tokens[3].token.last_updated > stamp
    assert [change.revision for change in desk.feed.tokens.values()] == [1, 2, 5, 4], "and only that one"
    assert desk.feed.standing(CPO).is_settled
