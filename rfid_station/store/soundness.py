"""What must hold between the tables, and is looked for by `store check`.

The database's own constraints forbid most of it. They are not believed here: an index may have
been dropped, and a file edited by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Select, Table, func, or_, select

from rfid_station.domain.card import CardState
from rfid_station.domain.cover import ANY_GROUP
from rfid_station.store.chain import ChainReport
from rfid_station.store.leases.holding import overlapping
from rfid_station.store.stock.check import unbalanced
from rfid_station.store.tables import (
    IS_LIVING,
    card,
    cover,
    meta,
    parked,
    partner,
    preprinted,
    token,
    withdrawn,
)
from rfid_station.store.told.sight import cover_of, is_covered

_WITHOUT_TOKEN = {CardState.RESERVED, CardState.ENCODING, CardState.SPOILED}
_WITH_TOKEN = [state.value for state in CardState if state not in _WITHOUT_TOKEN]
_UNFINISHED = [state.value for state in CardState if state.is_unfinished]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The audit chain, and everything else that cannot be in a sound store, one line each."""

    chain: ChainReport
    findings: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Nothing was found."""
        return self.chain.is_whole and not self.findings


def unsound(connection: Connection) -> Iterator[str]:
    """What is wrong in a store that can be read through, beside the audit chain and what its engine knows."""
    yield from _tokens_and_cards(connection)
    yield from _repeated_numbers(connection)
    yield from _counters(connection)
    yield from overlapping(connection)
    yield from _cursors(connection)
    yield from _covers(connection)
    yield from unbalanced(connection)


def _tokens_and_cards(connection: Connection) -> Iterator[str]:
    both = card.outerjoin(token, token.c.card_id == card.c.id)
    pairs = select(card.c.visual_number, card.c.state).select_from(both)
    for row in connection.execute(pairs.where(card.c.state.in_(_WITH_TOKEN), token.c.id.is_(None))):
        yield f"card {row.visual_number} is {row.state} and has no token"
    for row in connection.execute(pairs.where(card.c.state.in_(_UNFINISHED), token.c.id.is_not(None))):
        yield f"card {row.visual_number} is {row.state} and has a token already"
    wrongly_valid = token.c.valid != (card.c.state == CardState.ACTIVE.value)
    for row in connection.execute(pairs.where(wrongly_valid)):
        yield f"the token of card {row.visual_number} says the wrong thing: the card is {row.state}"
    for column in ("uid", "contract_id", "visual_number", "card_group"):
        for row in connection.execute(pairs.where(token.c[column] != card.c[column])):
            yield f"card {row.visual_number} and its token differ in {column}"


def _repeated_numbers(connection: Connection) -> Iterator[str]:
    yield from _contracts_of_several(connection)
    yield from _numbers_on_plastic(connection)
    unique: list[Column[str]] = [card.c.visual_bare, card.c.alias]
    for column in (*unique, token.c.revision, token.c.created_seq, token.c.card_id):
        for value in connection.execute(_repeated(column)).scalars():
            yield f"{column.name} {value} is in table {column.table.name} more than once"
    for column in (card.c.uid, card.c.order_line):
        for _ in connection.execute(_repeated(column).where(IS_LIVING, column.is_not(None))).scalars():
            yield f"two cards that are not spoiled have the same {column.name}"


def _numbers_on_plastic(connection: Connection) -> Iterator[str]:
    """What is printed belongs to no card but the one that it was matched with."""
    for name in ("contract_id", "visual_bare", "alias"):
        strange = (
            select(card.c.visual_number)
            .join(preprinted, preprinted.c[name] == card.c[name])
            .where(
                or_(preprinted.c.card_id.is_(None), preprinted.c.card_id != card.c.id),
                card.c.replaces_id.is_(None),
            )
        )
        for number in connection.execute(strange).scalars():
            yield f"card {number} has the {name} that is printed on other plastic"


def _contracts_of_several(connection: Connection) -> Iterator[str]:
    """A contract has several cards only where each takes the place of one before it, which has no other."""
    others = card.alias("others")
    pair = select(card.c.visual_number, card.c.contract_id)
    is_first = card.c.replaces_id.is_(None)
    for contract_id in connection.execute(_repeated(card.c.contract_id).where(is_first)).scalars():
        yield f"contract_id {contract_id} is in table card more than once"
    strange = pair.join(others, others.c.id == card.c.replaces_id).where(
        or_(others.c.contract_id != card.c.contract_id, others.c.id >= card.c.id)
    )
    for row in connection.execute(strange):
        yield f"card {row.visual_number} takes the place of a card of another contract"
    for _ in connection.execute(_repeated(card.c.replaces_id).where(IS_LIVING, ~is_first)).scalars():
        yield "two cards that are not spoiled take the place of the same card"


def _repeated(column: Column[str]) -> Select[str]:
    return select(column).group_by(column).having(func.count() > 1)


def _counters(connection: Connection) -> Iterator[str]:
    kept = connection.execute(select(meta)).one_or_none()
    if kept is None:
        yield "the row with the counters is gone"
        return
    newest = connection.execute(select(func.coalesce(func.max(token.c.revision), 0))).scalar_one()
    if newest > kept.revision:
        yield f"a token has revision {newest}, and only {kept.revision} were given out"
    tokens = _count(connection, token)
    if tokens != kept.token_count:
        yield f"there are {tokens} tokens, and {kept.token_count} were created"
    cards = _count(connection, card)
    if cards > kept.contract_count:
        yield f"there are {cards} cards, and only {kept.contract_count} contract numbers were given out"


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _cursors(connection: Connection) -> Iterator[str]:
    head = select(meta.c.revision).scalar_subquery()
    for lane in (partner.c.bulk_cursor, partner.c.urgent_cursor):
        for name, cursor in connection.execute(select(partner.c.name, lane).where(lane > head)):
            yield f"partner {name} is at revision {cursor}, which does not exist yet"
    ahead = (
        select(partner.c.name, parked.c.revision).join_from(parked, partner).where(parked.c.revision > head)
    )
    for name, revision in connection.execute(ahead):
        yield f"a token is parked for partner {name} at revision {revision}, which does not exist yet"


def _covers(connection: Connection) -> Iterator[str]:
    """A partner gets a token, or lost it, and never both."""
    for row in connection.execute(select(partner.c.id, partner.c.name).order_by(partner.c.name)).all():
        known = connection.execute(select(cover.c.card_group).where(cover.c.partner_id == row.id)).scalars()
        if ANY_GROUP not in set(known):
            yield f"partner {row.name} has no cover: what it gets is not known"
        both = (
            select(token.c.visual_number)
            .join_from(withdrawn, token)
            .where(withdrawn.c.partner_id == row.id, is_covered(cover_of(connection, row.id)))
        )
        for number in connection.execute(both).scalars():
            yield f"partner {row.name} gets card {number}, which is noted as taken from it"
