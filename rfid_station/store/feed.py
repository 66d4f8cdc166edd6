"""The revision feed and how far each partner is in it: what `sync.port.FeedStore` asks for.

A partner is two cursors. What it refused, or may or may not have got, is parked; nothing else is
stored per partner and token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, not_, or_, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.service_level import Owed
from rfid_station.domain.token import next_stamp
from rfid_station.errors import WrongCall
from rfid_station.store.audit import events_of
from rfid_station.store.card_rows import subject_of
from rfid_station.store.engine import Database
from rfid_station.store.ledger import booking
from rfid_station.store.partner_rows import partner_row
from rfid_station.store.tables import IS_URGENT, event, meta, parked, partner, token
from rfid_station.store.token_rows import token_from

SYNC = Actor("sync", Role.SYSTEM)

_CONNECTED, _RESYNC = ("partner.connected", "partner.registered"), "partner.resync"
_PROVEN, _DIFFERS = "token.proven", "token.differs"
_ALL_CHANGES = (
    select(token)
    .where(token.c.revision > bindparam("after"))
    .order_by(token.c.revision)
    .limit(bindparam("most"))
)
_CHANGES = {Lane.BULK: _ALL_CHANGES, Lane.URGENT: _ALL_CHANGES.where(IS_URGENT)}
_PARTNER = partner
_NEWEST = select(token).where(token.c.id == bindparam("token_id"))
_CURSORS = {Lane.BULK: partner.c.bulk_cursor, Lane.URGENT: partner.c.urgent_cursor}


@dataclass(frozen=True, slots=True)
class Proof:
    """What a GET at a partner showed about a card's token."""

    partner: str
    revision: int
    is_proven: bool
    """Whether the partner held this revision."""
    note: str
    at: datetime


class Feed:
    """The store as sync sees it. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, partner: str) -> Standing:
        """Where a partner stands.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            row = partner_row(connection, partner)
            waiting = select(parked).where(parked.c.partner_id == row.id).order_by(parked.c.token_id)
            behind = select(func.count()).select_from(token).where(token.c.revision > row.bulk_cursor)
            return Standing(
                partner=row.name,
                cursors={Lane.URGENT: row.urgent_cursor, Lane.BULK: row.bulk_cursor},
                head=connection.execute(select(meta.c.revision)).scalar_one(),
                parked=tuple(_parked_of(one) for one in connection.execute(waiting)),
                behind=connection.execute(behind).scalar_one(),
            )

    def changes_after(self, revision: int, lane: Lane, limit: int) -> list[Change]:
        """Up to `limit` changes behind a revision, ascending; only urgent ones in the urgent lane."""
        with self._database.read() as connection:
            rows = connection.execute(_CHANGES[lane], {"after": revision, "most": limit})
            return [_change_of(row) for row in rows]

    def newest(self, token_id: int) -> Change | None:
        """A token as it is now: read again just before it is sent."""
        with self._database.read() as connection:
            row = connection.execute(_NEWEST, {"token_id": token_id}).one_or_none()
            return _change_of(row) if row else None

    def advance(
        self,
        partner: str,
        lane: Lane,
        cursor: int,
        park: Sequence[Parked] = (),
        unpark: Sequence[int] = (),
        after: int = 0,
    ) -> None:
        """Move a cursor and write or remove the parked rows it passes (token ids in `unpark`), together.

        A cursor never moves back here, and stays where it is when it is short of `after`: then
        somebody set it back meanwhile. Parking a token again replaces its row, and wins over unparking.

        :raises WrongCall: there is no such partner
        """
        with self._database.write() as connection:
            partner_id = partner_row(connection, partner).id
            _move_cursor(connection, partner_id, lane, cursor, after)
            settled = [*unpark, *(one.token_id for one in park)]
            if settled:
                old = delete(parked).where(parked.c.partner_id == partner_id, parked.c.token_id.in_(settled))
                connection.execute(old)
            if park:
                rows = {one.token_id: {"partner_id": partner_id, **asdict(one)} for one in park}
                connection.execute(insert(parked), list(rows.values()))

    def rewind(self, partner: str, actor: Actor) -> int:
        """Set both cursors back to zero, so that every token is owed again; how many these are.

        What is parked stays parked, with its time.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, partner)
            back = update(_PARTNER).where(_PARTNER.c.id == row.id).values(bulk_cursor=0, urgent_cursor=0)
            ledger.connection.execute(back)
            ledger.note(_RESYNC, f"partner:{row.name}", cursor=row.bulk_cursor)
            return ledger.connection.execute(select(func.count()).select_from(token)).scalar_one()

    def renew(self, token_id: int) -> None:
        """Give a token a new revision and a later time, though nothing else in it changed.

        :raises WrongCall: there is no such token
        """
        with booking(self._database, SYNC) as ledger:
            row = ledger.connection.execute(_NEWEST, {"token_id": token_id}).one_or_none()
            if row is None:
                raise WrongCall(f"there is no token with id {token_id}", hint="rfid-station card list")
            revision = ledger.next_revision()
            stamp = next_stamp(token_from(row).last_updated, ledger.at)
            fresh = update(token).where(token.c.id == token_id)
            ledger.connection.execute(fresh.values(revision=revision, last_updated=stamp))
            ledger.note("token.renewed", subject_of(row.card_id), revision=revision)

    def owed(self, partner: str) -> Owed:
        """What a partner has not acknowledged, and since when: not before it was connected, or owed all anew.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            row = partner_row(connection, partner)
            known = parked.c.partner_id == row.id
            is_parked = token.c.id.in_(select(parked.c.token_id).where(known))
            is_sent = and_(token.c.urgent, token.c.revision <= row.urgent_cursor)
            is_behind = and_(token.c.revision > row.bulk_cursor, not_(is_sent))
            query = (
                select(token.c.urgent, func.count(), func.min(token.c.last_updated))
                .where(or_(is_parked, is_behind))
                .group_by(token.c.urgent)
            )
            begun_at = _begun_at(connection, row.name)
            found = {
                is_urgent: (count, max(filter(None, (since, begun_at))))
                for is_urgent, count, since in connection.execute(query)
            }
        return Owed(*found.get(True, (0, None)), *found.get(False, (0, None)))

    def last_proof(self, partner: str) -> datetime | None:
        """When a GET last showed that the partner held what it should; None if none ever did.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            name = partner_row(connection, partner).name
            newest = (
                select(event.c.at)
                .where(event.c.action == _PROVEN)
                .where(func.json_extract(event.c.data, "$.partner") == name)
                .order_by(event.c.seq.desc())
                .limit(1)
            )
            return connection.execute(newest).scalar_one_or_none()

    def record_proof(self, partner: str, token_id: int, revision: int, proven: bool, note: str) -> None:
        """Keep the evidence of a GET at the partner: an audit event of the card.

        :raises WrongCall: there is no such partner or token
        """
        with booking(self._database, SYNC) as ledger:
            name = partner_row(ledger.connection, partner).name
            query = select(token.c.card_id, token.c.uid).where(token.c.id == token_id)
            row = ledger.connection.execute(query).one_or_none()
            if row is None:
                raise WrongCall(f"there is no token with id {token_id}", hint="rfid-station card list")
            ledger.note(
                _PROVEN if proven else _DIFFERS,
                subject_of(row.card_id),
                partner=name,
                revision=revision,
                note=_without_uid(note, row.uid),
            )

    def token_id_of(self, card_id: int) -> int | None:
        """The token of a card, if partners were ever told of it."""
        with self._database.read() as connection:
            return connection.execute(
                select(token.c.id).where(token.c.card_id == card_id)
            ).scalar_one_or_none()

    def proofs(self, card_id: int) -> list[Proof]:
        """What was seen at partners about a card, oldest first."""
        with self._database.read() as connection:
            seen = events_of(connection, subject_of(card_id), (_PROVEN, _DIFFERS))
        return [
            Proof(
                partner=str(event.data["partner"]),
                revision=int(str(event.data["revision"])),
                is_proven=event.action == _PROVEN,
                note=str(event.data["note"]),
                at=event.at,
            )
            for event in seen
        ]


def _begun_at(connection: Connection, name: str) -> datetime | None:
    """When a partner was first connected, or was last owed everything anew."""
    events = events_of(connection, f"partner:{name}", (*_CONNECTED, _RESYNC))
    connected = [event.at for event in events if event.action in _CONNECTED]
    resynced = [event.at for event in events if event.action == _RESYNC]
    return max([*connected[:1], *resynced[-1:]], default=None)


def _move_cursor(connection: Connection, partner_id: int, lane: Lane, cursor: int, after: int) -> None:
    column = _CURSORS[lane]
    forward = update(partner).where(partner.c.id == partner_id, column < cursor, column >= after)
    connection.execute(forward.values({column: cursor}))


def _change_of(row: Row[Any]) -> Change:
    return Change(revision=row.revision, token_id=row.id, token=token_from(row), is_urgent=row.urgent)


def _parked_of(row: Row[Any]) -> Parked:
    return Parked(
        token_id=row.token_id,
        revision=row.revision,
        attempts=row.attempts,
        due_at=row.due_at,
        must_verify=row.must_verify,
        error=row.error,
    )


def _without_uid(note: str, uid: str) -> str:
    """A note for the audit log, in which a UID never stands whole."""
    return re.sub(uid, f"{uid[:2]}…{uid[-4:]}", note, flags=re.IGNORECASE)
