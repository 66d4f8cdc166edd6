"""What a barcode scanner types: the number on a card in any writing, its alias, or its whole link.

A scanner is a keyboard. It may put the code's kind in front (AIM identifiers, ISO/IEC 15424: `]Q1`, `]C0`),
write a link in capitals as its QR code has it, and type another character for `/` or `#` on another layout.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rfid_station.desk.numbers import ALIAS_LENGTH
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.visual_number import bare
from rfid_station.errors import Conflict
from rfid_station.store.search import Clue, Exactness

_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_PRINTED = (Clue.NUMBER, Clue.ALIAS, Clue.CONTRACT)
"""What is printed on cards and letters; a driver's name is not, nor a UID."""
_LONGEST = 1000
_FRAGMENT = "#L"
"""What the link on a letter ends with. A fragment stays in the phone: no server ever hears of it."""
_OF_A_LETTER = re.compile(r"(HTTP.*[0-9A-Z])[^0-9A-Z]L", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scanned text may stand for, the most literal reading first."""

    text: str
    numbers: tuple[str, ...]
    """Visual numbers, made bare."""
    aliases: tuple[str, ...]
    is_letter: bool | None
    """Whether it is the code of a letter; None for what says nothing of it, as a number."""


def link_on_letter(link: str) -> str:
    """A card's link as its letter has it, so that no card passes for its letter; see `marks_letters`."""
    return link if "#" in link else link + _FRAGMENT


def marks_letters(station: Station) -> bool:
    """Whether the codes of letters differ from those of cards: a link with a fragment takes no other."""
    return "#" not in station.settings.desk.link


def read_scan(typed: str) -> Scan:
    """Read what a scanner typed.

    :raises Conflict: nothing was typed, or far too much
    """
    text = _AIM.sub("", "".join(sign for sign in typed if sign.isprintable()).strip(), count=1).strip()
    of_a_letter = _OF_A_LETTER.fullmatch(text)
    text = of_a_letter[1] if of_a_letter else text
    number = bare(text)
    if not number or len(text) > _LONGEST:
        raise Conflict(f"{text[:40]!r} is no code of a card", hint="scan the code on the card or its letter")
    end = text.rstrip("/").rsplit("/", 1)[-1]
    aliases = dict.fromkeys([end, end.upper(), number[-ALIAS_LENGTH:]])
    is_letter = of_a_letter is not None if number.startswith("HTTP") else None
    return Scan(text, (number,), tuple(aliases), is_letter)


def scanned_card(station: Station, typed: str) -> Card:
    """The card whose number, link or contract was scanned; among those of one contract the one in use.

    :raises Conflict: no card has it
    """
    scan = read_scan(typed)
    for text in dict.fromkeys([scan.text, *scan.aliases]):
        found = [
            hit.card
            for hit in station.store.cards.find(text)
            if hit.exactness is Exactness.WHOLE and hit.clue in _PRINTED
        ]
        meant = [card for card in found if not card.state.is_final] or [
            card for card in found if card.state is not CardState.SPOILED
        ]
        if meant or found:
            return (meant or found)[0]
    raise Conflict(f"no card of ours has {scan.text!r}", hint="rfid-station card find NUMBER")
