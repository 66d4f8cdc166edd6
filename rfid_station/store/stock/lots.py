"""Blank stock: lots received, sampled, released, moved, counted, destroyed. For cards: `stock_ledger`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from rfid_station.domain.actor import Actor
from rfid_station.domain.card import Card, Role
from rfid_station.domain.lot_line import Movement
from rfid_station.domain.nearest import nearest
from rfid_station.domain.stock import (
    Account,
    Counted,
    Delivery,
    Entry,
    Lot,
    LotState,
    Sample,
    Spot,
    Standing,
    account_of,
    check_name,
    check_quantity,
    on_hand,
)
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.audit import events_of
from rfid_station.store.card_rows import card_of, card_row, subject_of
from rfid_station.store.engines.engine import Database
from rfid_station.store.engines.spelling import next_id
from rfid_station.store.ledger import Ledger, booking
from rfid_station.store.stock.counting import book_count, differing, lots_at
from rfid_station.store.stock.entries import (
    Why,
    lot_by_id,
    lot_of,
    lot_subject,
    lot_to_destroy_of,
    post,
)
from rfid_station.store.stock.report import counts_of, movements_of
from rfid_station.store.stock.supply import has_list, is_kept, lots_of_uids, usable_lot
from rfid_station.store.tables import IS_LIVING, card, lot, lot_uid, stock_balance, stock_entry
from rfid_station.store.whole_rows import insert_whole

AT_ONCE = 500
"""UIDs that are looked up together."""

_BY_NAME = select(lot).where(lot.c.name == bindparam("of_name"))
_LOTS = select(lot).order_by(lot.c.received_at, lot.c.id)
_ENTRIES = select(stock_entry).where(stock_entry.c.lot_id == bindparam("of_lot")).order_by(stock_entry.c.id)
_SET_STATE = update(lot).where(lot.c.id == bindparam("of_lot"))


class Stock:
    """The blanks of the store, by lots."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def is_kept(self) -> bool:
        """Whether blanks are counted here: from the first lot on."""
        with self._database.read() as connection:
            return is_kept(connection)

    def lot(self, name: str) -> Lot:
        """One lot.

        :raises WrongCall: there is none with this name
        """
        with self._database.read() as connection:
            return _named(connection, name)

    def usable_lot(self, name: str) -> Lot:
        """A lot that cards may be made of.

        :raises WrongCall: there is none with this name
        :raises Conflict: it is held
        """
        with self._database.read() as connection:
            return usable_lot(connection, _named(connection, name).id)

    def standing(self, name: str) -> Standing:
        """A lot, and where its blanks stand.

        :raises WrongCall: there is none with this name
        """
        with self._database.read() as connection:
            return _standing(connection, _named(connection, name))

    def standings(self) -> list[Standing]:
        """All lots, the oldest first."""
        with self._database.read() as connection:
            return [_standing(connection, lot_of(row)) for row in connection.execute(_LOTS).all()]

    def entries(self, lot_id: int) -> list[Entry]:
        """All that moved of a lot, in order."""
        with self._database.read() as connection:
            return [_entry_of(row) for row in connection.execute(_ENTRIES, {"of_lot": lot_id})]

    def lot_of_uids(self, uids: Sequence[str]) -> dict[str, str]:
        """The name of the lot that makers' lists say UIDs are of, where one does; `AT_ONCE` at most."""
        with self._database.read() as connection:
            return lots_of_uids(connection, uids)

    def has_list(self, lot_id: int) -> bool:
        """Whether the maker said which UIDs are in a lot."""
        with self._database.read() as connection:
            return has_list(connection, lot_id)

    def receive(self, delivery: Delivery, actor: Actor) -> Lot:
        """Book blanks that came in. They are held until a sample of them is good, or a supervisor says so.

        :raises Conflict: there is a lot of that name, or a UID of its list is known already
        :raises WrongCall: a name or number cannot be one, or the list is too short
        """
        name = check_name("lot", delivery.name)
        place, supplier = check_name("place", delivery.place), check_name("supplier", delivery.supplier)
        check_quantity(delivery.quantity)
        _check_list(delivery)
        with booking(self._database, actor) as ledger:
            connection = ledger.connection
            if connection.execute(_BY_NAME, {"of_name": name}).first() is not None:
                raise Conflict(f"lot {name} was received before", hint=f"rfid-station stock show {name}")
            for start in range(0, len(delivery.uids), AT_ONCE):
                _refuse_known(connection, delivery.uids[start : start + AT_ONCE])
            values = {"name": name, "supplier": supplier, "chip": delivery.chip, "received_at": ledger.at}
            held = {"state": LotState.HELD.value, "state_reason": "no sample was taken yet"}
            lot_id = int(
                connection.execute(
                    insert(lot).values(id=next_id(lot)).returning(lot.c.id), values | held
                ).scalar_one()
            )
            insert_whole(connection, lot_uid, ("uid", "lot_id"), [(uid, lot_id) for uid in delivery.uids])
            post(ledger, lot_id, delivery.quantity, None, on_hand(place), Why(reason="received"))
            ledger.note(
                "stock.received",
                lot_subject(lot_id),
                lot=name,
                supplier=supplier,
                chip=delivery.chip,
                quantity=delivery.quantity,
                place=place,
                listed=len(delivery.uids),
            )
            return lot_by_id(connection, lot_id)

    def note_sample(self, lot_id: int, sample: Sample, actor: Actor) -> Lot:
        """Write down what a sample told. A bad one holds the lot, a good one releases it.

        Once a sample was bad, only a supervisor's good one does.
        """
        with booking(self._database, actor) as ledger:
            before = lot_by_id(ledger.connection, lot_id)
            was_bad = _was_bad(ledger.connection, lot_id)
            ledger.note(
                "stock.sampled",
                lot_subject(lot_id),
                lot=before.name,
                wanted=sample.wanted,
                taken=sample.taken,
                bad=len(sample.bad),
                findings=list(sample.bad),
            )
            if sample.bad:
                words = f"{len(sample.bad)} of {sample.taken} in the sample are bad; one {sample.bad[0]}"
                return _set_state(ledger, before, LotState.HELD, words)
            if before.state is LotState.RELEASED or not sample.is_good:
                return before
            if was_bad and actor.role is not Role.SUPERVISOR:
                return before
            return _set_state(ledger, before, LotState.RELEASED, f"a sample of {sample.taken} was good")

    def hold(self, lot_id: int, reason: str, actor: Actor) -> Lot:
        """Let no card be made of a lot."""
        with booking(self._database, actor) as ledger:
            return _set_state(ledger, lot_by_id(ledger.connection, lot_id), LotState.HELD, reason)

    def release(self, lot_id: int, reason: str, actor: Actor) -> Lot:
        """Let cards be made of a lot, whatever its sample says.

        :raises MoveNotAllowed: the actor is no supervisor
        """
        with booking(self._database, actor) as ledger:
            before = lot_by_id(ledger.connection, lot_id)
            if actor.role is not Role.SUPERVISOR:
                raise MoveNotAllowed(
                    f"a {actor.role} may not release lot {before.name}",
                    hint=f"rfid-station --role supervisor stock release {before.name} --reason WORDS",
                )
            return _set_state(ledger, before, LotState.RELEASED, reason)

    def move(
        self,
        lot_id: int,
        quantity: int,
        source: Spot,
        target: Spot,
        actor: Actor,
        *,
        reason: str | None = None,
        witness: str | None = None,
    ) -> None:
        """Move blanks by hand: to another place, to the samples, or to what is destroyed.

        :raises Conflict: there are not so many, or they would stay where they are
        :raises WrongCall: the number is none
        """
        check_quantity(quantity)
        if source == target:
            raise Conflict(f"the blanks are {source} already", hint="add --from or --to with another place")
        with booking(self._database, actor) as ledger:
            post(ledger, lot_id, quantity, source, target, Why(None, witness, reason))
            action = {Account.DESTROYED: "destroyed", Account.SAMPLES: "kept"}.get(
                target.account, "transferred"
            )
            _note(ledger, action, lot_id, quantity, source, target, reason, witness)

    def check_destroyable(self, gone: Card) -> None:
        """Let a card pass whose plastic may be destroyed.

        :raises Conflict: it is in use, or was never of a lot, or is gone already
        """
        with self._database.read() as connection:
            lot_to_destroy_of(connection, gone)

    def destroy_card(self, card_id: int, reason: str, actor: Actor, witness: str, place: str) -> Card:
        """Book that a card whose life is over was made useless.

        :raises Conflict: it is in use, or was never of a lot, or is gone already
        """
        with booking(self._database, actor) as ledger:
            gone = card_of(card_row(ledger.connection, card_id))
            lot_id = lot_to_destroy_of(ledger.connection, gone)
            source, target = Spot(account_of(gone.state), place), Spot(Account.DESTROYED, place)
            post(ledger, lot_id, 1, source, target, Why(gone.id, witness, reason))
            _note(ledger, "destroyed", lot_id, 1, source, target, reason, witness)
            words = {"visual_number": gone.visual_number, "reason": reason, "witness": witness}
            ledger.note("card.destroyed", subject_of(gone.id), **words)
            return gone

    def to_count(self, place: str) -> list[Lot]:
        """The lots of which blanks may lie at a place: some do by the books, or some are missing."""
        with self._database.read() as connection:
            return lots_at(connection, place)

    def differing(self, place: str, counted: Mapping[int, int]) -> set[int]:
        """The lots of which another number was counted than there should be. Says not which."""
        with self._database.read() as connection:
            return differing(connection, place, counted)

    def count(
        self, place: str, counted: Mapping[int, int], actor: Actor, witness: str | None
    ) -> list[Counted]:
        """Book what was counted, by lot: what is not there is missing, what is there again is not.

        :param witness: the second person, which a variance takes
        :raises MoveNotAllowed: a number differs, and there is no second person; nothing was booked
        """
        with booking(self._database, actor) as ledger:
            return [book_count(ledger, one, place, number, witness) for one, number in counted.items()]

    def movements(self, place: str, since: datetime, until: datetime) -> list[Movement]:
        """What became of each lot's blanks at a place from a moment to before another."""
        with self._database.read() as connection:
            return movements_of(connection, place, since, until)

    def counts(self, place: str, since: datetime, until: datetime) -> list[Counted]:
        """What was counted at a place from a moment to before another, oldest first."""
        with self._database.read() as connection:
            return counts_of(connection, place, since, until)


def _named(connection: Connection, name: str) -> Lot:
    row = connection.execute(_BY_NAME, {"of_name": name.strip()}).one_or_none()
    if row is None:
        known = connection.execute(select(lot.c.name).order_by(lot.c.id)).scalars().all()
        raise WrongCall(
            f"there is no lot {name!r}", hint=f"{nearest(name, known)}rfid-station stock show lists all"
        )
    return lot_of(row)


def _standing(connection: Connection, of: Lot) -> Standing:
    query = select(stock_balance).where(stock_balance.c.lot_id == of.id, stock_balance.c.quantity > 0)
    rows = connection.execute(query.order_by(stock_balance.c.account, stock_balance.c.place))
    return Standing(of, {Spot(Account(row.account), row.place): row.quantity for row in rows})


def _entry_of(row: Row[Any]) -> Entry:
    source = Spot(Account(row.from_account), row.from_place) if row.from_account else None
    target = Spot(Account(row.to_account), row.to_place)
    return Entry(row.at, row.quantity, source, target, row.actor, row.witness, row.reason, row.card_id)


def _check_list(delivery: Delivery) -> None:
    listed = len(delivery.uids)
    if 0 < listed < delivery.quantity:
        raise WrongCall(
            f"the maker's list has {listed} UIDs, and {delivery.quantity} blanks came",
            hint="ask the maker for the whole list, or count the blanks again",
        )


def _refuse_known(connection: Connection, uids: Sequence[str]) -> None:
    """Let UIDs of a maker's list pass that nobody delivered before.

    :raises Conflict: one is in another list, or is a card
    """
    listed = lots_of_uids(connection, uids)
    if listed:
        raise Conflict(
            f"{len(listed)} UIDs of the list are in the list of lot {next(iter(listed.values()))} already",
            hint="ask the maker: no two blanks have the same UID",
        )
    cards = select(card.c.visual_number).where(card.c.uid.in_(uids), IS_LIVING)
    known = connection.execute(cards).scalars().all()
    if known:
        raise Conflict(
            f"{len(known)} UIDs of the list are cards already, as {known[0]}",
            hint=f"rfid-station card show {known[0]}",
        )


def _was_bad(connection: Connection, lot_id: int) -> bool:
    """Whether a sample was bad, and no supervisor released the lot since."""
    was_bad = False
    for event in events_of(connection, lot_subject(lot_id), ["stock.sampled", "stock.released"]):
        was_bad = event.action == "stock.sampled" and (was_bad or bool(event.data["bad"]))
    return was_bad


def _set_state(ledger: Ledger, before: Lot, to: LotState, reason: str) -> Lot:
    ledger.connection.execute(_SET_STATE, {"of_lot": before.id, "state": to.value, "state_reason": reason})
    ledger.note(f"stock.{to}", lot_subject(before.id), lot=before.name, was=before.state, reason=reason)
    return lot_by_id(ledger.connection, before.id)


def _note(
    ledger: Ledger,
    action: str,
    lot_id: int,
    quantity: int,
    source: Spot,
    target: Spot,
    reason: str | None,
    witness: str | None,
) -> None:
    name = lot_by_id(ledger.connection, lot_id).name
    ends = {"quantity": quantity, "from": f"{source}", "to": f"{target}"}
    ledger.note(f"stock.{action}", lot_subject(lot_id), lot=name, reason=reason, witness=witness, **ends)
