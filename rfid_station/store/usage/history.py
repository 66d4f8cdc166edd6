"""What cards did, read: of one card, of a fleet in a month, and what is odd about it. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, func, not_, or_, select

from rfid_station.domain.card import Card, CardState
from rfid_station.domain.charge import ChargeKind, Visit, too_far
from rfid_station.store.card_rows import CARDS, card_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.tables import IS_ALARM, card, charge, driver, partner
from rfid_station.store.usage.charge_rows import CHARGES, IS_SETTLED, ONCE, KeptCharge, kept_charge

_DAY_BEFORE = timedelta(days=1)
"""Who reads of an hour has to know what was before it."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A card that may charge and does not."""

    card: Card
    last_used: datetime | None
    """None if it never was."""
    since: datetime
    """Since when it is not used: its last charge, or when it was made."""


class Usage:
    """The charges of the store, as people ask about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_card(self, card_id: int) -> list[KeptCharge]:
        """Every charge of a card, the oldest first; a session that has its CDR is not told twice."""
        return self._read(ONCE.where(charge.c.card_id == card_id).order_by(charge.c.began, charge.c.id))

    def last_of(self, card_id: int) -> KeptCharge | None:
        """A card's newest charge; nobody was let in by one that is credited, pending or invalid."""
        newest = ONCE.where(charge.c.card_id == card_id).order_by(charge.c.began.desc(), charge.c.id.desc())
        return next((one for one in self._read(newest.limit(20)) if one.charge.let_in), None)

    def of_fleet(self, since: datetime, until: datetime, fleet: str | None = None) -> list[KeptCharge]:
        """The CDRs of our cards that began within a time, by card; of one fleet, if one is named."""
        query = CHARGES.where(
            charge.c.kind == ChargeKind.CDR.value,
            charge.c.card_id.is_not(None),
            charge.c.began >= since,
            charge.c.began < until,
        )
        if fleet is not None:
            query = query.where(driver.c.fleet == fleet)
        return self._read(query.order_by(card.c.visual_number, charge.c.began, charge.c.id))

    def unsettled(self, since: datetime, until: datetime) -> int:
        """How many sessions of ours began within a time and have no CDR."""
        query = select(func.count()).where(
            charge.c.kind == ChargeKind.SESSION.value,
            charge.c.card_id.is_not(None),
            charge.c.began >= since,
            charge.c.began < until,
            not_(IS_SETTLED),
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    # What is odd

    def alarms(self, partner_name: str | None = None, card_id: int | None = None) -> list[KeptCharge]:
        """Charges that began after a block that their partner knew of, the newest first."""
        query = ONCE.where(IS_ALARM)
        if partner_name is not None:
            query = query.where(partner.c.name == partner_name)
        if card_id is not None:
            query = query.where(charge.c.card_id == card_id)
        return self._read(query.order_by(charge.c.began.desc(), charge.c.id.desc()))

    def alarm_count(self, partner_name: str) -> int:
        """How many of these a partner has to answer for."""
        query = (
            select(func.count())
            .select_from(charge.join(partner))
            .where(IS_ALARM, partner.c.name == partner_name, not_(IS_SETTLED))
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def after_stop(self, since: datetime) -> list[KeptCharge]:
        """Charges from a time on that began after their card was stopped, whatever the partner knew."""
        query = ONCE.where(charge.c.stop.is_not(None), charge.c.began >= since)
        return self._read(query.order_by(charge.c.began, charge.c.id))

    def unknown(self, limit: int) -> list[KeptCharge]:
        """The newest charges with tokens that are not ours."""
        query = CHARGES.where(charge.c.card_id.is_(None))
        return self._read(query.order_by(charge.c.received_at.desc(), charge.c.id.desc()).limit(limit))

    def refused(self, limit: int) -> list[KeptCharge]:
        """CDRs that came once more, and otherwise; the newest such first."""
        query = CHARGES.where(charge.c.refused > 0)
        return self._read(query.order_by(charge.c.refused_at.desc(), charge.c.id.desc()).limit(limit))

    def idle(self, since: datetime) -> Iterator[Idle]:
        """Active cards that did not charge from a time on, those that were made after it apart."""
        last = (
            select(charge.c.card_id, func.max(charge.c.began).label("last"))
            .where(charge.c.card_id.is_not(None), charge.c.is_credit.is_(False))
            .group_by(charge.c.card_id)
            .subquery()
        )
        query = (
            CARDS.add_columns(last.c.last, card.c.created_at.label("made"))
            .outerjoin(last, last.c.card_id == card.c.id)
            .where(card.c.state == CardState.ACTIVE.value, card.c.created_at < since)
            .where(or_(last.c.last.is_(None), last.c.last < since))
            .order_by(card.c.id)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            yield Idle(card_of(row), row.last, row.last or row.made)

    def in_two_countries(self, since: datetime) -> list[tuple[KeptCharge, KeptCharge]]:
        """Charges of one card in two countries, too soon one after the other; the later from a time on."""
        query = (
            ONCE.where(charge.c.card_id.is_not(None), charge.c.country != "")
            .where(charge.c.began >= since - _DAY_BEFORE, charge.c.is_credit.is_(False))
            .order_by(charge.c.card_id, charge.c.began, charge.c.id)
        )
        charges = {_visit(one): one for one in self._read(query)}
        pairs = too_far(charges)
        return [(charges[one], charges[other]) for one, other in pairs if other.began >= since]

    def _read(self, query: Select[tuple[object, ...]]) -> list[KeptCharge]:
        with self._database.read() as connection:
            return [kept_charge(row) for row in connection.execute(query)]


def _visit(kept: KeptCharge) -> Visit:
    told = kept.charge
    return Visit(kept.card_id or 0, told.began, told.ended, told.place.country)
