"""A card is stopped, or let go on: here, at once at every partner, and proven there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rfid_station.desk.partners.behind_hubs import behind_each_hub, told_with, watching_with
from rfid_station.desk.partners.delivery import replicator
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState, Reason, check_move
from rfid_station.domain.hub_client import BehindHub
from rfid_station.domain.partner import PartnerState
from rfid_station.errors import StillPending
from rfid_station.sync.confirmation import Confirmation
from rfid_station.sync.drive import Watch

PUSH_S = 15.0
"""How long a support agent waits for partners before being told which have not confirmed."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A card in its new state, and what every partner said."""

    card: Card
    confirmations: tuple[Confirmation, ...]
    not_connected: tuple[str, ...]
    """Partners that never got a card yet, so they cannot accept this one from memory."""
    due: Mapping[str, datetime] = field(default_factory=dict)
    """Until when each partner is to have it, by the service level of its agreement."""
    behind: Mapping[str, BehindHub] = field(default_factory=dict)
    """Who stands behind each partner that is a hub; what the hub confirms says nothing of them."""

    def check_confirmed(self) -> None:
        """Let it pass that every partner was proven to hold the new state.

        :raises StillPending: one was not
        """
        waiting = [self._late(one.partner) for one in self.confirmations if not one.is_confirmed]
        if waiting:
            raise StillPending(
                f"card {self.card.visual_number} is {self.card.state} here, not yet confirmed by: "
                + ", ".join(waiting),
                hint="rfid-station sync run",
            )

    def _late(self, partner: str) -> str:
        due = self.due.get(partner)
        return f"{partner} (due by {due:%Y-%m-%dT%H:%M:%SZ})" if due else partner


def check(station: Station, card: Card, to: CardState, reason: Reason | None) -> None:
    """Say now what a move would say.

    :raises MoveNotAllowed: there is no such move, or not for this role
    :raises WrongCall: it takes another reason
    """
    check_move(card, to, station.actor.role, reason)


def move_card(station: Station, card: Card, to: CardState, reason: Reason | None) -> Card:
    """Move a card in the store; partners are owed the news from that moment on.

    :raises MoveNotAllowed: there is no such move, or not for this role
    """
    return station.store.cards.move(
        card.id, to=to, reason=reason, actor=station.actor, token_of=station.token
    )


def move_and_push(
    station: Station,
    card: Card,
    to: CardState,
    reason: Reason | None,
    *,
    wait_s: float | None = None,
    watch: Watch | None = None,
) -> Stopped:
    """Move a card, bring the news to every partner ahead of everything else, and prove it there.

    The same call again moves nothing and pushes anew, so a support agent may simply repeat it.

    :param wait_s: how long to go on with partners that have not confirmed; None to ask each once
    :param watch: told what the partners said so far, whenever that changes
    :raises MoveNotAllowed: there is no such move, or not for this role
    """
    if card.state is not to:
        card = move_card(station, card, to, reason)
    return push(station, card, wait_s=wait_s, watch=watch)


def push(station: Station, card: Card, *, wait_s: float | None = None, watch: Watch | None = None) -> Stopped:
    """Bring a card's newest state to every partner ahead of everything else, and prove it there.

    :param wait_s: how long to go on with partners that have not confirmed; None to ask each once
    :param watch: told what the partners said so far, whenever that changes
    """
    token_id = station.store.feed.token_id_of(card.id)
    behind = behind_each_hub(station)
    confirmations: list[Confirmation] = []
    if token_id is not None:
        with replicator(station) as replication:
            deadline_s = PUSH_S if wait_s is None else wait_s
            seen = watching_with(behind, watch)
            confirmations = replication.push_now(token_id, deadline_s, insist=wait_s is not None, watch=seen)
    waiting = [
        partner.name
        for partner in station.store.partners.all()
        if partner.state is not PartnerState.CONNECTED
    ]
    due = _due(station, card, confirmations)
    return Stopped(card, told_with(behind, confirmations), tuple(waiting), due, behind)


def _due(station: Station, card: Card, confirmations: Sequence[Confirmation]) -> dict[str, datetime]:
    """Until when partners are to have a card's newest state; a block is due sooner than its end."""
    levels = {partner.name: partner.agreement.level for partner in station.store.partners.all()}
    return {
        one.partner: card.changed_at
        + (levels[one.partner].new_within if one.is_valid else levels[one.partner].block_within)
        for one in confirmations
        if one.partner in levels
    }
