"""Many cards at once that were made elsewhere: registered by the thousand, each as if it were the only one.

What `Cards.reserve` and `Cards.register` promise holds for every card here: numbers are used once, tokens get
dense places and rising revisions, and each card leaves its event in the audit log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, Select, Table, Text, bindparam, func, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, check_move
from rfid_station.domain.card_group import group_for
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.stock import Account, Spot, Supply, on_hand
from rfid_station.domain.token import TokenType
from rfid_station.domain.uid import CardUid
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict
from rfid_station.store.card_rows import CARDS, card_of, subject_of
from rfid_station.store.chain import canonical_texts
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import listed
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.orders.items import Wanted, delivered_lines
from rfid_station.store.search import search_text
from rfid_station.store.stock.entries import Why, post
from rfid_station.store.stock.supply import MakersBlanks, makers_blanks
from rfid_station.store.tables import IS_LIVING, card, driver, moment_text, preprinted, token, work_order
from rfid_station.store.told.telling import TokenOf, tell
from rfid_station.store.whole_rows import insert_whole

CHUNK = 1000
"""Cards that are looked up and written together."""

MOST_DRAWS = 100
"""How often a number is drawn again because it is taken, before the pattern counts as full."""

_HELD = (card.c.id, card.c.uid, card.c.order_line, card.c.visual_number, card.c.visual_bare, card.c.state)


class Numbers(Protocol):
    """Where the numbers of new cards come from. The contract is asked for first."""

    def contract_of(self, number: int) -> ContractId:
        """The contract with a number that was never given out."""

    def draw_visual(self) -> str:
        """A visual number, maybe one that is taken."""

    def draw_alias(self) -> str:
        """An alias, maybe one that is taken."""


class NewCard(NamedTuple):
    """A card that was made elsewhere and is to be registered."""

    uid: CardUid
    order: str
    """The order it belongs to."""
    key: str | None
    """Its own key within the order; None where it has no other than its UID."""
    chip: str
    profile: str
    driver: Driver | None = None
    visual_number: str | None = None
    """As it is printed on the card; None to have one drawn."""
    group: str | None = None
    """By default the one of the driver's fleet."""
    place: int | None = None
    """Of its row in the list: what a card without a key goes by where the order is kept as a work order."""
    valid_until: date | None = None
    """The last day, in UTC, on which it is to charge."""

    @property
    def order_line(self) -> str | None:
        """What the card is made for, if that is known before it has a number."""
        return None if self.key is None else f"{self.order}:{self.key}"

    def in_work_order(self) -> NewCard:
        """The same card with the key that it has in a work order."""
        return self if self.key is not None or self.place is None else self._replace(key=f"{self.place}")


@dataclass(frozen=True, slots=True)
class Held:
    """A card that holds a UID, an order line or a number already."""

    card_id: int
    uid: str
    """Upper-case hexadecimal."""
    order_line: str | None
    visual_number: str
    visual_bare: str
    state: CardState

    @property
    def is_living(self) -> bool:
        """Whether it holds its UID and its order line."""
        return self.state is not CardState.SPOILED

    def is_made_for(self, new: NewCard) -> bool:
        """Whether it is that card already."""
        if self.uid != new.uid.hex or self.state is CardState.SPOILED:
            return False
        if new.key is None:
            return (self.order_line or "").startswith(f"{new.order}:")
        return self.order_line == new.order_line


class Registered(NamedTuple):
    """What came of one new card."""

    visual_number: str | None
    state: CardState | None
    is_new: bool
    refusal: str | None = None
    """Why it was not registered, in words."""


Ordered = Mapping[str, Mapping[str, Wanted | str]]
"""By the name of a work order: what it asks of the card for a line, or why it asks for none, in words."""


class Known:
    """What the store knows of some UIDs, order lines and visual numbers."""

    def __init__(
        self,
        connection: Connection,
        uids: list[str],
        lines: list[str],
        numbers: list[str],
        ordered: Ordered | None = None,
    ) -> None:
        self._ordered = ordered or {}
        self._on_plastic = _on_plastic(connection, numbers)
        of_uid = _held(connection, card.c.uid, uids)
        of_line = _held(connection, card.c.order_line, lines)
        of_number = _held(connection, card.c.visual_bare, numbers)
        self.by_uid = {one.uid: one for one in of_uid if one.is_living}
        self.by_line = {one.order_line or "": one for one in of_line if one.is_living}
        self.by_number = {one.visual_bare: one for one in of_number}
        self.spoiled_uids = [one.uid for one in of_uid if not one.is_living]

    def made_for(self, new: NewCard) -> Held | None:
        """The card itself, if it was registered before."""
        held = self.by_uid.get(new.uid.hex)
        return held if held and held.is_made_for(new) else None

    def refusal(self, new: NewCard) -> str | None:
        """Why a card cannot be registered, in words."""
        wanted = self.wanted_for(new)
        if isinstance(wanted, str):
            return wanted
        held = self.by_uid.get(new.uid.hex)
        if held:
            return f"UID {new.uid.masked} belongs to card {held.visual_number}, which is {held.state}"
        line = new.in_work_order().order_line if wanted else new.order_line
        held = self.by_line.get(line or "")
        if held:
            return f"order line {line} has card {held.visual_number}, which is {held.state}"
        held = self.by_number.get(bare(new.visual_number)) if new.visual_number else None
        if held:
            return f"number {new.visual_number} is card {held.visual_number}, which is {held.state}"
        if new.visual_number and bare(new.visual_number) in self._on_plastic:
            return f"number {new.visual_number} is printed on plastic that waits for its chip"
        return None

    def wanted_for(self, new: NewCard) -> Wanted | str | None:
        """What a work order asks of a card, or why it asks for none; None without an order of that name."""
        if new.order not in self._ordered:
            return None
        words = f"order {new.order} has no line for it: it was made of another list"
        return self._ordered[new.order].get(new.in_work_order().order_line or "", words)


def refusal_of_day(new: NewCard, today: date) -> str | None:
    """Why a card cannot be registered today, in words."""
    is_over = new.valid_until is not None and new.valid_until < today
    return f"{new.valid_until} is over already" if is_over else None


class Bulk:
    """Many cards of the store at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, new: Sequence[NewCard]) -> Known:
        """What the store knows of at most `CHUNK` new cards."""
        with self._database.read() as connection:
            return _known(connection, new, is_locked=False)

    def by_order_lines(self, lines: Sequence[str]) -> dict[str, Held]:
        """The living cards made for order lines, at most `CHUNK` of them."""
        with self._database.read() as connection:
            return Known(connection, [], list(lines), []).by_line

    def by_numbers(self, numbers: Sequence[str]) -> dict[str, Held]:
        """The cards with these visual numbers in any writing, at most `CHUNK`, by the number made bare."""
        with self._database.read() as connection:
            return Known(connection, [], [], [bare(number) for number in numbers]).by_number

    def cards(self, card_ids: Sequence[int]) -> dict[int, Card]:
        """Cards by their id, at most `CHUNK` of them."""
        with self._database.read() as connection:
            rows = connection.execute(CARDS.where(card.c.id.in_(card_ids)))
            return {row.id: card_of(row) for row in rows}

    def by_drivers(self, fleet: str, references: Sequence[str]) -> dict[str, Held]:
        """A living card of each driver of a fleet, by reference, at most `CHUNK` of them."""
        query = (
            select(driver.c.reference, *_HELD)
            .join_from(card, driver)
            .where(driver.c.fleet == fleet, driver.c.reference.in_(references), IS_LIVING)
        )
        with self._database.read() as connection:
            return {row.reference: _held_of(row) for row in connection.execute(query)}

    @contextmanager
    def registering(
        self,
        *,
        numbers: Numbers,
        token_of: TokenOf,
        activate: bool,
        actor: Actor,
        supply: Supply | None = None,
    ) -> Iterator[Registrar]:
        """Register cards in one transaction: all that are added inside, or none if anything is raised.

        :param supply: where their blanks are taken, if they are of a lot
        :raises DiskFull: there was no room; nothing was changed
        :raises StoreError: the store cannot be used; nothing was changed
        """
        with booking(self._database, actor) as ledger:
            yield Registrar(ledger, numbers, token_of, supply or Supply(), activate=activate)


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
        self._last_stamp: tuple[datetime | None, str] = (None, "")

    def add(self, new: Sequence[NewCard]) -> list[Registered]:
        """Register at most `CHUNK` cards, and say of each what came of it, in order.

        A card that was registered before is left as it is; one that cannot be registered is refused, and the
        others are not. UIDs, keys and visual numbers are each given once.

        :raises Conflict: no free number is left, or the lot is held or has too few blanks
        :raises WrongCall: a group's name cannot be one
        """
        known = _known(self._ledger.connection, new, is_locked=True)
        blanks = makers_blanks(self._ledger.connection, [one.uid.hex for one in new], self._supply)
        there = [known.made_for(one) for one in new]
        today = self._ledger.at.date()
        refusals = [
            None if held else known.refusal(one) or refusal_of_day(one, today) or _no_blank(blanks, one)
            for one, held in zip(new, there, strict=True)
        ]
        wanted = [
            one
            for one, held, refusal in zip(new, there, refusals, strict=True)
            if held is None and refusal is None
        ]
        made = iter(self._register(wanted, known))
        return [
            Registered(held.visual_number, held.state, is_new=False)
            if held
            else Registered(None, None, is_new=False, refusal=refusal)
            if refusal
            else Registered((card_made := next(made)).visual_number, card_made.state, is_new=True)
            for held, refusal in zip(there, refusals, strict=True)
        ]

    def _register(self, new: Sequence[NewCard], known: Known) -> list[Card]:
        if not new:
            return []
        numbered = _draw(self._ledger, new, self._numbers)
        cards = self._cards(new, numbered, known)
        self._take(len(cards))
        self._tell(cards, known.spoiled_uids)
        action = f"card.{self._state}"
        self._ledger.note_all(
            action,
            (
                (
                    subject_of(made.id),
                    _NOTED((made.chip, made.order_line, made.profile, made.uid.masked, made.visual_number)),
                )
                for made in cards
            ),
        )
        self._ledger.write_events()
        return cards

    def _take(self, count: int) -> None:
        """Take the cards' blanks from their lot, if they are of one."""
        if self._supply.lot is not None:
            source, target = on_hand(self._supply.place), Spot(Account.ISSUED, self._supply.place)
            post(self._ledger, self._supply.lot, count, source, target, Why(reason="a maker's list"))

    def _cards(self, new: Sequence[NewCard], numbered: Sequence[_Numbered], known: Known) -> list[Card]:
        ledger = self._ledger
        first_card, first_driver = self._next_id(card), self._next_id(driver)
        at = moment_text(ledger.at)
        cards: list[Card] = []
        rows: list[tuple[object, ...]] = []
        drivers: list[tuple[object, ...]] = []
        for offset, (asked, numbers) in enumerate(zip(new, numbered, strict=True)):
            one, driver_id = asked, None
            wanted = known.wanted_for(asked)
            if isinstance(wanted, Wanted):
                driver_id = wanted.driver_id
                one = asked.in_work_order()._replace(driver=wanted.driver, group=wanted.group or asked.group)
            elif one.driver:
                driver_id = first_driver + len(drivers)
                drivers.append(_driver_values(driver_id, one.driver))
            made = _card(first_card + offset, one, numbers, self._state, ledger, self._supply.lot)
            cards.append(made)
            rows.append(_card_values(made, numbers, driver_id, at))
        insert_whole(ledger.connection, driver, _DRIVER_COLUMNS, drivers)
        insert_whole(ledger.connection, card, _CARD_COLUMNS, rows)
        if cards:
            _check_moves(cards[0], self._state, ledger.actor)
        return cards

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
        first = self._next_id(token)
        rows = [
            self._token_values(first + offset, made, stamp, place, revision)
            for offset, (made, (place, revision)) in enumerate(
                zip(new, ledger.next_tokens(len(new)), strict=True)
            )
        ]
        insert_whole(ledger.connection, token, _TOKEN_COLUMNS, rows)

    def _tokens_of(self, uids: Sequence[str]) -> set[str]:
        """Which UIDs have a token; without a card of that UID, spoiled or not, there is none."""
        if not uids:
            return set()
        query = _in_list(token.c.uid, token.c.uid).where(token.c.type == TokenType.RFID.value)
        return set(self._ledger.connection.execute(query, {"values": json.dumps(uids)}).scalars())

    def _token_values(
        self, token_id: int, made: Card, stamp: datetime, place: int, revision: int
    ) -> tuple[object, ...]:
        told = self._token_of(made, stamp)
        return (
            token_id,
            made.id,
            place,
            revision,
            False,
            told.type.value,
            told.uid.hex,
            told.party.country_code,
            told.party.party_id,
            told.contract_id.compact,
            told.visual_number,
            told.issuer,
            told.group_id,
            told.valid,
            told.whitelist.value,
            told.language,
            self._stamp_text(told.last_updated),
            made.group,
            revision,
        )

    def _stamp_text(self, stamp: datetime) -> str:
        if stamp != self._last_stamp[0]:
            self._last_stamp = (stamp, moment_text(stamp))
        return self._last_stamp[1]

    def _next_id(self, table: Table) -> int:
        newest = self._ledger.connection.execute(select(func.max(table.c.id))).scalar_one()
        return (newest or 0) + 1


_NOTED = canonical_texts(("chip", "order_line", "profile", "uid", "visual_number"))
"""What the audit log is told of each card."""


class _Numbered(NamedTuple):
    contract_id: ContractId
    visual_number: str
    visual_bare: str
    alias: str


_DRIVER_COLUMNS = ("id", "name", "reference", "fleet", "language", "search_text")
_CARD_COLUMNS = (
    "id",
    "uid",
    "chip",
    "profile",
    "state",
    "contract_id",
    "visual_number",
    "visual_bare",
    "alias",
    "order_line",
    "driver_id",
    "created_at",
    "changed_at",
    "card_group",
    "contract_card",
    "valid_until",
    "claim_attempts",
    "lot_id",
)
_TOKEN_COLUMNS = (
    "id",
    "card_id",
    "created_seq",
    "revision",
    "urgent",
    "type",
    "uid",
    "country_code",
    "party_id",
    "contract_id",
    "visual_number",
    "issuer",
    "group_id",
    "valid",
    "whitelist",
    "language",
    "last_updated",
    "card_group",
    "grouped_at",
)


def _driver_values(driver_id: int, whom: Driver) -> tuple[object, ...]:
    return (driver_id, whom.name, whom.reference, whom.fleet, whom.language, search_text(whom))


def _card_values(made: Card, numbers: _Numbered, driver_id: int | None, at: str) -> tuple[object, ...]:
    return (
        made.id,
        made.uid.hex,
        made.chip,
        made.profile,
        made.state.value,
        made.contract_id.compact,
        made.visual_number,
        numbers.visual_bare,
        made.alias,
        made.order_line,
        driver_id,
        at,
        at,
        made.group,
        1,
        made.valid_until.isoformat() if made.valid_until else None,
        0,
        made.lot,
    )


def _card(
    card_id: int, new: NewCard, numbers: _Numbered, state: CardState, ledger: Ledger, lot: int | None
) -> Card:
    return Card(
        id=card_id,
        uid=new.uid,
        chip=new.chip,
        profile=new.profile,
        state=state,
        reason=None,
        contract_id=numbers.contract_id,
        visual_number=numbers.visual_number,
        alias=numbers.alias,
        order_line=new.order_line or f"{new.order}:{numbers.visual_number}",
        driver=new.driver,
        changed_at=ledger.at,
        group=group_for(new.driver.fleet if new.driver else "", new.group),
        lot=lot,
        valid_until=new.valid_until,
    )


def _no_blank(blanks: MakersBlanks | None, new: NewCard) -> str | None:
    return blanks.refusal(new.uid, new.chip) if blanks else None


def _check_moves(made: Card, to: CardState, actor: Actor) -> None:
    """Let an actor pass who may take a card from its reservation to where it is put at once.

    :raises MoveNotAllowed: they may not
    """
    steps = [CardState.ISSUED, CardState.ACTIVE] if to is CardState.ACTIVE else [CardState.ISSUED]
    now = CardState.RESERVED
    for state in steps:
        check_move(replace(made, state=now), state, actor.role, None)
        now = state


def _known(connection: Connection, new: Sequence[NewCard], *, is_locked: bool) -> Known:
    orders = set(connection.execute(_ORDERS, {"names": list({one.order for one in new})}).scalars())
    asked = [one.in_work_order() if one.order in orders else one for one in new]
    lines = [line for one in asked if (line := one.order_line) is not None]
    numbers = [bare(one.visual_number) for one in new if one.visual_number]
    ordered = {
        name: delivered_lines(
            connection, [one.order_line or "" for one in asked if one.order == name], is_locked=is_locked
        )
        for name in orders
    }
    return Known(connection, [one.uid.hex for one in new], lines, numbers, ordered)


_ORDERS = select(work_order.c.name).where(work_order.c.name.in_(bindparam("names", expanding=True)))


def _on_plastic(connection: Connection, numbers: Sequence[str]) -> set[str]:
    """Which visual numbers, made bare, are printed on plastic that is no card yet."""
    if not numbers:
        return set()
    query = _in_list(preprinted.c.visual_bare, preprinted.c.visual_bare)
    waiting = query.where(preprinted.c.card_id.is_(None))
    return set(connection.execute(waiting, {"values": json.dumps(numbers)}).scalars())


def _held(connection: Connection, column: ColumnElement[str], values: Sequence[str]) -> list[Held]:
    if not values:
        return []
    found = connection.execute(_in_list(column, *_HELD), {"values": json.dumps(values)})
    return [_held_of(row) for row in found]


@cache
def _in_list(column: ColumnElement[str], *columns: ColumnElement[Any]) -> Select[Any]:
    """What has one of many values, which go over as one JSON text: a thousand parameters cost more."""
    values = listed(bindparam("values", type_=Text)).table_valued("value")
    return select(*columns).where(column.in_(select(values.c.value)))


def _held_of(row: Any) -> Held:  # noqa: ANN401 - rows of two queries
    return Held(row.id, row.uid, row.order_line, row.visual_number, row.visual_bare, CardState(row.state))


def _draw(ledger: Ledger, new: Sequence[NewCard], numbers: Numbers) -> list[_Numbered]:
    """A contract, a visual number and an alias for each, that no card has ever had.

    Nobody draws the same alias of 60 bits twice; the table would refuse it.

    :raises Conflict: what is drawn is always taken
    """
    contracts = _contracts(ledger, len(new), numbers)
    given = {bare(one.visual_number) for one in new if one.visual_number}
    wanted = sum(one.visual_number is None for one in new)
    drawn = iter(_visuals(ledger.connection, wanted, numbers, given))
    numbered = []
    for one, contract_id in zip(new, contracts, strict=True):
        visual_number = one.visual_number
        if visual_number is None:
            visual_bare, visual_number = next(drawn)
        else:
            visual_bare = bare(visual_number)
        numbered.append(_Numbered(contract_id, visual_number, visual_bare, numbers.draw_alias()))
    return numbered


def _contracts(ledger: Ledger, count: int, numbers: Numbers) -> list[ContractId]:
    """The next contracts, without those that a card has from elsewhere."""
    found: list[ContractId] = []
    while len(found) < count:
        next_ones = [numbers.contract_of(ledger.next_contract()) for _ in range(count - len(found))]
        names = [contract.compact for contract in next_ones]
        taken = {
            contract
            for table in (card, preprinted)
            for contract in ledger.connection.execute(
                select(table.c.contract_id).where(table.c.contract_id.between(min(names), max(names)))
            ).scalars()
        }
        found += [one for one, name in zip(next_ones, names, strict=True) if name not in taken]
    return found


def _visuals(
    connection: Connection, count: int, numbers: Numbers, given: set[str]
) -> Iterable[tuple[str, str]]:
    """So many different visual numbers that no card has, each with its bare form in front."""
    found: dict[str, str] = {}
    for _ in range(MOST_DRAWS):
        if len(found) >= count:
            return found.items()
        drawn = [numbers.draw_visual() for _ in range(count - len(found))]
        fresh = {name: number for number in drawn if (name := bare(number)) not in given}
        for table in (card, preprinted):
            query = _in_list(table.c.visual_bare, table.c.visual_bare)
            for taken in connection.execute(query, {"values": json.dumps(list(fresh))}).scalars().all():
                fresh.pop(taken, None)
        found |= fresh
    if len(found) >= count:
        return found.items()
    raise Conflict(
        f"no free visual number was found in {MOST_DRAWS} draws",
        hint="give desk.visual_number one # more in station.toml",
    )
