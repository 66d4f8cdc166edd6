"""What a partner's agreement comes to in the feed: which card groups it gets, and since which change.

The feed keeps newest states only, so what a partner had and lost cannot be read from it. Two facts are
kept beside it instead: one spell per partner and group, and one row per token that was taken from a partner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rfid_station.domain.agreement import Agreement

ANY_GROUP = "*"
"""Stands for every group that is not named."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Whether a partner gets the cards of a group, and since when.

    A token that was in the group when the spell began counts as changed at `since` plus its place in the
    order of creation: everything there is told once more, and no two tokens at the same revision.
    """

    is_covered: bool
    since: int = 0
    until: int = 0
    """The last revision that was given out that way; both are 0 for a spell that began with the partner."""
    stamp: datetime | None = None
    """The least `last_updated` of those tokens, so that nobody takes them for known."""


@dataclass(frozen=True, slots=True)
class Cover:
    """The spells of one partner, by card group."""

    any_group: Spell
    named: Mapping[str, Spell] = field(default_factory=dict)

    def of(self, group: str) -> Spell:
        """The spell of a group."""
        return self.named.get(group, self.any_group)

    @property
    def spells(self) -> dict[str, Spell]:
        """All of them, the rest of the groups included."""
        return {ANY_GROUP: self.any_group, **self.named}

    def is_as(self, agreement: Agreement, *, is_in_force: bool) -> bool:
        """Whether the partner gets what an agreement says."""
        return self.following(agreement, Spell(True), Spell(False), is_in_force=is_in_force) == self

    def following(self, agreement: Agreement, gained: Spell, lost: Spell, *, is_in_force: bool) -> Cover:
        """What an agreement asks for. What stays as it is keeps its spell; what changes gets a new one."""

        def next_spell(spell: Spell, *, is_covered: bool) -> Spell:
            if spell.is_covered == is_covered:
                return spell
            return gained if is_covered else lost

        names = sorted(self.named.keys() | (agreement.groups or frozenset()))
        named = {
            name: next_spell(self.of(name), is_covered=is_in_force and agreement.includes(name))
            for name in names
        }
        any_group = next_spell(self.any_group, is_covered=is_in_force and agreement.groups is None)
        return Cover(any_group, {name: spell for name, spell in named.items() if spell != any_group})


def first_cover(agreement: Agreement, *, is_in_force: bool) -> Cover:
    """The cover of a partner that nothing was ever told."""
    nothing = Cover(Spell(False))
    return nothing.following(agreement, Spell(True), Spell(False), is_in_force=is_in_force)
