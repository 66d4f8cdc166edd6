"""How the station loop looks on a terminal: one screen that always says what to do now.

Nothing is told by colour alone: each state has its words and its sign.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

from rfid_station.cli.issue_view import ASKED, KEYS, made_of_wanted, name_and_number, next_in_words
from rfid_station.cli.screen import Line, Screen, Style, columns_of, fitted, wrapped
from rfid_station.desk.tally import FAILURES_IN_A_ROW, Phase, Tally
from rfid_station.errors import StationError

if TYPE_CHECKING:
    from rfid_station.desk.issue import Issued, Stage

REMEMBERED = 200
"""Cards that stay to be seen, if the terminal is that high."""

_NARROW = 60
"""Columns below which words are cut short."""

_ROOMY = 18
"""Rows from which on there is room for air."""


_LONG_STAGES = ("identify", "write", "verify")
"""Those in which the card is spoken to. Nobody could see the others by themselves."""


class Kind(Enum):
    """What the last tap or command came to."""

    DONE = "✓"
    FAILED = "✗"
    SAID = "·"


_SIGNS = {Kind.DONE: Style.GOOD, Kind.FAILED: Style.BAD, Kind.SAID: Style.PLAIN}
_STYLES = {
    Phase.WAITING: Style.CALM_BANNER,
    Phase.SCANNING: Style.CALM_BANNER,
    Phase.IN_HAND: Style.ASKING_BANNER,
    Phase.BRAKED: Style.BAD_BANNER,
    Phase.ENDED: Style.CALM_BANNER,
}


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What the last tap or command came to, and what to do about it. No two are the same."""

    kind: Kind
    words: str
    hint: str = ""
    aside: str = ""


@dataclass(slots=True)
class Clock:
    """Measures the time of work: pauses do not count."""

    now: Callable[[], float] = perf_counter
    worked_s: float = 0.0
    _since: float | None = None

    def run(self, *, is_work: bool) -> None:
        """Go on, or stand still."""
        at = self.now()
        if self._since is not None:
            self.worked_s += at - self._since
        self._since = at if is_work else None


@dataclass(slots=True)
class ScreenView:
    """What to do now, what came of the last card, which is next, and what is left."""

    title: str
    screen: Screen
    bell: bool = True
    has_keys: bool = True
    clock: Clock = field(default_factory=Clock)
    history: deque[Outcome] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _tally: Tally = field(default_factory=Tally)
    _last: Outcome | None = None
    _stages: list[tuple[str, str, float]] = field(default_factory=list)
    """The name of each stage, what is worth saying of it, and when it began."""
    _typed: str = ""
    _rate: str = ""

    def turned(self, tally: Tally) -> None:
        """Show what is waited for; what came of the last tap stays until the next."""
        self._tally = tally
        self.clock.run(is_work=tally.phase not in (Phase.PAUSED, Phase.BRAKED))
        if tally.phase is Phase.IN_HAND:
            self._last = None
            self._stages.clear()
            return
        self._rate = self._per_hour()
        self._draw()

    def stage(self, stage: Stage, words: str) -> None:
        """Show the stage that the card in hand has reached."""
        self._stages.append((stage, words, self.clock.now()))
        if stage in _LONG_STAGES:
            self._draw()

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        """Green: take it away."""
        self._tally = tally
        card = issued.card
        self._end_stages()
        resumed = ", finished from before" if issued.was_resumed else ""
        aside = f"  {card.contract_id}  {card.uid.masked}  {took_s * 1000:.0f} ms"
        self._came(Outcome(Kind.DONE, f"{name_and_number(card)}{resumed}", aside=aside))
        self._ring(1)

    def failed(self, error: StationError, tally: Tally) -> None:
        """Red: why, and what to do."""
        self._tally = tally
        self._end_stages()
        self._came(Outcome(Kind.FAILED, error.message, error.hint or ""))
        self._ring(2)

    def said(self, words: str, hint: str | None = None) -> None:
        """What came of a command, or of the reader."""
        self._stages.clear()
        self._came(Outcome(Kind.SAID, words, hint or ""))

    def typed(self, text: str) -> None:
        """Show the number that is being typed."""
        if text != self._typed:
            self._typed = text
            self._draw()

    def _came(self, outcome: Outcome) -> None:
        self._last = outcome
        self.history.append(outcome)

    def _end_stages(self) -> None:
        self._stages.append(("", "", self.clock.now()))

    def _ring(self, times: int) -> None:
        if self.bell:
            self.screen.ring(times)

    def _draw(self) -> None:
        self.screen.draw(self.picture)

    def picture(self, columns: int, rows: int) -> list[Line]:
        """The whole screen; where it is small, what matters least gives way."""
        is_roomy = rows >= _ROOMY
        gap: list[Line] = [()] if is_roomy else []
        foot = [*self._typing(), *self._footer(columns)]
        top = [self._head(columns), *gap, *self._banner(columns, is_roomy), *gap]
        body = [*self._outcome(columns), *self._steps(columns), *self._next(columns), *gap]
        body = body[: max(0, rows - len(top) - len(foot))]
        room = max(0, rows - len(top) - len(body) - len(foot))
        older = [_line_of(outcome) for outcome in islice(reversed(self.history), room)]
        empty: list[Line] = [()] * (room - len(older))
        return [*top, *body, *older, *empty, *foot][:rows]

    def _head(self, columns: int) -> Line:
        counts = self._counts(columns)
        room = columns - columns_of(counts) - 1
        return (fitted(f" {self.title}", room) if room > 0 else "", Style.FAINT), (counts, Style.STRONG)

    def _counts(self, columns: int) -> str:
        tally, is_narrow = self._tally, columns < _NARROW
        parts = [f"{made_of_wanted(tally)}{'' if is_narrow else ' made'}"]
        if tally.remaining is not None:
            parts.append(f"{tally.remaining} left")
        if self._rate:
            parts.append(self._rate)
        if tally.failures:
            parts.append(f"{len(tally.failures)} {'fail' if is_narrow else 'failed'}")
        if tally.taken_back:
            parts.append(f"{len(tally.taken_back)} {'back' if is_narrow else 'taken back'}")
        return " · ".join(parts)

    def _per_hour(self) -> str:
        made, worked_s = len(self._tally.issued), self.clock.worked_s
        return f"{made / worked_s * 3600:.0f}/h" if made > 1 and worked_s else ""

    def _banner(self, columns: int, is_roomy: bool) -> list[Line]:
        words, style = self._headline()
        air: list[Line] = [((" " * columns, style),)] if is_roomy else []
        return [*air, ((fitted(f"  {words}", columns), style),), *air]

    def _headline(self) -> tuple[str, Style]:
        phase = self._tally.phase
        kind = self._last.kind if self._last and phase in (Phase.WAITING, Phase.SCANNING) else None
        if kind is Kind.DONE:
            return "✓ DONE, TAKE IT AWAY", Style.GOOD_BANNER
        if kind is Kind.FAILED:
            return "✗ NOT DONE", Style.BAD_BANNER
        return ASKED[phase].upper(), _STYLES.get(phase, Style.ASKING_BANNER)

    def _outcome(self, columns: int) -> list[Line]:
        """What came of the last tap, or what a question is about."""
        tally, width = self._tally, columns - 2
        if tally.phase is Phase.UNDOING:
            return _lines(f"{name_and_number(tally.issued[-1])} would be taken back", width, Style.STRONG)
        if tally.phase is Phase.SPOILING and tally.begun:
            return _lines(f"{name_and_number(tally.begun)} would be given up", width, Style.STRONG)
        if tally.phase is Phase.BRAKED:
            failures = [error.message for error in tally.failures[-FAILURES_IN_A_ROW:]]
            return [line for words in failures for line in _lines(f"✗ {words}", width, Style.PLAIN, 2)]
        if self._last is None:
            return []
        hint = _lines(self._last.hint, width, Style.PLAIN) if self._last.hint else []
        return [*_lines(self._last.words, width, Style.STRONG), *hint]

    def _steps(self, columns: int) -> list[Line]:
        """The stages of the card on the reader, each with its time once it is over."""
        if self._tally.phase is Phase.BRAKED or not self._stages:
            return []
        words = []
        for number, (name, about, began) in enumerate(self._stages):
            is_over = number + 1 < len(self._stages)
            took = f"{(self._stages[number + 1][2] - began) * 1000:.0f} ms" if is_over else f"{about}…"
            words.append(f"{name} {took}" if name else "")
        return _lines(" → ".join(filter(None, words)), columns - 2, Style.FAINT, 2)

    def _next(self, columns: int) -> list[Line]:
        match self._tally.phase:
            case Phase.WAITING:
                words = f"▸ {ASKED[Phase.WAITING]}{next_in_words(self._tally)}"
            case Phase.SCANNING:
                words = f"▸ {ASKED[Phase.SCANNING]}"
            case _:
                return []
        return _lines(words, columns - 2, Style.STRONG, 2)

    def _typing(self) -> list[Line]:
        return [((f" {self._typed}▏", Style.STRONG),)] if self._typed else []

    def _footer(self, columns: int) -> list[Line]:
        if not self.has_keys:
            return [((" Ctrl-C ends after this card", Style.FAINT),)]
        between = " " if columns < _NARROW else "   "
        return [
            ((f" {line}", Style.FAINT),) for line in _packed(KEYS[self._tally.phase], columns - 2, between)
        ]


@lru_cache(maxsize=16)
def _packed(keys: tuple[str, ...], width: int, between: str) -> tuple[str, ...]:
    """Keys in as few lines as it takes; each stays with what it does."""
    lines: list[str] = []
    for key in keys:
        if lines and len(lines[-1]) + len(between) + len(key) <= width:
            lines[-1] += between + key
        else:
            lines.append(key)
    return tuple(lines)


@lru_cache(maxsize=REMEMBERED)
def _line_of(outcome: Outcome) -> Line:
    return (
        (f" {outcome.kind.value} ", _SIGNS[outcome.kind]),
        (outcome.words, Style.PLAIN),
        (outcome.aside, Style.FAINT),
    )


def _lines(words: str, width: int, style: Style, most: int = 3) -> list[Line]:
    return [((" ", Style.PLAIN), (line, style)) for line in wrapped(words, width, most)]
