"""Agreements put into force: the only place that gives a partner cards, or takes them from it.

Whoever changes an agreement, a card's group, or only sees that the day has come, ends here, inside the
same transaction as the change.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, literal, not_, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.agreement import Agreement
from rfid_station.domain.card import Role
from rfid_station.domain.cover import Cover, Spell, first_cover
from rfid_station.store.engines.engine import Database
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.partners.partner_rows import agreement_of, partner_row
from rfid_station.store.tables import cover, partner, token, withdrawn
from rfid_station.store.told.sight import cover_of, is_covered

_TAKEN = (
    "partner_id",
    "token_id",
    "revision",
    "contract_id",
    "visual_number",
    "whitelist",
    "last_updated",
)
_MET = select(partner).where(partner.c.met_at.is_not(None))


ENFORCER = Actor("agreement", Role.SYSTEM)


def bring_up_to_date(database: Database, name: str) -> None:
    """Put into force what a partner's agreement says today, if that is not what it gets.

    :raises WrongCall: there is no such partner
    """
    with database.read() as connection:
        row = partner_row(connection, name)
        is_due = not is_as_agreed(row, cover_of(connection, row.id), database.clock().date())
    if is_due:
        with booking(database, ENFORCER) as ledger:
            enforce(ledger, name)


def enforce(ledger: Ledger, name: str, *, restate: bool = False) -> None:
    """Give and take what a partner's agreement says today.

    :param restate: whether what it has and keeps is told once more, since it looks different now
    :raises WrongCall: there is no such partner
    """
    row = partner_row(ledger.connection, name)
    agreement = agreement_of(row)
    is_in_force = _is_in_force(row, agreement, ledger.at.date())
    before = cover_of(ledger.connection, row.id)
    if row.met_at is None:
        _keep(ledger, row, first_cover(agreement, is_in_force=is_in_force))
    elif restate or not before.is_as(agreement, is_in_force=is_in_force):
        _change(ledger, row, before, agreement, is_in_force=is_in_force, restate=restate)


def is_as_agreed(row: Row[Any], now: Cover, today: date) -> bool:
    """Whether a partner gets what its agreement says today."""
    agreement = agreement_of(row)
    return now.is_as(agreement, is_in_force=_is_in_force(row, agreement, today))


def _is_in_force(row: Row[Any], agreement: Agreement, today: date) -> bool:
    return agreement.covers(today) and not row.is_ending


def _change(
    ledger: Ledger, row: Row[Any], before: Cover, agreement: Agreement, *, is_in_force: bool, restate: bool
) -> None:
    since, until = ledger.next_revisions()
    newest = ledger.connection.execute(select(func.max(token.c.last_updated))).scalar_one()
    stamp = ledger.raise_stamp(newest)
    gained = Spell(True, since, until, stamp)
    after = before.following(agreement, gained, Spell(False), is_in_force=is_in_force)
    if restate:
        after = _restated(after, gained)
    _withdraw(ledger, row, and_(is_covered(before), not_(is_covered(after))), since, stamp)
    _give_back(ledger, row, after)
    _keep(ledger, row, after)
    ledger.note(
        "partner.cover",
        f"partner:{row.name}",
        groups=sorted(name for name, spell in after.spells.items() if spell.is_covered),
        revisions=[since, until],
    )


def _restated(now: Cover, gained: Spell) -> Cover:
    def again(spell: Spell) -> Spell:
        return gained if spell.is_covered else spell

    return Cover(again(now.any_group), {name: again(spell) for name, spell in now.named.items()})


def _withdraw(ledger: Ledger, row: Row[Any], is_lost: Any, since: int, stamp: datetime) -> None:  # noqa: ANN401
    whitelist = literal(row.whitelist) if row.whitelist else token.c.whitelist
    lost = select(
        literal(row.id),
        token.c.id,
        literal(since) + token.c.created_seq,
        token.c.contract_id,
        token.c.visual_number,
        whitelist,
        literal(stamp, token.c.last_updated.type),
    ).where(is_lost)
    ledger.connection.execute(insert(withdrawn).from_select(_TAKEN, lost))


def _give_back(ledger: Ledger, row: Row[Any], after: Cover) -> None:
    again = select(token.c.id).where(is_covered(after))
    mine = and_(withdrawn.c.partner_id == row.id, withdrawn.c.token_id.in_(again))
    ledger.connection.execute(delete(withdrawn).where(mine))


def _keep(ledger: Ledger, row: Row[Any], after: Cover) -> None:
    connection = ledger.connection
    connection.execute(delete(cover).where(cover.c.partner_id == row.id))
    rows = [
        {
            "partner_id": row.id,
            "card_group": group,
            "is_covered": spell.is_covered,
            "since": spell.since,
            "until": spell.until,
            "stamp": spell.stamp,
        }
        for group, spell in after.spells.items()
    ]
    connection.execute(insert(cover), rows)
    connection.execute(update(partner).where(partner.c.id == row.id).values(cover_no=partner.c.cover_no + 1))


def note_group(ledger: Ledger, before: Row[Any], group: str, revision: int, stamp: datetime) -> bool:
    """Take a token that moves to another group from every partner that gets only the one it leaves.

    :param before: the token as it was
    :param revision: and `stamp`: of the move
    :returns: whether a partner lost it
    """
    lost = False
    for row in ledger.connection.execute(_MET).all():
        now = cover_of(ledger.connection, row.id)
        had = now.of(before.card_group).is_covered
        has = now.of(group).is_covered
        if had or has:
            mine = and_(withdrawn.c.partner_id == row.id, withdrawn.c.token_id == before.id)
            ledger.connection.execute(delete(withdrawn).where(mine))
        if had and not has:
            taken = {
                "partner_id": row.id,
                "token_id": before.id,
                "revision": revision,
                "contract_id": before.contract_id,
                "visual_number": before.visual_number,
                "whitelist": row.whitelist or before.whitelist,
                "last_updated": stamp,
            }
            ledger.connection.execute(insert(withdrawn), taken)
            lost = True
    return lost
