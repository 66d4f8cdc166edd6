"""What a card did: charging sessions and charge detail records (CDRs), as their CPO states them.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_sessions and mod_cdrs; which versions say what is the business of
`ocpi.wire.usage`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from rfid_station.domain.card import CardState
from rfid_station.domain.token import Party, Whitelist


class ChargeKind(StrEnum):
    """What tells of a charge."""

    SESSION = "session"
    """May change until it is completed."""
    CDR = "cdr"
    """What is paid by. Never changes; a credit CDR takes it back."""


NOT_CHARGED = frozenset({"PENDING", "RESERVATION", "INVALID"})
"""States of a session in which nobody was let in, or nobody is to pay (mod_sessions, SessionStatus)."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Money as the CPO states it; never converted, and never added to another currency's."""

    excl: Decimal
    """Before taxes."""
    incl: Decimal | None
    """With taxes, where it says so."""
    currency: str
    """ISO 4217, upper case."""

    def __str__(self) -> str:
        taxes = f" ({plain(self.incl)} with taxes)" if self.incl is not None else ""
        return f"{plain(self.excl)} {self.currency}{taxes}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was, short, as far as the CPO says."""

    location: str = ""
    evse: str = ""
    country: str = ""
    """ISO 3166-1 alpha-3, upper case."""

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.location, self.evse, self.country)))


@dataclass(frozen=True, slots=True)
class ToldToken:
    """Whose charge it was, in the CPO's words."""

    uid: str | None
    """None in 2.1.1, which names the contract alone."""
    type: str
    contract: str
    party: Party | None = None
    """Whose token it is, where the CPO says so."""
    readings: tuple[str, ...] = ()
    """The UIDs that may be meant, as we write them, the most literal first."""


@dataclass(frozen=True, slots=True)
class Charge:
    """One session in its newest state, or one CDR. Times are in UTC."""

    kind: ChargeKind
    party: Party
    """The CPO's."""
    id: str
    """The CPO's own."""
    began: datetime
    ended: datetime | None
    energy_kwh: Decimal
    cost: Cost | None
    place: Place
    token: ToldToken
    auth_method: str
    authorization_reference: str | None
    last_updated: datetime
    status: str = ""
    """Of a session."""
    session_id: str | None = None
    """Of a CDR: the session that it settles."""
    is_credit: bool = False
    """A CDR that takes another one back."""
    told: str = field(default="{}", repr=False)
    """Canonical JSON of what of the CPO's object is kept."""
    version: str = ""
    """The OCPI version that `told` is written in."""

    @property
    def let_in(self) -> bool:
        """Whether somebody was let in to charge."""
        return self.status not in NOT_CHARGED and not self.is_credit


class Posted(StrEnum):
    """What became of a CDR that was told."""

    NEW = "new"
    SAME = "same"
    """It was told before."""
    DIFFERS = "differs"
    """Another one was told before by the same id, and stays."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A card that was not to charge at some instant: since when, and what its CPO knew of that."""

    state: CardState
    reason: str | None
    stopped_at: datetime
    """When we stopped it."""
    proven_at: datetime | None
    """When a read-back first showed that the partner held it as stopped."""
    acknowledged: bool
    """Whether the partner has acknowledged the stop by now; at what time is not kept."""
    due_at: datetime
    """By when the partner was to have it, by its agreement."""
    whitelist: Whitelist
    cache_minutes: float
    """How long its chargers may go by an older state, as it declares; 0 is unknown."""


@dataclass(frozen=True, slots=True)
class AfterStop:
    """A charge that began after its card was stopped: the evidence."""

    stop: Stop
    began: datetime

    @property
    def known_at(self) -> datetime | None:
        """Since when the partner knew: by proof, or by its word from when that was due; None if not."""
        proven = self.stop.proven_at
        if proven is not None and proven <= self.began:
            return proven
        return self.stop.due_at if self.stop.acknowledged and self.stop.due_at < self.began else None

    @property
    def is_alarm(self) -> bool:
        """Whether the partner knew of the stop, and let the card charge."""
        return self.known_at is not None

    @property
    def is_within_cache(self) -> bool | None:
        """Whether its chargers may still have gone by an older state; None where it declares nothing."""
        if self.known_at is None or not self.stop.cache_minutes:
            return None
        return self.began <= self.known_at + timedelta(minutes=self.stop.cache_minutes)

    @property
    def basis(self) -> str:
        """By what the partner knew: `proven`, `acknowledged`, or `not known to it`."""
        if self.known_at is None:
            return "not known to it"
        return "proven" if self.known_at == self.stop.proven_at else "acknowledged"

    def __str__(self) -> str:
        stop = self.stop
        why = f" ({stop.reason})" if stop.reason else ""
        cache = {
            None: "it declares no cache time",
            True: f"within its cache of {stop.cache_minutes:g} min",
            False: f"beyond its cache of {stop.cache_minutes:g} min",
        }[self.is_within_cache]
        known = f"{self.basis} there {_text(self.known_at)}" if self.known_at else "it may not have known"
        return f"{stop.state}{why} {_text(stop.stopped_at)}, {known}; whitelist {stop.whitelist}, {cache}"


NEAR = timedelta(hours=1)
"""Nobody gets into another country with a car in less, as a rule; neighbours of a border do."""


@dataclass(frozen=True, slots=True)
class Visit:
    """When and in which country a card charged."""

    card_id: int
    began: datetime
    ended: datetime | None
    country: str


def too_far(visits: Iterable[Visit], near: timedelta = NEAR) -> list[tuple[Visit, Visit]]:
    """Pairs of visits of a card to two countries, the later of which began soon after the end of the other.

    :param visits: each card's together, in the order in which they began
    """
    found, before = [], None
    for visit in visits:
        if before and before.card_id == visit.card_id and before.country != visit.country:
            left = max(before.began, before.ended or before.began)
            if visit.began - left <= near:
                found.append((before, visit))
        before = visit
    return found


def plain(number: Decimal) -> str:
    """A number without an exponent, and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
