"""A pile of virtual cards beside the reader, kept in a file if it is to outlive the process.

The file is replaced as a whole after every change of a card's memory, so that whoever is
killed leaves behind exactly what the chips have. One process at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from rfid_station.errors import WrongCall
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import card_from, manufacturer, new_card, uid_size


class Mark(StrEnum):
    """What became of a card."""

    WAITING = "waiting"
    """It was never laid on the reader."""
    IN_HAND = "in_hand"
    """It lies on the reader, or was torn away from it: it comes again first."""
    DONE = "done"
    """It was laid aside."""


@dataclass(slots=True)
class DeckCard:
    """A card of the pile and what became of it."""

    card: VirtualCard
    mark: Mark = Mark.WAITING


@dataclass(slots=True)
class Deck:
    """The pile. Blanks are made when one is asked for; the seed says which UIDs they get."""

    seed: int
    path: Path | None = None
    cards: list[DeckCard] = field(default_factory=list)

    def take(self, chip: str, uid: bytes | None = None) -> VirtualCard:
        """Lay a card on the reader: the one in hand, else the next that waits, else a new blank.

        A given `uid` is for a new blank only.
        """
        return self._lay_down(self._find(Mark.IN_HAND) or self._find(Mark.WAITING) or self._add(chip, uid))

    def take_new(self, chip: str) -> VirtualCard:
        """Lay a new blank on the reader, whatever else is in hand."""
        return self._lay_down(self._add(chip, None))

    def take_again(self, number: int) -> VirtualCard:
        """Lay card `number` (from 0) on the reader, whatever became of it before.

        :raises WrongCall: the pile has no such card
        """
        if not 0 <= number < len(self.cards):
            raise WrongCall(
                f"the deck has no card {number}: it holds {len(self.cards)}, counted from 0",
                hint="leave start= out, and the next blank comes",
            )
        return self._lay_down(self.cards[number])

    def put_aside(self, card: VirtualCard) -> None:
        """The desk has finished with a card, well or badly."""
        for place in self.cards:
            if place.card is card:
                place.mark = Mark.DONE
        self.save()

    def save(self) -> None:
        """Replace the file, if there is one."""
        if self.path is None:
            return
        content = {
            "seed": self.seed,
            "cards": [{"mark": place.mark, "state": place.card.state()} for place in self.cards],
        }
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
        draft.replace(self.path)

    def _lay_down(self, place: DeckCard) -> VirtualCard:
        place.mark = Mark.IN_HAND
        self.save()
        return place.card

    def _find(self, mark: Mark) -> DeckCard | None:
        return next((place for place in self.cards if place.mark is mark), None)

    def _add(self, chip: str, uid: bytes | None) -> DeckCard:
        place = DeckCard(new_card(chip, uid or blank_uid(chip, self.seed, len(self.cards))))
        self.cards.append(place)
        return place


def open_deck(path: Path | None = None, seed: int | None = None) -> Deck:
    """Take the pile that a file holds, or begin one. A pile that exists keeps its own seed.

    :raises WrongCall: the file is no deck, or there is no folder to make it in
    """
    if path is not None and path.exists():
        return _read_deck(path)
    deck = Deck(secrets.randbits(32) if seed is None else seed, path)
    try:
        deck.save()
    except OSError as error:
        raise WrongCall(
            f"deck {path} cannot be written: {error.strerror}", hint="name a file in a folder that exists"
        ) from error
    return deck


def blank_uid(chip: str, seed: int, number: int) -> bytes:
    """A UID as NXP gives them out: 04, six more bytes that tell nothing (or a NUID of four)."""
    size = uid_size(chip)
    drawn = bytearray(hashlib.sha256(f"{chip}/{seed}/{number}".encode()).digest()[:size])
    drawn[0] = manufacturer(chip)
    if size == 7:
        # 88 here would announce a third cascade level; NXP's last byte is 80 or a little above.
        drawn[3] &= 0x7F
        drawn[6] = 0x80 | drawn[6] & 0x03
    return bytes(drawn)


def _read_deck(path: Path) -> Deck:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        cards = [DeckCard(card_from(place["state"]), Mark(place["mark"])) for place in content["cards"]]
        deck = Deck(int(content["seed"]), path, cards)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongCall(
            f"{path} is no deck of virtual cards", hint="name another file after deck=, or remove this one"
        ) from error
    return deck
