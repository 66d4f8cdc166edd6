"""What goes into the envelope with a card: letters, address labels, the packing list of an order."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rfid_station.desk.files import write_whole
from rfid_station.desk.fulfilment.orders import standing
from rfid_station.desk.fulfilment.scanning import link_on_letter
from rfid_station.desk.paper.sheets import face_of
from rfid_station.desk.station import Station
from rfid_station.domain.card import Card, CardState
from rfid_station.domain.nearest import nearest
from rfid_station.errors import WrongCall
from rfid_station.printing.brand import load_brand
from rfid_station.printing.layout import load_layout
from rfid_station.printing.papers.label import Label, render_labels
from rfid_station.printing.papers.letter import Letter, load_letter, render_letters
from rfid_station.printing.papers.packing_list import PackedCard, PackingList, render_packing_list
from rfid_station.printing.sheet import PrintedSheets
from rfid_station.small_file import small_text
from rfid_station.store.prints import PrintItem

_MOST_ADDRESSES = 64 << 20
"""Bytes of a file of addresses: half a million of them."""

ADDRESS_LINES = ("company", "name", "extra", "street", "city_line", "country")
COLUMNS = (
    "number",
    "reference",
    "company",
    "name",
    "extra",
    "street",
    "postcode",
    "city",
    "country",
    "claim_code",
    "fleet",
    "language",
)
"""What a file with addresses may have; `number` or `reference` says whose row it is."""

PACKED = (CardState.ISSUED, CardState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a row of a file with addresses tells of one card."""

    lines: tuple[str, ...] = ()
    claim_code: str = ""


@dataclass(frozen=True, slots=True)
class PaperWish:
    """How letters and labels should come out; None takes the settings' or the shipped one."""

    template: str = "carrier"
    sheet: str = "labels-l7160"
    brand: str | None = None
    language: str | None = None
    start_position: int = 1
    reason: str | None = None
    out: Path | None = None
    recipients: Mapping[str, Recipient] = field(default_factory=dict)
    """By visual number, or by the driver's reference."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What was made."""

    pdf: Path
    pages: int
    cards: int
    job: int


def read_recipients(path: Path) -> dict[str, Recipient]:
    """Read addresses and claim codes from a CSV file (UTF-8, comma), by number or reference.

    :raises WrongCall: the file cannot be read, or has a column that is unknown, or a row without a key
    """
    rows, columns = _rows(path)
    unknown = next((column for column in columns if column not in COLUMNS), None)
    if unknown is not None:
        raise WrongCall(
            f"{path} has the unknown column {unknown!r}",
            hint=f"{nearest(unknown, COLUMNS)}columns: {', '.join(COLUMNS)}",
        )
    if not {"number", "reference"} & set(columns):
        raise WrongCall(
            f"{path} does not say whose addresses these are", hint="add a column number or reference"
        )
    recipients: dict[str, Recipient] = {}
    for line, row in rows:
        key = row.get("number") or row.get("reference") or ""
        if not key or key in recipients:
            why = f"names {key!r} a second time" if key else "has neither number nor reference"
            raise WrongCall(f"{path} row {line} {why}", hint="correct that row in a text editor")
        recipients[key] = _recipient(row)
    return recipients


def _recipient(row: Mapping[str, str]) -> Recipient:
    city_line = " ".join(part for part in (row.get("postcode", ""), row.get("city", "")) if part)
    texts = {**row, "city_line": city_line}
    lines = tuple(texts[line] for line in ADDRESS_LINES if texts.get(line))
    is_address = bool(city_line or row.get("street"))
    return Recipient(lines if is_address else (), row.get("claim_code", ""))


def _rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    try:
        text = small_text(path, _MOST_ADDRESSES, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongCall(
            f"{path} cannot be read as UTF-8 text: {getattr(error, 'strerror', None) or error}",
            hint="save it as CSV UTF-8, and see that you may read it",
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise WrongCall(
                    f"{path} row {reader.line_num} has not {len(columns)} columns", hint="correct that row"
                )
            rows.append((reader.line_num, {name: value.strip() for name, value in row.items()}))
    except csv.Error as error:
        raise WrongCall(
            f"{path} row {reader.line_num}: {error}", hint="close the quotes in that row"
        ) from None
    return rows, columns


def print_letters(station: Station, cards: Sequence[Card], wish: PaperWish) -> Paper:
    """Write a carrier letter for each card, in the language of its driver, and record them.

    :raises WrongCall: no cards, or a missing template
    :raises Conflict: a letter was printed before, and the wish has no reason
    :raises PrintError: a text does not fit, or has no glyph
    :raises DiskFull: there is no room; nothing is recorded
    """
    station.store.prints.check_again({card.id for card in cards}, "letter", wish.reason)
    folders = [station.folder / "templates"]
    name = f"letters-{station.store.prints.next_job():04}"
    printed = render_letters(
        load_letter(wish.template, folders),
        load_brand(wish.brand or station.settings.print.brand, folders),
        [_letter(station, card, wish) for card in cards],
        job=name,
    )
    return _kept(station, cards, wish, printed, name, ("letter", wish.template, "page"))


def print_labels(station: Station, cards: Sequence[Card], wish: PaperWish) -> Paper:
    """Write an address label for each card that has an address, and record them.

    :raises WrongCall: no card has an address, the sheet is not for labels, or has no such position
    :raises Conflict: a label was printed before, and the wish has no reason
    :raises PrintError: an address does not fit, or has no glyph
    :raises DiskFull: there is no room; nothing is recorded
    """
    addressed = [card for card in cards if _recipient_of(card, wish).lines]
    station.store.prints.check_again({card.id for card in addressed}, "label", wish.reason)
    folders = [station.folder / "templates"]
    name = f"labels-{station.store.prints.next_job():04}"
    printed = render_labels(
        load_layout(wish.sheet, folders),
        load_brand(wish.brand or station.settings.print.brand, folders),
        [Label(_recipient_of(card, wish).lines, card.visual_number) for card in addressed],
        start_position=wish.start_position,
        job=name,
    )
    return _kept(station, addressed, wish, printed, name, ("label", "address", wish.sheet))


def cards_of_order(station: Station, order: str) -> list[Card]:
    """The cards that were made for an order, by its lines or by the file that they came from."""
    if station.store.orders.has(order):
        made = [item.card for item in standing(station, order).items if item.card is not None]
        return [station.store.cards.by_id(card.id) for card in made]
    return [
        card
        for card in station.store.cards.listing()
        if card.order_line and card.order_line.rpartition(":")[0] == order
    ]


def write_packing_list(station: Station, cards: Sequence[Card], order: str, out: Path | None = None) -> Path:
    """Write what goes into the parcel of an order: its cards, and where each was printed.

    :raises WrongCall: the order has no cards
    :raises DiskFull: there is no room
    """
    packed = [card for card in cards if card.state in PACKED]
    if not packed:
        raise WrongCall(f"the order {order} has no cards to pack", hint="rfid-station card list")
    packing = PackingList(
        order=order,
        issuer=station.settings.desk.issuer,
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        made_by=station.actor.name,
        cards=tuple(
            PackedCard(card.visual_number, card.driver.name if card.driver else "", _place(station, card))
            for card in packed
        ),
        missing=tuple(
            f"{card.order_line or card.visual_number}: {card.state}"
            for card in cards
            if card.state not in PACKED
        ),
    )
    path = out or station.folder / "prints" / f"packing-{order}.pdf"
    write_whole(path, render_packing_list(packing))
    return path


def _letter(station: Station, card: Card, wish: PaperWish) -> Letter:
    face, recipient = face_of(station, card), _recipient_of(card, wish)
    return Letter(
        visual_number=card.visual_number,
        contract_id=face["contract_id"],
        link=face["link"],
        qr_link=link_on_letter(face["qr_link"]),
        name=face["driver"],
        address=recipient.lines,
        claim_code=recipient.claim_code,
        language=wish.language or (card.driver.language if card.driver else None),
    )


def _recipient_of(card: Card, wish: PaperWish) -> Recipient:
    reference = card.driver.reference if card.driver else ""
    return wish.recipients.get(card.visual_number) or wish.recipients.get(reference) or Recipient()


def _place(station: Station, card: Card) -> str:
    printed = [one for one in station.store.prints.of_card(card.id) if one.kind not in ("letter", "label")]
    if not printed:
        return "not yet"
    last = printed[-1]
    return f"job {last.job_id}, sheet {last.sheet_number}, position {last.position}"


def _kept(
    station: Station,
    cards: Sequence[Card],
    wish: PaperWish,
    printed: PrintedSheets,
    name: str,
    how: tuple[str, str, str],
) -> Paper:
    """Write the file and record it; without a record there is no file."""
    kind, design, sheet = how
    pdf = wish.out or station.folder / "prints" / f"{name}.pdf"
    write_whole(pdf, printed.pdf)
    try:
        job = station.store.prints.record(
            design=design,
            sheet=sheet,
            file_sha256=printed.sha256,
            items=[
                PrintItem(cards[place.face_index].id, place.sheet_number, place.position)
                for place in printed.placements
            ],
            actor=station.actor,
            kind=kind,
            reason=wish.reason,
        )
    except BaseException:
        pdf.unlink(missing_ok=True)
        raise
    return Paper(pdf, printed.sheet_count, len(cards), job)
