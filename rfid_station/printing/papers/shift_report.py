"""What a shift did, and whether its blank cards add up: on paper, with lines to sign on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rfid_station.domain.lot_line import LotLine, balance_of
from rfid_station.printing.layer import Anchor
from rfid_station.printing.papers.house_style import Column
from rfid_station.printing.papers.report import Report, Section, render_report

_LOTS_ACROSS = 4


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
    lots: tuple[LotLine, ...]
    incidents: tuple[tuple[str, str], ...] = ()
    """When, and what happened."""
    cards_made: int | None = None
    """To be compared with the blanks issued; None where other people's work is among these."""

    @property
    def balance(self) -> tuple[str, ...]:
        """Whether the blanks add up, in words."""
        return balance_of(self.lots, self.cards_made)[0]

    @property
    def balances(self) -> bool:
        """Whether everything that was counted adds up."""
        return balance_of(self.lots, self.cards_made)[1]


def render_shift_report(report: ShiftReport) -> bytes:
    """The report as PDF; the same report gives the same bytes. What does not add up is said in words."""
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
                *_lot_sections(report.lots),
                Section("Incidents", (Column("When", 45), Column("What", 120)), report.incidents, "None."),
            ),
            notes=report.balance,
            signatures=("Operator, date",) if report.balances else ("Operator, date", "Supervisor, date"),
            footer=f"{report.issuer}  ·  {report.desk}  ·  {report.operator}  ·  {report.began}",
            author=report.issuer,
        )
    )


def _lot_sections(lots: Sequence[LotLine]) -> Iterator[Section]:
    """A sum stands below the other: lots side by side, as many as fit."""
    if not lots:
        yield Section("Blank cards", (), (), "None.")
    for first in range(0, len(lots), _LOTS_ACROSS):
        some = lots[first : first + _LOTS_ACROSS]
        columns = (Column("Pieces", 45), *(Column("", 30, Anchor.RIGHT) for _ in some))
        counts = zip(*(lot.figures for lot in some), strict=True)
        rows = (("lot", *(lot.lot for lot in some)), *(_row(figures) for figures in counts))
        yield Section("Blank cards", columns, rows)


def _row(figures: Sequence[tuple[str, int | None]]) -> tuple[str, ...]:
    """One count of each lot, under its name."""
    return figures[0][0], *("-" if value is None else f"{value}" for _, value in figures)
