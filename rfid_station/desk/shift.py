"""What somebody did in a day, counted from the audit log: the report that is signed when a shift ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.station import Station
from rfid_station.errors import WrongCall
from rfid_station.printing.papers.shift_report import ShiftReport, render_shift_report
from rfid_station.store.chain import Event

WORK = {
    "card.issued": "cards made",
    "card.active": "cards activated",
    "card.printed": "sides and papers printed",
    "card.spoiled": "cards spoiled",
    "card.blocked": "cards blocked",
    "card.suspended": "cards suspended",
    "card.replaced": "cards replaced",
    "card.retired": "cards retired",
    "card.regrouped": "cards moved to another group",
    "card.recycled": "chips brought back to blank",
}
_INCIDENTS = ("card.spoiled", "card.blocked", "card.suspended")


def report_of(station: Station, day: date, operator: str) -> ShiftReport:
    """What an operator did on a day, in UTC. Blank cards are not counted here: no lots are kept yet.

    :raises WrongCall: nothing of that operator is in the log of that day
    """
    events = [
        event
        for event in station.store.audit.events()
        if event.at.date() == day and event.actor.name == operator
    ]
    if not events:
        raise WrongCall(f"{operator} did nothing on {day}", hint="rfid-station store log")
    done = Counter(WORK[event.action] for event in events if event.action in WORK)
    return ShiftReport(
        issuer=station.settings.desk.issuer,
        desk=station.folder.resolve().name,
        operator=operator,
        began=_moment(events[0].at),
        ended=_moment(events[-1].at),
        work=tuple((what, done[what]) for what in WORK.values() if done[what]),
        lots=(),
        incidents=tuple(_incident(event) for event in _wrong(events)),
    )


def write_report(station: Station, report: ShiftReport, out: Path | None = None) -> Path:
    """Write a report as PDF; the same report gives the same bytes.

    :raises DiskFull: there is no room
    """
    path = out or station.folder / "prints" / f"shift-{report.began[:10]}-{report.operator}.pdf"
    write_whole(path, render_shift_report(report))
    return path


def today() -> date:
    """The day it is, in UTC."""
    return datetime.now(UTC).date()


def _wrong(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.action in _INCIDENTS]


def _incident(event: Event) -> tuple[str, str]:
    number, reason = event.data.get("visual_number", event.subject), event.data.get("reason")
    return _moment(event.at), f"{number} {event.action.removeprefix('card.')}: {reason or 'no reason given'}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
