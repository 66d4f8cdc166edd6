"""How partners were last met, and who is left alone by somebody's word.

Meetings are no events: they are many, and only the last one counts. Pausing and resuming are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Select,
    Update,
    bindparam,
    func,
    or_,
    select,
    update,
)

from rfid_station.domain.actor import Actor
from rfid_station.domain.contact import Contact, Pause
from rfid_station.domain.service_level import Owed
from rfid_station.errors import Conflict
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.partners.partner_rows import agreement_of, contact_of, partner_row, pause_of
from rfid_station.store.tables import partner
from rfid_station.store.told.sight import Sight

_CONTACT: Select[Any] = select(
    partner.c.name,
    partner.c.down_since,
    partner.c.last_success_at,
    partner.c.last_pull_at,
    partner.c.paused_at,
    partner.c.paused_by,
    partner.c.pause_reason,
)
_OF_ONE = _CONTACT.where(partner.c.name == bindparam("partner"))
_AT: BindParameter[datetime | None] = bindparam("at", type_=partner.c.last_success_at.type)


def _later(column: Column[Any]) -> Update:
    """Write down when something was; of two times the later one stays."""
    is_news = or_(column.is_(None), column < _AT)
    return update(partner).where(partner.c.name == bindparam("of"), is_news).values({column: _AT})


_SUCCESS, _PULL = _later(partner.c.last_success_at), _later(partner.c.last_pull_at)
_DOWN = update(partner).where(partner.c.name == bindparam("of")).values({partner.c.down_since: _AT})


class Contacts:
    """The contacts of all partners. May be used from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Contact:
        """How a partner was last met; one that is not there never was."""
        with self._database.read() as connection:
            row = connection.execute(_OF_ONE, {"partner": name}).one_or_none()
        return contact_of(row) if row else Contact()

    def all(self) -> dict[str, Contact]:
        """How every partner was last met, by name."""
        with self._database.read() as connection:
            return {row.name: contact_of(row) for row in connection.execute(_CONTACT)}

    # By somebody's word

    def pause(self, name: str, reason: str, actor: Actor) -> Pause:
        """Leave a partner alone until it is resumed.

        :raises Conflict: it is left alone already
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            row = partner_row(ledger.connection, name)
            already = pause_of(row)
            if already:
                raise Conflict(f"{name} is {already}", hint=f"rfid-station sync resume {name}")
            _set(ledger, name, paused_at=ledger.at, paused_by=actor.name, pause_reason=reason or None)
            ledger.note("partner.paused", f"partner:{name}", reason=reason)
            return Pause(ledger.at, actor.name, reason)

    def resume(self, name: str, actor: Actor) -> Pause:
        """Go on with a partner; what the pause was.

        :raises Conflict: it was not paused
        :raises WrongCall: there is no such partner
        """
        with booking(self._database, actor) as ledger:
            before = pause_of(partner_row(ledger.connection, name))
            if before is None:
                raise Conflict(f"{name} is not paused", hint="rfid-station sync status")
            _set(ledger, name, paused_at=None, paused_by=None, pause_reason=None)
            ledger.note("partner.resumed", f"partner:{name}")
            return before

    # As it was met

    def note_down(self, name: str, since: datetime | None) -> None:
        """Write down since when a partner is down; None when that is over."""
        self._write(_DOWN, name, since)

    def note_success(self, name: str, at: datetime) -> None:
        """Write down that a partner acknowledged something."""
        self._write(_SUCCESS, name, at)

    def note_pull(self, name: str, at: datetime) -> None:
        """Write down that a partner read a list of tokens to its end."""
        self._write(_PULL, name, at)

    def forget(self, name: str) -> None:
        """A connection has ended: what was seen in it says nothing about the next one. A pause stays."""
        unseen = {"down_since": None, "last_success_at": None, "last_pull_at": None}
        with self._database.write() as connection:
            connection.execute(update(partner).where(partner.c.name == name).values(unseen))

    def _write(self, what: Update, name: str, at: datetime | None) -> None:
        # Not worth the wait for a disk: the next meeting tells it again.
        with self._database.note() as connection:
            connection.execute(what, {"of": name, "at": at})

    # Who reads by itself

    def unread(self, name: str) -> Owed:
        """What changed since a partner last read the list, for one that nothing is sent to.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            row = partner_row(connection, name)
            if row.met_at is None:
                return Owed(level=agreement_of(row).level)
            # Stamps are whole seconds: what is as old as the pull may have come after it.
            last_pull_at = row.last_pull_at and row.last_pull_at.replace(microsecond=0)
            unread = Sight.of(connection, row).stated_since(last_pull_at).subquery()
            query = select(unread.c.urgent, func.count(), func.min(unread.c.last_updated))
            found = {
                is_urgent: (count, max(since, row.met_at))
                for is_urgent, count, since in connection.execute(query.group_by(unread.c.urgent))
            }
        return Owed(*found.get(True, (0, None)), *found.get(False, (0, None)), agreement_of(row).level)


def _set(ledger: Ledger, name: str, **columns: datetime | str | None) -> None:
    ledger.connection.execute(update(partner).where(partner.c.name == name).values(columns))
