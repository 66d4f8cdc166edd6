"""A fleet file checked as a whole: by itself first, then against the store. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rfid_station.desk.batch.changing import change_for
from rfid_station.desk.batch.findings import Cause, Finding, Level
from rfid_station.desk.batch.glance import Glance
from rfid_station.desk.batch.judge import Judge
from rfid_station.desk.batch.reading import STDIN, Table
from rfid_station.desk.batch.rows import Checked, Entry, Kind
from rfid_station.desk.batch.survey import Survey, survey
from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, Driver
from rfid_station.domain.visual_number import NumberPattern, bare
from rfid_station.errors import Conflict, MoveNotAllowed, WrongCall
from rfid_station.store.bulk.known import Held
from rfid_station.store.bulk.new_cards import CHUNK, NewCard, refusal_of_day

HEADER_ROW = 1
"""Rows are counted as a spreadsheet counts them; the first line of an order is the row below the header."""

NOT_WRITTEN = "plain"
"""The profile of cards that nothing was written to here."""


UNKNOWN_CHIP = "unknown"
"""Of cards whose maker did not say."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a file is to be understood."""

    order: str
    """The order's key: a row is the same card whenever the same order is read again."""
    uids: UidForm = UidForm.AS_IS
    chip: str = UNKNOWN_CHIP
    """Of cards whose row names none."""
    profile: str = NOT_WRITTEN
    group: str | None = None
    """Of cards whose row names none; by default their fleet's."""
    lot: int | None = None
    """The lot of blanks that they are made of; None: they never were blanks here."""


@dataclass(slots=True)
class Count:
    """What a check has seen so far."""

    rows: int = 0
    good: int = 0
    """Rows that can be carried out, or were."""
    done: int = 0
    """Good rows that have their card, or their change, already."""
    errors: int = 0
    warnings: int = 0
    store_errors: int = 0
    """Errors of rows that are right by themselves."""

    def add(self, finding: Finding) -> None:
        """Count a finding."""
        self.errors += finding.is_error
        self.warnings += not finding.is_error
        self.store_errors += finding.is_error and finding.cause is Cause.STORE

    @property
    def is_conflict(self) -> bool:
        """Whether the store is all that stands against the file."""
        return self.errors > 0 and self.errors == self.store_errors


@dataclass(frozen=True, slots=True)
class Row:
    """A row with all that was found, and what the store has for it."""

    number: int
    entry: Entry | None
    findings: list[Finding]
    held: Held | None = None
    """The card that was made for it, or that it is about."""
    is_done: bool = False


@dataclass(slots=True)
class Check:
    """The check of one file."""

    table: Table
    wish: Wish
    pattern: NumberPattern | None = None
    survey: Survey = field(init=False)
    count: Count = field(init=False, default_factory=Count)

    def __post_init__(self) -> None:
        self.survey = survey(self.table, self.wish.uids)

    def findings(self, station: Station | None = None) -> Iterator[Finding]:
        """All that is wrong, the file as a whole first, then row by row."""
        for finding in self.survey.findings:
            self.count.add(finding)
            yield finding
        for row in self.rows(station):
            yield from row.findings

    def rows(self, station: Station | None = None) -> Iterator[Row]:
        """Every row, judged and compared with the store."""
        if any(finding.cause is Cause.HEADER for finding in self.survey.findings):
            return
        for chunk in self.chunks():
            for row in self.compared(chunk, station):
                self._count(row)
                yield row

    def chunks(self) -> Iterator[list[Checked]]:
        """Every row judged by itself, in portions that the store takes at once."""
        glance = Glance(Judge(self.table.columns, self.survey, self.pattern))
        return map(glance.checked, self.table.portions(CHUNK))

    def compared(self, chunk: Sequence[Checked], station: Station | None) -> Iterator[Row]:
        """Compare a portion with the store."""
        good = [one.entry for one in chunk if one.entry]
        known: dict[int, Row] = {}
        if station and good:
            compare = {Kind.ORDERS: self._orders, Kind.CARDS: self._cards, Kind.CHANGES: self._changes}
            known = {row.number: row for row in compare[self.survey.kind](station, good)}
        for one in chunk:
            found = known.get(one.row)
            if found is None:
                yield Row(one.row, one.entry, one.findings)
            else:
                yield Row(one.row, one.entry, one.findings + found.findings, found.held, found.is_done)

    def new_card(self, entry: Entry) -> NewCard:
        """What a row of a maker's list asks for."""
        if entry.uid is None:
            raise WrongCall(f"row {entry.row} has no UID", hint="fill in its UID")
        wish = self.wish
        return NewCard(
            entry.uid,
            wish.order,
            entry.reference or None,
            entry.chip or wish.chip,
            wish.profile,
            driver_of(entry),
            entry.number,
            entry.group or wish.group,
            entry.row - HEADER_ROW,
            entry.valid_until,
        )

    def order_line(self, entry: Entry) -> str:
        """The key of a row's card, the same whenever the order is read again."""
        return f"{self.wish.order}:{entry.reference}"

    def refused(self, entry: Entry, words: str, level: Level = Level.ERROR, remedy: str = "") -> Finding:
        """What the store has against a row."""
        return Finding(Cause.STORE, words, remedy or "remove the row, or correct it", entry.row, level=level)

    def _count(self, row: Row) -> None:
        self.count.rows += 1
        for finding in row.findings:
            self.count.add(finding)
        self.count.good += row.entry is not None and not any(finding.is_error for finding in row.findings)
        self.count.done += row.is_done

    def _orders(self, station: Station, entries: list[Entry]) -> Iterator[Row]:
        lines = station.store.bulk.by_order_lines([self.order_line(entry) for entry in entries])
        others, today = self._other_cards(station, entries), station.store.database.clock().date()
        for entry in entries:
            held = lines.get(self.order_line(entry))
            other = others.get((entry.fleet, entry.reference))
            findings = []
            if held is None and other:
                words = f"the driver has card {other.visual_number} ({other.state}) for {other.order_line}"
                remedy = "nothing, if this is to be one more card for the same driver"
                findings.append(self.refused(entry, words, Level.WARNING, remedy))
            if held is None and entry.valid_until and entry.valid_until < today:
                findings.append(self.refused(entry, f"{entry.valid_until} is over already"))
            is_done = held is not None and not held.state.is_unfinished
            yield Row(entry.row, entry, findings, held, is_done)

    def _other_cards(self, station: Station, entries: list[Entry]) -> dict[tuple[str, str], Held]:
        found = {}
        for fleet, same in groupby(sorted(entries, key=_fleet), key=_fleet):
            references = [entry.reference for entry in same]
            for reference, held in station.store.bulk.by_drivers(fleet, references).items():
                found[fleet, reference] = held
        return found

    def _cards(self, station: Station, entries: list[Entry]) -> Iterator[Row]:
        new = [self.new_card(entry) for entry in entries]
        known, today = station.store.bulk.known(new), station.store.database.clock().date()
        for entry, wanted in zip(entries, new, strict=True):
            held = known.made_for(wanted)
            refusal = None if held else known.refusal(wanted) or refusal_of_day(wanted, today)
            yield Row(
                entry.row, entry, [self.refused(entry, refusal)] if refusal else [], held, held is not None
            )

    def _changes(self, station: Station, entries: list[Entry]) -> Iterator[Row]:
        held = station.store.bulk.by_numbers([entry.number or "" for entry in entries])
        cards = station.store.bulk.cards([one.card_id for one in held.values()])
        for entry in entries:
            one = held.get(bare(entry.number or ""))
            if one is None:
                yield Row(entry.row, entry, [self.refused(entry, f"there is no card {entry.number}")])
            elif change_for(entry).is_made(station, entry, cards[one.card_id]):
                yield Row(entry.row, entry, [], one, is_done=True)
            else:
                yield Row(entry.row, entry, self._objections(station, entry, cards[one.card_id]), one)

    def _objections(self, station: Station, entry: Entry, card: Card) -> list[Finding]:
        try:
            change_for(entry).check(station, entry, card)
        except (MoveNotAllowed, WrongCall, Conflict) as error:
            return [self.refused(entry, error.message, remedy=error.hint or "")]
        return []


def wish_of(path: Path, order: str | None = None, option: str = "--order") -> str:
    """The key of an order: the one that is given, or the name of its file.

    :param option: with which one is given
    :raises WrongCall: the file has no name, and no key is given
    """
    if order is None and path == STDIN:
        raise WrongCall("standard input has no name to call the order by", hint=f"add {option} NAME")
    wanted = path.stem if order is None else order
    if not wanted.strip() or not wanted.isprintable():
        raise WrongCall(f"{wanted!r} cannot name an order", hint=f"add {option} NAME")
    return wanted


def driver_of(entry: Entry) -> Driver | None:
    """Who a row's card is for, if it says so."""
    if not (entry.name or entry.reference or entry.fleet):
        return None
    return Driver(entry.name, entry.reference, entry.fleet, entry.language)


def _fleet(entry: Entry) -> str:
    return entry.fleet
