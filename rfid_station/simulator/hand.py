"""The hand that lays virtual cards on a virtual reader: one in a process of its own, or that of `simulate`.

    python -m rfid_station.simulator.hand --port 35963 --deck cards.json

A station that is killed leaves the cards alone then. The hand does what it reads, line by line,
and says what it did:

| line | what happens | what it says |
|---|---|---|
| `next` | lays the next card on the reader, in place of the one before | `laid UID` |
| `again` | lifts the card and lays the same one again | `laid UID` |
| `away` | lifts the card, which then comes again first | `lifted` |
| `count` | | `exchanges N` with the card on the reader |

`next` and `again` take `tear=K:MODE` (the card is pulled away at its K-th frame) or
`kill=K:MODE:PID` (that process gets SIGKILL at the K-th frame). With `--hands-free` it reads
nothing: it lays cards by itself, the next one as soon as the station has let go of the one before.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rfid_station.errors import StationError
from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import CHIPS, is_blank, new_card
from rfid_station.simulator.deck import Deck, blank_uid, open_deck
from rfid_station.simulator.faults import Fault, chip_with, prepare
from rfid_station.simulator.field import Field, Mishap
from rfid_station.simulator.readers.pcsc_reader import DEFAULT_PORT, VirtualPcscReader
from rfid_station.simulator.readers.reader_models import DEFAULT_MODEL, MODELS
from rfid_station.simulator.readers.troubled_field import Trouble, TroubledField
from rfid_station.simulator.strike import parse_strike, positive

_FAULT_AT = 3
_VANISHING = Mishap(_FAULT_AT, Tear(TornMode.BEFORE), leaves=True)
_SLOW_S = 0.2
_OTHER_CARD = 1_000_000
"""Far behind all cards of a pile."""


class VirtualReader(Protocol):
    """What a hand needs of a virtual reader, whatever it is connected to."""

    @property
    def field(self) -> Field | None:
        """The card on the reader, with its counters; None without one."""

    def lay(self, field: Field) -> Field:
        """Lay a card on the reader, in place of one that may lie there."""

    def remove(self) -> None:
        """Take the card away."""


@dataclass(frozen=True, slots=True)
class Pile:
    """Where cards come from: the deck, what new blanks are, and what is wrong with the first."""

    deck: Deck
    chip: str
    uid: bytes | None = None
    fault: Fault | None = None


class Hand:
    """A hand, a pile and a reader."""

    def __init__(self, pile: Pile, reader: VirtualReader) -> None:
        self._pile = pile
        self._reader = reader
        self._card: VirtualCard | None = None
        self._has_laid = False
        self._trouble = Trouble()

    def lay_next(self, mishap: Mishap | None = None) -> str:
        """Put the card on the reader aside and lay the next one there."""
        self._put_aside()
        if not self._has_laid:
            self._has_laid = True
            return self._lay_first(mishap)
        self._card = self._pile.deck.take(self._pile.chip)
        return self.lay_again(mishap)

    def lay_again(self, mishap: Mishap | None = None) -> str:
        """Lay the card in hand on the reader, after lifting it."""
        if self._card is None:
            return self.lay_next(mishap)
        trouble, self._trouble = self._trouble, Trouble()
        self._reader.lay(TroubledField(self._card, trouble, mishap=mishap, changed=self._pile.deck.save))
        return f"laid {self._card.uid.hex().upper()}"

    def lift(self) -> str:
        """Lift the card."""
        self._reader.remove()
        return "lifted"

    def count(self) -> str:
        """Say how many frames the card was sent since it was laid there."""
        field = self._reader.field
        return f"exchanges {field.exchanges if field else 0}"

    def obey(self, line: str) -> str:
        """Do what a line says.

        :raises ValueError: it says nothing that a hand can do
        """
        word, *rest = line.split()
        if word == "away" and not rest:
            return self.lift()
        if word == "count" and not rest:
            return self.count()
        if word not in ("next", "again") or len(rest) > 1:
            raise ValueError(line)
        mishap = parse_mishap(rest[0], self._pile.deck.seed) if rest else None
        return self.lay_next(mishap) if word == "next" else self.lay_again(mishap)

    def obey_lines(self, lines: Iterable[str], say: Callable[[str], None]) -> None:
        """Do what line after line says, until there are no more."""
        for line in filter(None, map(str.strip, lines)):
            try:
                say(self.obey(line))
            except ValueError:
                say(f"unknown: {line}")

    def lay_by_itself(self, count: int, released: threading.Event, say: Callable[[str], None]) -> None:
        """Lay so many cards, each as soon as the program on the other side is through with the one before."""
        for number in range(count):
            comes_twice = number == 0 and self._pile.fault is Fault.DUPLICATE
            for lay in (self.lay_next, self.lay_again) if comes_twice else (self.lay_next,):
                released.clear()
                say(lay())
                released.wait()
        self._put_aside()

    def _put_aside(self) -> None:
        if self._card is not None:
            self._reader.remove()
            self._pile.deck.put_aside(self._card)

    def _lay_first(self, mishap: Mishap | None) -> str:
        """Lay the one card that a fault is meant for."""
        pile, fault = self._pile, self._pile.fault
        self._card = pile.deck.take(chip_with(pile.chip, fault), pile.uid)
        if fault is not None and is_blank(self._card):
            prepare(self._card, fault)
            pile.deck.save()
            self._trouble = self._trouble_of(fault)
            mishap = _VANISHING if fault is Fault.VANISH else mishap
        return self.lay_again(mishap)

    def _trouble_of(self, fault: Fault) -> Trouble:
        """What the hand does to the card, and not the maker of the chip."""
        if fault is Fault.SLOW:
            return Trouble(pause_s=_SLOW_S)
        if fault is Fault.SWAP:
            chip = self._pile.chip
            return Trouble(
                swap_at=_FAULT_AT, other=new_card(chip, blank_uid(chip, self._pile.deck.seed, _OTHER_CARD))
            )
        return Trouble()


def parse_mishap(text: str, seed: int) -> Mishap:
    """Read `tear=K[:MODE[:MASK]]` or `kill=K:MODE:PID`.

    :raises ValueError: the text has neither form
    """
    kind, _, value = text.partition("=")
    if kind == "tear":
        strike = parse_strike(value, TornMode.ERASED)
        return Mishap(strike.at, strike.tear(seed), leaves=True)
    when, _, process = value.rpartition(":")
    if kind != "kill" or not when:
        raise ValueError(text)
    strike = parse_strike(when, TornMode.BEFORE)
    return Mishap(strike.at, strike.tear(seed), kill=positive(process))


def main(arguments: list[str] | None = None) -> int:
    """Run the hand until its input ends, or, hands-free, until all cards are laid and let go of."""
    options = _parser().parse_args(arguments)
    try:
        deck = open_deck(options.deck, options.seed)
    except StationError as error:
        print(f"error: {error}\n\nhint: {error.hint}", file=sys.stderr)  # noqa: T201
        return int(error.exit_code)
    released = threading.Event()
    model = MODELS["plain"] if options.plain else DEFAULT_MODEL
    with VirtualPcscReader(options.port, model=model, on_released=released.set) as reader:
        hand = Hand(Pile(deck, options.chip), reader)
        if options.hands_free:
            hand.lay_by_itself(options.count, released, _say)
        else:
            hand.obey_lines(sys.stdin, _say)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rfid_station.simulator.hand",
        description="Lay virtual cards on a virtual PC/SC reader.",
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="where vpcd listens (default: %(default)s)"
    )
    parser.add_argument(
        "--chip", choices=CHIPS, default="ntag213", help="what blanks are (default: %(default)s)"
    )
    parser.add_argument("--deck", type=Path, help="file that keeps the cards")
    parser.add_argument("--seed", type=int, help="makes UIDs repeatable")
    parser.add_argument("--plain", action="store_true", help="a reader without a raw path")
    parser.add_argument("--hands-free", action="store_true", help="lay cards without being told")
    parser.add_argument("--count", type=int, default=1, help="hands-free: how many (default: %(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
