"""Sync looked after by hand: set-aside tokens tried again, a partner owed everything anew, how all stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rfid_station.desk.partners.delivery import replicator
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.contact import Pause
from rfid_station.domain.partner import Partner, PartnerState
from rfid_station.errors import Conflict, PartnerRefused, PartnerUnreachable, StillPending, WrongCall
from rfid_station.sync.report import LaneReport, LaneState, report
from rfid_station.sync.retry import Retried, RetryResult


@dataclass(frozen=True, slots=True)
class PartnerStanding:
    """How one partner stands by the store, with what only the store knows."""

    report: LaneReport
    last_success: datetime | None
    """When it last acknowledged something or was proven, as far as it is known."""
    is_ending: bool = False
    """Whether it is to lose every card, and its connection then."""


@dataclass(frozen=True, slots=True)
class RetriedCard:
    """One set-aside token at one partner, by the number of its card."""

    number: str
    outcome: Retried


def stand(station: Station) -> list[PartnerStanding]:
    """How every partner stands, without asking anybody. What its agreement says today is put into force."""
    connected = {one.name: one for one in station.store.partners.all() if one.state is PartnerState.CONNECTED}
    for name in connected:
        station.store.feed.enforce(name)
    with replicator(station) as replication:
        reports = replication.status()
    reports += [_pulls(station, one) for one in connected.values() if not one.profile.push]
    return [
        PartnerStanding(report, _last_success(station, report), connected[report.partner].is_ending)
        for report in sorted(reports, key=lambda report: report.partner)
        if report.partner in connected
    ]


def _last_success(station: Station, report: LaneReport) -> datetime | None:
    proof = station.store.feed.last_proof(report.partner)
    return max(filter(None, (report.last_success, proof)), default=None)


def _pulls(station: Station, partner: Partner) -> LaneReport:
    """How a partner stands that nothing is sent to: by when it last read from us."""
    standing, now = station.store.feed.standing(partner.name), station.store.database.clock()
    contact = standing.met
    owed = station.store.contacts.unread(partner.name)
    number = owed.urgent + owed.others
    pull = f"last pull {contact.last_pull_at:%Y-%m-%dT%H:%M:%SZ}" if contact.last_pull_at else "no pull yet"
    words = f"pulls by itself; {pull}; {number} changed since" if number else f"pulls by itself; {pull}"
    told = report(
        replace(standing, behind=number, parked=(), met=replace(contact, down_since=None, pause=None)),
        partner.agreement,
        now,
        owed=owed,
    )
    state = LaneState.NOT_IN_FORCE if told.state is LaneState.NOT_IN_FORCE else LaneState.PULLS
    return replace(told, state=state, detail=words, met=contact)


def pause(station: Station, name: str, reason: str) -> Pause:
    """Send a partner nothing but what takes rights away, until it is resumed.

    :raises Conflict: it is paused already
    :raises WrongCall: there is no such partner, or nothing is sent to it anyway
    """
    partner = station.store.partners.get(name)
    if not partner.profile.push:
        raise WrongCall(
            f"{name} pulls by itself: nothing is sent to it", hint=f"rfid-station partner show {name}"
        )
    return station.store.contacts.pause(name, reason, station.actor)


def resume(station: Station, name: str) -> Pause:
    """Go on with a partner; what the pause was.

    :raises Conflict: it was not paused
    :raises WrongCall: there is no such partner
    """
    return station.store.contacts.resume(name, station.actor)


def retry(
    station: Station, name: str | None, card: Card | None, deadline_s: float
) -> tuple[list[RetriedCard], list[LaneReport]]:
    """Try again at once what partners refused or may not have got; what came of each.

    Without a card the rest that is owed goes on as well, also to a partner that is waited for.

    :raises WrongCall: the partner is not connected
    :raises Conflict: somebody paused it
    :raises StationError: the store failed
    """
    if name is not None:
        check_connected(station, name)
        check_not_paused(station, name)
    tokens = None if card is None else _token_of(station, card)
    with replicator(station) as replication:
        names = None if name is None else {name}
        found, reports = replication.retry_now(names, tokens, deadline_s)
    return [RetriedCard(_number(station, one.token_id), one) for one in found], reports


def resync(station: Station, name: str) -> int:
    """Owe a partner the newest state of every token again; how many these are. Nothing is sent yet.

    What it refused stays set aside, with its time.

    :raises WrongCall: the partner is not connected
    :raises StationError: the store failed
    """
    check_connected(station, name)
    return station.store.feed.rewind(name, station.actor)


def check_connected(station: Station, name: str) -> None:
    """Let a partner pass that can be synced with.

    :raises WrongCall: there is none of this name, or it is not connected
    """
    if station.store.partners.get(name).state is not PartnerState.CONNECTED:
        raise WrongCall(f"{name} is not connected", hint=f"rfid-station partner connect {name}")


def check_not_paused(station: Station, name: str) -> None:
    """Let a partner pass that nobody paused.

    :raises Conflict: somebody did
    """
    pause = station.store.contacts.get(name).pause
    if pause:
        raise Conflict(f"{name} is {pause}", hint=f"rfid-station sync resume {name}")


def check_retried(found: Sequence[RetriedCard]) -> None:
    """Let it pass that nothing is set aside any more of what was tried.

    :raises PartnerUnreachable: something could not be tried
    :raises PartnerRefused: a partner refused again
    :raises StillPending: a push may still land, so it cannot be verified yet
    """
    left = [one for one in found if one.outcome.result is not RetryResult.SETTLED]
    if not left:
        return
    first = left[0]
    words = f"{len(left)} of {len(found)} are still set aside; the first: {first.number} at"
    words += f" {first.outcome.partner} {first.outcome.result}, {first.outcome.detail}"
    results = {one.outcome.result for one in left}
    if RetryResult.REFUSED in results:
        raise PartnerRefused(
            words, hint=f"rfid-station partner preview {first.outcome.partner} {first.number}"
        )
    if RetryResult.NOT_TRIED in results:
        raise PartnerUnreachable(words, hint="rfid-station sync retry, once the partner is back")
    raise StillPending(words, hint="rfid-station sync run")


def _token_of(station: Station, card: Card) -> set[int]:
    token_id = station.store.feed.token_id_of(card.id)
    return set() if token_id is None else {token_id}


def _number(station: Station, token_id: int) -> str:
    change = station.store.feed.own(token_id)
    return change.token.visual_number if change else f"token {token_id}"
