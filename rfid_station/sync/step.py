"""What a lane asks its driver to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from rfid_station.domain.feed import Lane, Parked
from rfid_station.domain.token import Token


@dataclass(frozen=True, slots=True)
class Scan:
    """Read up to `limit` changes of a lane behind a revision."""

    lane: Lane
    after: int
    limit: int


class Deliver(NamedTuple):
    """Read a token again and begin a request about it."""

    token_id: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Move a cursor and write or remove parked rows, in one transaction."""

    lane: Lane
    cursor: int
    park: tuple[Parked, ...] = ()
    unpark: tuple[int, ...] = ()
    resync: int = 0
    """Which resync of the partner it comes after."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before a time; None: nothing is left that time alone would bring."""

    until: datetime | None


Step = Scan | Deliver | Commit | Wait


class Call(Enum):
    """The two requests a lane makes."""

    PUT = "put"
    PROVE = "prove"


class Attempt(NamedTuple):
    """A request that is under way. `token` is our own state, before the agreement presents it."""

    call: Call
    token_id: int
    revision: int
    token: Token
    is_retry: bool
    """Whether this revision was parked before."""
    setback: int = 0
    """Which failure of the partner was the last one when it began."""
