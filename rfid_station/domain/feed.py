"""The revision feed: what changed for partners, and how far each partner is.

Every change gives its token row one new global revision, in the transaction of the change.
The feed shows each token once, in its newest state, in order of revision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from rfid_station.domain.contact import NEVER_MET, Contact
from rfid_station.domain.token import Token


class Lane(StrEnum):
    """Two cursors per partner: what takes rights away overtakes everything else."""

    URGENT = "urgent"
    BULK = "bulk"


class Change(NamedTuple):
    """A token in its newest state, at the revision that made it so."""

    revision: int
    token_id: int
    token: Token
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class Parked:
    """A token that a partner refused, or whose push ended ambiguously, at a revision."""

    token_id: int
    revision: int
    attempts: int
    due_at: datetime
    must_verify: bool
    """True: the outcome is unknown and a GET has to tell. False: refused, to be tried again."""
    error: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a partner is: every revision up to its cursor is acknowledged or parked."""

    partner: str
    cursors: dict[Lane, int]
    head: int
    """The newest revision of the feed."""
    parked: tuple[Parked, ...]
    behind: int
    """How many tokens lie behind the bulk cursor."""
    resync: int = 0
    """How often everything was owed anew, with both cursors set back."""
    met: Contact = NEVER_MET
    """How it was last met, by whichever process."""
    is_outdated: bool = False
    """Whether today asks for something that is not in force yet, of its agreement or of cards that end."""

    @property
    def is_settled(self) -> bool:
        """Whether the partner holds the newest state of every token."""
        return self.behind == 0 and not self.parked
