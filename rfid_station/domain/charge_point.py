"""What a charging station says to a driver who holds a card to it, as decision tables.

Two places decide. The partner's central system goes by the token that it holds, or asks us where the
whitelist says so. The station asks the central system, or goes by what it remembers: the local list and the
authorization cache, which are as old as the last contact.

Sources: OCPI 2.2.1, mod_tokens (WhitelistType, Real-time authorization); OCPP 1.6, 3.5, 4.1, 4.8 and 9.1;
OCPP 2.0.1 Part 2, C.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from rfid_station.domain.token import Whitelist
from rfid_station.domain.uid import CardUid

LONGEST_ID_TAG = 20
"""Characters of an idTag (OCPP 1.6, CiString20Type)."""


class StationMode(StrEnum):
    """How a station stands to its central system."""

    ONLINE = "online"
    """It asks at every tap."""
    CACHED = "cached"
    """It has a line, and does not ask first about a card that its cache accepts (LocalPreAuthorize)."""
    OFFLINE = "offline"
    """It has no line, since before the card changed last, and goes by its list and its cache."""


class UidForm(StrEnum):
    """What a station's reader makes of a UID."""

    WHOLE = "7"
    FOUR = "4"
    REVERSED = "reversed"
    DECIMAL = "decimal"


class Says(StrEnum):
    """What the station shows."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody knows of a card."""

    valid: bool
    whitelist: Whitelist


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the outcome depends on."""

    held: Known | None
    """What the partner holds; None if it holds no such card."""
    before: Known | None
    """What it held before that, which its stations may remember; None if it held nothing."""
    ours: Says
    """What we answer to a partner that asks."""
    mode: StationMode = StationMode.ONLINE
    asks: bool = True
    """Whether the partner may ask us at all."""
    is_reached: bool = True
    """Whether its question comes through to us."""
    is_recognized: bool = True
    """Whether the text that the station's reader makes of the UID is the UID that the partner holds."""


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that had its say."""

    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the station says, and which rules led there."""

    says: Says
    steps: tuple[Step, ...]
    is_stopped: bool = False
    """Whether it stops energy again, as the central system refuses the transaction that began."""

    @property
    def outcome(self) -> str:
        """All in a few words."""
        return f"{self.says}, then stopped" if self.is_stopped else f"{self.says}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """The first rule of a table that applies decides."""

    name: str
    applies: Callable[[Situation], bool]
    says: Says | None
    """None: what we answer."""
    words: str


_ASKED_FIRST = frozenset({Whitelist.ALLOWED_OFFLINE, Whitelist.NEVER})


def _is_unknown(at: Situation) -> bool:
    return at.held is None or not at.is_recognized


def _is_asked_for(at: Situation) -> bool:
    return bool(at.held and at.held.whitelist in _ASKED_FIRST and at.asks and at.is_reached)


def _is(whitelist: Whitelist) -> Callable[[Situation], bool]:
    return lambda at: bool(at.held and at.held.whitelist is whitelist)


_CENTRAL_SYSTEM = (
    _Rule("unknown UID", _is_unknown, Says.INVALID, "the partner holds no card with the UID that it sees"),
    _Rule("asks us", _is_asked_for, None, "the whitelist lets it decide by our answer, and it reaches us"),
    _Rule(
        "not valid",
        lambda at: bool(at.held and not at.held.valid),
        Says.BLOCKED,
        "it goes by the token that it holds, which is not valid",
    ),
    _Rule("NEVER", _is(Whitelist.NEVER), Says.BLOCKED, "whitelist NEVER: it has to ask us, and cannot"),
    _Rule(
        "ALLOWED_OFFLINE",
        _is(Whitelist.ALLOWED_OFFLINE),
        Says.ACCEPTED,
        "whitelist ALLOWED_OFFLINE: it cannot ask us, and holds the token as valid",
    ),
    _Rule("whitelist", lambda _: True, Says.ACCEPTED, "it goes by the token that it holds, which is valid"),
)


def _is_remembered(at: Situation) -> bool:
    """Whether a station may know a card by itself: NEVER is on no list, and is not kept in a cache."""
    return bool(at.is_recognized and at.before and at.before.whitelist is not Whitelist.NEVER)


_STATION_ALONE = (
    _Rule(
        "not remembered",
        lambda at: not _is_remembered(at),
        Says.INVALID,
        "neither its list nor its cache has the card, and nobody can be asked",
    ),
    _Rule(
        "remembered as valid",
        lambda at: bool(at.before and at.before.valid),
        Says.ACCEPTED,
        "its list or cache has the card as valid, from when it last had a line",
    ),
    _Rule("remembered as blocked", lambda _: True, Says.BLOCKED, "its list or cache has the card as blocked"),
)


def predict(at: Situation) -> Verdict:
    """Say what a station would do about a card, and why."""
    if at.mode is StationMode.OFFLINE:
        says, step = _first(_STATION_ALONE, at)
        return Verdict(says, (Step("no line", "the station cannot ask its central system"), step))
    says, step = _first(_CENTRAL_SYSTEM, at)
    pre_authorized = at.mode is StationMode.CACHED and _is_remembered(at) and at.before and at.before.valid
    if not pre_authorized:
        return Verdict(says, (Step("asks", "the station asks its central system"), step))
    cached = Step("pre-authorized", "its cache has the card as valid, so it lets it begin without asking")
    told = Step("transaction", "the central system hears of the transaction, and decides")
    return Verdict(Says.ACCEPTED, (cached, told, step), is_stopped=says is not Says.ACCEPTED)


def _first(table: tuple[_Rule, ...], at: Situation) -> tuple[Says, Step]:
    rule = next(rule for rule in table if rule.applies(at))
    return rule.says or at.ours, Step(rule.name, rule.words)


# The UID


def seen(uid: CardUid, form: UidForm) -> str:
    """The text that a station's reader makes of a UID."""
    match form:
        case UidForm.FOUR:
            return uid.raw[:4].hex().upper()
        case UidForm.REVERSED:
            return uid.raw[::-1].hex().upper()
        case UidForm.DECIMAL:
            return str(int.from_bytes(uid.raw))
        case UidForm.WHOLE:
            return uid.hex


def is_same(seen_text: str, told: str) -> bool:
    """Whether a partner takes two texts for one UID: only their case does not count (OCPI CiString)."""
    return seen_text.lower() == told.lower()
