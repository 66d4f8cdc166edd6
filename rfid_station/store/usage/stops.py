"""What a partner knew at some instant of a card that was not to charge: the audit log says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, select

from rfid_station.domain.card import CardState
from rfid_station.domain.charge import Stop
from rfid_station.domain.token import Whitelist
from rfid_station.store.audit import events_of
from rfid_station.store.card_rows import subject_of
from rfid_station.store.chain import Event
from rfid_station.store.partners.partner_rows import agreement_of, partner_from
from rfid_station.store.tables import parked, token
from rfid_station.store.told.sight import SHOWN, Sight

_STATES = {f"card.{state}": state for state in CardState}
_PROVEN = "token.proven"


def stop_at(connection: Connection, card_id: int, partner: Row[Any], instant: datetime) -> Stop | None:
    """Since when a card had not been to charge at an instant, and what a partner knew; None if it was to.

    :param partner: the partner's row
    """
    log = events_of(connection, subject_of(card_id), (*_STATES, _PROVEN))
    moves = [event for event in log if event.action in _STATES]
    stop = _stopping(moves, instant)
    if stop is None:
        return None
    shown = connection.execute(select(*SHOWN).where(token.c.card_id == card_id)).one_or_none()
    if shown is None:
        return None
    seen = partner_from(partner)
    sight = Sight.of(connection, partner)
    reason = stop.data.get("reason")
    return Stop(
        state=_STATES[stop.action],
        reason=str(reason) if reason else None,
        stopped_at=stop.at,
        proven_at=_proven_at(log, stop, seen.name),
        acknowledged=_is_untouched(moves, stop) and _acknowledged(connection, partner, sight, shown),
        due_at=stop.at + agreement_of(partner).level.block_within,
        whitelist=sight.whitelist or Whitelist(shown.whitelist),
        cache_minutes=seen.profile.cache_minutes,
    )


def _stopping(moves: Sequence[Event], instant: datetime) -> Event | None:
    """The move by which a card had ceased to be active at an instant; None if it was, or never had been."""
    before = [event for event in moves if event.at <= instant]
    active = max((event.seq for event in before if _STATES[event.action] is CardState.ACTIVE), default=None)
    if active is None:
        return None
    return next((event for event in before if event.seq > active), None)


def _is_untouched(moves: Sequence[Event], stop: Event) -> bool:
    """Whether the card was not made active again since."""
    return not any(event.seq > stop.seq and _STATES[event.action] is CardState.ACTIVE for event in moves)


def _proven_at(log: Sequence[Event], stop: Event, name: str) -> datetime | None:
    """When a read-back first showed a newer state than any before the stop."""
    proofs = [event for event in log if event.action == _PROVEN and event.data.get("partner") == name]
    known = max((_revision(event) for event in proofs if event.seq < stop.seq), default=0)
    newer = (event.at for event in proofs if event.seq > stop.seq and _revision(event) > known)
    return next(newer, None)


def _revision(event: Event) -> int:
    return int(str(event.data["revision"]))


def _acknowledged(connection: Connection, partner: Row[Any], sight: Sight, shown: Row[Any]) -> bool:
    """Whether the partner has acknowledged the newest state of a token."""
    change = sight.of_token(connection, shown)
    if change is None:
        return False
    is_parked = exists().where(parked.c.partner_id == partner.id, parked.c.token_id == shown.id)
    if connection.execute(select(is_parked)).scalar_one():
        return False
    cursors = (partner.bulk_cursor, partner.urgent_cursor if change.is_urgent else 0)
    return bool(change.revision <= max(cursors))
