"""The revision feed and how far each partner is in it: what `sync.port.FeedStore` asks for.

A partner is two cursors. What it refused, or may or may not have got, is parked; nothing else is
stored per partner and token.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    Row,
    Subquery,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    union_all,
    update,
)

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.feed import Change, Lane, Parked, Standing
from rfid_station.domain.service_level import Owed
from rfid_station.errors import WrongCall
from rfid_station.store.audit import events_of
from rfid_station.store.card_rows import subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.snapshot import Snapshots
from rfid_station.store.expiring import IS_ANY_DUE, end_due
from rfid_station.store.ledger import booking
from rfid_station.store.partners.covers import bring_up_to_date, is_as_agreed
from rfid_station.store.partners.partner_rows import agreement_of, contact_of, owed_anew, partner_row
from rfid_station.store.tables import IS_URGENT, meta, parked, partner, token, withdrawn
from rfid_station.store.told.sight import SHOWN, Sight, own_change

SYNC = Actor("sync", Role.SYSTEM)

_CONNECTED, _RESYNC = ("partner.connected", "partner.registered"), "partner.resync"
_PROVEN, _DIFFERS = "token.proven", "token.differs"
_PARTNER = partner
_NEWEST = (
    select(partner.c.cover_no, *SHOWN)
    .join_from(token, partner, partner.c.name == bindparam("partner"))
    .where(token.c.id == bindparam("token_id"))
)
_EVERYTHING = (
    select(token)
    .where(token.c.revision > bindparam("after"))
    .order_by(token.c.revision)
    .limit(bindparam("most"))
)
_OWN_CHANGES = {Lane.BULK: _EVERYTHING, Lane.URGENT: _EVERYTHING.where(IS_URGENT)}
_OWN = select(token).where(token.c.id == bindparam("token_id"))
_STANDING = select(
    partner,
    select(meta.c.revision).scalar_subquery().label("head"),
    IS_ANY_DUE.label("is_any_due"),
).where(partner.c.name == bindparam("of"))
_PARKED = select(parked).where(parked.c.partner_id == bindparam("of")).order_by(parked.c.token_id)
_CARD_OF_TOKEN = select(token.c.card_id, token.c.uid).where(token.c.id == bindparam("token_id"))
_PROVEN_AT = update(partner).where(partner.c.name == bindparam("of")).values(last_proof_at=bindparam("at"))
_CARD_AND_SHOWN = select(token.c.card_id, *SHOWN).where(token.c.id == bindparam("token_id"))


def _forward(cursor: Column[int]) -> Update:
    """Move a cursor of a partner; it is not moved back, nor when somebody else moved it back."""
    to: BindParameter[int] = bindparam("cursor")
    is_known = partner.c.resync_no == bindparam("resync")
    return (
        update(partner).where(partner.c.name == bindparam("of"), cursor < to, is_known).values({cursor: to})
    )


_FORWARD = {Lane.BULK: _forward(partner.c.bulk_cursor), Lane.URGENT: _forward(partner.c.urgent_cursor)}


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
        self._sights: dict[str, tuple[int, Sight]] = {}
        self._ages: Snapshots | None = None
        self._opening = threading.Lock()

    def close(self) -> None:
        """Let go of the store."""
        with self._opening:
            if self._ages:
                self._ages.close()

    def age(self) -> Hashable:
        """What is another one whenever somebody has committed, or the day is another one.

        :raises StoreError: the store cannot be used
        """
        with self._opening:
            self._ages = self._ages or self._database.snapshots()
        return self._ages.age(), self._database.clock().date()

    def enforce(self, partner: str) -> None:
        """Give the partner, and take from it, what its agreement says today; end the cards whose day is over.

        :raises WrongCall: there is no such partner
        """
        end_due(self._database)
        bring_up_to_date(self._database, partner)

    def _sight(self, connection: Connection, row: Row[Any]) -> Sight:
        """What a partner sees; kept until its agreement changes."""
        cover_no, sight = self._sights.get(row.name, (None, None))
        if sight is None or cover_no != row.cover_no:
            sight = Sight.of(connection, row)
            self._sights[row.name] = (row.cover_no, sight)
        return sight

    def standing(self, partner: str, *, counted: bool = True) -> Standing:
        """Where a partner stands.

        :param counted: without it `behind` is 1 whatever lies there: counting takes long in a long backlog
        :raises WrongCall: there is no such partner
        """
        today = self._database.clock().date()
        with self._database.read() as connection:
            row = connection.execute(_STANDING, {"of": partner, "today": today}).one_or_none()
            row = row or partner_row(connection, partner)
            sight = self._sight(connection, row)
            return Standing(
                partner=row.name,
                cursors={Lane.URGENT: row.urgent_cursor, Lane.BULK: row.bulk_cursor},
                head=row.head,
                parked=tuple(_parked_of(one) for one in connection.execute(_PARKED, {"of": row.id})),
                behind=(sight.behind if counted else sight.is_behind)(connection, row.bulk_cursor),
                resync=row.resync_no,
                met=contact_of(row),
                is_outdated=row.is_any_due or not is_as_agreed(row, sight.cover, today),
            )

    def changes_after(self, partner: str, revision: int, lane: Lane, limit: int) -> list[Change]:
        """Up to `limit` changes that concern a partner, ascending; only urgent ones in the urgent lane.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            sight = self._sight(connection, partner_row(connection, partner))
            return sight.changes(connection, revision, lane, limit)

    def newest(self, partner: str, token_id: int) -> Change | None:
        """A token as a partner is to see it now, read again just before it is sent; None if it is not to."""
        with self._database.read() as connection:
            row = connection.execute(_NEWEST, {"token_id": token_id, "partner": partner}).one_or_none()
            if row is None:
                return None
            cover_no, *shown = row
            known_no, sight = self._sights.get(partner, (None, None))
            if sight is None or known_no != cover_no:
                sight = self._sight(connection, partner_row(connection, partner))
            return sight.of_token(connection, shown)

    def own(self, token_id: int) -> Change | None:
        """A token in our own words, whoever sees it."""
        with self._database.read() as connection:
            row = connection.execute(_OWN, {"token_id": token_id}).one_or_none()
            return own_change(row) if row else None

    def own_after(self, revision: int, lane: Lane, limit: int) -> list[Change]:
        """Up to `limit` changes of ours behind a revision, ascending, whoever sees them."""
        with self._database.read() as connection:
            rows = connection.execute(_OWN_CHANGES[lane], {"after": revision, "most": limit})
            return [own_change(row) for row in rows]

    def advance(
        self,
        partner: str,
        lane: Lane,
        cursor: int,
        park: Sequence[Parked] = (),
        unpark: Sequence[int] = (),
        resync: int = 0,
    ) -> None:
        """Move a cursor and write or remove the parked rows it passes (token ids in `unpark`), together.

        A cursor never moves back here, and stays where it is when `resync` is not the partner's any more:
        then somebody set it back meanwhile. Parking a token again replaces its row, and wins over unparking.

        A cursor alone does not wait for the disk. Should the power fail before it is there, the window is
        sent again, which is harmless: so is every PUT of a newest state. A parked row waits, because it may
        stand for what nothing else remembers: a doubt about a token that the cursor passed long ago.

        :raises WrongCall: there is no such partner
        """
        begin = self._database.write if park or unpark else self._database.note
        with begin() as connection:
            forward = {"of": partner, "cursor": cursor, "resync": resync}
            is_moved = connection.execute(_FORWARD[lane], forward).rowcount > 0
            if park or unpark or not is_moved:
                _keep_parked(connection, partner_row(connection, partner).id, park, unpark)

    def rewind(self, partner: str, actor: Actor) -> int:
        """Set both cursors back to zero, so that every token is owed again; how many these are.

        What is parked stays parked, with its time.

        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, partner)
            back = update(_PARTNER).where(_PARTNER.c.id == row.id).values(owed_anew())
            ledger.connection.execute(back)
            ledger.note(_RESYNC, f"partner:{row.name}", cursor=row.bulk_cursor)
            return Sight.of(ledger.connection, row).behind(ledger.connection, 0)

    def renew(self, partner: str, token_id: int) -> None:
        """Give a token a new revision and a later time, though nothing else in it changed.

        A token that was withdrawn from the partner is renewed for this partner alone.

        :raises WrongCall: there is no such partner or token
        """
        with booking(self._database, SYNC) as ledger:
            row = partner_row(ledger.connection, partner)
            known = ledger.connection.execute(_CARD_AND_SHOWN, {"token_id": token_id}).one_or_none()
            change = (
                Sight.of(ledger.connection, row).of_token(ledger.connection, known[1:]) if known else None
            )
            if known is None or change is None:
                raise WrongCall(
                    f"there is no token with id {token_id} for {partner}", hint="rfid-station card list"
                )
            revision, stamp = ledger.next_revision(), ledger.stamp(change.token.last_updated)
            mine = and_(withdrawn.c.partner_id == row.id, withdrawn.c.token_id == token_id)
            taken = update(withdrawn).where(mine).values(revision=revision, last_updated=stamp)
            if not ledger.connection.execute(taken).rowcount:
                fresh = update(token).where(token.c.id == token_id)
                ledger.connection.execute(fresh.values(revision=revision, last_updated=stamp))
            ledger.note("token.renewed", subject_of(known.card_id), revision=revision)

    def owed(self, partner: str) -> Owed:
        """What a partner has not acknowledged, and since when: not before it was connected, or owed all anew.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            row = partner_row(connection, partner)
            owed = _owed(connection, row, self._sight(connection, row))
            query = select(owed.c.urgent, func.count(), func.min(owed.c.last_updated)).group_by(owed.c.urgent)
            begun_at = _begun_at(connection, row.name)
            found = {
                is_urgent: (count, max(filter(None, (since, begun_at))))
                for is_urgent, count, since in connection.execute(query)
            }
            level = agreement_of(row).level
        return Owed(*found.get(True, (0, None)), *found.get(False, (0, None)), level)

    def last_proof(self, partner: str) -> datetime | None:
        """When a GET last showed that the partner held what it should; None if none ever did.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            last: datetime | None = partner_row(connection, partner).last_proof_at
            return last

    def record_proof(self, partner: str, token_id: int, revision: int, proven: bool, note: str) -> None:
        """Keep the evidence of a GET at the partner: an audit event of the card.

        :raises WrongCall: there is no such partner or token
        """
        with booking(self._database, SYNC) as ledger:
            name = partner_row(ledger.connection, partner).name
            row = ledger.connection.execute(_CARD_OF_TOKEN, {"token_id": token_id}).one_or_none()
            if row is None:
                raise WrongCall(f"there is no token with id {token_id}", hint="rfid-station card list")
            if proven:
                ledger.connection.execute(_PROVEN_AT, {"of": name, "at": ledger.at})
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


def _owed(connection: Connection, row: Row[Any], sight: Sight) -> Subquery:
    """What was not sent, and what was and is parked; each found by an index of its own."""
    mine = select(parked.c.token_id).where(parked.c.partner_id == row.id)
    behind = sight.stated_behind(connection, row.bulk_cursor).subquery()
    waiting = sight.stated_among(mine).subquery()
    return union_all(
        select(behind.c.urgent, behind.c.last_updated).where(not_(_was_sent(behind, row))),
        select(waiting.c.urgent, waiting.c.last_updated).where(
            or_(waiting.c.revision <= row.bulk_cursor, _was_sent(waiting, row))
        ),
    ).subquery()


def _was_sent(told: Subquery, row: Row[Any]) -> ColumnElement[bool]:
    """Whether a change was sent ahead of the others."""
    return and_(told.c.urgent, told.c.revision <= row.urgent_cursor)


def _begun_at(connection: Connection, name: str) -> datetime | None:
    """When a partner was first connected, or was last owed everything anew."""
    events = events_of(connection, f"partner:{name}", (*_CONNECTED, _RESYNC))
    connected = [event.at for event in events if event.action in _CONNECTED]
    resynced = [event.at for event in events if event.action == _RESYNC]
    return max([*connected[:1], *resynced[-1:]], default=None)


def _keep_parked(
    connection: Connection, partner_id: int, park: Sequence[Parked], unpark: Sequence[int]
) -> None:
    settled = [*unpark, *(one.token_id for one in park)]
    if settled:
        old = delete(parked).where(parked.c.partner_id == partner_id, parked.c.token_id.in_(settled))
        connection.execute(old)
    if park:
        rows = {one.token_id: {"partner_id": partner_id, **asdict(one)} for one in park}
        connection.execute(insert(parked), list(rows.values()))


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
