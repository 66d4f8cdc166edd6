"""Registers many cards within one transaction, a portion at a time.

What `Cards.reserve` and `Cards.register` promise holds for every card here: numbers are used once, tokens get
dense places and rising revisions, and each card leaves its event in the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from sqlalchemy import Table, func, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, check_move
from rfid_station.domain.card_group import group_for
from rfid_station.domain.stock import Account, Spot, Supply, on_hand
from rfid_station.domain.token import Token, TokenType
from rfid_station.store.bulk.drawing import Drawn, draw
from rfid_station.store.bulk.known import Known, in_list, known_of
from rfid_station.store.bulk.new_cards import NewCard, Numbers, Registered, refusal_of_day
from rfid_station.store.bulk.whole import CARD, DRIVER, TOKEN, card_rows, driver_rows, token_rows
from rfid_station.store.card_rows import subject_of
from rfid_station.store.chain import canonical_texts
from rfid_station.store.ledger import Ledger
from rfid_station.store.orders.items import Wanted
from rfid_station.store.stock.entries import Why, post
from rfid_station.store.stock.supply import MakersBlanks, makers_blanks
from rfid_station.store.tables import card, driver, token
from rfid_station.store.told.telling import TokenOf, tell
from rfid_station.store.whole_rows import insert_whole

_NOTED = canonical_texts(("chip", "order_line", "profile", "uid", "visual_number"))
"""What the audit log is told of each card."""

_group_for = lru_cache(maxsize=256)(group_for)


class Registrar:
    """Registers cards within one transaction."""

    def __init__(
        self, ledger: Ledger, numbers: Numbers, token_of: TokenOf, supply: Supply, *, activate: bool
    ) -> None:
        self._ledger = ledger
        self._numbers = numbers
        self._token_of = token_of
        self._supply = supply
        self._state = CardState.ACTIVE if activate else CardState.ISSUED

    def add(self, new: Sequence[NewCard]) -> list[Registered]:
        """Register at most `CHUNK` cards, and say of each what came of it, in order.

        A card that was registered before is left as it is; one that cannot be registered is refused, and the
        others are not. UIDs, keys and visual numbers are each given once.

        :raises Conflict: no free number is left, or the lot is held or has too few blanks
        :raises WrongCall: a group's name cannot be one
        """
        connection = self._ledger.connection
        known = known_of(connection, new, is_locked=True)
        blanks = makers_blanks(connection, [one.uid.hex for one in new], self._supply)
        settled = self._settled(new, known, blanks)
        wanted = [one for one, outcome in zip(new, settled, strict=True) if outcome is None]
        made = iter(self._register(wanted, known) if wanted else ())
        return [outcome or next(made) for outcome in settled]

    def _settled(
        self, new: Sequence[NewCard], known: Known, blanks: MakersBlanks | None
    ) -> list[Registered | None]:
        """What came of cards that are there already, or refused; None of those that are to be made."""
        if known.is_nothing and blanks is None and not any(one.valid_until for one in new):
            return [None] * len(new)
        today = self._ledger.at.date()
        return [_outcome(one, known, blanks, today) for one in new]

    def _register(self, new: Sequence[NewCard], known: Known) -> list[Registered]:
        ledger, drawn = self._ledger, draw(self._ledger, new, self._numbers)
        asked, driver_ids = self._with_drivers(new, known)
        cards = self._cards(asked, drawn)
        _check_moves(cards[0], self._state, ledger.actor)
        insert_whole(ledger.connection, card, CARD, card_rows(cards, drawn, driver_ids, ledger.at))
        self._take(len(cards))
        self._tell(cards, known.spoiled_uids)
        ledger.note_all(f"card.{self._state}", map(_noted, cards))
        ledger.write_events()
        state = self._state
        return [Registered(made.visual_number, state, is_new=True) for made in cards]

    def _with_drivers(self, new: Sequence[NewCard], known: Known) -> tuple[list[NewCard], list[int | None]]:
        """The cards as their orders want them, and the row of each one's driver, which is inserted."""
        first = self._next_id(driver)
        asked: list[NewCard] = []
        ids: list[int | None] = []
        drivers: list[Driver] = []
        for one in new:
            wanted = known.wanted_for(one)
            if isinstance(wanted, Wanted):
                ids.append(wanted.driver_id)
                group = wanted.group or one.group
                asked.append(one.in_work_order()._replace(driver=wanted.driver, group=group))
                continue
            asked.append(one)
            ids.append(first + len(drivers) if one.driver else None)
            if one.driver:
                drivers.append(one.driver)
        insert_whole(self._ledger.connection, driver, DRIVER, driver_rows(first, drivers))
        return asked, ids

    def _cards(self, new: Sequence[NewCard], drawn: Sequence[Drawn]) -> list[Card]:
        at, state, lot = self._ledger.at, self._state, self._supply.lot
        return [
            Card(
                id=card_id,
                uid=one.uid,
                chip=one.chip,
                profile=one.profile,
                state=state,
                reason=None,
                contract_id=numbers.contract_id,
                visual_number=numbers.visual_number,
                alias=numbers.alias,
                order_line=one.order_line or f"{one.order}:{numbers.visual_number}",
                driver=one.driver,
                changed_at=at,
                group=_group_for(one.driver.fleet if one.driver else "", one.group),
                lot=lot,
                valid_until=one.valid_until,
            )
            for card_id, (one, numbers) in enumerate(zip(new, drawn, strict=True), self._next_id(card))
        ]

    def _take(self, count: int) -> None:
        """Take the cards' blanks from their lot, if they are of one."""
        if self._supply.lot is not None:
            source, target = on_hand(self._supply.place), Spot(Account.ISSUED, self._supply.place)
            post(self._ledger, self._supply.lot, count, source, target, Why(reason="a maker's list"))

    def _tell(self, cards: Sequence[Card], spoiled_uids: Sequence[str]) -> None:
        """Tokens of cards whose UID no partner knows are written together; the others by the usual way."""
        ledger = self._ledger
        told_before = self._tokens_of(spoiled_uids)
        stamp = ledger.stamp(None)
        new = cards
        if told_before:
            new = [made for made in cards if made.uid.hex not in told_before]
            for made in cards:
                if made.uid.hex in told_before:
                    tell(ledger, made, self._token_of)
        told = self._told(new, stamp)
        rows = token_rows(self._next_id(token), new, told, ledger.next_tokens(len(new)))
        insert_whole(ledger.connection, token, TOKEN, rows)

    def _told(self, cards: Sequence[Card], stamp: datetime) -> list[Token]:
        token_of = self._token_of
        return [token_of(made, stamp) for made in cards]

    def _tokens_of(self, uids: Sequence[str]) -> set[str]:
        """Which UIDs have a token; without a card of that UID, spoiled or not, there is none."""
        if not uids:
            return set()
        query = in_list(token.c.uid, token.c.uid).where(token.c.type == TokenType.RFID.value)
        return set(self._ledger.connection.execute(query, {"values": json.dumps(uids)}).scalars())

    def _next_id(self, table: Table) -> int:
        newest = self._ledger.connection.execute(select(func.max(table.c.id))).scalar_one()
        return (newest or 0) + 1


def _outcome(new: NewCard, known: Known, blanks: MakersBlanks | None, today: date) -> Registered | None:
    held = known.made_for(new)
    if held:
        return Registered(held.visual_number, held.state, is_new=False)
    refusal = known.refusal(new) or refusal_of_day(new, today) or _no_blank(blanks, new)
    return Registered(None, None, is_new=False, refusal=refusal) if refusal else None


def _no_blank(blanks: MakersBlanks | None, new: NewCard) -> str | None:
    return blanks.refusal(new.uid, new.chip) if blanks else None


def _noted(made: Card) -> tuple[str, str]:
    values = (made.chip, made.order_line, made.profile, made.uid.masked, made.visual_number)
    return subject_of(made.id), _NOTED(values)


def _check_moves(made: Card, to: CardState, actor: Actor) -> None:
    """Let an actor pass who may take a card from its reservation to where it is put at once.

    :raises MoveNotAllowed: they may not
    """
    steps = [CardState.ISSUED, CardState.ACTIVE] if to is CardState.ACTIVE else [CardState.ISSUED]
    now = CardState.RESERVED
    for state in steps:
        check_move(replace(made, state=now), state, actor.role, None)
        now = state
