"""How a partner's lane stands, as values for `sync status`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.contact import NEVER_MET, Contact
from rfid_station.domain.feed import Lane, Parked, Standing
from rfid_station.domain.partner_profile import STANDARD, PartnerProfile
from rfid_station.domain.service_level import NOTHING_OWED, Owed
from rfid_station.sync.pace import Pace, PaceState, Timing


class LaneState(StrEnum):
    """The one thing to know about a lane first."""

    IN_STEP = "in step"
    """The partner holds the newest state of every token."""
    BEHIND = "behind"
    """Something is still to be sent, and nothing stands in the way."""
    PARKED = "parked"
    """Only tokens are left that the partner refused, or that are still to be verified."""
    PAUSED = "paused"
    """The partner failed just now, or asked to be left alone for a while."""
    DOWN = "down"
    """The partner failed again and again: one request at a time finds out when it is back."""
    WAITING = "waiting for its pull"
    """The partner is back after long and wants to read by itself first; only urgent changes are sent."""
    UNAUTHORIZED = "unauthorized"
    """The partner does not accept our client token, or a hub our certificate, any more."""
    HELD = "paused by hand"
    """Somebody wants it left alone; nothing that takes rights away is owed."""
    PULLS = "pulls by itself"
    """Nothing is sent: its profile says that it reads our list."""
    NOT_IN_FORCE = "not in force"
    """The agreement does not cover today: nothing is sent."""


@dataclass(frozen=True, slots=True)
class LaneReport:
    """One partner: how far it is, and what stands in the way."""

    partner: str
    state: LaneState
    detail: str
    """The state in words, with its reason."""
    head: int
    cursor: int
    """Every revision up to here is acknowledged or parked."""
    behind: int
    """How many tokens lie behind the cursor."""
    parked: tuple[Parked, ...]
    alarms: tuple[str, ...]
    """What somebody should look at."""
    last_error: str = ""
    resumes_at: datetime | None = None
    """When the lane goes on by itself, if it waits."""
    puts: int = 0
    """Requests made since the lane was started, whatever came of them."""
    proofs: int = 0
    last_success: datetime | None = None
    """When the partner last acknowledged something, as far as any process wrote down."""
    owed: Owed = NOTHING_OWED
    is_within_level: bool = True
    """Whether nothing is owed for longer than the service level allows."""
    met: Contact = NEVER_MET
    """How it was last met, by any process."""

    @property
    def is_settled(self) -> bool:
        """Whether the partner holds the newest state of every token."""
        return self.state is LaneState.IN_STEP

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is to be sent: all is settled, or nobody wants more to be sent now."""
        return self.state in (LaneState.IN_STEP, LaneState.NOT_IN_FORCE, LaneState.HELD, LaneState.PULLS)


@dataclass(slots=True)
class Traffic:
    """What a lane did and met so far, as far as this process knows."""

    puts: int = 0
    proofs: int = 0
    last_error: str = ""
    resumes_at: datetime | None = None
    last_success: datetime | None = None


def report(
    standing: Standing,
    agreement: Agreement,
    now: datetime,
    *,
    pace: Pace | None = None,
    traffic: Traffic | None = None,
    timing: Timing | None = None,
    waits_since: datetime | None = None,
    owed: Owed = NOTHING_OWED,
    profile: PartnerProfile = STANDARD,
) -> LaneReport:
    """Describe a lane from what is stored, and from the pace and traffic of a running one.

    :param waits_since: when a partner came back that is to read by itself first
    """
    # Without a running lane, how others met the partner tells whether it is down.
    seen, met = traffic or Traffic(), standing.met
    state = _state(standing, agreement, now, pace, met)
    if waits_since and state in (LaneState.BEHIND, LaneState.PARKED) and standing.behind:
        state = LaneState.WAITING
    if met.pause and not owed.urgent:
        state = LaneState.HELD
    is_within = state is LaneState.NOT_IN_FORCE or owed.is_within_level(now)
    return LaneReport(
        partner=standing.partner,
        state=state,
        detail=_detail(state, standing, agreement, pace, waits_since, met, profile),
        head=standing.head,
        cursor=standing.cursors.get(Lane.BULK, 0),
        behind=standing.behind,
        parked=standing.parked,
        alarms=(
            *_alarms(state, standing, pace, timing or Timing(), met, profile),
            *_late(standing, owed, is_within),
        ),
        last_error=seen.last_error,
        resumes_at=_resumes_at(state, standing, seen),
        puts=seen.puts,
        proofs=seen.proofs,
        last_success=max(filter(None, (seen.last_success, met.last_success_at)), default=None),
        owed=owed,
        is_within_level=is_within,
        met=met,
    )


_GOES_ON = (
    LaneState.IN_STEP,
    LaneState.NOT_IN_FORCE,
    LaneState.BEHIND,
    LaneState.WAITING,
    LaneState.HELD,
    LaneState.PULLS,
)
"""No time is known at which the lane would go on."""

_IN_THE_WAY = {
    PaceState.UNAUTHORIZED: LaneState.UNAUTHORIZED,
    PaceState.DOWN: LaneState.DOWN,
    PaceState.PAUSED: LaneState.PAUSED,
}


def _state(
    standing: Standing, agreement: Agreement, now: datetime, pace: Pace | None, met: Contact
) -> LaneState:
    if standing.is_settled:
        return LaneState.IN_STEP if agreement.covers(now.date()) else LaneState.NOT_IN_FORCE
    obstacle = pace.state(now) if pace else PaceState.OPEN
    if obstacle in _IN_THE_WAY:
        return _IN_THE_WAY[obstacle]
    if pace is None and met.down_since and not met.is_back:
        return LaneState.DOWN
    return LaneState.BEHIND if standing.behind else LaneState.PARKED


def _detail(
    state: LaneState,
    standing: Standing,
    agreement: Agreement,
    pace: Pace | None,
    waits_since: datetime | None,
    met: Contact,
    profile: PartnerProfile,
) -> str:
    owed = f"{_counted(standing.behind)} behind"
    if standing.parked:
        owed += f", {_counted(len(standing.parked))} parked"
    reason = pace.reason if pace else ""
    if met.pause:
        now = "in step" if standing.is_settled else owed
        return f"{met.pause}; {now}; only what takes rights away is sent"
    if state is LaneState.DOWN and not reason:
        reason = f"down since {_at(met.down_since)}"
    match state:
        case LaneState.NOT_IN_FORCE:
            return f"the agreement is in force {_span(agreement)}; nothing is sent"
        case LaneState.IN_STEP:
            return f"holds the newest state of every token, up to revision {standing.head}"
        case LaneState.WAITING:
            return f"back since {_at(waits_since)}, and is to read by itself first; {owed}; urgent changes go"
        case LaneState.UNAUTHORIZED:
            return f"does not accept our {profile.credential} ({reason}); {owed}"
        case LaneState.DOWN | LaneState.PAUSED if reason:
            return f"{reason}; {owed}"
        case LaneState.PARKED:
            return "; ".join(_parked_in_words(row) for row in standing.parked[:3])
        case _:
            return owed


def _counted(number: int) -> str:
    return "1 token" if number == 1 else f"{number} tokens"


def _span(agreement: Agreement) -> str:
    ends = [_end("from", agreement.since), _end("until", agreement.until)]
    return " ".join(end for end in ends if end) or "always"


def _end(word: str, day: date | None) -> str:
    return f"{word} {day.isoformat()}" if day else ""


def _parked_in_words(row: Parked) -> str:
    what = "to be verified" if row.must_verify else "refused"
    return f"token {row.token_id} {what}: {row.error}"


def _alarms(
    state: LaneState,
    standing: Standing,
    pace: Pace | None,
    timing: Timing,
    met: Contact,
    profile: PartnerProfile,
) -> tuple[str, ...]:
    found = []
    if state is LaneState.UNAUTHORIZED:
        words = f"does not accept our {profile.credential}: {profile.way_back_in}"
        found.append(f"{standing.partner} {words}")
    if state is LaneState.DOWN:
        reason = pace.reason if pace and pace.reason else f"since {_at(met.down_since)}"
        found.append(f"{standing.partner} is down: {reason}")
    found += [
        f"{_parked_in_words(row)} ({row.attempts} attempts)"
        for row in standing.parked
        if row.attempts >= timing.alarm_after
    ]
    return tuple(found)


def _late(standing: Standing, owed: Owed, is_within: bool) -> tuple[str, ...]:
    if is_within:
        return ()
    number = owed.urgent + owed.others
    return (
        f"{standing.partner} is owed {_counted(number)}, the oldest since {_at(owed.since)}:"
        f" the service level is broken since {_at(owed.due_at)}",
    )


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "?"


def _resumes_at(state: LaneState, standing: Standing, seen: Traffic) -> datetime | None:
    if state in _GOES_ON:
        return None
    return seen.resumes_at or min((row.due_at for row in standing.parked), default=None)
