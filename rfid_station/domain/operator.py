"""Who signs in at a desk, in which roles they may act, and what a PIN has to look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from rfid_station.domain.card import Role
from rfid_station.errors import MoveNotAllowed, WrongCall

MOST_WRONG_PINS = 5
"""In a row, after which a supervisor has to unlock."""
FEWEST_DIGITS = 6
MOST_DIGITS = 32

_NAME = re.compile(r"[^\W_](?:[\w .'-]{0,58}[\w.])?")
_STEPS_OF_A_RUN = (0, 1, 9)
"""From digit to digit, modulo ten: all the same, rising, falling."""

ROLES = {
    Role.CLERK: frozenset({Role.CLERK}),
    Role.SUPPORT: frozenset({Role.SUPPORT}),
    Role.SUPERVISOR: frozenset({Role.CLERK, Role.SUPPORT, Role.SUPERVISOR}),
}
"""In which roles an operator may act. Programs and drivers are not among them: they sign in nowhere."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who signs in."""

    id: int
    name: str
    role: Role
    is_active: bool
    wrong_pins: int
    """In a row."""
    created_at: datetime

    @property
    def is_locked(self) -> bool:
        """Whether no PIN is taken any more until a supervisor unlocks."""
        return self.wrong_pins >= MOST_WRONG_PINS

    def role_for(self, wanted: Role | None) -> Role:
        """The role they act in: the wanted one, or their own.

        :raises MoveNotAllowed: it is not theirs to take
        """
        if wanted is None or wanted in ROLES[self.role]:
            return wanted or self.role
        raise MoveNotAllowed(
            f"{self.name} is a {self.role} and may not act as {wanted}",
            hint=f"leave out --role, or sign in as a {wanted}: rfid-station --operator NAME …",
        )


@dataclass(frozen=True, slots=True)
class Shift:
    """From an operator's sign-in at a place to the sign-out."""

    id: int
    operator: Operator
    place: str
    began_at: datetime
    ended_at: datetime | None


def pause_after(wrong_pins: int) -> timedelta:
    """How long no PIN is taken after so many wrong ones in a row: 1 s, 2 s, 4 s, 8 s."""
    return timedelta(seconds=1 << min(wrong_pins - 1, 10))


def check_operator_name(name: str) -> str:
    """Let a name pass that can stand in the audit log, on paper and in the name of a file.

    :raises WrongCall: it cannot
    """
    if not _NAME.fullmatch(name):
        raise WrongCall(
            f"{name!r} cannot name an operator", hint="take up to 60 letters, digits, spaces, dots and dashes"
        )
    return name


def check_operator_role(role: Role) -> Role:
    """Let a role pass that a person can have.

    :raises WrongCall: it is a program's, or a driver's
    """
    if role not in ROLES:
        raise WrongCall(f"nobody signs in as {role}", hint=f"take one of: {', '.join(sorted(ROLES))}")
    return role


def check_pin(pin: str) -> str:
    """Let a PIN pass that is not the first to be guessed. What is wrong with it is said without it.

    :raises WrongCall: it is too short, no number, or a run
    """
    if not re.fullmatch(rf"[0-9]{{{FEWEST_DIGITS},{MOST_DIGITS}}}", pin):
        raise WrongCall(
            f"this is no PIN: it takes {FEWEST_DIGITS} to {MOST_DIGITS} digits", hint="choose another one"
        )
    steps = {(int(right) - int(left)) % 10 for left, right in pairwise(pin)}
    if len(steps) == 1 and steps <= set(_STEPS_OF_A_RUN):
        raise WrongCall(
            "this PIN is among the first to be guessed: its digits are all the same, or a run",
            hint="choose another one",
        )
    return pin
