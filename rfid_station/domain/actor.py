"""Who does something, as the audit log and the rules of a card's life see it."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.domain.card import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a program, and the role it acts in."""

    name: str
    role: Role
    witness: str | None = None
    """Who agreed, where it takes two people. The audit log names both."""
