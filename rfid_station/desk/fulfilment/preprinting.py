"""Cards that are printed before their chip is known: numbers drawn, put on sheets, matched by a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rfid_station.desk.fulfilment.scanning import read_scan, scanned_card
from rfid_station.desk.numbers import Numbers
from rfid_station.desk.paper.press import PressFile, PressWish, make_press_archive
from rfid_station.desk.paper.sheets import Printable, SheetFiles, Wish, print_sheets
from rfid_station.desk.station import Station
from rfid_station.domain.order import Order, Preprinted, Way
from rfid_station.errors import Conflict
from rfid_station.store.numbering import Draws


def preprinted_by_scan(station: Station, text: str, order: str | None = None) -> Preprinted:
    """The plastic on which this was scanned: its number in any writing, its alias or link, in any code.

    Plastic whose card was begun is found, too: the same card tapped again is finished.

    :param order: the name of the order that is being made; None takes plastic of any
    :raises Conflict: nobody printed it, it is a card already, it is spoiled, or another order's
    """
    scan = read_scan(text)
    found = station.store.preprints.find(scan.numbers, scan.aliases)
    if found is None:
        raise _unknown(station, text)
    if order is not None and found.order != order:
        raise Conflict(
            f"number {found.visual_number} was printed for order {found.order}, and this is {order}",
            hint=f"rfid-station order show {found.order}",
        )
    if found.spoil_reason is not None:
        raise Conflict(
            f"number {found.visual_number} is spoiled ({found.spoil_reason}): this plastic is waste",
            hint=f"rfid-station order print {found.order}",
        )
    if found.card_id is not None:
        card = station.store.cards.by_id(found.card_id)
        if not card.state.is_unfinished:
            raise Conflict(
                f"number {card.visual_number} has its chip already: the card is {card.state}",
                hint=f"rfid-station card show {card.visual_number}",
            )
    return found


def to_print(station: Station, order: Order) -> tuple[list[Preprinted], int]:
    """What `print_numbers` would print, without drawing: numbers that are drawn, and how many are to be."""
    _check_way(order)
    return station.store.preprints.unprinted(order), station.store.preprints.wanting(order)


def print_numbers(station: Station, order: Order, wish: Wish, again: Sequence[str] = ()) -> SheetFiles | None:
    """Draw numbers for the lines that have none, and print all that are not printed yet, on sheets.

    The numbers are kept before they are printed: what fails in between is printed by the next call.

    :param again: numbers that are printed a second time, alone; the wish needs a reason then
    :return: None where nothing is to be printed
    :raises Conflict: the order is closed, or its cards are made in another way
    :raises StationError: what `print_sheets` raises
    """
    cards = _drawn(station, order, again)
    return print_sheets(station, cards, wish if again else replace(wish, reason=None)) if cards else None


def send_numbers(
    station: Station, order: Order, wish: PressWish, again: Sequence[str] = ()
) -> PressFile | None:
    """The same for a print bureau: the archive that it prints the cards from.

    :return: None where nothing is to be printed
    :raises Conflict: the order is closed, or its cards are made in another way
    :raises StationError: what `make_press_archive` raises
    """
    cards = _drawn(station, order, again)
    if not cards:
        return None
    return make_press_archive(station, cards, wish if again else replace(wish, reason=None))


def _drawn(station: Station, order: Order, again: Sequence[str]) -> list[Printable]:
    """These numbers again, or all that are not printed yet; drawn where a line has none."""
    _check_way(order)
    if again:
        return [preprinted_by_scan(station, number, order.name) for number in again]
    numbers = Numbers.of(station)
    draws = Draws(numbers.contract_of, numbers.draw_visual, numbers.draw_alias)
    return list(station.store.preprints.draw(order, draws, station.actor))


def spoil_plastic(station: Station, number: str, reason: str) -> Preprinted:
    """Plastic that is waste before it met a chip; its line gets a new number.

    :raises Conflict: nobody printed it, or it has a chip: then the card is spoiled
    """
    scan = read_scan(number)
    found = station.store.preprints.find(scan.numbers, scan.aliases)
    if found is None:
        raise _unknown(station, number)
    return station.store.preprints.spoil(found.id, reason, station.actor)


def _check_way(order: Order) -> None:
    if not order.is_open:
        raise Conflict(f"order {order.name} is closed", hint=f"rfid-station order show {order.name}")
    if order.way is not Way.PRINT_FIRST:
        raise Conflict(
            f"the cards of order {order.name} are not printed first: its way is {order.way}",
            hint="rfid-station sheet print, when they are made",
        )


def _unknown(station: Station, text: str) -> Conflict:
    """Why what was scanned is no plastic that waits."""
    card = scanned_card(station, text)
    return Conflict(
        f"number {card.visual_number} is a card already, and {card.state}",
        hint=f"rfid-station card show {card.visual_number}",
    )
