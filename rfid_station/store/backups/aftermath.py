"""What a restored store does not know, and what is done so that this harms nobody.

The world went on after the backup was made: numbers were given out, partners were told newer states,
cards were stopped. `docs/decisions/0012-restore.md` says why each thing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, func, insert, select, update

from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.domain.contract_id import ContractId, parse_contract_id
from rfid_station.domain.token import Token
from rfid_station.store.audit import verify_chain
from rfid_station.store.backups.backing_up import BACKED_UP
from rfid_station.store.card_rows import CARDS, card_of
from rfid_station.store.ledger import Ledger
from rfid_station.store.moving import moved, note_state
from rfid_station.store.soundness import unsound
from rfid_station.store.tables import (
    card,
    driver,
    event,
    lease,
    meta,
    operator,
    order_item,
    partner,
    shift,
    tap,
    token,
    withdrawn,
)
from rfid_station.store.told.telling import tell
from rfid_station.store.told.token_rows import token_from

NUMBERS_LEFT_OUT = 10_000
"""Contract numbers that are not given out where nobody knows how many were since the backup."""

_MAY_CHARGE = frozenset({CardState.ISSUED, CardState.ACTIVE})
_STOPPED = frozenset(
    {CardState.BLOCKED, CardState.SUSPENDED, CardState.REPLACED, CardState.EXPIRED, CardState.RETIRED}
)
_NO_CHANGE = (BACKED_UP, "operator.signed_in", "store.copied")
"""Events of the log after which nothing else in the store is different."""

_DRIVER_ERASED = "card.driver_erased"


@dataclass(frozen=True, slots=True)
class StopSince:
    """A card that was stopped after the backup."""

    card_id: int
    visual_number: str
    state: CardState
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class UnknownCard:
    """A card that was made after the backup. Partners may hold it, and the restored store cannot stop it."""

    visual_number: str
    contract_id: ContractId
    state: CardState


@dataclass(frozen=True, slots=True)
class Since:
    """What the replaced store knows and the backup does not."""

    changes: int
    last_at: datetime | None
    is_same_store: bool
    """Whether the backup is an earlier state of it."""
    is_sound: bool
    revision: int
    contract_count: int
    newest_stamp: datetime | None
    event_count: int
    event_hash: str
    stops: tuple[StopSince, ...] = ()
    unknown: tuple[UnknownCard, ...] = ()
    taps: tuple[tuple[int, int, int], ...] = ()
    gone_operators: tuple[str, ...] = ()
    reconnected: tuple[str, ...] = ()
    """Partners whose secrets are others since the backup."""
    driverless: tuple[int, ...] = ()
    """Cards whose driver was forgotten."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was done to a restored store before anybody uses it."""

    stopped: tuple[str, ...]
    """Cards that were stopped since the backup, and are again."""
    unknown: tuple[UnknownCard, ...]
    forgotten: int
    """Cards whose driver was forgotten since, and is again."""
    gone_operators: tuple[str, ...]
    reconnected: tuple[str, ...]
    paused: tuple[str, ...]
    """Partners that get nothing but blocks until somebody has looked."""
    owed: int
    """Tokens that every partner is told anew."""
    next_contract: int


def since(backup: Connection, now: Connection) -> Since:
    """Compare a backup with the store that it is to replace."""
    end = backup.execute(select(meta)).one()
    head = now.execute(select(meta)).one()
    hash_there = now.execute(select(event.c.hash).where(event.c.seq == end.event_count)).scalar_one_or_none()
    is_same = hash_there == end.event_hash
    later = event.c.seq > (end.event_count if is_same else 0), event.c.action.not_in(_NO_CHANGE)
    changes, last_at = now.execute(select(func.count(), func.max(event.c.at)).where(*later)).one()
    known = Since(
        changes=changes,
        last_at=last_at,
        is_same_store=is_same,
        is_sound=is_same and verify_chain(now).is_whole and not any(unsound(now)),
        revision=head.revision,
        contract_count=head.contract_count,
        newest_stamp=newest_stamp(now),
        event_count=head.event_count,
        event_hash=head.event_hash,
    )
    return _in_detail(known, backup, now, end.event_count) if is_same else known


def newest_stamp(connection: Connection) -> datetime | None:
    """The latest `last_updated` that any partner can have been told."""
    stamps: tuple[Column[Any], ...] = (token.c.last_updated, withdrawn.c.last_updated, meta.c.stamp_floor)
    newest = (connection.execute(select(func.max(column))).scalar_one() for column in stamps)
    return max(filter(None, newest), default=None)


def _in_detail(known: Since, backup: Connection, now: Connection, after: int) -> Since:
    before = {row.id: row for row in backup.execute(select(card.c.id, card.c.uid, card.c.state))}
    stops, unknown = [], []
    for row in now.execute(select(card).order_by(card.c.id)):
        state, was = CardState(row.state), before.get(row.id)
        was_made = was is not None and was.uid == row.uid and not CardState(was.state).is_unfinished
        if was_made and state in _STOPPED:
            reason = Reason(row.reason) if row.reason else None
            stops.append(StopSince(row.id, row.visual_number, state, reason))
        elif not was_made and not state.is_unfinished and state is not CardState.SPOILED:
            unknown.append(UnknownCard(row.visual_number, parse_contract_id(row.contract_id), state))
    erased = now.execute(
        select(event.c.subject).where(event.c.seq > after, event.c.action == _DRIVER_ERASED)
    ).scalars()
    gone = now.execute(select(operator.c.name).where(operator.c.is_active.is_(False))).scalars()
    return replace(
        known,
        stops=tuple(stops),
        unknown=tuple(unknown),
        taps=tuple((row.card_id, row.counter, row.spent) for row in now.execute(select(tap))),
        gone_operators=tuple(gone),
        reconnected=tuple(_reconnected(backup, now)),
        driverless=tuple(sorted({int(subject.rpartition(":")[2]) for subject in erased})),
    )


def _reconnected(backup: Connection, now: Connection) -> Iterator[str]:
    then = {row.name: row.client_token_ref for row in backup.execute(select(partner))}
    for row in now.execute(select(partner.c.name, partner.c.client_token_ref).order_by(partner.c.name)):
        if then.get(row.name) != row.client_token_ref:
            yield row.name


def settle(ledger: Ledger, known: Since | None, numbers_left_out: int, source: str) -> Aftermath:
    """Make a restored store safe to be used: nothing goes backwards, and nobody who was stopped charges."""
    connection = ledger.connection
    then = connection.execute(select(meta)).one()
    guess = then.contract_count + numbers_left_out
    is_known = known is not None and known.is_sound
    # Numbers of leases were given out since, too: desks lease anew behind all of them.
    connection.execute(lease.delete())
    next_contract = ledger.leave_out(
        revisions=max(then.revision, known.revision if known else 0),
        contracts=max(known.contract_count if known else 0, 0 if is_known else guess),
    )
    stamps = (newest_stamp(connection), known.newest_stamp if known else None)
    owed = _owe_everything(ledger, max(filter(None, stamps), default=None))
    stopped = tuple(_stop_again(ledger, known.stops if known else ()))
    aftermath = Aftermath(
        stopped=stopped,
        unknown=known.unknown if known else (),
        forgotten=_forget_again(ledger, known.driverless if known else ()),
        gone_operators=tuple(_let_go_again(ledger, known.gone_operators if known else ())),
        reconnected=known.reconnected if known else (),
        paused=() if is_known else tuple(_pause(ledger)),
        owed=owed,
        next_contract=next_contract,
    )
    _raise_counters(connection, known.taps if known else ())
    ledger.note(
        "store.restored",
        "store",
        source=source,
        events=then.event_count,
        discarded=None if known is None else known.event_count,
        discarded_head=None if known is None else known.event_hash,
        stopped=list(stopped),
        next_contract=next_contract,
    )
    return aftermath


def _owe_everything(ledger: Ledger, newest: datetime | None) -> int:
    """Give every token a revision and a time that no partner has seen."""
    before, _ = ledger.next_revisions()
    stamp = ledger.raise_stamp(newest)
    place = select(token.c.created_seq).where(token.c.id == withdrawn.c.token_id).scalar_subquery()
    connection = ledger.connection
    connection.execute(update(withdrawn).values(revision=place + before, last_updated=stamp))
    anew = update(token).values(revision=token.c.created_seq + before, last_updated=stamp)
    return connection.execute(anew).rowcount


def _stop_again(ledger: Ledger, stops: tuple[StopSince, ...]) -> Iterator[str]:
    for stop in stops:
        row = ledger.connection.execute(CARDS.where(card.c.id == stop.card_id)).one()
        before = card_of(row)
        if before.state not in _MAY_CHARGE:
            continue
        after = moved(ledger, before, stop.state, stop.reason)
        note_state(
            ledger, after, {"was": before.state, "reason": stop.reason, "why": "stopped before restore"}
        )
        tell(ledger, after, _not_valid(ledger, before))
        yield stop.visual_number


def _not_valid(ledger: Ledger, stopped: Card) -> Callable[[Card, datetime], Token]:
    known = token_from(ledger.connection.execute(select(token).where(token.c.card_id == stopped.id)).one())
    return lambda _card, at: replace(known, valid=False, last_updated=at)


def _forget_again(ledger: Ledger, card_ids: tuple[int, ...]) -> int:
    connection = ledger.connection
    rows = connection.execute(
        select(card.c.id, card.c.driver_id, card.c.visual_number).where(
            card.c.id.in_(card_ids), card.c.driver_id.is_not(None)
        )
    ).all()
    whose = [row.driver_id for row in rows]
    for table in (card, order_item):
        connection.execute(update(table).where(table.c.driver_id.in_(whose)).values(driver_id=None))
    connection.execute(driver.delete().where(driver.c.id.in_(whose)))
    for row in rows:
        ledger.note(_DRIVER_ERASED, f"card:{row.id}", visual_number=row.visual_number)
    return len(rows)


def _let_go_again(ledger: Ledger, names: tuple[str, ...]) -> Iterator[str]:
    connection = ledger.connection
    wanted = operator.c.name.in_(names), operator.c.is_active.is_(True)
    for row in connection.execute(select(operator.c.id, operator.c.name).where(*wanted)).all():
        connection.execute(update(operator).where(operator.c.id == row.id).values(is_active=False))
        open_shifts = shift.c.operator_id == row.id, shift.c.ended_at.is_(None)
        connection.execute(update(shift).where(*open_shifts).values(ended_at=ledger.at))
        ledger.note("operator.removed", f"operator:{row.name}")
        yield row.name


def _raise_counters(connection: Connection, taps: tuple[tuple[int, int, int], ...]) -> None:
    """Let no tap count that counted before."""
    here = {row.card_id: row for row in connection.execute(select(tap))}
    cards = set(connection.execute(select(card.c.id)).scalars())
    for card_id, counter, spent in taps:
        known = here.get(card_id)
        if known:
            values = {"counter": max(counter, known.counter), "spent": max(spent, known.spent)}
            connection.execute(update(tap).where(tap.c.card_id == card_id).values(values))
        elif card_id in cards:
            connection.execute(insert(tap).values(card_id=card_id, counter=counter, spent=spent))


def _pause(ledger: Ledger) -> Iterator[str]:
    """Send partners nothing but blocks: cards that were stopped since the backup are not known here."""
    reason = "restored from a backup: stop again what was stopped since"
    alone = partner.c.connection.is_not(None), partner.c.paused_at.is_(None)
    wanted = select(partner.c.name).where(*alone).order_by(partner.c.name)
    for name in ledger.connection.execute(wanted).scalars().all():
        pause = {"paused_at": ledger.at, "paused_by": ledger.actor.name, "pause_reason": reason}
        ledger.connection.execute(update(partner).where(partner.c.name == name).values(pause))
        ledger.note("partner.paused", f"partner:{name}", reason=reason)
        yield name
