"""The reader `sim:CHIP`, in this process: a pile of virtual cards, and mishaps on demand.

    sim:ntag213?count=3&deck=cards.json&tear=7:partial

| option | meaning |
|---|---|
| `count=N` | how many cards come, 1 if left out |
| `seed=S` | makes UIDs and torn bits repeatable |
| `uid=HEX` | the UID of the first new blank |
| `deck=FILE` | keeps the pile for the next process; what was torn or killed comes again first |
| `start=I` | the first card is number I of the pile, from 0, whatever became of it before |
| `end=wait` | when the pile is empty, wait for `stop()` instead of ending |
| `taps=FILE` | a card comes for each line of FILE, also of those added later: options for it, or `again` |
| `tear=K[:MODE[:MASK]]` | at its K-th exchange the first card is pulled away, then it comes again unhurt |
| `kill=K[:MODE[:MASK]]` | at its K-th exchange this process kills itself with SIGKILL |
| `fault=NAME` | what is wrong with the first card: see `simulator.faults.Fault` |
| `seen=nfc` | the reader tells SAK, ATQA and ATS as an NFC reader does, not the ATR of a PC/SC one |

Exchanges are frames and field restarts, counted from 1. MODE is `before`, `erased`, `partial`
or `after` (see `simulator.card.TornMode`); `tear` takes `erased` and `kill` takes `before` if it
is left out. MASK is eight hexadecimal digits, the bits that were programmed (mode `partial`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rfid_station.chip.exchange import Apdu, CardLink, Exchange, ReadBlock, SectorLogin, WriteBlock
from rfid_station.chip.sighting import Sighting, Standard
from rfid_station.errors import CardRefused, WrongCall
from rfid_station.reader.loss import card_left, other_card
from rfid_station.simulator.card import Tear, TornMode, VirtualCard
from rfid_station.simulator.chips import CHIPS, is_blank, uid_size
from rfid_station.simulator.deck import Deck, open_deck
from rfid_station.simulator.faults import Fault, can_have, chip_with, prepare
from rfid_station.simulator.field import CardGone, Field, Mishap
from rfid_station.simulator.readers.atr import contactless_atr
from rfid_station.simulator.strike import Strike, parse_strike, whole_number

SCHEME = "sim"
_WAIT_S = 0.05
_SLOW_S = 0.2
_FAULT_AT = 3
"""The exchange at which a card vanishes or is swapped: the first after GET_VERSION and one look around."""
_VANISHING = Mishap(_FAULT_AT, Tear(TornMode.BEFORE), leaves=True)
_BLOCK_SIZE = 16
_STANDARDS = {
    "A": Standard.TYPE_A,
    "B": Standard.TYPE_B,
    "F": Standard.FELICA,
    "V": Standard.VICINITY,
}


class End(StrEnum):
    """What happens when the pile is empty."""

    STOP = "stop"
    WAIT = "wait"


class Seen(StrEnum):
    """What kind of reader it is, by what it tells about a card that it selected."""

    PCSC = "pcsc"
    NFC = "nfc"


@dataclass(frozen=True, slots=True)
class SimOptions:
    """What a `sim:` URI says."""

    chip: str
    count: int = 1
    seed: int | None = None
    uid: bytes | None = None
    deck: Path | None = None
    start: int | None = None
    end: End = End.STOP
    tear: Strike | None = None
    kill: Strike | None = None
    fault: Fault | None = None
    seen: Seen = Seen.PCSC
    taps: Path | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """How the reader looks at a card, and what happens around it."""

    seen: Seen = Seen.PCSC
    has_neighbour: bool = False
    """Whether another card lies there too."""
    swap: Callable[[], VirtualCard] | None = None
    """Where the card comes from that takes the place of the first."""
    pause_s: float = 0.0
    """How long each exchange takes."""


class SimLink:
    """A virtual card in the hands of the desk, and a count of what was asked of it."""

    raw = True
    """Every frame goes through as it is."""

    def __init__(self, field: Field, reader: str, scene: Scene | None = None) -> None:
        self._field = field
        self._reader = reader
        self._scene = scene or Scene()
        self._uid = field.select()
        self.swapped_out: VirtualCard | None = None
        """The card that this link began with, once another has taken its place."""

    @property
    def seen(self) -> Sighting:
        """What a reader would say about this card."""
        card = self._field.card
        if self._scene.seen is Seen.PCSC:
            return Sighting(atr=contactless_atr(card))
        standard = _STANDARDS[card.standard]
        if standard is not Standard.TYPE_A:
            return Sighting(standard)
        return Sighting(standard, sak=card.sak, atqa=card.atqa, ats=card.ats)

    @property
    def card(self) -> VirtualCard:
        """The virtual card itself."""
        return self._field.card

    @property
    def was_torn_away(self) -> bool:
        """Whether the card left in the middle."""
        return self._field.is_empty

    @property
    def exchanges(self) -> int:
        """Frames sent so far."""
        return self._field.exchanges

    @property
    def field_restarts(self) -> int:
        """Field restarts so far."""
        return self._field.restarts

    def uid(self) -> bytes:
        """The UID the card is selected with now. Costs no exchange."""
        self._check_there()
        return self._field.card.uid

    def transceive(self, command: Exchange) -> bytes:
        """One command to the card, its answer back; empty when it stayed silent."""
        self._begin_exchange()
        try:
            if isinstance(command, Apdu):
                return self._field.apdu(command.command)
            answer = self._field.exchange(self._frame(command))
        except CardGone:
            raise card_left(self._uid, self._reader) from None
        # A reader keeps the NAK of a MIFARE Classic to itself.
        return b"" if isinstance(command, ReadBlock) and len(answer) != _BLOCK_SIZE else answer

    def restart_field(self) -> bytes:
        """Take power from the card and give it back; the UID it is selected with then."""
        self._begin_exchange()
        try:
            self._field.restart()
        except CardGone:
            raise card_left(self._uid, self._reader) from None
        return self.uid()

    def release(self) -> None:
        """Lift the card: from now on it is lost."""
        self._field.take_away()

    def _begin_exchange(self) -> None:
        if self._scene.pause_s:
            time.sleep(self._scene.pause_s)
        if self._scene.swap is not None and self.swapped_out is None and _exchanges(self) == _FAULT_AT - 1:
            self._swap(self._scene.swap())
        self._check_there()

    def _swap(self, other: VirtualCard) -> None:
        self.swapped_out = self._field.card
        self._field.switch_off()
        self._field.card = other
        self._field.select()

    def _frame(self, command: bytes | SectorLogin | ReadBlock | WriteBlock) -> bytes:
        """What is handed to a reader's chip with Crypto1 inside (PN532 user manual, 7.3.8)."""
        match command:
            case SectorLogin(block, key, is_key_b):
                return bytes([0x61 if is_key_b else 0x60, block]) + key + self._uid[-4:]
            case ReadBlock(block):
                return bytes([0x30, block])
            case WriteBlock(block, data):
                return bytes([0xA0, block]) + data
            case _:
                return bytes(command)

    def _check_there(self) -> None:
        """Let only the one card pass that this link began with."""
        if self._scene.has_neighbour:
            raise CardRefused(
                f"two cards lie on reader {self._reader}", hint="take both off and lay one card on it"
            )
        if self._field.is_empty:
            raise card_left(self._uid, self._reader)
        if self._field.card.uid != self._uid:
            raise other_card(self._uid, self._field.card.uid, self._reader)


class SimReader:
    """The pile, one card after the other."""

    def __init__(self, uri: str, options: SimOptions) -> None:
        self._uri = uri
        self._options = options
        self._deck = open_deck(options.deck, options.seed)
        self._left = options.count
        self._is_first = True
        self._link: SimLink | None = None
        self._come_again: list[VirtualCard] = []
        self._before: VirtualCard | None = None
        self._taps = 0
        self._earlier_exchanges = 0

    @property
    def uri(self) -> str:
        """The string it was opened with."""
        return self._uri

    @property
    def deck(self) -> Deck:
        """The pile with all its cards, for whoever wants to look into their memory."""
        return self._deck

    @property
    def exchanges(self) -> int:
        """Frames and field restarts of all cards so far."""
        return self._earlier_exchanges + _exchanges(self._link)

    def cards(self, stop: Callable[[], bool]) -> Iterator[CardLink]:
        """Yield one card after the other, then end, or wait for `stop()` if the URI says so.

        A card lies there until the next is asked for or the reader is closed.
        """
        while not stop():
            self._put_aside()
            self._link = self._lay_next()
            if self._link is not None:
                yield self._link
            elif self._options.end is End.STOP and self._options.taps is None:
                return
            else:
                time.sleep(_WAIT_S)

    def close(self) -> None:
        """Lift the card that lies on the reader."""
        self._put_aside()

    def _lay_next(self) -> SimLink | None:
        if self._options.taps is not None:
            return self._lay_tapped(self._options.taps)
        return self._lay_of_pile()

    def _lay_tapped(self, taps: Path) -> SimLink | None:
        """Lay what the next line says, once there is one."""
        lines = taps.read_text("utf-8").split("\n")[:-1] if taps.exists() else []
        if len(lines) <= self._taps:
            return None
        tap = lines[self._taps]
        self._taps += 1
        if tap == "again" and self._before is not None:
            return self._lay(self._before, None)
        asked = parse_sim(f"{SCHEME}:{self._options.chip}?{tap}")
        self._options = replace(asked, deck=self._options.deck, seen=self._options.seen, taps=taps)
        self._left, self._is_first = 1, True
        return self._lay_of_pile()

    def _lay_of_pile(self) -> SimLink | None:
        if self._come_again:
            return self._lay(self._come_again.pop(0), self._killing())
        if self._left == 0:
            return None
        self._left -= 1
        if self._is_first:
            self._is_first = False
            return self._lay_first()
        return self._lay(self._deck.take(self._options.chip), self._killing())

    def _lay_first(self) -> SimLink:
        """Lay the one card that tears and faults are meant for."""
        card = self._take_first()
        fault = self._options.fault if is_blank(card) else None
        if fault is not None:
            prepare(card, fault, is_torn=self._options.tear is not None)
            self._deck.save()
        if fault in (Fault.TWO_CARDS, Fault.DUPLICATE):
            self._come_again.append(card)
        mishap = _VANISHING if fault is Fault.VANISH else self._tearing() or self._killing()
        return self._lay(card, mishap, fault)

    def _take_first(self) -> VirtualCard:
        options = self._options
        if options.start is not None:
            return self._deck.take_again(options.start)
        return self._deck.take(chip_with(options.chip, options.fault), options.uid)

    def _lay(self, card: VirtualCard, mishap: Mishap | None, fault: Fault | None = None) -> SimLink:
        field = Field(card, mishap=mishap, changed=self._deck.save)
        scene = Scene(
            self._options.seen,
            has_neighbour=fault is Fault.TWO_CARDS,
            swap=(lambda: self._deck.take_new(card.chip)) if fault is Fault.SWAP else None,
            pause_s=_SLOW_S if fault is Fault.SLOW else 0.0,
        )
        return SimLink(field, self._uri.partition("?")[0], scene)

    def _tearing(self) -> Mishap | None:
        strike = self._options.tear
        return None if strike is None else Mishap(strike.at, strike.tear(self._deck.seed), leaves=True)

    def _killing(self) -> Mishap | None:
        strike = self._options.kill
        if strike is None or strike.at <= self.exchanges:
            return None
        return Mishap(strike.at - self.exchanges, strike.tear(self._deck.seed), kill=os.getpid())

    def _put_aside(self) -> None:
        """The desk is through with the card. One that was torn away stays in hand and comes again."""
        link, self._link = self._link, None
        if link is None:
            return
        self._before = link.card
        self._earlier_exchanges += _exchanges(link)
        if link.was_torn_away and self._options.fault is not Fault.VANISH:
            self._come_again.append(link.card)
        elif link.swapped_out is not None:
            self._come_again += [link.card, link.swapped_out]
            link.release()
        else:
            link.release()
            self._deck.put_aside(link.card)


def open_sim(uri: str) -> SimReader:
    """Open `sim:CHIP?options`.

    :raises WrongCall: the chip or an option is not known, or a value cannot be used
    """
    return SimReader(uri, parse_sim(uri))


def parse_sim(uri: str) -> SimOptions:
    """Read a `sim:` URI.

    :raises WrongCall: the chip or an option is not known, or a value cannot be used
    """
    chip, _, query = uri.partition(":")[2].partition("?")
    if chip not in CHIPS:
        raise WrongCall(
            f"there is no virtual chip {chip!r}", hint=f"write sim: and one of {', '.join(CHIPS)}"
        )
    options = SimOptions(chip)
    for item in filter(None, query.split("&")):
        name, _, value = item.partition("=")
        options = _with_option(options, name, unquote(value))
    if options.fault is not None and not can_have(chip, options.fault):
        raise WrongCall(f"fault={options.fault} is not for {chip}", hint="take sim:ntag213")
    if options.uid is not None and len(options.uid) != uid_size(chip):
        raise WrongCall(
            f"uid={options.uid.hex().upper()} has {len(options.uid)} bytes",
            hint=f"a {chip} has a UID of {uid_size(chip)} bytes",
        )
    return options


def _with_option(options: SimOptions, name: str, value: str) -> SimOptions:
    if name not in _OPTIONS:
        raise WrongCall(f"sim: knows no option {name!r}", hint=f"there are {', '.join(_OPTIONS)}")
    read, form = _OPTIONS[name]
    try:
        changed: dict[str, Any] = {name: read(value)}
        return replace(options, **changed)
    except ValueError:
        raise WrongCall(f"{name}={value} cannot be used", hint=f"write {name}={form}") from None


def _file(text: str) -> Path:
    if not text:
        raise ValueError(text)
    return Path(text)


def _strike(mode: TornMode) -> Callable[[str], Strike]:
    return lambda text: parse_strike(text, mode)


def _exchanges(link: SimLink | None) -> int:
    return link.exchanges + link.field_restarts if link else 0


_MODES = "|".join(TornMode)
_OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "count": (whole_number, "3"),
    "seed": (whole_number, "1"),
    "uid": (bytes.fromhex, "04E10CDA993C80"),
    "deck": (_file, "cards.json"),
    "start": (whole_number, "0"),
    "end": (End, "|".join(End)),
    "tear": (_strike(TornMode.ERASED), f"7, or 7:MODE with MODE one of {_MODES}"),
    "kill": (_strike(TornMode.BEFORE), f"7, or 7:MODE with MODE one of {_MODES}"),
    "fault": (Fault, "|".join(Fault)),
    "seen": (Seen, "|".join(Seen)),
    "taps": (_file, "taps.txt"),
}
"""How each option is read, and how it is written."""
