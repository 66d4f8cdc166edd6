"""All tokens there are, by the group of their cards, whoever gets them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from rfid_station.domain.agreement import Agreement
from rfid_station.domain.cover import Cover
from rfid_station.domain.token import Token
from rfid_station.store.engines.engine import Database
from rfid_station.store.partners.partner_rows import partner_row
from rfid_station.store.tables import card, token
from rfid_station.store.told.sight import cover_of
from rfid_station.store.told.token_rows import token_from

PAGE = 1000


class TokenList:
    """What can be told of tokens before anybody is told of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def groups(self) -> list[str]:
        """Every group that a card is in, by name."""
        with self._database.read() as connection:
            return list(
                connection.execute(select(card.c.card_group).distinct().order_by(card.c.card_group)).scalars()
            )

    def by_group(self) -> dict[str, int]:
        """How many tokens there are in each group."""
        query = select(token.c.card_group, func.count().label("tokens")).group_by(token.c.card_group)
        with self._database.read() as connection:
            return {
                row.card_group: row.tokens for row in connection.execute(query.order_by(token.c.card_group))
            }

    def covered(self, agreement: Agreement) -> Iterator[Token]:
        """Every token of an agreement, whatever day it is, as the partner is to see it."""
        query = select(token).order_by(token.c.created_seq).limit(PAGE)
        if agreement.groups is not None:
            query = query.where(token.c.card_group.in_(sorted(agreement.groups)))
        place = 0
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query.where(token.c.created_seq > place)).all()
            if not rows:
                return
            yield from (agreement.present(token_from(row)) for row in rows)
            place = rows[-1].created_seq

    def cover(self, partner: str) -> Cover:
        """What a partner gets at present.

        :raises WrongCall: there is no such partner
        """
        with self._database.read() as connection:
            return cover_of(connection, partner_row(connection, partner).id)
