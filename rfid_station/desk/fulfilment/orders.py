"""Work orders: a fleet's file, a number of cards or one request, and the cards that are made for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rfid_station.desk.batch import checking
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.reading import open_table
from rfid_station.desk.batch.rows import Entry, Kind
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, Driver
from rfid_station.domain.card_group import check_group
from rfid_station.domain.order import Item, Order, OrderLine, Progress, Way
from rfid_station.errors import Conflict, WrongCall
from rfid_station.store.orders.work_orders import NewOrder

Tell = Callable[[Finding], None]

_NAME = "--name"
"""The option with which an order is named where it is made."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How an order is to be made; None takes what the settings or the file say."""

    name: str | None = None
    way: Way | None = None
    profile: str | None = None
    group: str | None = None
    """The cards', where the file names none; by default their fleets'."""
    uids: UidForm = UidForm.AS_IS
    """How a maker's list writes UIDs."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as it stands now."""

    order: Order
    items: list[Item]
    progress: Progress


def order_file(station: Station, path: Path, wish: Wish, tell: Tell = lambda _finding: None) -> Order:
    """Order a card for each row of a fleet's file, or of a maker's list. The same file again changes nothing.

    :param tell: told of everything that is found in the file
    :raises WrongCall: rows of it cannot be used, or it asks for changes; nothing was ordered
    :raises Conflict: there is another order of that name
    """
    name = checking.wish_of(path, wish.name, _NAME)
    how = checking.Wish(name, wish.uids, group=_group(wish))
    with open_table(path) as table:
        check = checking.Check(table, how, station.number_pattern)
        way = _way(check.survey.kind, wish.way, table.name)
        # What it would be refused for now it may have caused itself, where it was ordered before.
        against = None if station.store.orders.has(name) else station
        entries = _entries(check, against, tell)
    lines = [_line(name, way, number, entry, how.group) for number, entry in enumerate(entries, start=1)]
    places = [entry.row - checking.HEADER_ROW for entry in entries] if way is Way.DELIVERED else None
    new = NewOrder(name, path.name, way, _profile(station, wish, way), lines, places)
    return station.store.orders.create(new, station.actor)


def order_count(station: Station, count: int, wish: Wish) -> Order:
    """Order a number of cards for nobody in particular.

    :raises WrongCall: fewer than one
    :raises Conflict: there is another order of that name
    """
    way = _desk_way(wish)
    lines = [OrderLine(_key(wish.name, f"{number}"), None, _group(wish)) for number in range(1, count + 1)]
    new = NewOrder(_name(wish), station.actor.name, way, _profile(station, wish, way), lines)
    return station.store.orders.create(new, station.actor)


def order_one(station: Station, driver: Driver, wish: Wish, valid_until: date | None = None) -> Order:
    """Order one card for somebody.

    :raises WrongCall: the driver has no reference
    :raises Conflict: there is another order of that name
    """
    if not driver.reference.strip() or not driver.reference.isprintable():
        raise WrongCall(f"{driver.reference!r} is no reference", hint="add --for REFERENCE")
    way = _desk_way(wish)
    line = OrderLine(_key(wish.name, driver.reference), driver, _group(wish), valid_until)
    new = NewOrder(_name(wish), station.actor.name, way, _profile(station, wish, way), [line])
    return station.store.orders.create(new, station.actor)


def standing(station: Station, name: str) -> Standing:
    """An order, its lines and how far they are.

    :raises StationError: there is none of that name
    """
    order = station.store.orders.get(name)
    items = station.store.orders.items(order)
    return Standing(order, items, station.store.orders.progress(order, items))


def open_lines(station: Station, name: str) -> list[OrderLine]:
    """What is still to be made at the desk for an order: lines without a card, or with one that was begun.

    :raises StationError: there is no order of that name
    :raises Conflict: it is closed, all of it is cancelled, or its cards come from a maker
    """
    now = standing(station, name)
    order = now.order
    if not order.is_open:
        raise Conflict(
            f"order {name} is closed: no card is made for it any more",
            hint=f"rfid-station order show {name}",
        )
    if order.way is Way.DELIVERED:
        raise Conflict(
            f"the cards of order {name} come from a maker",
            hint=f"rfid-station batch run {order.source} --order {name}",
        )
    wanted = [item for item in now.items if not item.is_cancelled]
    if not wanted:
        raise Conflict(f"every line of order {name} is cancelled", hint=f"rfid-station order show {name}")
    return [item.wanted for item in wanted if item.card is None or item.card.state.is_unfinished]


def order_of_card(station: Station, card: Card) -> Order | None:
    """The order that a card was made for, itself or as one that took another's place."""
    while True:
        found = station.store.orders.of_line(card.order_line) if card.order_line else None
        if found is not None or card.replaces is None:
            return found
        card = station.store.cards.by_id(card.replaces)


def cancel(station: Station, name: str, lines: Sequence[str], reason: str) -> list[Item]:
    """Want no cards any more on these lines; without lines, on all that have no card.

    :param lines: places in the order, or references
    :return: the lines that are cancelled now and were not before
    :raises WrongCall: there is no such line, or no reason
    :raises Conflict: the order is closed, or a line has a card that may be used
    """
    now = standing(station, name)
    places = [_place(now, line) for line in lines] if lines else None
    return station.store.orders.cancel(now.order, places, reason, station.actor)


def close(station: Station, name: str, *, dry_run: bool = False) -> list[Item]:
    """Close an order whose every line is cancelled, or has its card written, read back, printed and packed.

    :return: the lines that something is missing of; then the order stays open
    :raises StationError: there is no order of that name
    """
    return station.store.orders.close(station.store.orders.get(name), station.actor, dry_run=dry_run)


def _entries(check: checking.Check, station: Station | None, tell: Tell) -> list[Entry]:
    """The rows of a file without errors.

    :raises WrongCall: it has some; all were told
    """
    for finding in check.survey.findings:
        check.count.add(finding)
        tell(finding)
    entries = []
    for row in check.rows(station):
        for finding in row.findings:
            tell(finding)
        if row.entry is not None:
            entries.append(row.entry)
    errors = check.count.errors
    if errors:
        kind = Conflict if check.count.is_conflict else WrongCall
        raise kind(
            f"nothing was ordered: {check.table.name} has {errors} error{'' if errors == 1 else 's'}",
            hint="correct what is named above, or leave those rows out of the file",
        )
    return entries


def _line(name: str, way: Way, number: int, entry: Entry, group: str | None) -> OrderLine:
    """A row's line: by its reference, or by its place in a list that has none."""
    place = entry.row - checking.HEADER_ROW if way is Way.DELIVERED else number
    key = f"{name}:{entry.reference or place}"
    return OrderLine(key, checking.driver_of(entry), entry.group or group)


def _way(kind: Kind, wanted: Way | None, file: str) -> Way:
    """How the cards of a file are made.

    :raises WrongCall: not in that way
    """
    if kind is Kind.CHANGES:
        raise WrongCall(f"{file} is a list of changes, and orders no cards", hint="rfid-station batch run")
    if kind is Kind.CARDS and wanted not in (None, Way.DELIVERED):
        raise WrongCall(
            f"{file} lists a maker's cards with their UIDs: they are delivered", hint="leave --way out"
        )
    if kind is Kind.ORDERS and wanted is Way.DELIVERED:
        raise WrongCall(
            f"{file} lists no UIDs: its cards are made at the desk",
            hint="leave --way out, or order by the maker's list",
        )
    return Way.DELIVERED if kind is Kind.CARDS else wanted or Way.ENCODE_FIRST


def _desk_way(wish: Wish) -> Way:
    if wish.way is Way.DELIVERED:
        raise WrongCall("delivered cards are ordered by the maker's list", hint="order create FILE")
    return wish.way or Way.ENCODE_FIRST


def _profile(station: Station, wish: Wish, way: Way) -> str:
    by_default = checking.NOT_WRITTEN if way is Way.DELIVERED else None
    return station.profile(wish.profile or by_default).name


def _group(wish: Wish) -> str | None:
    return None if wish.group is None else check_group(wish.group)


def _name(wish: Wish) -> str | None:
    return None if wish.name is None else checking.wish_of(Path(), wish.name, _NAME)


def _key(name: str | None, rest: str) -> str:
    """A line's key; the store puts a running name in front itself."""
    return rest if name is None else f"{name}:{rest}"


def _place(now: Standing, line: str) -> int:
    """The place of a line that is named by it or by its reference.

    :raises WrongCall: there is no such line
    """
    for item in now.items:
        if line in (f"{item.place}", item.wanted.key, item.wanted.key.removeprefix(f"{now.order.name}:")):
            return item.place
    raise WrongCall(
        f"order {now.order.name} has no line {line!r}", hint=f"rfid-station order show {now.order.name}"
    )
