"""Read back: field off, field on, and compare what a stranger reads with what was planned."""

from __future__ import annotations

from rfid_station.chip.exchange import Dialogue, Restart
from rfid_station.chip.identify import split_pages
from rfid_station.chip.type2 import fast_read
from rfid_station.encode.plan import Plan
from rfid_station.encode.write import check_same_card
from rfid_station.errors import ReadBackDiffers


def verify_card(plan: Plan) -> Dialogue[None]:
    """Compare a card with its plan after a field reset; the first difference is named.

    A card with a random UID shows itself here too: it comes back under another one.

    :raises ReadBackDiffers: a page reads otherwise than planned
    :raises CardLost: the card left, or is another one
    """
    check_same_card(plan.uid, (yield Restart()))
    if not plan.expected:
        return
    first, last = min(plan.expected), max(plan.expected)
    found = split_pages(first, (yield from fast_read(first, last)))
    for page, wanted in sorted(plan.expected.items()):
        if found[page] != wanted:
            raise ReadBackDiffers(
                f"page {page:02X} of card {plan.uid.masked} reads {found[page].hex(' ').upper()}, "
                f"and {wanted.hex(' ').upper()} was written",
                hint="tap the card again to write it once more, or take another blank",
            )
