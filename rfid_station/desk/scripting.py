"""The desk for Python scripts: what the commands do, as functions with types. docs/python.md describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfid_station.desk.batch.uid_lists import UidForm
from rfid_station.domain.card import Card, CardState, Reason
from rfid_station.errors import NoCard

if TYPE_CHECKING:
    from rfid_station.desk.batch.checking import Check, Count
    from rfid_station.desk.batch.findings import Finding
    from rfid_station.desk.batch.running import Progress
    from rfid_station.desk.issue import Issued, Stage
    from rfid_station.desk.paper.sheets import SheetFiles
    from rfid_station.desk.station import Station
    from rfid_station.desk.support.stopping import Stopped
    from rfid_station.desk.tally import Tally
    from rfid_station.domain.order import OrderLine
    from rfid_station.errors import StationError
    from rfid_station.reader.port import Reader
    from rfid_station.store.search import Hits
    from rfid_station.sync.report import LaneReport


@dataclass(frozen=True, slots=True)
class FileReport:
    """All that is wrong with a file, and how many rows are right."""

    findings: tuple[Finding, ...]
    count: Count

    @property
    def is_usable(self) -> bool:
        """Whether `run_file` would carry out every row."""
        return not self.count.errors


def read_card(station: Station, reader: str | None = None) -> dict[str, Any]:
    """All that the next card on a reader tells, and what the store knows of it. Writes nothing.

    :param reader: as `reader list` names it; by default the station's
    :raises NoCard: none came
    :raises NoReader: there is no such reader
    """
    from rfid_station.desk.inspection import tell_all

    with _reader(station, reader) as opened:
        link = next(iter(opened.cards(lambda: False)), None)
        if link is None:
            raise NoCard(f"no card came onto {opened.uri}", hint="rfid-station reader list")
        return tell_all(station, link)


def make_cards(
    station: Station,
    lines: Sequence[OrderLine] | None = None,
    *,
    count: int | None = None,
    reader: str | None = None,
    profile: str | None = None,
    group: str | None = None,
    after_card: Callable[[Card], None] = lambda _card: None,
) -> Tally:
    """Make a card of each blank that comes onto a reader, until all are made or no more come.

    :param lines: what to make; a line that has its card is left alone. None: cards for nobody in particular
    :param after_card: told of each new card at once
    :raises StationError: whatever is not about a single card; those are in the tally's `failures`
    """
    from rfid_station.desk.loop import Run, issue_cards

    with _reader(station, reader) as opened:
        run = Run(station, station.profile(profile), lines, count, _NoView(), after_card, group)
        return issue_cards(run, opened, lambda: False)


def find_cards(station: Station, text: str, *, limit: int = 50, everywhere: bool = False) -> Hits:
    """Every card that a text may mean, the best first: any number in any form, an order line, a driver.

    :param everywhere: whether a part is looked for in old cards, too; else `left_out` tells how many they are
    """
    return station.store.cards.find(text, limit, everywhere=everywhere)


def the_card(station: Station, number: str) -> Card:
    """The one card that a whole number in any form stands for.

    :raises StationError: there is none
    :raises Conflict: there are several
    """
    from rfid_station.desk.support import lookup

    return lookup.the_card(station, number)


def show_card(station: Station, card: Card) -> dict[str, Any]:
    """All about a card: the fields of `card show --json`, with times as `datetime`."""
    from rfid_station.desk.support.lookup import describe

    return describe(station, card)


def block_card(
    station: Station, card: Card, reason: Reason = Reason.LOST, *, wait_s: float | None = None
) -> Stopped:
    """Stop a card here and at every partner at once, and say who confirmed it.

    `Stopped.check_confirmed()` raises StillPending while a partner has not.

    :param wait_s: how long to go on with partners that have not confirmed; None to ask each once
    :raises MoveNotAllowed: its life is over, or not by this role
    """
    from rfid_station.desk.support.stopping import move_and_push

    return move_and_push(station, card, CardState.BLOCKED, reason, wait_s=wait_s)


def check_file(
    station: Station, path: Path, *, order: str | None = None, uids: UidForm = UidForm.AS_IS
) -> FileReport:
    """Find everything that is wrong with a fleet file at once. Changes nothing.

    :param order: the order's key; by default the file's name
    :raises WrongCall: it is no table in any form that is known
    """
    with _check(station, path, order, uids) as check:
        findings = tuple(check.findings(station))
        return FileReport(findings, check.count)


def run_file(
    station: Station,
    path: Path,
    *,
    order: str | None = None,
    uids: UidForm = UidForm.AS_IS,
    partial: bool = False,
    tell: Callable[[Finding], None] = lambda _finding: None,
) -> Progress:
    """Carry out a maker's list or a file of changes; the same file again changes nothing.

    :param partial: leave out rows that are wrong; else all of it or nothing
    :param tell: told of everything that is found, as it is found
    :raises WrongCall: the file cannot be carried out; nothing was changed
    :raises Conflict: the store holds something that contradicts it; nothing was changed
    """
    from rfid_station.desk.batch.running import run

    with _check(station, path, order, uids) as check:
        return run(station, check, partial=partial, tell=tell)


def print_cards(
    station: Station,
    cards: Sequence[Card] | None = None,
    *,
    design: str | None = None,
    out: Path | None = None,
    reason: str | None = None,
) -> SheetFiles:
    """Draw cards on sheets as PDF and remember where each lies; by default those not printed yet.

    :param out: the PDF; by default in the station's folder
    :param reason: why cards are printed again
    :raises WrongCall: there is nothing to print, or no such design
    :raises Conflict: a card was printed before, and there is no reason
    :raises PrintError: a text or a code does not fit
    """
    from rfid_station.desk.paper.sheets import Wish, cards_to_print, print_sheets

    wanted = cards_to_print(station) if cards is None else cards
    return print_sheets(station, wanted, Wish(design=design, out=out, reason=reason))


def sync_now(station: Station, *, deadline_s: float = 60.0) -> list[LaneReport]:
    """Bring every partner as far as it goes, and say how far that was; `is_at_rest` is done."""
    from rfid_station.desk.partners.delivery import deliver

    return deliver(station, deadline_s)


class _NoView:
    """Shows nothing: a script sees the tally."""

    def turned(self, tally: Tally) -> None:
        pass

    def stage(self, stage: Stage, words: str) -> None:
        pass

    def issued(self, issued: Issued, took_s: float, tally: Tally) -> None:
        pass

    def failed(self, error: StationError, tally: Tally) -> None:
        pass

    def said(self, words: str, hint: str | None = None) -> None:
        pass


@contextmanager
def _reader(station: Station, uri: str | None) -> Iterator[Reader]:
    from rfid_station.reader.opening import open_reader

    reader = open_reader(uri or station.settings.desk.reader)
    try:
        yield reader
    finally:
        reader.close()


@contextmanager
def _check(station: Station, path: Path, order: str | None, uids: UidForm) -> Iterator[Check]:
    from rfid_station.desk.batch.checking import Check, Wish, wish_of
    from rfid_station.desk.batch.reading import open_table

    with open_table(path) as table:
        yield Check(table, Wish(wish_of(path, order), uids), station.number_pattern)
