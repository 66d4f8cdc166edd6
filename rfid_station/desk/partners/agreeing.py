"""Agreements as they are spoken of: what is to change, and what that gives a partner and takes from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from rfid_station.desk.people.two_people import agreed
from rfid_station.desk.station import Station
from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Role
from rfid_station.domain.card_group import check_group
from rfid_station.domain.partner import Partner
from rfid_station.domain.service_level import ServiceLevel
from rfid_station.domain.token import Whitelist
from rfid_station.errors import MoveNotAllowed, WrongCall

OPEN = "open"
"""In place of a day: that end of the agreement is open."""

_SPAN = re.compile(r"([1-9]\d{0,5})\s*(s|m|h|d)")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What somebody wants of an agreement, as it was typed. What is not named stays as it is."""

    groups: tuple[str, ...] = ()
    all_groups: bool = False
    since: str | None = None
    until: str | None = None
    whitelist: Whitelist | None = None
    no_whitelist: bool = False
    block_within: str | None = None
    new_within: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is named."""
        return self == Terms()

    @property
    def first(self) -> Agreement:
        """The agreement that comes of it with a new partner.

        :raises WrongCall: something named makes no sense, or contradicts something else
        """
        return self.applied_to(Agreement())

    def applied_to(self, before: Agreement) -> Agreement:
        """The agreement that comes of it.

        :raises WrongCall: something named makes no sense, or contradicts something else
        """
        after = Agreement(
            since=_day("--since", self.since, before.since),
            until=_day("--until", self.until, before.until),
            whitelist=self._whitelist(before.whitelist),
            groups=self._groups(before.groups),
            level=ServiceLevel(
                _span("--block-within", self.block_within, before.level.block_within),
                _span("--new-within", self.new_within, before.level.new_within),
            ),
        )
        if after.since and after.until and after.until < after.since:
            raise WrongCall(
                f"an agreement from {after.since} until {after.until} is never in force",
                hint=f"--until with a day from {after.since} on, or --until {OPEN}",
            )
        return after

    def _groups(self, before: frozenset[str] | None) -> frozenset[str] | None:
        if self.groups and self.all_groups:
            raise WrongCall("some groups and all groups contradict each other", hint="leave out --all-groups")
        if self.all_groups:
            return None
        return frozenset(map(check_group, self.groups)) if self.groups else before

    def _whitelist(self, before: Whitelist | None) -> Whitelist | None:
        if self.whitelist and self.no_whitelist:
            raise WrongCall(
                "a whitelist and none contradict each other", hint="leave out --whitelist or --no-whitelist"
            )
        return None if self.no_whitelist else self.whitelist or before


@dataclass(frozen=True, slots=True)
class Effect:
    """How many cards a partner gains and loses, by group; a group without a change is in neither."""

    gained: Mapping[str, int]
    lost: Mapping[str, int]

    def __str__(self) -> str:
        parts = [_counted("gains", self.gained), _counted("loses", self.lost)]
        return "; ".join(part for part in parts if part) or "gains no card and loses none"


def agree(station: Station, name: str, terms: Terms, *, witness: str | None = None) -> tuple[Partner, Effect]:
    """Change the agreement with a partner; what it gains and loses is owed to it from then on.

    :param witness: who agrees, where whitelist ALWAYS takes two people
    :raises WrongCall: there is no such partner, or the terms make no sense
    :raises MoveNotAllowed: they take a supervisor, or two people
    """
    before = station.store.partners.get(name).agreement
    agreement, effect = rehearse(station, name, terms)
    actor = who_agrees(station, name, before, agreement, witness)
    return station.store.partners.agree(name, agreement, actor), effect


def rehearse(station: Station, name: str, terms: Terms) -> tuple[Agreement, Effect]:
    """What would come of it. Nothing is changed, so everybody may ask.

    :raises WrongCall: there is no such partner, or the terms make no sense
    """
    partner = station.store.partners.get(name)
    agreement = terms.applied_to(partner.agreement)
    return agreement, effect_of(station, partner, agreement)


def who_agrees(
    station: Station, name: str, before: Agreement, after: Agreement, witness: str | None = None
) -> Actor:
    """Who changes an agreement, if the person at the keyboard may.

    With ALWAYS a partner never asks us: a blocked card charges on wherever the block has not arrived. So that
    takes a supervisor, and where people sign in a second person.

    :raises MoveNotAllowed: it takes a supervisor, or two people
    """
    if after.whitelist is not Whitelist.ALWAYS or before.whitelist is Whitelist.ALWAYS:
        return station.actor
    if station.person.signs_in:
        return agreed(station, witness, f"agree on whitelist ALWAYS with {name}")
    if station.actor.role is not Role.SUPERVISOR:
        raise MoveNotAllowed(
            f"a {station.actor.role} may not agree on whitelist ALWAYS with {name}: it would never ask us",
            hint="let a supervisor say the same, as `rfid-station --role supervisor partner …`",
        )
    return agreed(station, witness, f"agree on whitelist ALWAYS with {name}")


def effect_of(station: Station, partner: Partner, agreement: Agreement) -> Effect:
    """What another agreement gives a partner and takes from it today; one that was to leave is kept by it."""
    cards, now = station.store.token_list.by_group(), station.store.token_list.cover(partner.name)
    is_in_force = agreement.covers(today(station))
    gained, lost = {}, {}
    for group, number in cards.items():
        had, has = now.of(group).is_covered, is_in_force and agreement.includes(group)
        if has and not had:
            gained[group] = number
        elif had and not has:
            lost[group] = number
    return Effect(gained, lost)


def today(station: Station) -> date:
    """The day by which agreements begin and end: in UTC."""
    return station.store.database.clock().date()


def gets(station: Station, group: str) -> dict[str, bool]:
    """Which partners get the cards of a group at present, by name."""
    return {
        partner.name: station.store.token_list.cover(partner.name).of(group).is_covered
        for partner in station.store.partners.all()
    }


def unknown_groups(station: Station, agreement: Agreement) -> list[str]:
    """Groups of an agreement that no card is in: maybe yet, maybe for a slip of the pen."""
    return sorted((agreement.groups or frozenset()) - set(station.store.token_list.groups()))


def span_in_words(span: timedelta) -> str:
    """A span as it may be typed: `15m`, `24h`, `90s`."""
    for unit, length in _UNITS.items():
        if span % length == timedelta() and (unit != "d" or span >= 2 * length):
            return f"{span // length}{unit}"
    return f"{int(span.total_seconds())}s"


def _day(option: str, text: str | None, before: date | None) -> date | None:
    if text is None:
        return before
    if text == OPEN:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise WrongCall(
            f"{option} {text!r} is no day", hint=f"write it as 2026-03-01, or {OPEN} for no end"
        ) from None


def _span(option: str, text: str | None, before: timedelta) -> timedelta:
    if text is None:
        return before
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise WrongCall(f"{option} {text!r} is no span of time", hint="write it as 90s, 15m, 24h or 2d")
    return int(match[1]) * _UNITS[match[2]]


def _counted(verb: str, groups: Mapping[str, int]) -> str:
    if not groups:
        return ""
    total = sum(groups.values())
    by_group = ", ".join(f"{number} in {group}" for group, number in sorted(groups.items()))
    return f"{verb} {total} card{'' if total == 1 else 's'} ({by_group})"
