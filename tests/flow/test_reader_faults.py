"""The reader's service restarted, and the reader pulled out, at every stage of a card (docs/faults.md).

`make soak` (SOAK=1) does it at every exchange with a card. Nothing is waited for longer than `QUIET_S`.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import pytest
from pcsc_fixtures import FOLDER
from reader_faults import (
    GONE,
    SLOWLY_GONE,
    ReaderFault,
    ReaderUnplugged,
    ServiceRestarted,
    StruckField,
    a_reader_that_can_be_pulled_out,
)
from station_invariants import check_invariants
from stations import CLERK, Diary
from warm_program import WarmProgram

from rfid_station.desk.issue import Issued, Stage
from rfid_station.desk.loop import Run, issue_cards
from rfid_station.desk.station import Station, open_station
from rfid_station.desk.tally import Phase, Tally
from rfid_station.domain.card import CardState
from rfid_station.errors import CardLost, StationError
from rfid_station.reader.opening import open_reader
from rfid_station.reader.pcsc import PcscReader
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd

SOAK = bool(os.environ.get("SOAK"))
QUIET_S = 20.0
"""So long nothing is heard of a loop, or of a program, that does not come back."""
FAULTS = ["pcscd restarted", "reader unplugged"]


@pytest.fixture(scope="module")
def pluggable(pcscd: PrivatePcscd, pytestconfig: pytest.Config) -> Iterator[Path]:
    gone = SLOWLY_GONE if SOAK else GONE
    with a_reader_that_can_be_pulled_out(pcscd, pytestconfig.stash[FOLDER], gone) as mark:
        yield mark


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest, pcscd: PrivatePcscd, pluggable: Path) -> Iterator[ReaderFault]:
    restarted, unplugged = ServiceRestarted(pcscd), ReaderUnplugged(pcscd, pluggable)
    yield restarted if request.param == FAULTS[0] else unplugged
    unplugged.mend()
    pcscd.restart()


def blank(number: int) -> VirtualCard:
    return new_card("ntag213", blank_uid("ntag213", 7, number))


# The loop itself, card after card


@dataclass(frozen=True)
class Exchange:
    """The K-th frame to a card, and whether the card still gets it."""

    number: int
    reaches: bool


WAITING, DONE = "waiting", "done"
FIRST = Exchange(2, reaches=True)
"""Where the driver finds out what the reader can do, before it hands the first card out."""
MOST_HEARD = 60
"""So many things are heard of a card at most, even of one that is laid there twice."""
LAST_EXCHANGE = 14
"""So many exchanges an NTAG213 takes with the profile that is made here: one more would never be struck."""
IN_THE_MIDDLE = [Exchange(5, reaches=True), Exchange(9, reaches=False)]

Moment = str | Exchange
MOMENTS: list[Moment] = [FIRST, Stage.IDENTIFY, Stage.WRITE, *IN_THE_MIDDLE, DONE, WAITING]
"""For one card after the other; `done` is when it is made and still lies there."""
if SOAK:
    EVERY = [Exchange(number, how) for number in range(1, LAST_EXCHANGE + 1) for how in (False, True)]
    MOMENTS = [FIRST, *Stage, *(one for one in EVERY if one != FIRST), DONE, WAITING]


@dataclass
class Clumsy(Diary):
    """A clerk who lays card after card. Something happens to the reader while each is made, and is mended
    once the desk has said so; then the same card is laid there again."""

    fault: ReaderFault | None = None
    reader: PcscReader | None = None
    handled: object = None
    """What the driver knew of the made card that lies there, until it has looked at it anew."""
    picc: VirtualPcscReader | None = None
    station: Station | None = None
    card: VirtualCard | None = None
    laid: int = -1
    made: int = 0
    is_broken: bool = False
    is_away: bool = False
    """What the desk said last of the reader."""
    was_begun: bool = False
    struck: list[Moment] = field(default_factory=list)
    failures_at: list[Moment] = field(default_factory=list)
    numbers: dict[Moment, set[str]] = field(default_factory=dict)

    @property
    def moment(self) -> Moment:
        return MOMENTS[self.laid]

    def lay(self) -> None:
        moment = self.moment
        if isinstance(moment, Exchange) and moment not in self.struck:
            field = StruckField(self.card, moment.number, lambda: self.strike(moment), reaches=moment.reaches)
            self.picc.lay(field)
        else:
            self.picc.insert(self.card)

    def strike(self, moment: Moment) -> None:
        if moment == self.moment and moment not in self.struck:
            self.struck.append(moment)
            self.is_broken = True
            self.fault.strike()

    def turned(self, tally: Tally) -> None:
        super().turned(tally)
        is_ready = tally.phase is Phase.WAITING and not self.is_broken and not self.is_away
        if is_ready and self.made == self.laid + 1 and not self.handled:
            self.take_the_next()

    def take_the_next(self) -> None:
        self.laid += 1
        self.card = blank(self.laid)
        self.was_begun = False
        self.strike(WAITING)
        if self.moment != WAITING:
            self.lay()

    def looked(self) -> None:
        """The loop is between two looks at its reader."""
        now = self.reader._handled
        if self.handled and not self.is_away and now not in (None, self.handled):
            self.handled = None
            self.take_the_next()

    def stage(self, stage: Stage, words: str) -> None:
        super().stage(stage, words)
        self.strike(stage)
        if stage is Stage.PLAN:
            self.numbers.setdefault(self.moment, set()).add(words)

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        super().issued(issued, took_s, tally)
        assert issued.was_resumed is self.was_begun, self.moment
        self.made += 1
        self.numbers[self.moment].add(issued.card.visual_number)
        self.strike(DONE)
        check_invariants(self.station)

    def failed(self, error: StationError, tally: Tally) -> None:
        super().failed(error, tally)
        self.picc.remove()
        self.failures_at.append(self.moment)
        self.was_begun = self.moment in self.numbers
        unfinished = [card for card in self.station.store.cards.listing() if card.state.is_unfinished]
        assert len(unfinished) == self.was_begun, self.moment
        check_invariants(self.station)

    def said(self, words: str, hint: str | None = None) -> None:
        super().said(words, hint)
        if words == "the reader is back":
            self.is_away = False
        elif re.match(self.fault.said, words):
            assert hint
            self.is_away = True
            if self.is_broken:
                self.is_broken = False
                self.mend()

    def mend(self) -> None:
        self.fault.mend()
        if self.made <= self.laid:
            self.lay()
        elif self.laid + 1 < len(MOMENTS):
            # The card that is made stays there for a while: it must not be made twice.
            self.handled = self.reader._handled


def gives_up(clerk: Clumsy) -> Callable[[], bool]:
    """Asked between two looks at the reader: whether the clerk has heard nothing new for too long."""
    heard, since = 0, time.monotonic()

    def is_quiet() -> bool:
        nonlocal heard, since
        clerk.looked()
        if len(clerk.entries) != heard:
            heard, since = len(clerk.entries), time.monotonic()
        return time.monotonic() - since > QUIET_S or heard > MOST_HEARD * len(MOMENTS)

    return is_quiet


@pytest.mark.timeout(1800 if SOAK else 120)
def test_at_every_stage_the_card_is_finished_by_the_same_loop(
    fault: ReaderFault, picc: VirtualPcscReader, pcscd: PrivatePcscd, folder: Path
) -> None:
    with open_station(folder, CLERK) as station, closing(open_reader(f"pcsc:{pcscd.reader}")) as reader:
        clerk = Clumsy(fault=fault, picc=picc, station=station, reader=reader)
        run = Run(station, station.profile(None), None, len(MOMENTS), clerk)
        tally = issue_cards(run, reader, gives_up(clerk))
        check_invariants(station)
        made = [card.visual_number for card in station.store.cards.listing()]
    assert clerk.struck == MOMENTS, f"stuck at {clerk.moment}: {clerk.entries[-20:]}"
    assert len(tally.issued) == clerk.made == len(made) == len(MOMENTS), clerk.entries[-20:]
    assert list(clerk.numbers.values()) == [{number} for number in made]
    assert all(isinstance(error, CardLost) for error in tally.failures)
    assert [one for one in MOMENTS if one not in clerk.failures_at] == [
        one for one in MOMENTS if one in (FIRST, Stage.REGISTER, DONE, WAITING)
    ]
    assert clerk.entries.count("the reader is back") == len(MOMENTS)
    again = [entry for entry in clerk.entries if "is made already" in entry]
    made_and_lying = [one for one in MOMENTS if one in (Stage.REGISTER, DONE)]
    assert len(again) == len(made_and_lying) * fault.hands_out_again, again
    away = [entry for entry in clerk.entries if re.match(fault.said, entry)]
    assert len(away) == len(MOMENTS), away


# The program

GENUINE_UID = bytes.fromhex("04E10CDA993C80")
"""Of a chip whose signature by its maker is known."""


@pytest.mark.timeout(120)
def test_the_program_says_so_and_goes_on(
    fault: ReaderFault, picc: VirtualPcscReader, pcscd: PrivatePcscd, folder: Path, tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet.csv"
    fleet.write_text("reference,name,fleet,language\n1,Anna Bos,F,nl\n2,Bram Dijk,F,nl\n")
    command = ["--station", str(folder), "card", "issue", str(fleet), "--reader", f"pcsc:{pcscd.reader}"]
    with WarmProgram(*command) as program:
        heard(program, "^tap the next card for Anna Bos")
        card = blank(0)
        picc.lay(StruckField(card, 8, fault.strike, reaches=True))
        assert "left reader Virtual PICC 00 00" in heard(program, "^fail  0/2 ")
        assert "lay the same card on the reader again" in heard(program, "^      ")
        heard(program, f"^note  {fault.said}")
        fault.mend()
        heard(program, "^note  the reader is back")
        heard(program, "^tap the next card")
        first = re.findall(r"EXM-\S+", heard(program, "^ok    1/2 .*Anna Bos.*finished from before"))
        fault.strike()
        heard(program, f"^note  {fault.said}")
        fault.mend()
        heard(program, "^note  the reader is back")
        picc.insert(blank(1))
        second = re.findall(r"EXM-\S+", heard(program, "^ok    2/2 .*Bram Dijk"))
        _, said = program.communicate()
    assert program.returncode == 0, said
    with open_station(folder, CLERK) as station:
        check_invariants(station)
        cards = station.store.cards.listing()
    assert [(card.order_line, card.state) for card in cards] == [
        ("fleet:1", CardState.ACTIVE),
        ("fleet:2", CardState.ACTIVE),
    ]
    assert [card.visual_number for card in cards] == [first[0], second[0]]


@pytest.mark.timeout(120)
def test_goods_in_says_so_and_goes_on(
    fault: ReaderFault, picc: VirtualPcscReader, pcscd: PrivatePcscd, folder: Path
) -> None:
    lot = ["--supplier", "Maker", "--chip", "NTAG213", "--quantity", "20", "--sample", "1"]
    command = ["--station", str(folder), "stock", "receive", "L1", *lot, "--reader", f"pcsc:{pcscd.reader}"]
    with WarmProgram(*command) as program:
        heard(program, "^tap 1 blank of lot L1")
        fault.strike()
        goes_away_and_comes_back(program, fault)
        picc.lay(StruckField(new_card("ntag213", GENUINE_UID), 5, fault.strike, reaches=False))
        heard(program, "^same  0/1 .*left reader Virtual PICC")
        goes_away_and_comes_back(program, fault)
        heard(program, "^ok    1/1 ")
        out, said = program.communicate()
    assert (program.returncode, out) == (0, "lot L1 is released: a sample of 1 was good\n"), said


@pytest.mark.timeout(120)
def test_packing_says_so_and_goes_on(
    fault: ReaderFault, picc: VirtualPcscReader, pcscd: PrivatePcscd, folder: Path
) -> None:
    with open_station(folder, CLERK) as station, closing(open_reader(f"pcsc:{pcscd.reader}")) as reader:
        cards = [blank(0), blank(1)]
        picc.insert(cards[0])
        run = Run(station, station.profile(None), None, 2, Diary(), lambda _card: picc.insert(cards[1]))
        issue_cards(run, reader, lambda: False)
    picc.remove()
    options = ["--no-letter", "--count", "2", "--reader", f"pcsc:{pcscd.reader}"]
    with WarmProgram("--station", str(folder), "packing", "run", *options) as program:
        heard(program, "^tap a card")
        picc.lay(StruckField(cards[0], 3, fault.strike, reaches=False))
        heard(program, "^not packed: card .* left reader Virtual PICC")
        goes_away_and_comes_back(program, fault)
        assert heard(program, "packed$", program.stdout)
        fault.strike()
        goes_away_and_comes_back(program, fault)
        picc.insert(cards[1])
        assert heard(program, "packed$", program.stdout)
        _, said = program.communicate()
    assert program.returncode == 0, said
    with open_station(folder, CLERK) as station:
        check_invariants(station)
        made = [card.id for card in station.store.cards.listing()]
        assert station.store.packing.waiting(made) == set(made)


def goes_away_and_comes_back(program: WarmProgram, fault: ReaderFault) -> None:
    heard(program, f"^note  {fault.said}")
    assert heard(program, "^      ").strip()
    fault.mend()
    heard(program, "^note  the reader is back")


def heard(program: WarmProgram, pattern: str, told: TextIO | None = None) -> str:
    """Read what the station says until it says this. One that does not say it in time is ended."""
    before = []
    impatience = threading.Timer(QUIET_S, program.kill)
    impatience.start()
    try:
        for line in told or program.stderr:
            if re.search(pattern, line):
                return line
            before.append(line)
    finally:
        impatience.cancel()
    raise AssertionError(f"the station ended with {program.wait(QUIET_S)}, never said {pattern}: {before}")
