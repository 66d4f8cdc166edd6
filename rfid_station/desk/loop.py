"""Card after card, no key pressed in between: wait, make, say so, wait for the next.

              ┌──────────── said ────────────┐   UNDO, SPOIL: asked about, then carried out
    SCANNING ─┴─► WAITING ── tap ──► IN_HAND ─┴─► BRAKED after three failures in a row
        ▲            │  ▲ go on          │
        └────────────┼──┴─ PAUSED ◄──────┘  made: the next, or ENDED when all is made

The loop gets taps from a reader and commands from a clerk, and tells a view; it knows of no keys and no
screen. The clerk is listened to inside `is_over`, which a reader asks between any two looks at its field
and never while a card is in hand: so no command, and no Ctrl-C, breaks a card in two, and no thread is
needed. In every phase but `WAITING` that answer simply does not come: the reader is not looked at, and a tap
does nothing.

A card that failed stays where it is in the journal and is finished when it is tapped again.
After three failures in a row the loop stops: then it is the reader or the pile, not the card.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from rfid_station.chip.exchange import CardLink
from rfid_station.desk.clerk import Clerk, Command, Nobody, Scan, Scanned
from rfid_station.desk.issue import Issued, MadeAlready, Stage, issue_card
from rfid_station.desk.numbers import next_number
from rfid_station.desk.station import Station
from rfid_station.desk.support.stopping import move_card
from rfid_station.desk.tally import Phase, Tally, open_tally, sort_line
from rfid_station.desk.undoing import undo
from rfid_station.domain.card import MOVES, Card, CardState, Reason
from rfid_station.domain.order import OrderLine, Preprinted
from rfid_station.domain.profile import Profile
from rfid_station.errors import CardLost, CardRefused, Conflict, ReadBackDiffers, StationError
from rfid_station.reader.absence import attended
from rfid_station.reader.port import Reader
from rfid_station.reader.signal import signal

CARD_FAILURES = (CardLost, CardRefused, Conflict, ReadBackDiffers)
"""What concerns one card and lets the loop go on. Anything else ends it."""

_LISTEN_S = 0.1
"""How long the loop listens at a time while it makes nothing."""

_REASONS = {
    Command.DAMAGED: Reason.DAMAGED,
    Command.MISPRINT: Reason.MISPRINT,
    Command.ENCODE_FAILED: Reason.ENCODE_FAILED,
}


class View(Protocol):
    """Who shows the loop to a person, or to a log."""

    def turned(self, tally: Tally) -> None:
        """The loop came into another phase, or what it waits for has changed."""

    def stage(self, stage: Stage, words: str) -> None:
        """The card in hand begins a stage."""

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """The card in hand is done."""

    def failed(self, error: StationError, tally: Tally) -> None:
        """The card in hand is not done."""

    def said(self, words: str, hint: str | None = None) -> None:
        """What came of a command, or of a tap that counts for nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the loop makes cards of, and for whom."""

    station: Station
    profile: Profile
    lines: Sequence[OrderLine] | None
    """Order lines to be made, one card each; None: cards for nobody in particular."""
    count: int | None
    view: View
    after_card: Callable[[Card], None] = lambda _card: None
    """Told of each new card, and of each that was taken back, at once."""
    group: str | None = None
    """The group of cards whose order line names none; by default their fleet's."""
    lot: int | None = None
    """The lot that blanks are taken from; by default the oldest that fits each."""
    clerk: Clerk = field(default_factory=Nobody)
    scan: Scan | None = None
    """Where cards are printed before they are tapped."""


def issue_cards(run: Run, reader: Reader, stop: Callable[[], bool]) -> Tally:
    """Make a card of everything that comes onto the reader, until all is made or `stop()`.

    Order lines that have their card already are left alone, so the same call finishes an
    interrupted run.

    A reader that goes away ends nothing: that is said, and so is that it is back.

    :raises StationError: whatever is not about a single card: reader held by others, store full
    """
    loop = Loop(run, stop)
    if loop.tally.is_complete or stop():
        return loop.tally
    loop.begin()
    for link in attended(reader, loop.is_over, loop.say):
        signal(reader, ok=loop.take(link))
    return loop.tally


class Loop:
    """One run of the loop, driven by taps from outside."""

    def __init__(self, run: Run, stop: Callable[[], bool]) -> None:
        self.tally = open_tally(run.station, run.lines, run.count)
        self._run = run
        self._stop = stop
        self._made_for: dict[int, OrderLine] = {}
        self._number_in_hand: str | None = None

    def begin(self) -> None:
        """Ask for the first card."""
        self._turn(self._ready)

    def is_over(self) -> bool:
        """Listen to the clerk, until the next card may come or none will.

        To be asked between two looks at the reader: never while a card is in hand.
        """
        if self.tally.is_complete:
            self._turn(Phase.ENDED)
        self._listen(0)
        while self.tally.phase not in (Phase.WAITING, Phase.ENDED) and not self._stop():
            if not self._run.clerk.is_there:
                self._turn(Phase.ENDED)
            self._listen(_LISTEN_S)
        if self._stop() and self.tally.phase is not Phase.ENDED:
            self._turn(Phase.ENDED)
        return self.tally.phase is Phase.ENDED

    def say(self, words: str, hint: str | None) -> None:
        """Say something between two cards, and what the loop waits for again."""
        self._run.view.said(words, hint)
        self._run.view.turned(self.tally)

    def take(self, link: CardLink) -> bool:
        """Make a card of what lies there, and say whether it is one now."""
        is_card = self._make(link)
        if self.tally.must_brake:
            self._turn(Phase.BRAKED)
        elif not self.tally.is_complete:
            self._turn(self._ready)
        return is_card

    # ── a tap ────────────────────────────────────────────────────────────────────────────────────

    def _make(self, link: CardLink) -> bool:
        tally, run = self.tally, self._run
        line, started = tally.next_line, perf_counter()
        self._number_in_hand = None
        self._turn(Phase.IN_HAND)
        try:
            issued = issue_card(
                run.station,
                link,
                run.profile,
                line,
                self._at_stage,
                may_begin=self._may_begin(line),
                group=run.group,
                lot=run.lot,
                preprinted=tally.scanned,
            )
        except CARD_FAILURES as error:
            return self._not_made(error, line)
        tally.in_a_row = 0
        tally.begun = tally.scanned = None
        tally.issued.append(issued.card)
        self._settle_line(issued.card)
        run.view.issued(issued, perf_counter() - started, tally)
        run.after_card(issued.card)
        return True

    def _may_begin(self, line: OrderLine | None) -> bool:
        """Whether a blank is wanted, and not only the cards that were begun."""
        is_wanted = line is not None or self._run.lines is None
        return is_wanted and (self._run.scan is None or self.tally.scanned is not None)

    def _at_stage(self, stage: Stage, words: str) -> None:
        if stage is Stage.PLAN:
            self._number_in_hand = words
        self._run.view.stage(stage, words)

    def _settle_line(self, card: Card) -> None:
        for lines in (self.tally.open_lines, self.tally.begun_lines):
            line = lines.pop(card.order_line or "", None)
            if line is not None:
                self._made_for[card.id] = line

    def _not_made(self, error: StationError, line: OrderLine | None) -> bool:
        tally = self.tally
        if isinstance(error, MadeAlready) and error.card.id in {card.id for card in tally.issued}:
            number = error.card.visual_number
            self._run.view.said(f"{number} is made already: take it away", "then lay the next blank")
            return True
        tally.failures.append(error)
        tally.in_a_row += 1
        tally.begun = self._unfinished_in_hand() or tally.begun
        for touched in [*tally.begun_lines.values(), *([line] if line else [])]:
            sort_line(self._run.station, touched, tally)
        if not isinstance(error, CardLost):
            tally.scanned = None
        self._run.view.failed(error, tally)
        return False

    def _unfinished_in_hand(self) -> Card | None:
        if self._number_in_hand is None:
            return None
        found = self._run.station.store.cards.search(self._number_in_hand)
        return next((card for card in found if card.state.is_unfinished), None)

    # ── a command ────────────────────────────────────────────────────────────────────────────────

    def _listen(self, wait_s: float) -> None:
        """Take one word at a time: the next may be meant for the phase that this one leads to."""
        clerk = self._run.clerk
        said = clerk.hear(wait_s, scan=self.tally.phase is Phase.SCANNING)
        while said is not None and self.tally.phase is not Phase.ENDED:
            self._obey(said)
            said = clerk.hear(0, scan=self.tally.phase is Phase.SCANNING)

    def _obey(self, said: Command | Scanned) -> None:
        phase = self.tally.phase
        if said is Command.QUIT:
            self._turn(Phase.ENDED)
        elif phase is Phase.UNDOING:
            self._undo() if said is Command.UNDO else self._leave_it()
        elif phase is Phase.SPOILING:
            reason = None if isinstance(said, Scanned) else _REASONS.get(said)
            self._spoil(reason) if reason else self._leave_it()
        elif isinstance(said, Scanned):
            self._scanned(said.text)
        elif phase in (Phase.PAUSED, Phase.BRAKED):
            self._go_on(said)
        else:
            self._begin_command(said)

    def _begin_command(self, said: Command) -> None:
        """What can be said while the loop is ready for the next card."""
        match said:
            case Command.UNDO if self.tally.issued:
                self._ask(Phase.UNDOING)
            case Command.UNDO:
                self._run.view.said("no card was made yet that could be taken back")
            case Command.SPOIL:
                self._begin_to_spoil()
            case Command.SKIP:
                self._skip()
            case Command.PAUSE:
                self._turn(Phase.PAUSED)
            case Command.GO_ON if self.tally.phase is Phase.SCANNING and self._awaits_begun:
                self._turn(Phase.WAITING)
            case _:
                pass

    def _ask(self, phase: Phase) -> None:
        self._turn(phase)
        self._run.clerk.forget()

    def _go_on(self, said: Command) -> None:
        if said in (Command.GO_ON, Command.PAUSE):
            self.tally.in_a_row = 0
            self._turn(self._ready)

    def _leave_it(self) -> None:
        self._run.view.said("nothing was changed")
        self._turn(self._ready)

    def _undo(self) -> None:
        tally, made = self.tally, self.tally.issued[-1]
        try:
            undone = undo(self._run.station, made, self._made_for.get(made.id))
        except StationError as error:
            self._run.view.said(error.message, error.hint)
        else:
            tally.taken_back.append(tally.issued.pop())
            if undone.line:
                tally.reopen(undone.line)
            words = f"{made.visual_number} is {undone.card.state}: put its plastic aside"
            self._run.view.said(words, "the next blank is made in its place")
            self._run.after_card(undone.card)
        self._turn(self._ready)

    def _begin_to_spoil(self) -> None:
        if self.tally.begun:
            self._ask(Phase.SPOILING)
        else:
            self._run.view.said(
                "no card is begun: a blank that was not tapped has no number to spoil",
                "put it aside, and book it out of the stock",
            )

    def _spoil(self, reason: Reason) -> None:
        tally, card = self.tally, self.tally.begun
        if card is None or reason not in MOVES[card.state, CardState.SPOILED].reasons:
            self._leave_it()
            return
        try:
            move_card(self._run.station, card, CardState.SPOILED, reason)
        except StationError as error:
            self._run.view.said(error.message, error.hint)
        else:
            self._run.view.said(f"{card.visual_number} is spoiled: put its plastic aside")
            tally.taken_back.append(card)
            line = tally.begun_lines.pop(card.order_line or "", None)
            if line:
                tally.reopen(line)
            tally.begun = tally.scanned = None
        self._turn(self._ready)

    def _skip(self) -> None:
        tally, line = self.tally, self.tally.next_line
        if tally.scanned:
            self._run.view.said(f"{tally.scanned.visual_number} waits: scan another")
            tally.scanned = None
        elif line and len(tally.open_lines) > 1:
            tally.open_lines[line.key] = tally.open_lines.pop(line.key)
            self._run.view.said(f"{line.key} comes at the end")
        else:
            self._run.view.said("there is no other line to go on with")
        self._turn(self._ready)

    def _scanned(self, text: str) -> None:
        tally, scan = self.tally, self._run.scan
        if scan is None or tally.phase not in (Phase.SCANNING, Phase.WAITING):
            return
        try:
            found = scan(text)
            self._check_line(found)
            tally.scanned = found
        except StationError as error:
            tally.scanned = None
            self._run.view.said(error.message, error.hint or "scan the number on the card, or its code")
        self._turn(self._ready)

    def _check_line(self, found: Preprinted) -> None:
        """Let plastic pass that is for one of the lines that are made here.

        :raises Conflict: it is not
        """
        lines = {**self.tally.open_lines, **self.tally.begun_lines}
        if self._run.lines is not None and found.line is not None and found.line not in lines:
            raise Conflict(
                f"{found.visual_number} is printed for {found.line}, which is not to be made here",
                hint="put it aside and scan the next card",
            )

    # ── phases ───────────────────────────────────────────────────────────────────────────────────

    @property
    def _awaits_begun(self) -> bool:
        return bool(self.tally.begun or self.tally.begun_lines)

    @property
    def _ready(self) -> Phase:
        """What has to come next for a card to be made."""
        is_to_be_scanned = self._run.scan is not None and self.tally.scanned is None
        return Phase.SCANNING if is_to_be_scanned else Phase.WAITING

    def _turn(self, phase: Phase) -> None:
        tally = self.tally
        tally.phase = phase
        if phase is Phase.WAITING:
            scanned = tally.scanned
            tally.next_number = scanned.visual_number if scanned else next_number(self._run.station)
        self._run.view.turned(tally)
