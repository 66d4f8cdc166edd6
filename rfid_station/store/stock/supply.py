"""Which lot the blank of a new card is of: by its UID if known, by choice, or the oldest that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, select

from rfid_station.domain.card import CardState
from rfid_station.domain.stock import Account, Lot, LotState, Spot, Supply, on_hand
from rfid_station.domain.uid import CardUid
from rfid_station.errors import Conflict
from rfid_station.store.card_rows import card_of, card_row
from rfid_station.store.engines.prepared import Prepared
from rfid_station.store.stock.entries import balance, has_left, lot_by_id, lot_of
from rfid_station.store.tables import card, lot, lot_uid, stock_balance

_ANY_LOT = select(lot.c.id).limit(1)
_HAS_LIST = select(lot_uid.c.uid).where(lot_uid.c.lot_id == bindparam("of_lot")).limit(1)
_KNOWN = Prepared(
    select(
        exists(select(lot.c.id)).label("is_kept"),
        select(lot_uid.c.lot_id)
        .where(lot_uid.c.uid == bindparam("of_uid"))
        .scalar_subquery()
        .label("listed"),
        select(func.max(card.c.id))
        .where(
            card.c.uid == bindparam("of_uid"),
            card.c.state == CardState.SPOILED.value,
            card.c.lot_id.is_not(None),
        )
        .scalar_subquery()
        .label("spoiled"),
    )
)
"""Whether stock is kept, and what a UID is known by; one question, since it is asked for every card."""
_LYING = (
    select(lot, stock_balance.c.place)
    .join_from(lot, stock_balance)
    .where(
        lot.c.chip == bindparam("of_chip"),
        stock_balance.c.account == Account.ON_HAND.value,
        stock_balance.c.quantity > 0,
    )
    .order_by(lot.c.received_at, lot.c.id)
)
_FITTING = Prepared(
    _LYING.where(
        lot.c.state == LotState.RELEASED.value,
        stock_balance.c.place == bindparam("of_place"),
        ~exists().where(lot_uid.c.lot_id == lot.c.id),
    ).limit(1)
)


class Picked(NamedTuple):
    """The blank that a new card takes."""

    lot: int
    source: Spot


class _Home(NamedTuple):
    """What is known of where a chip comes from."""

    lot: int
    is_spoiled: bool = False
    """Whether it stands as the card that it was before."""


def is_kept(connection: Connection) -> bool:
    """Whether blanks are counted here: from the first lot on."""
    return connection.execute(_ANY_LOT).first() is not None


def pick(connection: Connection, uid: CardUid, chip: str, supply: Supply) -> Picked | None:
    """Choose the blank that a new card takes; None while no stock is kept.

    :raises Conflict: there is none, or it is of a lot that no card may be made of
    """
    known = _KNOWN.one(connection, {"of_uid": uid.hex})
    if not known.is_kept:
        return None
    home = _home_of(connection, known.spoiled, known.listed)
    if home is None and supply.lot is None:
        row = _FITTING.first(connection, {"of_chip": chip, "of_place": supply.place})
        if row is None:
            raise _none_on_hand(connection, uid, chip, supply.place)
        return Picked(row.id, on_hand(supply.place))
    lot_id = _agreed(connection, uid, home, supply)
    chosen = usable_lot(connection, lot_id)
    _check_fits(connection, uid, chip, chosen, is_known=home is not None)
    source = Spot(Account.SPOILED, supply.place) if home and home.is_spoiled else on_hand(supply.place)
    if balance(connection, chosen.id, source) == 0:
        raise Conflict(
            f"no blank of lot {chosen.name} is {source}", hint=_where_else(connection, chip, supply.place)
        )
    return Picked(chosen.id, source)


def usable_lot(connection: Connection, lot_id: int) -> Lot:
    """A lot that cards may be made of.

    :raises Conflict: it is held
    """
    found = lot_by_id(connection, lot_id)
    if found.state is LotState.HELD:
        raise Conflict(
            f"lot {found.name} is held: {found.state_reason}", hint=f"rfid-station stock sample {found.name}"
        )
    return found


@dataclass(frozen=True, slots=True)
class MakersBlanks:
    """What the makers' lists say of many UIDs that are to be cards of one lot, or of none."""

    chosen: Lot | None
    has_list: bool
    lots: dict[str, str]
    """The name of the lot that a UID is of, where a list says so."""

    def refusal(self, uid: CardUid, chip: str) -> str | None:
        """Why a card cannot be one of the lot, in words."""
        listed, name = self.lots.get(uid.hex), self.chosen.name if self.chosen else None
        if listed is not None and listed != name:
            return f"UID {uid.masked} is a blank of lot {listed}: add --lot {listed}"
        if self.chosen is None:
            return None
        if listed is None and self.has_list:
            return f"UID {uid.masked} is not in the maker's list of lot {name}"
        if chip != self.chosen.chip:
            return f"lot {name} is of {self.chosen.chip}, and the row says {chip}"
        return None


def makers_blanks(connection: Connection, uids: Sequence[str], supply: Supply) -> MakersBlanks | None:
    """Look up many UIDs; None while no stock is kept.

    :raises Conflict: the lot that was chosen is held
    """
    if not is_kept(connection):
        return None
    chosen = usable_lot(connection, supply.lot) if supply.lot is not None else None
    is_listed = chosen is not None and has_list(connection, chosen.id)
    return MakersBlanks(chosen, is_listed, lots_of_uids(connection, uids))


def lots_of_uids(connection: Connection, uids: Sequence[str]) -> dict[str, str]:
    """The name of the lot that makers' lists say UIDs are of, where one does."""
    named = select(lot_uid.c.uid, lot.c.name).join_from(lot_uid, lot).where(lot_uid.c.uid.in_(uids))
    return {row.uid: row.name for row in connection.execute(named)}


def has_list(connection: Connection, lot_id: int) -> bool:
    """Whether the maker said which UIDs are in a lot."""
    return connection.execute(_HAS_LIST, {"of_lot": lot_id}).first() is not None


def _home_of(connection: Connection, spoiled: int | None, listed: int | None) -> _Home | None:
    """The lot that a chip is known to be of: it was a card before, or a maker's list has it.

    :param spoiled: the last card that it was
    """
    before = card_of(card_row(connection, spoiled)) if spoiled is not None else None
    if before is not None and before.lot is not None:
        stands = Spot(account=Account.SPOILED)
        is_spoiled = not has_left(connection, before) and balance(connection, before.lot, stands) > 0
        return _Home(before.lot, is_spoiled)
    return None if listed is None else _Home(listed)


def _agreed(connection: Connection, uid: CardUid, home: _Home | None, supply: Supply) -> int:
    if home is None or supply.lot in (None, home.lot):
        return home.lot if home else supply.lot or 0
    wanted, right = lot_by_id(connection, supply.lot or 0), lot_by_id(connection, home.lot)
    raise Conflict(
        f"blank {uid.masked} is of lot {right.name}, and not of {wanted.name}",
        hint=f"put it back to its lot, or: rfid-station card issue --lot {right.name}",
    )


def _check_fits(connection: Connection, uid: CardUid, chip: str, chosen: Lot, *, is_known: bool) -> None:
    if chosen.chip != chip:
        raise Conflict(
            f"lot {chosen.name} is of {chosen.chip}, and blank {uid.masked} is a {chip}",
            hint=f"take a blank of lot {chosen.name}; `rfid-station card read` tells what a card is",
        )
    if not is_known and has_list(connection, chosen.id):
        raise _not_listed(uid, chosen.name)


def _not_listed(uid: CardUid, lot_name: str) -> Conflict:
    return Conflict(
        f"blank {uid.masked} is not in the maker's list of lot {lot_name}",
        hint="put it aside: it came from elsewhere; `rfid-station card read` tells what it is",
    )


def _none_on_hand(connection: Connection, uid: CardUid, chip: str, place: str) -> Conflict:
    lying = connection.execute(_LYING, {"of_chip": chip}).all()
    here = [lot_of(row) for row in lying if row.place == place and row.state == LotState.RELEASED.value]
    if here:
        return _not_listed(uid, here[0].name)
    return Conflict(f"no blank {chip} is on hand at {place}", hint=_where_else(connection, chip, place))


def _where_else(connection: Connection, chip: str, place: str) -> str:
    """How blanks with a chip come to a place, by what there is."""
    lying = connection.execute(_LYING, {"of_chip": chip}).all()
    for row in lying:
        if row.place != place and row.state == LotState.RELEASED.value:
            return f"rfid-station stock transfer {row.name} 1 --from {row.place} --to {place}"
    for row in lying:
        if row.state == LotState.HELD.value:
            return f"rfid-station stock sample {row.name}"
    return f'rfid-station stock receive LOT --supplier NAME --chip "{chip}" --quantity N'
