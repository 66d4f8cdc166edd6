"""Card and letter into one envelope, the right ones; and envelopes into parcels that leave."""

from __future__ import annotations

from collections.abc import Sequence

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.desk.fulfilment.orders import order_of_card, standing
from rfid_station.desk.fulfilment.scanning import marks_letters, read_scan, scanned_card
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.order import Way
from rfid_station.errors import Conflict
from rfid_station.store.orders.packing import Packed, Parcel, refuse_stopped
from rfid_station.store.prints import MAKE_CARDS

LETTER = "letter"
"""What print jobs of letters are called."""


def card_on_reader(station: Station, link: CardLink) -> Card:
    """The card that was tapped. Only its UID is read.

    :raises Conflict: it is no card of ours
    """
    identity = run(link, identify(link.seen, station.roots))
    card = station.store.cards.living(identity.uid)
    if card is None:
        raise Conflict(
            f"card {identity.uid.masked} is not one of ours", hint="`rfid-station card read` tells what it is"
        )
    return card


def card_by_code(station: Station, code: str) -> Card:
    """The card whose own code was scanned. Its chip is not read, so this is weaker than a tap.

    :raises Conflict: no card has it, or it is a letter's
    """
    if read_scan(code).is_letter:
        raise Conflict("that is a letter's code, and no card's", hint="scan the card first, then its letter")
    return scanned_card(station, code)


def check_packable(station: Station, card: Card, order: str | None = None) -> None:
    """Let a card pass that may be packed, and belongs to the order that is being packed.

    :raises Conflict: it was stopped, has left, is another order's, or is still to be printed
    """
    refuse_stopped(card)
    packed = station.store.packing.of_card(card.id)
    if packed is not None and packed.parcel is not None:
        raise Conflict(
            f"card {card.visual_number} has left in parcel {packed.parcel.tracking}",
            hint=f"rfid-station card show {card.visual_number}",
        )
    made_for = order_of_card(station, card)
    if order is not None and (made_for is None or made_for.name != order):
        whose = f"belongs to order {made_for.name}" if made_for else "belongs to no order"
        raise Conflict(
            f"card {card.visual_number} {whose}, and order {order} is being packed",
            hint="put it back to the others of its order",
        )
    if made_for is not None and made_for.way is not Way.DELIVERED and not _is_printed(station, card):
        raise Conflict(
            f"card {card.visual_number} is not printed yet",
            hint=f"rfid-station sheet print {card.visual_number}",
        )


def check_pair(station: Station, card: Card, letter: str) -> None:
    """Let a card pass whose letter's code was scanned, or whose number was typed from it.

    :raises Conflict: it is another's letter, nobody printed one, or the code is the card's own
    """
    if read_scan(letter).is_letter is False and marks_letters(station):
        raise Conflict(
            "that is the code of a card, and no letter's",
            hint="scan the code on the letter; for one printed before letters had their own, type its number",
        )
    meant = scanned_card(station, letter)
    if meant.id != card.id:
        raise Conflict(
            f"wrong pair: the card is {card.visual_number}, and the letter is for {meant.visual_number}",
            hint=f"find the letter of {card.visual_number}, and put this one back",
        )
    if not any(printed.kind == LETTER for printed in station.store.prints.of_card(card.id)):
        raise Conflict(
            f"no letter was printed for card {card.visual_number}: the code is not a letter's",
            hint=f"rfid-station letter print {card.visual_number}, or --no-letter",
        )


def pack(
    station: Station, card: Card, letter: str | None, *, was_tapped: bool, order: str | None = None
) -> Packed:
    """Put a card into its envelope, beside the letter whose code was scanned. Twice changes nothing.

    :param letter: what the scanner typed; None: it goes without a letter
    :param was_tapped: its chip was read; else only the code that is printed on it was, which is weaker
    :raises Conflict: it may not be packed, or the letter is another's
    """
    check_packable(station, card, order)
    if letter is not None:
        check_pair(station, card, letter)
    return station.store.packing.pack(
        card.id, with_letter=letter is not None, was_tapped=was_tapped, actor=station.actor
    )


def unpack(station: Station, card: Card, reason: str) -> None:
    """Take a card out of its envelope.

    :raises Conflict: it is not packed, or has left
    """
    station.store.packing.unpack(card.id, reason, station.actor)


def dispatch(station: Station, cards: Sequence[Card], tracking: str, carrier: str = "") -> Parcel:
    """Send packed cards off in one parcel: all of them or none.

    :raises WrongCall: no cards, or no tracking number
    :raises Conflict: that parcel has left, or a card is not packed, has left, or was stopped meanwhile
    """
    return station.store.packing.dispatch([card.id for card in cards], tracking, carrier, station.actor)


def packed_cards(station: Station, order: str) -> list[Card]:
    """The cards of an order that lie in their envelopes here, in the order of its lines.

    :raises StationError: there is no order of that name
    """
    made = [item.card for item in standing(station, order).items if item.card is not None]
    waiting = station.store.packing.waiting([card.id for card in made])
    return [station.store.cards.by_id(card.id) for card in made if card.id in waiting]


def _is_printed(station: Station, card: Card) -> bool:
    return any(printed.kind in MAKE_CARDS for printed in station.store.prints.of_card(card.id))
