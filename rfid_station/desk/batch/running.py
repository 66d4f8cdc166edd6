"""A checked file carried out: by portions, or all of it or nothing; the same file again changes nothing.

What was done is seen in the store alone, by the order's own keys. So a run that was killed at any row goes on
where it stopped when the same file is run again, and ends in the same state.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rfid_station.collector import collecting_seldom
from rfid_station.desk.batch.actions import STOPS
from rfid_station.desk.batch.changing import change_for
from rfid_station.desk.batch.checking import Check, Row
from rfid_station.desk.batch.findings import Finding
from rfid_station.desk.batch.rows import Checked, Entry, Kind
from rfid_station.desk.numbers import ALIAS_LENGTH
from rfid_station.desk.people.two_people import seconded
from rfid_station.desk.station import Station
from rfid_station.domain import typed_code
from rfid_station.domain.contract_id import ContractId
from rfid_station.domain.stock import Supply
from rfid_station.errors import Conflict, WrongCall
from rfid_station.settings import VisualOrder
from rfid_station.store.bulk.new_cards import Registered
from rfid_station.store.bulk.registrar import Registrar

Tell = Callable[[Finding], None]
Watch = Callable[["Progress"], None]
FEW = 10
"""So many cards one person may stop by one file."""
_ALIAS_SIGNS = typed_code.ALPHABET.encode()
_TO_ALIAS = bytes(_ALIAS_SIGNS[byte % len(_ALIAS_SIGNS)] for byte in range(256))
"""32 signs divide 256, so each is as likely as the others."""
_AT_ONCE = 256
"""Aliases, or numbers, for which the system is asked together."""


class Result(StrEnum):
    """What came of a row."""

    DONE = "done"
    """It has its card, or its change."""
    OPEN = "open"
    """It is right, and was not carried out yet."""
    WRONG = "wrong"
    """It cannot be used as it stands."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row, as the store tells it."""

    row: int
    reference: str
    result: Result
    number: str | None
    state: str | None
    words: str


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    total: int = 0
    """Rows of the file."""
    rows: int = 0
    done: int = 0
    """Rows carried out by this run."""
    there: int = 0
    """Rows that were carried out before."""
    wrong: int = 0


@dataclass(slots=True)
class _Run:
    station: Station
    check: Check
    tell: Tell
    watch: Watch
    witness: str | None = None
    progress: Progress = field(default_factory=Progress)

    def note(self, findings: Sequence[Finding]) -> bool:
        """Tell what was found in a row, and whether it cannot be carried out."""
        for finding in findings:
            self.check.count.add(finding)
            self.tell(finding)
        return any(finding.is_error for finding in findings)


def run(
    station: Station,
    check: Check,
    *,
    partial: bool,
    tell: Tell = lambda _finding: None,
    watch: Watch = lambda _progress: None,
    witness: str | None = None,
) -> Progress:
    """Carry a file out.

    :param partial: leave rows that are wrong and carry out the others; else all of it or nothing
    :param tell: told of everything that is found, as it is found
    :param watch: told how far the run is, after each portion
    :param witness: who agrees, where stopping many cards at once takes two people
    :raises MoveNotAllowed: it takes two people, and nobody else agrees; nothing was changed
    :raises WrongCall: the file cannot be carried out; nothing was changed
    :raises Conflict: the store holds something that contradicts it; nothing was changed
    """
    running = _Run(station, check, tell, watch, witness)
    running.progress.total = check.survey.rows
    running.note(check.survey.findings)
    if not check.survey.is_usable:
        raise _stopped(check)
    if check.survey.kind is Kind.ORDERS:
        raise WrongCall(
            f"{check.table.name} lists drivers and no UIDs: their cards have to be tapped",
            hint=f"rfid-station card issue {check.table.name}",
        )
    carry_out = _cards if check.survey.kind is Kind.CARDS else _changes
    with collecting_seldom():
        carry_out(running, partial=partial)
    return running.progress


def outcomes(station: Station, check: Check) -> Iterator[Outcome]:
    """What came of each row so far. Changes nothing, and may be asked at any time."""
    for row in check.rows(station):
        yield _outcome(row)


def _outcome(row: Row) -> Outcome:
    errors = [finding for finding in row.findings if finding.is_error]
    result = Result.WRONG if errors else Result.DONE if row.is_done else Result.OPEN
    words = "; ".join(f"{finding.column or ''} {finding.words}".strip() for finding in errors)
    number, state = (row.held.visual_number, row.held.state.value) if row.held else (None, None)
    return Outcome(row.number, row.entry.reference if row.entry else "", result, number, state, words)


def _cards(running: _Run, *, partial: bool) -> None:
    if partial:
        for chunk in running.check.chunks():
            with _registrar(running) as registrar:
                _register(running, chunk, registrar)
            running.watch(running.progress)
        return
    with _registrar(running) as registrar:
        for chunk in running.check.chunks():
            _register(running, chunk, None if running.check.count.errors else registrar)
            running.watch(running.progress)
        if running.check.count.errors:
            raise _stopped(running.check)


def _register(running: _Run, chunk: Sequence[Checked], registrar: Registrar | None) -> None:
    """Register a portion; without a registrar only say what is wrong with it."""
    progress = running.progress
    progress.rows += len(chunk)
    good: list[Entry] = []
    for one in chunk:
        if (one.findings and running.note(one.findings)) or one.entry is None:
            progress.wrong += 1
        else:
            good.append(one.entry)
    if registrar is None:
        return
    check = running.check
    booked = registrar.add([check.new_card(entry) for entry in good])
    for entry, registered in zip(good, booked, strict=True):
        _count(running, entry, registered)


def _count(running: _Run, entry: Entry, registered: Registered) -> None:
    progress = running.progress
    if registered.refusal:
        running.note([running.check.refused(entry, registered.refusal)])
        progress.wrong += 1
    elif registered.is_new:
        progress.done += 1
    else:
        progress.there += 1


def _changes(running: _Run, *, partial: bool) -> None:
    """Change card after card. Without `partial` all rows are checked before the first is changed."""
    check, progress = running.check, running.progress
    if not partial:
        for row in check.rows(running.station):
            for finding in row.findings:
                running.tell(finding)
        if check.count.errors:
            raise _stopped(check)
        running.tell = lambda _finding: None
    station = _seconded(running)
    for chunk in check.chunks():
        for row in check.compared(chunk, station):
            progress.rows += 1
            if running.note(row.findings) or row.entry is None or row.held is None:
                progress.wrong += 1
            elif row.is_done:
                progress.there += 1
            else:
                card = station.store.cards.by_id(row.held.card_id)
                change_for(row.entry).make(station, row.entry, card)
                progress.done += 1
        running.watch(progress)


def _seconded(running: _Run) -> Station:
    """The station of whoever carries a file of changes out; with a second person, if it stops many cards."""
    rows = running.check.chunks()
    stops = sum(one.entry is not None and one.entry.action in STOPS for chunk in rows for one in chunk)
    if stops <= FEW:
        return running.station
    what = f"stop {stops} cards by {Path(running.check.table.name).name}"
    return seconded(running.station, running.witness, what)


def _stopped(check: Check) -> WrongCall | Conflict:
    kind = Conflict if check.count.is_conflict else WrongCall
    errors = check.count.errors
    return kind(
        f"nothing was changed: {check.table.name} has {errors} error{'' if errors == 1 else 's'}",
        hint="correct what is named above, or leave out the wrong rows with --partial",
    )


@contextmanager
def _registrar(running: _Run) -> Iterator[Registrar]:
    station = running.station
    with station.store.bulk.registering(
        numbers=_Numbers(station),
        token_of=station.token,
        activate=station.activates(station.profile(running.check.wish.profile)),
        actor=station.actor,
        supply=Supply(station.settings.desk.place, running.check.wish.lot),
    ) as registrar:
        yield registrar


class _Numbers:
    """Draws the numbers of new cards, as `card issue` does."""

    def __init__(self, station: Station) -> None:
        party = station.settings.ocpi.party
        self._country, self._provider = party.country_code, party.party_id
        self._pattern = station.number_pattern
        self._is_rising = station.settings.desk.visual_order is VisualOrder.RISING
        self._given: deque[int] = deque()
        self._aliases = _aliases()
        self._indexes = _indexes(self._pattern.capacity)

    def contract_of(self, number: int) -> ContractId:
        """Our contract with this number."""
        if number > 99_999_999:
            raise Conflict(
                f"contract number {number} does not fit into the eight digits of an instance",
                hint="ask the ID office for a second provider id and set ocpi.party_id to it",
            )
        if self._is_rising:
            self._given.append(number)
        return ContractId(self._country, self._provider, f"C{number:08}")

    def draw_visual(self) -> str:
        """The number of a contract that was just given out, or one that tells nothing about its neighbours.

        Where all of those are on cards from elsewhere, one by chance: the next ones may be another desk's.
        """
        return self._pattern.render(self._given.popleft() if self._given else next(self._indexes))

    def draw_alias(self) -> str:
        """An alias that nobody can guess."""
        return next(self._aliases)


def _aliases() -> Iterator[str]:
    """Aliases by chance, without end. Asking the system costs the same for one and for many."""
    while True:
        signs = secrets.token_bytes(_AT_ONCE * ALIAS_LENGTH).translate(_TO_ALIAS).decode("ascii")
        for start in range(0, len(signs), ALIAS_LENGTH):
            yield signs[start : start + ALIAS_LENGTH]


def _indexes(capacity: int) -> Iterator[int]:
    """Indexes of visual numbers by chance, without end; 16 bytes more than needed leave none favoured."""
    width = (capacity.bit_length() + 7) // 8 + 16
    while True:
        chance = secrets.token_bytes(_AT_ONCE * width)
        for start in range(0, len(chance), width):
            yield int.from_bytes(chance[start : start + width]) % capacity
