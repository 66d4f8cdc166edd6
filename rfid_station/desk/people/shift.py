"""What somebody did in a shift or on a day, counted from the audit log: the report that is signed then."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from rfid_station.desk.batch.writing import neutral
from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.domain.lot_line import LotLine, Movement
from rfid_station.domain.operator import Shift
from rfid_station.domain.stock import Counted
from rfid_station.errors import WrongCall
from rfid_station.printing.papers.shift_report import ShiftReport, render_shift_report
from rfid_station.store.chain import Event

_MADE = "card.issued"
WORK = {
    _MADE: "cards made",
    "card.active": "cards activated",
    "card.printed": "sides and papers printed",
    "card.packed": "cards packed",
    "card.dispatched": "cards dispatched",
    "card.spoiled": "cards spoiled",
    "card.blocked": "cards blocked",
    "card.suspended": "cards suspended",
    "card.replaced": "cards replaced",
    "card.retired": "cards retired",
    "card.regrouped": "cards moved to another group",
    "card.recycled": "chips brought back to blank",
}
_INCIDENTS = ("card.spoiled", "card.blocked", "card.suspended")


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report is."""

    pdf: Path
    csv: Path


@dataclass(frozen=True, slots=True)
class _Span:
    """From a moment on, and before another."""

    since: datetime
    until: datetime


def lots_of(station: Station, place: str, since: datetime, until: datetime) -> tuple[LotLine, ...]:
    """What came of each lot of blanks at a place, from a moment to before another."""
    counts = {count.lot: count for count in station.store.stock.counts(place, since, until)}
    return tuple(
        _lot_line(movement, counts.get(movement.lot))
        for movement in station.store.stock.movements(place, since, until)
    )


def report_of(station: Station, day: date, operator: str) -> ShiftReport:
    """What an operator did on a day, in UTC. Blanks are those of the whole desk.

    :raises WrongCall: nothing of that operator is in the log of that day
    """
    since = datetime.combine(day, time(), UTC)
    span = _Span(since, since + timedelta(days=1))
    events = station.store.audit.between(span.since, span.until, operator)
    if not events:
        raise WrongCall(f"{operator} did nothing on {day}", hint="rfid-station store log")
    lots = lots_of(station, station.settings.desk.place, span.since, span.until)
    return _report(station, operator, _Span(events[0].at, events[-1].at), events, lots)


def report_of_shift(station: Station, shift: Shift) -> ShiftReport:
    """What the operator of a shift did in it, until now if it goes on, and the blanks of its place."""
    span = _Span(shift.began_at, shift.ended_at or station.store.database.clock())
    events = station.store.audit.between(span.since, span.until, shift.operator.name)
    lots = lots_of(station, shift.place, span.since, span.until)
    made = sum(event.action == _MADE for event in events)
    return _report(station, shift.operator.name, span, events, lots, desk=shift.place, cards_made=made)


def write_report(station: Station, report: ShiftReport, out: Path | None = None) -> Written:
    """Write a report as PDF and, beside it, as CSV; the same report gives the same bytes.

    :raises DiskFull: there is no room
    :raises WrongCall: the place cannot be written to, or is not one for a PDF
    """
    pdf = out or station.folder / "prints" / _file_name(report)
    if pdf.suffix.lower() == ".csv":
        raise WrongCall(
            f"{pdf} is the name of the CSV", hint=f"name the PDF: --out {pdf.with_suffix('.pdf')}"
        )
    written = Written(pdf, pdf.with_suffix(".csv"))
    write_whole(written.csv, csv_of(report).encode())
    write_whole(written.pdf, render_shift_report(report))
    return written


def csv_of(report: ShiftReport) -> str:
    """A report as CSV that a spreadsheet opens without running anything: part, name, value."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["part", "name", "value"])
    writer.writerows([neutral(cell) for cell in row] for row in _csv_rows(report))
    return text.getvalue()


def today() -> date:
    """The day it is, in UTC."""
    return datetime.now(UTC).date()


def _report(
    station: Station,
    operator: str,
    span: _Span,
    events: Sequence[Event],
    lots: tuple[LotLine, ...],
    *,
    desk: str = "",
    cards_made: int | None = None,
) -> ShiftReport:
    done = Counter(WORK[event.action] for event in events if event.action in WORK)
    return ShiftReport(
        issuer=station.settings.desk.issuer,
        desk=desk or station.settings.desk.place,
        operator=operator,
        began=_moment(span.since),
        ended=_moment(span.until),
        work=tuple((what, done[what]) for what in WORK.values() if done[what]),
        lots=lots,
        incidents=tuple(_incident(event) for event in events if event.action in _INCIDENTS),
        cards_made=cards_made,
    )


def _lot_line(moved: Movement, count: Counted | None) -> LotLine:
    return LotLine(moved, count.counted, count.expected) if count else LotLine(moved)


def _csv_rows(report: ShiftReport) -> Iterator[tuple[str, str, str]]:
    yield "shift", "desk", report.desk
    yield "shift", "operator", report.operator
    yield "shift", "began", report.began
    yield "shift", "ended", report.ended
    for what, count in report.work:
        yield "work", what, f"{count}"
    for lot in report.lots:
        for title, value in lot.figures:
            yield f"lot {lot.lot}", title, "" if value is None else f"{value}"
    for words in report.balance:
        yield "balance", "adds up" if report.balances else "DOES NOT ADD UP", words
    for when, what in report.incidents:
        yield "incident", when, what


def _file_name(report: ShiftReport) -> str:
    """A name that says what is in the file, and leads nowhere else."""
    began = re.sub(r"\D", "", report.began)
    who = re.sub(r"[^\w-]+", "_", report.operator)
    return f"shift-{began[:8]}-{began[8:]}-{who}.pdf"


def _incident(event: Event) -> tuple[str, str]:
    number, reason = event.data.get("visual_number", event.subject), event.data.get("reason")
    return _moment(event.at), f"{number} {event.action.removeprefix('card.')}: {reason or 'no reason given'}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
