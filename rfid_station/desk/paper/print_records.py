"""What was printed: the jobs, what lies on a sheet, and the sheet that a card in hand lay on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfid_station.chip.exchange import CardLink, run
from rfid_station.chip.identify import identify
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card
from rfid_station.domain.order import Preprinted
from rfid_station.errors import StationError
from rfid_station.store.prints import MAKE_CARDS, PlacedCard, PrintJob


@dataclass(frozen=True, slots=True)
class SheetRecord:
    """The cards of a job, or those of one of its sheets."""

    job: PrintJob
    sheet_number: int | None
    placed: list[PlacedCard]


def jobs(station: Station, limit: int | None = None) -> list[dict[str, Any]]:
    """The print jobs, the newest first."""
    return [
        {
            "job": job.job_id,
            "at": job.at,
            "who": job.actor,
            "kind": job.kind,
            "design": job.design,
            "sheet": job.sheet,
            "cards": cards,
            "reason": job.reason,
        }
        for job, cards in station.store.prints.jobs(limit)
    ]


def state_of(placed: Card | Preprinted) -> str:
    """How a card on a sheet is, or the plastic that waits for its chip."""
    if isinstance(placed, Card):
        return f"{placed.state}"
    return "waits for its chip" if placed.spoil_reason is None else "spoiled"


def sheet_of_job(station: Station, job_id: int, sheet_number: int | None = None) -> SheetRecord:
    """What lies on a sheet of a job, or on all of them.

    :raises StationError: there is no such job, or it has no such sheet
    """
    job = station.store.prints.job(job_id)
    placed = station.store.prints.on_sheet(job_id, sheet_number)
    if not placed:
        raise StationError(
            f"job {job_id} has no sheet {sheet_number}", hint=f"rfid-station sheet show {job_id}"
        )
    return SheetRecord(job, sheet_number, placed)


def sheet_of_card(station: Station, card: Card) -> SheetRecord:
    """The sheet on which a card was printed last; of a card printer or a bureau, the whole job.

    :raises StationError: it was never printed
    """
    prints = [one for one in station.store.prints.of_card(card.id) if one.kind in MAKE_CARDS]
    if not prints:
        raise StationError(
            f"card {card.visual_number} was never printed",
            hint=f"rfid-station sheet print {card.visual_number}",
        )
    last = prints[-1]
    return sheet_of_job(station, last.job_id, last.sheet_number if last.kind == "sheet" else None)


def tapped_card(station: Station, link: CardLink) -> Card:
    """Which of our cards lies on the reader. Only its UID is read.

    :raises StationError: it is no card of ours
    """
    identity = run(link, identify(link.seen, station.roots))
    card = station.store.cards.living(identity.uid)
    if card is None:
        raise StationError(
            f"card {identity.uid.masked} is not one of ours", hint="`rfid-station card read` tells what it is"
        )
    return card
