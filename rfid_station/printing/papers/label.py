"""Address labels on stock that is cut already: as large as fits, nothing on positions that are used."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from rfid_station.errors import StationError, WrongCall
from rfid_station.printing.brand import BLACK, Brand
from rfid_station.printing.design import Side
from rfid_station.printing.fonts import Typeface, normal_form, typeface
from rfid_station.printing.geometry import POINTS_PER_MM, Box
from rfid_station.printing.layout import Order, SheetLayout
from rfid_station.printing.papers.letter import fitted_block, write_block
from rfid_station.printing.pen import Pen, new_canvas
from rfid_station.printing.sheet import PrintedSheets, place
from rfid_station.printing.system_fonts import with_system_fonts

_MARGIN_MM = 3.5
_SIZES_PT = (6.0, 11.0)
_NOTE_PT = 5.5


@dataclass(frozen=True, slots=True)
class Label:
    """One label: the lines of an address, and a small note below, as the number of the card inside."""

    lines: tuple[str, ...]
    note: str = ""


def render_labels(
    layout: SheetLayout,
    brand: Brand,
    labels: Sequence[Label],
    *,
    start_position: int = 1,
    order: Order | None = None,
    job: str,
) -> PrintedSheets:
    """Print labels, the issuer small above each address; the same labels give the same bytes.

    :raises WrongCall: there are none, the sheet is for cards, or it has no such position
    :raises PrintError: an address does not fit, or has no glyph
    """
    if not layout.is_label:
        raise WrongCall(
            f"the sheet {layout.source.stem} is for cards",
            hint="choose one for labels, as --sheet labels-l7160",
        )
    if not labels:
        raise WrongCall("there are no labels to print", hint="none of these cards has an address")
    placements = place(len(labels), layout, start_position, order)
    target = io.BytesIO()
    face = typeface(brand, "regular")
    canvas = new_canvas(target, layout.paper, face.name, trim=layout.paper, bleed=layout.paper)
    canvas.setTitle(job)
    canvas.setCreator("RFID Station")
    pen = Pen(canvas, layout.paper.height, layout.paper, layout.color_space)
    by_sheet = sorted(placements, key=lambda placement: placement.sheet_number)
    for _, on_sheet in groupby(by_sheet, lambda placement: placement.sheet_number):
        pen.fill_with(BLACK)
        for placement in on_sheet:
            label = labels[placement.face_index]
            try:
                _paint(
                    pen,
                    _face_for(label, face),
                    label,
                    layout.slots[placement.position - 1],
                    brand.fields["issuer"],
                )
            except StationError as error:
                raise type(error)(
                    f"label {placement.face_index + 1} ({label.lines[0]}): {error.message}", hint=error.hint
                ) from error
        canvas.showPage()
    canvas.save()
    pdf = target.getvalue()
    return PrintedSheets(pdf, placements, sha256(pdf).hexdigest(), (Side.FRONT,))


def _face_for(label: Label, face: Typeface) -> Typeface:
    return with_system_fonts(face, normal_form("".join(label.lines)), "Regular")


def _paint(pen: Pen, face: Typeface, label: Label, slot: Box, sender: str) -> None:
    inside = slot.grown(-_MARGIN_MM)
    small = _NOTE_PT / POINTS_PER_MM * 1.4
    smalls = [(sender, inside.y + small * 0.7), (label.note, inside.bottom)]
    for text, y in smalls:
        face.check_glyphs(normal_form(text))
        pen.write(normal_form(text), (inside.x, y), face, _NOTE_PT)
    free = Box(inside.x, inside.y + 1.5 * small, inside.width, inside.height - 2.5 * small)
    lines = [normal_form(line) for line in label.lines]
    write_block(pen, lines, face, free, fitted_block(lines, face, free, _SIZES_PT))
