"""What a shift did, and whether its blank cards add up: on paper, with two lines to sign on."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.printing.design import Anchor
from rfid_station.printing.papers.house_style import Column
from rfid_station.printing.papers.report import Report, Section, render_report


@dataclass(frozen=True, slots=True)
class LotCount:
    """One lot of blank cards over a shift, in pieces."""

    lot: str
    at_start: int
    received: int
    issued: int
    spoiled: int
    destroyed: int
    samples: int
    counted: int
    """By hand, at the end."""

    @property
    def expected(self) -> int:
        """What should be there at the end."""
        return self.at_start + self.received - self.issued - self.spoiled - self.destroyed - self.samples

    @property
    def variance(self) -> int:
        """Counted less expected."""
        return self.counted - self.expected


@dataclass(frozen=True, slots=True)
class ShiftReport:
    """All that a shift report tells, as it is to be printed."""

    issuer: str
    desk: str
    operator: str
    began: str
    ended: str
    work: tuple[tuple[str, int], ...]
    """What was done and how often, as `("cards issued", 120)`."""
    lots: tuple[LotCount, ...]
    incidents: tuple[tuple[str, str], ...] = ()
    """When, and what happened."""


_NO_LOTS = "Blank cards were not counted."

_LOT_COLUMNS = (
    Column("Lot", 36),
    *(Column(title, 17.5, Anchor.RIGHT) for title in ("Start", "Received", "Issued", "Spoiled", "Destr.")),
    *(Column(title, 17.5, Anchor.RIGHT) for title in ("Samples", "Counted")),
)


def render_shift_report(report: ShiftReport) -> bytes:
    """The report as PDF; the same report gives the same bytes. A variance is said in words, per lot."""
    lots = tuple(
        (
            lot.lot,
            *(str(count) for count in (lot.at_start, lot.received, lot.issued, lot.spoiled)),
            *(str(count) for count in (lot.destroyed, lot.samples, lot.counted)),
        )
        for lot in report.lots
    )
    off = [lot for lot in report.lots if lot.variance]
    balance = [
        f"Lot {lot.lot}: {lot.expected} expected, {lot.counted} counted: {_difference(lot.variance)}."
        for lot in off
    ] or [
        _NO_LOTS
        if not report.lots
        else "All lots add up: start + received = issued + spoiled + destroyed + samples + counted."
    ]
    work = tuple((what, f"{count}") for what, count in report.work)
    return render_report(
        Report(
            title="Shift report",
            facts=(
                ("Desk", report.desk),
                ("Operator", report.operator),
                ("From", report.began),
                ("To", report.ended),
            ),
            sections=(
                Section("Work", (Column("What", 120), Column("Count", 40, Anchor.RIGHT)), work, "None."),
                Section("Blank cards", _LOT_COLUMNS, lots, "None."),
                Section("Incidents", (Column("When", 45), Column("What", 120)), report.incidents, "None."),
            ),
            notes=tuple(balance),
            signatures=("Operator, date", "Supervisor, date") if off else ("Operator, date",),
            footer=f"{report.issuer}  ·  {report.desk}  ·  {report.operator}  ·  {report.began}",
            author=report.issuer,
        )
    )


def _difference(variance: int) -> str:
    return f"{-variance} missing" if variance < 0 else f"{variance} too many"
