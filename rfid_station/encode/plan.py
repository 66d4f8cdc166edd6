"""From what should be on a card and what is on it now to an ordered list of steps.

    examine ─► plan ─► write ─► verify

Each family of chips has a module of its own here, made in the same way: `examine` reads what planning needs
and changes nothing, `plan` is pure and puts what is irreversible last, and the plan it returns can be shown,
written and read back. Whatever tears it, planning anew finishes the card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rfid_station.chip.exchange import Dialogue, Restart
from rfid_station.domain.key import KeyRef
from rfid_station.domain.profile import Profile
from rfid_station.domain.uid import CardUid
from rfid_station.encode.keys import KeySource
from rfid_station.errors import CardLost


@dataclass(frozen=True, slots=True)
class Target:
    """What a card is to become."""

    profile: Profile
    link: str
    key: KeyRef | None
    """The master key and version that this card's keys are derived from; None without keys."""
    is_begun: bool = False
    """Whether we began with this card before, so that it may carry our keys already."""


class Step(Protocol):
    """One thing that is done to a card. Its text is the exact bytes, keys as names, and what it is for."""

    @property
    def is_irreversible(self) -> bool:
        """Whether nobody can undo it."""

    def __str__(self) -> str:
        """One line, as `page 06 ← D1 01 10 55  link`."""


class Plan(Protocol):
    """What will be done to one card. Frozen, and without secrets: keys come in when it runs."""

    @property
    def uid(self) -> CardUid:
        """Of the card that was planned for."""

    @property
    def steps(self) -> Sequence[Step]:
        """What is still to be done, in order. Empty: the card is as it should be."""

    @property
    def digest(self) -> str:
        """Names the wanted end state, whatever of it is there already; see `digest_of`."""

    def write(self, keys: KeySource | None) -> Dialogue[None]:
        """Do every step. Whatever it raises, planning anew can finish the card.

        :raises CardLost: the card left, or is another one
        :raises CardDefective: the chip does not take what a good one of its kind takes
        :raises KeyUnavailable: a key is not in the ring
        """

    def verify(self, keys: KeySource | None) -> Dialogue[None]:
        """Field off and on, then compare the card with its end state.

        As a stranger, who must find the content and must not be able to change it, and with its keys
        unless `keys` is None.

        :raises ReadBackDiffers: the first difference, by name
        :raises CardLost: the card left, or is another one
        """


def digest_of(uid: CardUid, end_state: Sequence[str]) -> str:
    """SHA-256 of a card's wanted end state, 16 digits. Keys appear by name and version, never by value."""
    text = "\n".join([uid.hex, *end_state])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class NothingToWrite:
    """The plan for a card whose UID is all that is wanted of it."""

    uid: CardUid
    steps: tuple[Step, ...] = ()

    @property
    def digest(self) -> str:
        """Names the wanted end state: the UID."""
        return digest_of(self.uid, [])

    def write(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """Nothing."""
        yield from ()

    def verify(self, keys: KeySource | None) -> Dialogue[None]:  # noqa: ARG002
        """See the card come back under the same UID after a field reset; one with a random UID does not."""
        check_same_card(self.uid, (yield Restart()))


def check_same_card(expected: CardUid, answered: bytes) -> None:
    """Stop when another card answers than the one that was planned for.

    :raises CardLost: it does
    """
    if answered != expected.raw:
        raise CardLost(
            f"card {expected.masked} was tapped, and another card answers now",
            hint="leave one card on the reader until the station says that it is done",
        )
