"""A card's life: its states, which moves there are, who may make them and for which reasons.

    reserved → encoding → issued → active ⇄ blocked | suspended
    spoiled, replaced, expired and retired are final

`MOVES` is the only place that knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from rfid_station.domain.card_group import GENERAL
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.key import KeyRef
from rfid_station.domain.uid import CardUid
from rfid_station.errors import MoveNotAllowed, WrongCall


class CardState(StrEnum):
    """Where a card stands."""

    RESERVED = "reserved"
    ENCODING = "encoding"
    ISSUED = "issued"
    ACTIVE = "active"
    BLOCKED = "blocked"
    SUSPENDED = "suspended"
    SPOILED = "spoiled"
    REPLACED = "replaced"
    EXPIRED = "expired"
    RETIRED = "retired"

    @property
    def is_final(self) -> bool:
        """Nothing leads out of this state."""
        return self in FINAL

    @property
    def is_unfinished(self) -> bool:
        """The desk began with this card and neither finished it nor gave it up."""
        return self in (CardState.RESERVED, CardState.ENCODING)


FINAL = frozenset({CardState.SPOILED, CardState.REPLACED, CardState.EXPIRED, CardState.RETIRED})


class Reason(StrEnum):
    """Why a card moved."""

    LOST = "lost"
    STOLEN = "stolen"
    FOUND = "found"
    DAMAGED = "damaged"
    FRAUD = "fraud"
    UNPAID = "unpaid"
    SETTLED = "settled"
    MISPRINT = "misprint"
    ENCODE_FAILED = "encode_failed"
    RETURNED = "returned"
    REQUESTED = "requested"
    DATE_PASSED = "date_passed"


class ReplaceWhen(StrEnum):
    """When the old card stops where a new one takes its place."""

    NOW = "now"
    ACTIVATED = "activated"
    """As soon as the new one may charge."""


class Role(StrEnum):
    """Who asks."""

    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    SUPPORT = "support"
    DRIVER = "driver"
    SYSTEM = "system"


_NOT_AT_A_DESK = frozenset({Role.DRIVER, Role.SYSTEM})
"""Nobody can sign in as these."""


@dataclass(frozen=True, slots=True)
class Move:
    """One allowed move. No reasons means that none is asked for."""

    roles: frozenset[Role]
    reasons: frozenset[Reason] = frozenset()


def _move(roles: str, reasons: str = "") -> Move:
    return Move(frozenset(map(Role, roles.split())), frozenset(map(Reason, reasons.split())))


_S = CardState
MOVES: dict[tuple[CardState, CardState], Move] = {
    (_S.RESERVED, _S.ENCODING): _move("clerk supervisor system"),
    (_S.RESERVED, _S.ISSUED): _move("clerk supervisor system"),
    (_S.RESERVED, _S.SPOILED): _move("clerk supervisor system", "encode_failed damaged"),
    (_S.ENCODING, _S.ISSUED): _move("clerk supervisor system"),
    (_S.ENCODING, _S.SPOILED): _move("clerk supervisor system", "encode_failed damaged"),
    (_S.ISSUED, _S.ACTIVE): _move("clerk supervisor support driver system"),
    (_S.ISSUED, _S.BLOCKED): _move("clerk supervisor support driver", "lost stolen"),
    (_S.ISSUED, _S.SPOILED): _move("clerk supervisor", "misprint damaged"),
    (_S.ISSUED, _S.RETIRED): _move("supervisor support", "returned requested"),
    (_S.ISSUED, _S.EXPIRED): _move("system supervisor", "date_passed"),
    (_S.ACTIVE, _S.BLOCKED): _move("clerk supervisor support driver", "lost stolen"),
    (_S.ACTIVE, _S.SUSPENDED): _move("supervisor support", "fraud unpaid"),
    (_S.ACTIVE, _S.REPLACED): _move("supervisor support clerk", "lost stolen damaged"),
    (_S.ACTIVE, _S.EXPIRED): _move("system supervisor", "date_passed"),
    (_S.ACTIVE, _S.RETIRED): _move("supervisor support", "returned requested damaged"),
    (_S.BLOCKED, _S.ACTIVE): _move("supervisor support driver", "found"),
    (_S.BLOCKED, _S.SUSPENDED): _move("supervisor support", "fraud unpaid"),
    (_S.BLOCKED, _S.REPLACED): _move("supervisor support clerk", "lost stolen damaged"),
    (_S.BLOCKED, _S.EXPIRED): _move("system supervisor", "date_passed"),
    (_S.BLOCKED, _S.RETIRED): _move("supervisor support", "lost stolen returned requested"),
    (_S.SUSPENDED, _S.ACTIVE): _move("supervisor", "settled"),
    (_S.SUSPENDED, _S.REPLACED): _move("supervisor", "damaged"),
    (_S.SUSPENDED, _S.EXPIRED): _move("system supervisor", "date_passed"),
    (_S.SUSPENDED, _S.RETIRED): _move("supervisor", "fraud unpaid returned requested"),
}


@dataclass(frozen=True, slots=True)
class Driver:
    """Who a card is made for. Kept apart from the card, so that a person can be forgotten."""

    name: str
    reference: str = ""
    fleet: str = ""
    language: str | None = None

    @property
    def masked(self) -> str:
        """The name as lists show it: enough to pick out whom one knows."""
        return " ".join(f"{word[0]}…" for word in self.name.split())


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new card is wanted in place of another, on the same contract."""

    when: ReplaceWhen
    reason: Reason


MOST_CLAIMS = 10
"""Wrong codes after which no code of a card is taken any more, until a supervisor draws a new one."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A driver was sent a code: it activates the card, and later blocks it or ends the driver's own block."""

    attempts: int = 0
    """Wrong ones so far."""

    @property
    def is_locked(self) -> bool:
        """Whether no code is taken any more."""
        return self.attempts >= MOST_CLAIMS


@dataclass(frozen=True, slots=True)
class Card:
    """One piece of plastic as the store knows it."""

    id: int
    uid: CardUid
    chip: str
    profile: str
    state: CardState
    reason: Reason | None
    contract_id: ContractId
    visual_number: str
    alias: str
    """The opaque end of the card's link: tells nothing about UID, contract or number."""
    order_line: str | None
    """What the card was made for, as `fleet.csv:3`. One living card at most has it."""
    driver: Driver | None
    changed_at: datetime
    plan_digest: str | None = None
    """Names the end state that the card was, or is to be, written to."""
    key: KeyRef | None = None
    """The master key that the keys on the card are derived from."""
    group: str = GENERAL
    """What agreements say which partner gets it by."""
    replaces: int | None = None
    """The card before it on the same contract."""
    replacement: Replacement | None = None
    """What was asked for in its place."""
    valid_until: date | None = None
    """The last day, in UTC, on which it may charge."""
    claim: Claim | None = None
    lot: int | None = None
    """The lot of blanks that it was taken from, where stock is kept."""
    group_id: str | None = None
    """OCPI's: cards and fobs with the same one act as one token."""

    def is_over(self, today: date) -> bool:
        """Whether its last day is behind it, though nobody may have noted that yet."""
        return self.state is CardState.EXPIRED or (self.valid_until is not None and self.valid_until < today)


def check_move(card: Card, to: CardState, role: Role, reason: Reason | None) -> None:
    """Let a move pass, or say why not and what would be allowed.

    :raises MoveNotAllowed: there is no such move, or not for this role
    :raises WrongCall: the move takes a reason, and not this one
    """
    move = MOVES.get((card.state, to))
    if move is None:
        raise MoveNotAllowed(
            f"card {card.visual_number} is {card.state} and cannot become {to}",
            hint=_hint(card),
        )
    if role not in move.roles:
        raise MoveNotAllowed(
            f"a {role} may not make card {card.visual_number} {to}",
            hint=f"it takes one of: {', '.join(sorted(move.roles - _NOT_AT_A_DESK))}",
        )
    if move.reasons and reason not in move.reasons:
        given = f"{reason}" if reason else "no reason"
        raise WrongCall(
            f"{given} does not make card {card.visual_number} {to}",
            hint=f"add --reason with one of: {', '.join(sorted(move.reasons))}",
        )


def next_states(state: CardState) -> list[CardState]:
    """Where a card can go from here, in the order of its life."""
    return [to for to in CardState if (state, to) in MOVES]


def _hint(card: Card) -> str:
    if card.state.is_final:
        return f"{card.state} is final; `rfid-station card show {card.visual_number}` tells its history"
    return f"from {card.state} it can become: {', '.join(next_states(card.state))}"
