"""What goes into one parcel: every card of an order with a box to tick, and two lines to sign on."""

from __future__ import annotations

from dataclasses import dataclass

from rfid_station.printing.layer import Anchor
from rfid_station.printing.papers.house_style import Column
from rfid_station.printing.papers.report import Report, Section, render_report

_COLUMNS = (
    Column("No.", 12, Anchor.RIGHT),
    Column("Card", 40),
    Column("For", 62),
    Column("Printed", 46),
)


@dataclass(frozen=True, slots=True)
class PackedCard:
    """One card of an order."""

    number: str
    recipient: str
    place: str
    """Where it lies after printing, as `job 3, sheet 1, position 4`."""


@dataclass(frozen=True, slots=True)
class PackingList:
    """All that goes into a parcel."""

    order: str
    issuer: str
    made_at: str
    made_by: str
    cards: tuple[PackedCard, ...]
    missing: tuple[str, ...] = ()
    """Lines of the order without a card, with the reason."""
    ship_to: tuple[str, ...] = ()


def render_packing_list(packing: PackingList) -> bytes:
    """The list as PDF; the same list gives the same bytes."""
    facts = [("Order", packing.order), ("Cards", f"{len(packing.cards)}")]
    if packing.ship_to:
        facts.append(("Ship to", ", ".join(packing.ship_to)))
    facts += [("Made", f"{packing.made_at}, by {packing.made_by}")]
    rows = tuple(
        (f"{number}", card.number, card.recipient, card.place)
        for number, card in enumerate(packing.cards, start=1)
    )
    sections = [Section("Cards in this parcel", _COLUMNS, rows, "None.", has_ticks=True)]
    if packing.missing:
        missing = tuple((line,) for line in packing.missing)
        sections.append(Section("Ordered, and not in this parcel", (Column("Line", 160),), missing))
    return render_report(
        Report(
            title=f"Packing list {packing.order}",
            facts=tuple(facts),
            sections=tuple(sections),
            notes=(),
            signatures=("Packed by, date", "Checked by, date"),
            footer=f"{packing.issuer}  ·  {packing.order}  ·  {len(packing.cards)} cards",
            author=packing.issuer,
        )
    )
