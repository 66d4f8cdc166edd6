"""The card that was tapped: what it is, what it holds, and what is odd about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rfid_station.domain.profile import Freshness
from rfid_station.domain.uid import CardUid

Fact = str | int | bool | None


class ChipState(Protocol):
    """What was read from a chip of one family. Frozen, and without secrets."""

    @property
    def freshness(self) -> Freshness:
        """What stands in the memory that we would write."""

    @property
    def link(self) -> str | None:
        """The link that a phone would open."""

    def facts(self) -> dict[str, Fact]:
        """All else that is worth telling about the chip, in words, for `card read`."""


class Originality(StrEnum):
    """What a chip's signature of its UID says (NXP AN11350, AN12196)."""

    NOT_ASKED = "not asked"
    GENUINE = "genuine"
    FORGED = "forged"
    """A signature came, and none of the maker's keys made it."""
    NONE = "no signature"


@dataclass(frozen=True, slots=True)
class Identity:
    """One card. `state` is None for a card that can only be named."""

    uid: CardUid
    name: str
    """As profiles name the chip."""
    state: ChipState | None = None
    refusal: str = ""
    """Why this card can never be a charging card; empty if it may be one."""
    notes: tuple[str, ...] = ()
    """What an operator should know, as that its UID is not unique."""
    originality: Originality = Originality.NOT_ASKED
    signed_by: str = ""
    """Which of the maker's keys made the signature."""
