"""The reader's service restarted, and the reader pulled out, at every stage of a card (docs/faults.md).

`make soak` (SOAK=1) does it at every exchange with a card.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

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
from rfid_station.simulator.card import VirtualCard
from rfid_station.simulator.chips import new_card
from rfid_station.simulator.deck import blank_uid
from rfid_station.simulator.readers.pcsc_reader import VirtualPcscReader
from rfid_station.simulator.readers.pcscd import PrivatePcscd

SOAK = bool(os.environ.get("SOAK"))
PATIENCE_S = 60
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
        if is_ready and self.made == self.laid + 1:
            self.laid += 1
            self.card = blank(self.laid)
            self.was_begun = False
            self.strike(WAITING)
            if self.moment != WAITING:
                self.lay()

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
        self.is_away = words != "the reader is back"
        if self.is_broken and re.match(self.fault.said, words):
            assert hint
            self.is_broken = False
            if self.made > self.laid:
                self.picc.remove()
            self.fault.mend()
            if self.made <= self.laid:
                self.lay()


@pytest.mark.timeout(1800)
def test_at_every_stage_the_card_is_finished_by_the_same_loop(
    fault: ReaderFault, picc: VirtualPcscReader, pcscd: PrivatePcscd, folder: Path
) -> None:
    with open_station(folder, CLERK) as station, closing(open_reader(f"pcsc:{pcscd.reader}")) as reader:
        clerk = Clumsy(fault=fault, picc=picc, station=station)
        deadline = time.monotonic() + PATIENCE_S * (20 if SOAK else 1)
        run = Run(station, station.profile(None), None, len(MOMENTS), clerk)
        tally = issue_cards(run, reader, lambda: time.monotonic() > deadline)
        check_invariants(station)
        made = [card.visual_number for card in station.store.cards.listing()]
    assert clerk.struck == MOMENTS, clerk.entries
    assert len(tally.issued) == len(made) == len(MOMENTS), clerk.entries
    assert list(clerk.numbers.values()) == [{number} for number in made]
    assert all(isinstance(error, CardLost) for error in tally.failures)
    assert [one for one in MOMENTS if one not in clerk.failures_at] == [
        one for one in MOMENTS if one in (FIRST, Stage.REGISTER, DONE, WAITING)
    ]
    assert clerk.entries.count("the reader is back") == len(MOMENTS)


# The program


@pytest.mark.timeout(60)
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
        picc.remove()
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


def heard(program: WarmProgram, pattern: str) -> str:
    """Read what the station says until it says this."""
    before = []
    for line in program.stderr:
        if re.search(pattern, line):
            return line
        before.append(line)
    raise AssertionError(f"the station ended with {program.wait(PATIENCE_S)}, never said {pattern}: {before}")
