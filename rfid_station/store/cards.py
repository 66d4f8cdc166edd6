"""Cards: reserved, written, registered, moved, found. Each change is one transaction with its audit event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection, func, insert, select

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, CardState, Driver, Reason, check_move
from rfid_station.domain.card_group import check_group, group_for
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.key import KeyRef
from rfid_station.domain.order import Preprinted
from rfid_station.domain.stock import Account, Spot, Supply
from rfid_station.domain.uid import CardUid
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict, MoveNotAllowed
from rfid_station.store.audit import events_of
from rfid_station.store.blocks import refuse_block_of_others
from rfid_station.store.card_rows import (
    CARDS,
    LIVING_FOR_LINE,
    LIVING_WITH_UID,
    RIVALS,
    card_of,
    card_row,
    first_card,
    subject_of,
)
from rfid_station.store.chain import Event
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.moving import CHANGE, moved, note_state
from rfid_station.store.numbering import Draws, draw_numbers
from rfid_station.store.orders.items import Wanted, wanted_by
from rfid_station.store.orders.preprinting import match, spoil_with, waiting
from rfid_station.store.people.driver_rows import add_driver
from rfid_station.store.replacing import (
    check_replaceable,
    end_replaced,
    in_place_of,
    may_activate_at_issue,
    place_and_driver,
    settle_request,
)
from rfid_station.store.search import MOST_HITS, Hits, find_hits
from rfid_station.store.stock.entries import Why, post, put_back
from rfid_station.store.stock.supply import Picked, pick
from rfid_station.store.tables import card, driver
from rfid_station.store.told.telling import TokenOf, tell

_INSERT_CARD = Prepared(insert(card).values(id=next_id(card)).returning(card.c.id))


class Cards:
    """The cards of the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self,
        *,
        uid: CardUid,
        chip: str,
        profile: str,
        order_line: str | None,
        driver: Driver | None,
        draw_visual: Callable[[], str],
        contract_of: Callable[[int], ContractId],
        draw_alias: Callable[[], str],
        actor: Actor,
        group: str | None = None,
        replaces: int | None = None,
        valid_until: date | None = None,
        supply: Supply | None = None,
        preprinted: int | None = None,
    ) -> Card:
        """Take a contract, a visual number and an alias for a card that nobody has touched yet.

        `contract_of` is called first, with the next number that no contract has had. A number that
        is taken is drawn again. Driver, group and last day are those of the order that has the line, if one
        has it.

        :param group: by default the one of the driver's fleet
        :param replaces: the card whose contract, driver and group it takes over
        :param supply: where its blank is taken, where stock is kept
        :param preprinted: the numbers that are on the plastic already; their line is the card's then
        :raises Conflict: the UID or the order line belongs to another card, or no number is free, or nobody
            asked for a card in place of that one, or it has one; the line is cancelled or its order closed;
            the plastic was matched, or is spoiled; there is no blank for it
        """
        with booking(self._database, actor) as ledger:
            plastic = None if preprinted is None else waiting(ledger.connection, preprinted)
            order_line = plastic.line if plastic and plastic.line else order_line
            _refuse_second(ledger.connection, uid, order_line)
            wanted = wanted_by(ledger.connection, order_line, is_preprinted=plastic is not None)
            wanted = wanted or Wanted(driver, None, group, valid_until)
            old = None if replaces is None else check_replaceable(ledger.connection, replaces)
            supply = supply or Supply()
            blank = pick(ledger.connection, uid, chip, supply)
            draws = Draws(contract_of, draw_visual, draw_alias)
            contract_id, visual_number, alias = _numbers(ledger, plastic, draws)
            reserved = Card(
                id=0,
                uid=uid,
                chip=chip,
                profile=profile,
                state=CardState.RESERVED,
                reason=None,
                contract_id=contract_id,
                visual_number=visual_number,
                alias=alias,
                order_line=order_line,
                driver=wanted.driver,
                changed_at=ledger.at,
                group=group_for(wanted.driver.fleet if wanted.driver else "", wanted.group or group),
                valid_until=wanted.valid_until,
                lot=blank.lot if blank else None,
            )
            note = {"uid": uid.masked, "chip": chip, "profile": profile, "order_line": order_line}
            if old:
                reserved = in_place_of(reserved, old)
                note["replaces"] = old.visual_number
            reserved = replace(reserved, id=_insert(ledger, reserved, wanted.driver_id))
            if blank:
                _take(ledger, blank, reserved, supply.place)
            if plastic:
                note["preprinted"] = plastic.visual_number
                match(ledger, plastic.id, reserved.id)
            note_state(ledger, reserved, note)
            return reserved

    def begin_encoding(self, card_id: int, plan_digest: str, actor: Actor, key: KeyRef | None = None) -> Card:
        """Write down that a card is about to be written, by which plan and with which key.

        From here on the card may carry that key, so it never changes. Saying it twice changes nothing.

        :raises MoveNotAllowed: the card is neither reserved nor being encoded
        :raises Conflict: it was begun with another key
        """
        with booking(self._database, actor) as ledger:
            now = card_of(card_row(ledger.connection, card_id))
            if now.state is CardState.ENCODING:
                _refuse_other_key(now, key)
                if now.plan_digest == plan_digest:
                    return now
            else:
                check_move(now, CardState.ENCODING, actor.role, None)
            columns = {"plan_digest": plan_digest, **_key_columns(key)}
            encoding = moved(ledger, now, CardState.ENCODING, None, **columns)
            note_state(ledger, encoding, {"plan": plan_digest} | ({"key": f"{key}"} if key else {}))
            return replace(encoding, plan_digest=plan_digest, key=key)

    def is_first_of(self, profile: str) -> bool:
        """Whether no card was ever made by a profile."""
        with self._database.read() as connection:
            query = select(card.c.id).where(card.c.profile == profile).limit(1)
            return connection.execute(query).first() is None

    def counted_by_key(self) -> dict[KeyRef, int]:
        """How many cards, spoiled ones included, may carry keys derived from which master key."""
        query = select(card.c.key_id, card.c.key_version, func.count()).group_by(
            card.c.key_id, card.c.key_version
        )
        with self._database.read() as connection:
            rows = connection.execute(query.where(card.c.key_id.is_not(None))).all()
        return {KeyRef(key_id, version): count for key_id, version, count in rows}

    def note_recycled(self, card_id: int, actor: Actor, place: str = "") -> None:
        """Witness that a given-up card's chip was brought back to blank, and where it lies now."""
        with booking(self._database, actor) as ledger:
            found = card_of(card_row(ledger.connection, card_id))
            lies = put_back(ledger, found, place)
            note = {"blank": f"{lies}"} if lies else {}
            ledger.note("card.recycled", subject_of(found.id), visual_number=found.visual_number, **note)

    def note_revealed(self, cards: Sequence[Card], actor: Actor) -> None:
        """Witness that somebody saw whole UIDs and names that are masked for others."""
        with booking(self._database, actor) as ledger:
            for shown in cards:
                ledger.note("card.revealed", subject_of(shown.id), visual_number=shown.visual_number)

    def register(self, card_id: int, *, token_of: TokenOf, activate: bool, actor: Actor) -> Card:
        """Turn a written card into a token that partners are owed. A second call changes nothing.

        :raises MoveNotAllowed: the card is spoiled, or the actor may not do this
        """
        with booking(self._database, actor) as ledger:
            found = card_of(card_row(ledger.connection, card_id))
            if not found.state.is_unfinished and found.state is not CardState.SPOILED:
                return found
            activate = activate and may_activate_at_issue(ledger.connection, found)
            steps = [CardState.ISSUED, CardState.ACTIVE] if activate else [CardState.ISSUED]
            registered = found
            for state in steps:
                check_move(registered, state, actor.role, None)
                registered = replace(registered, state=state)
                note_state(ledger, registered)
            registered = moved(ledger, found, steps[-1], None)
            tell(ledger, registered, token_of)
            if activate:
                end_replaced(ledger, registered, token_of)
            return registered

    def move(
        self, card_id: int, to: CardState, reason: Reason | None, actor: Actor, token_of: TokenOf
    ) -> Card:
        """Change a card's state, its token, and what partners are owed.

        :raises MoveNotAllowed: the life of a card has no such move, or not for this role, or a driver
            would undo what somebody else blocked
        :raises WrongCall: the move takes another reason
        """
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            _refuse_unwritten(before, to)
            check_move(before, to, actor.role, reason)
            refuse_block_of_others(ledger.connection, before, to, actor)
            after = moved(ledger, before, to, reason)
            note_state(ledger, after, {"was": before.state, "reason": reason})
            if to is CardState.SPOILED:
                spoil_with(ledger, after, reason)
            if not before.state.is_unfinished:
                tell(ledger, after, token_of)
            if to is CardState.ACTIVE:
                end_replaced(ledger, after, token_of)
            return settle_request(ledger, before, after)

    def regroup(self, card_id: int, group: str, *, token_of: TokenOf, actor: Actor) -> Card:
        """Put a card into another group. Partners whose agreements lack that one lose the card.

        :raises WrongCall: there is no such card, or the name cannot be one
        """
        wanted = check_group(group)
        with booking(self._database, actor) as ledger:
            before = card_of(card_row(ledger.connection, card_id))
            if before.group == wanted:
                return before
            after = replace(before, group=wanted, changed_at=ledger.at)
            CHANGE.run(ledger.connection, {"card_id": card_id, "card_group": wanted, "changed_at": ledger.at})
            ledger.note(
                "card.regrouped",
                subject_of(card_id),
                visual_number=after.visual_number,
                was=before.group,
                group=wanted,
            )
            if not before.state.is_unfinished and before.state is not CardState.SPOILED:
                tell(ledger, after, token_of)
            return after

    def living(self, uid: CardUid) -> Card | None:
        """The card that holds a UID: any but a spoiled one."""
        with self._database.read() as connection:
            return first_card(connection, LIVING_WITH_UID, uid=uid.hex)

    def by_id(self, card_id: int) -> Card:
        """One card.

        :raises WrongCall: there is none with this id
        """
        with self._database.read() as connection:
            return card_of(card_row(connection, card_id))

    def by_order_line(self, line: str) -> Card | None:
        """The card made for an order line, spoiled ones apart."""
        with self._database.read() as connection:
            return first_card(connection, LIVING_FOR_LINE, line=line)

    def plan_digest(self, card_id: int) -> str | None:
        """The plan that was written down before the card was touched, if one was.

        :raises WrongCall: there is no such card
        """
        with self._database.read() as connection:
            digest: str | None = card_row(connection, card_id).plan_digest
            return digest

    def search(self, text: str) -> list[Card]:
        """The cards that `find` finds, without the reasons."""
        return [hit.card for hit in self.find(text)]

    def find(self, text: str, limit: int = MOST_HITS, *, everywhere: bool = False) -> Hits:
        """Every card a text may mean, the most literal reading first, at most `limit`.

        It may be a visual number, a contract id, a UID in any writing, an alias or a card's whole
        link, an order or its line, a driver's reference or name, a parcel's tracking number, or `job 12`
        for the cards of a print job. Where none of these is whole, what begins with the text comes first,
        then what it is a part of.

        :param everywhere: whether a text in the middle of a number, or in a name, is looked for in all cards
            and not in the newest 10,000 only
        """
        with self._database.read() as connection:
            return find_hits(connection, text, limit, everywhere=everywhere)

    def listing(
        self,
        *,
        state: CardState | None = None,
        fleet: str | None = None,
        group: str | None = None,
        limit: int | None = None,
    ) -> list[Card]:
        """Cards in the order in which they were reserved; with a limit only the newest so many."""
        query = CARDS.order_by(card.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(card.c.state == state.value)
        if fleet is not None:
            query = query.where(driver.c.fleet == fleet)
        if group is not None:
            query = query.where(card.c.card_group == group)
        with self._database.read() as connection:
            return [card_of(row) for row in connection.execute(query)][::-1]

    def history(self, card_id: int) -> list[Event]:
        """What happened to a card, oldest first.

        :raises WrongCall: there is no such card
        """
        with self._database.read() as connection:
            card_row(connection, card_id)
            return events_of(connection, subject_of(card_id))


def _refuse_second(connection: Connection, uid: CardUid, order_line: str | None) -> None:
    """Let a card pass whose UID and order line no living card has.

    :raises Conflict: one of the two belongs to another card
    """
    found = RIVALS.rows(connection, {"uid": uid.hex, "line": order_line})
    rivals = sorted(map(card_of, found), key=lambda one: one.uid != uid)
    if rivals:
        rival = rivals[0]
        shared = f"UID {uid.masked}" if rival.uid == uid else f"order line {order_line}"
        raise Conflict(
            f"{shared} belongs to card {rival.visual_number}, which is {rival.state}",
            hint=f"rfid-station card show {rival.visual_number}",
        )


def _numbers(ledger: Ledger, plastic: Preprinted | None, draws: Draws) -> tuple[ContractId, str, str]:
    """The numbers on the plastic, or new ones."""
    if plastic is None:
        return draw_numbers(ledger, draws)
    return plastic.contract_id, plastic.visual_number, plastic.alias


def _take(ledger: Ledger, blank: Picked, new: Card, place: str) -> None:
    post(ledger, blank.lot, 1, blank.source, Spot(Account.IN_WORK, place), Why(new.id))


def _insert(ledger: Ledger, new: Card, driver_id: int | None) -> int:
    """Insert a card, and its driver where nobody has inserted them yet."""
    if new.replaces is None:
        place = 1
        if driver_id is None and new.driver:
            driver_id = add_driver(ledger.connection, new.driver)
    else:
        place, driver_id = place_and_driver(ledger.connection, new.replaces)
    values = {
        "uid": new.uid.hex,
        "chip": new.chip,
        "profile": new.profile,
        "state": new.state.value,
        "contract_id": new.contract_id.compact,
        "visual_number": new.visual_number,
        "visual_bare": bare(new.visual_number),
        "alias": new.alias,
        "uid_backwards": new.uid.hex[::-1],
        "contract_backwards": new.contract_id.compact[::-1],
        "visual_backwards": bare(new.visual_number)[::-1],
        "order_line": new.order_line,
        "card_group": new.group,
        "driver_id": driver_id,
        "contract_card": place,
        "replaces_id": new.replaces,
        "valid_until": new.valid_until,
        "lot_id": new.lot,
        "group_id": new.group_id,
        "created_at": ledger.at,
        "changed_at": ledger.at,
    }
    ((card_id,),) = _INSERT_CARD.rows(ledger.connection, values)
    return int(card_id)


def _refuse_unwritten(unfinished: Card, to: CardState) -> None:
    """Let an unfinished card be given up, and nothing else: `register` is the way to issue it.

    :raises MoveNotAllowed: the card was to move on unwritten
    """
    if unfinished.state.is_unfinished and to is not CardState.SPOILED:
        raise MoveNotAllowed(
            f"card {unfinished.visual_number} is {unfinished.state}: it was never finished",
            hint="tap it again in `rfid-station card issue`",
        )


def _refuse_other_key(begun: Card, key: KeyRef | None) -> None:
    """Let a card pass that is written with the key it was begun with.

    :raises Conflict: the card may carry a key that would be forgotten
    """
    if begun.key is not None and begun.key != key:
        raise Conflict(
            f"card {begun.visual_number} was begun with {begun.key}, and is to be written with {key}",
            hint="spoil it: `rfid-station card spoil`, and take another blank",
        )


def _key_columns(key: KeyRef | None) -> dict[str, str | int]:
    return {"key_id": key.id, "key_version": key.version} if key else {}
