"""What partners tell of charges is taken in: each is matched to its card, and judged if that was stopped."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Role
from rfid_station.domain.charge import AfterStop, Charge, ChargeKind, Posted
from rfid_station.domain.token import Party
from rfid_station.errors import Conflict
from rfid_station.store.card_rows import subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.partners.partner_rows import partner_from, partner_row
from rfid_station.store.tables import charge
from rfid_station.store.usage.charge_rows import card_of_token, charge_columns
from rfid_station.store.usage.stops import stop_at

USAGE = Actor("usage", Role.SYSTEM)

MOST_UNKNOWN = 10_000
"""Charges of one partner with tokens that are not ours. With ours it may tell of as many as there are."""

_INSERT = insert(charge).values(id=next_id(charge))


class Charges:
    """The sessions and CDRs of the store. An `ocpi.port.ChargeBook`; may be used from several threads."""

    def __init__(self, database: Database, most_unknown: int = MOST_UNKNOWN) -> None:
        self._database = database
        self._most_unknown = most_unknown

    def parties_of(self, partner: str) -> tuple[Party, ...]:
        """The CPO roles that a partner's credentials name.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            known = partner_from(partner_row(connection, partner)).connection
        return known.parties if known else ()

    def session(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        """What is kept of a session; None if it was never told, or in another version."""
        return self._told(partner, ChargeKind.SESSION, party, id_, version)

    def cdr(self, partner: str, party: Party, id_: str, version: str) -> str | None:
        """What is kept of a CDR; None if it was never told, or in another version."""
        return self._told(partner, ChargeKind.CDR, party, id_, version)

    def put_session(self, partner: str, session: Charge) -> None:
        """Keep a session, unless something newer is known; what is known already costs no write.

        :raises Conflict: the partner tells of too many charges with tokens that are not ours
        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            if not _is_news(_row(connection, partner_row(connection, partner).id, session), session):
                return
        with booking(self._database, USAGE) as ledger:
            teller = partner_row(ledger.connection, partner)
            known = _row(ledger.connection, teller.id, session)
            if not _is_news(known, session):
                return
            if known is None:
                self._add(ledger, teller, session)
            else:
                _change(ledger, teller, known, session)

    def post_cdr(self, partner: str, cdr: Charge) -> Posted:
        """Keep a CDR, once and for all. Another one of the same id is noted, and changes nothing.

        :raises Conflict: the partner tells of too many charges with tokens that are not ours
        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            known = _row(connection, partner_row(connection, partner).id, cdr)
            if known and not _differing(known.told, cdr.told):
                return Posted.SAME
        with booking(self._database, USAGE) as ledger:
            teller = partner_row(ledger.connection, partner)
            known = _row(ledger.connection, teller.id, cdr)
            if known is None:
                self._add(ledger, teller, cdr)
                return Posted.NEW
            fields = _differing(known.told, cdr.told)
            if not fields:
                return Posted.SAME
            _refuse(ledger, teller, known, fields)
            return Posted.DIFFERS

    def _told(self, partner: str, kind: ChargeKind, party: Party, id_: str, version: str) -> str | None:
        with self._database.read() as connection:
            query = select(charge.c.told).where(
                *_key(partner_row(connection, partner).id, kind, party, id_), charge.c.version == version
            )
            return connection.execute(query).scalar_one_or_none()

    def _add(self, ledger: Ledger, teller: Row[Any], told: Charge) -> None:
        card_id = card_of_token(ledger.connection, told.token, told.began)
        if card_id is None and self._is_full(ledger.connection, teller.id):
            raise Conflict(f"{teller.name} tells of more than {self._most_unknown} charges of unknown tokens")
        after = _after_stop(ledger.connection, card_id, teller, told)
        columns = charge_columns(told, card_id, after)
        ledger.connection.execute(
            _INSERT.values(partner_id=teller.id, received_at=ledger.at, refused=0, **columns)
        )
        _raise_alarm(ledger, teller, card_id, told, after)

    def _is_full(self, connection: Connection, partner_id: int) -> bool:
        unknown = select(func.count()).where(charge.c.partner_id == partner_id, charge.c.card_id.is_(None))
        return int(connection.execute(unknown).scalar_one()) >= self._most_unknown


def _key(partner_id: int, kind: ChargeKind, party: Party, id_: str) -> tuple[Any, ...]:
    return (
        charge.c.partner_id == partner_id,
        charge.c.kind == kind.value,
        charge.c.country_code == party.country_code,
        charge.c.party_id == party.party_id,
        charge.c.told_as == id_.upper(),
    )


def _row(connection: Connection, partner_id: int, told: Charge) -> Row[Any] | None:
    query = select(charge).where(*_key(partner_id, told.kind, told.party, told.id))
    return connection.execute(query).one_or_none()


def _is_news(known: Row[Any] | None, session: Charge) -> bool:
    if known is None:
        return True
    return bool(known.told != session.told and known.last_updated <= session.last_updated)


def _change(ledger: Ledger, teller: Row[Any], known: Row[Any], session: Charge) -> None:
    """A session in its newer state. An alarm that was raised stays, as long as it began when it did."""
    card_id = card_of_token(ledger.connection, session.token, session.began)
    after = _after_stop(ledger.connection, card_id, teller, session)
    columns = charge_columns(session, card_id, after) | {"received_at": ledger.at}
    if known.is_alarm and (known.began, known.card_id) == (session.began, card_id):
        columns |= {"is_alarm": True, "stop": known.stop}
    else:
        _raise_alarm(ledger, teller, card_id, session, after)
    ledger.connection.execute(update(charge).where(charge.c.id == known.id).values(columns))


def _after_stop(
    connection: Connection, card_id: int | None, teller: Row[Any], told: Charge
) -> AfterStop | None:
    """The evidence, if a card was let in that was not to charge."""
    if card_id is None or not told.let_in:
        return None
    stop = stop_at(connection, card_id, teller, told.began)
    return AfterStop(stop, told.began) if stop else None


def _raise_alarm(
    ledger: Ledger, teller: Row[Any], card_id: int | None, told: Charge, after: AfterStop | None
) -> None:
    if card_id is None or after is None or not after.is_alarm:
        return
    ledger.note(
        "card.accepted_after_block",
        subject_of(card_id),
        partner=teller.name,
        kind=told.kind.value,
        began=f"{told.began:%Y-%m-%dT%H:%M:%SZ}",
        evidence=f"{after}",
    )


def _differing(kept: str, told: str) -> list[str]:
    """In which members two CDRs differ. When it was sent again is none of them."""
    one, other = json.loads(kept), json.loads(told)
    names = sorted((one.keys() | other.keys()) - {"last_updated"})
    return [name for name in names if one.get(name) != other.get(name)]


def _refuse(ledger: Ledger, teller: Row[Any], known: Row[Any], fields: list[str]) -> None:
    """Write down that a CDR came once more, and otherwise. It is an event the first time."""
    told = ", ".join(fields)
    ledger.connection.execute(
        update(charge)
        .where(charge.c.id == known.id)
        .values(refused=known.refused + 1, refused_at=ledger.at, refused_fields=told)
    )
    if not known.refused:
        ledger.note("cdr.refused", f"partner:{teller.name}", cdr=known.their_id, differs_in=told)
