"""Pictures of what was printed, rendered from the PDF itself by PDFium."""

from __future__ import annotations

import io

import pypdfium2
from PIL import Image, ImageDraw

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.layout import SheetLayout

MM_PER_INCH = 25.4
CORNER_RADIUS_MM = 3.18
"""Of a card of size ID-1 (ISO/IEC 7810)."""

_TRIM_COLOR = (230, 0, 126)


def preview_png(pdf: bytes, page: int = 1, dpi: int = 110, trims: SheetLayout | None = None) -> bytes:
    """One page as a PNG picture. With the sheet it was printed on, it shows where cards are cut.

    :raises WrongCall: there is no such page, or the resolution is not from 20 to 1200 dpi
    :raises PrintError: this is no PDF
    """
    if not 20 <= dpi <= 1200:
        raise WrongCall(f"{dpi} dpi cannot be shown", hint="choose a resolution from 20 to 1200 dpi")
    picture = _rendered(pdf, page, dpi)
    if trims:
        _draw_trims(picture, trims, dpi)
    target = io.BytesIO()
    picture.save(target, "PNG")
    return target.getvalue()


def _rendered(pdf: bytes, page: int, dpi: int) -> Image.Image:
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise PrintError(
            "what should be shown is no PDF", hint="print it again: rfid-station sheet print"
        ) from error
    try:
        if not 1 <= page <= len(document):
            raise WrongCall(f"there is no page {page}", hint=f"choose one from 1 to {len(document)}")
        picture: Image.Image = document[page - 1].render(scale=dpi / 72).to_pil()
        return picture.convert("RGB")
    finally:
        document.close()


def _draw_trims(picture: Image.Image, layout: SheetLayout, dpi: int) -> None:
    pen = ImageDraw.Draw(picture)
    scale = dpi / MM_PER_INCH
    for slot in layout.slots:
        pen.rounded_rectangle(
            [slot.x * scale, slot.y * scale, slot.right * scale, slot.bottom * scale],
            radius=CORNER_RADIUS_MM * scale,
            outline=_TRIM_COLOR,
        )
