"""The hand that lays virtual cards on a virtual PC/SC reader, in a process of its own.

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
from collections.abc import Iterable
from pathlib import Path

from rfid_station.errors import StationError
from rfid_station.simulator.card import TornMode, VirtualCard
from rfid_station.simulator.chips import CHIPS
from rfid_station.simulator.deck import Deck, open_deck
from rfid_station.simulator.field import Mishap
from rfid_station.simulator.pcsc_reader import DEFAULT_PORT, VirtualPcscReader
from rfid_station.simulator.strike import parse_strike, positive


class Hand:
    """A hand, a pile and a reader."""

    def __init__(self, deck: Deck, chip: str, reader: VirtualPcscReader) -> None:
        self._deck = deck
        self._chip = chip
        self._reader = reader
        self._card: VirtualCard | None = None

    def lay_next(self, mishap: Mishap | None = None) -> str:
        """Put the card on the reader aside and lay the next one there."""
        if self._card is not None:
            self._reader.remove()
            self._deck.put_aside(self._card)
        self._card = self._deck.take(self._chip)
        return self.lay_again(mishap)

    def lay_again(self, mishap: Mishap | None = None) -> str:
        """Lay the card in hand on the reader, after lifting it."""
        if self._card is None:
            return self.lay_next(mishap)
        self._reader.insert(self._card, mishap=mishap, changed=self._deck.save)
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
        mishap = parse_mishap(rest[0], self._deck.seed) if rest else None
        return self.lay_next(mishap) if word == "next" else self.lay_again(mishap)


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
    with VirtualPcscReader(options.port, transparent=not options.plain, on_released=released.set) as reader:
        hand = Hand(deck, options.chip, reader)
        if options.hands_free:
            _lay_by_itself(hand, options.count, released)
        else:
            _obey_lines(hand, sys.stdin)
    return 0


def _obey_lines(hand: Hand, lines: Iterable[str]) -> None:
    for line in filter(None, map(str.strip, lines)):
        try:
            _say(hand.obey(line))
        except ValueError:
            _say(f"unknown: {line}")


def _lay_by_itself(hand: Hand, count: int, released: threading.Event) -> None:
    for _ in range(count):
        released.clear()
        _say(hand.lay_next())
        released.wait()
    hand.lift()


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
