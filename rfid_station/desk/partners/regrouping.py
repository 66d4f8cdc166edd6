"""Cards put into another group: partners whose agreements have it gain them, the others lose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rfid_station.desk.partners.agreeing import gets
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.card_group import check_group


@dataclass(frozen=True, slots=True)
class Regrouped:
    """One card, and what its move means to partners, by name."""

    card: Card
    """As it is now, or as it was where nothing was changed."""
    before: str
    group: str
    gained_by: tuple[str, ...]
    lost_by: tuple[str, ...]

    @property
    def is_moved(self) -> bool:
        """Whether it was in another group."""
        return self.before != self.group


def regroup(station: Station, cards: Sequence[Card], group: str, *, dry_run: bool = False) -> list[Regrouped]:
    """Put cards into a group. Partners are owed what they gain and lose from that moment on.

    :param dry_run: change nothing, and say what would change
    :raises WrongCall: the name cannot be one
    """
    wanted = check_group(group)
    after = gets(station, wanted)
    known: dict[str, dict[str, bool]] = {}
    moved = []
    for card in cards:
        before = known.setdefault(card.group, gets(station, card.group))
        now = card
        if not dry_run:
            now = station.store.cards.regroup(card.id, wanted, token_of=station.token, actor=station.actor)
        is_told = not card.state.is_unfinished and station.store.feed.token_id_of(card.id) is not None
        gained = tuple(name for name in after if is_told and after[name] and not before.get(name))
        lost = tuple(name for name in after if is_told and before.get(name) and not after[name])
        moved.append(Regrouped(now, card.group, wanted, gained, lost))
    return moved
