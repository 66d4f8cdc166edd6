"""Pictures of single cards, as a person holds them: both sides, cut, with rounded corners."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import pypdfium2
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from rfid_station.printing.brand import Brand
from rfid_station.printing.design import CardDesign, NoPrint, Side
from rfid_station.printing.draw import CardPainter
from rfid_station.printing.fonts import house_typeface
from rfid_station.printing.geometry import MM_PER_INCH, Box
from rfid_station.printing.layout import ColorSpace
from rfid_station.printing.pen import Pen, new_canvas

CORNER_RADIUS_MM = 3.18
"""Of a card of size ID-1 (ISO/IEC 7810)."""

_MARGIN_MM = 6.0
_BACKGROUND = (238, 240, 242)
_SHADOW_MM = 1.2
_SAFE_COLOR = (0, 150, 136)
_ZONE_COLOR = (230, 0, 126)
_FINER = 4
"""Round corners are drawn in so many times the resolution, and made smaller."""
_COMPRESSION = 3
"""Of PNG, from 0 to 9: more takes longer than it is worth."""


def card_pdf(
    design: CardDesign,
    brand: Brand,
    face: Mapping[str, str],
    sides: Sequence[Side],
    *,
    language: str | None = None,
    shows_preprinted: bool = True,
) -> bytes:
    """One page for each side, as large as the trimmed card.

    :raises WrongCall: the brand lacks what the design names
    :raises PrintError: a text, picture or code cannot be printed
    """
    card = Box(0, 0, design.width_mm, design.height_mm)
    target = io.BytesIO()
    canvas = new_canvas(target, card, house_typeface().name, trim=card, bleed=card)
    for side in sides:
        pen = Pen(canvas, card.height, card, ColorSpace.RGB)
        CardPainter(pen, design, brand, side, language, shows_preprinted=shows_preprinted).paint(face, 0, 0)
        canvas.showPage()
    canvas.save()
    return with_artwork(target.getvalue(), design)


def with_artwork(pdf: bytes, design: CardDesign) -> bytes:
    """The same with artwork that is PDF in its place."""
    artwork = {side: file for side, file in design.artwork.items() if file.suffix.lower() == ".pdf"}
    if not artwork:
        return pdf
    from rfid_station.printing.press.artwork import place_artwork

    return place_artwork(pdf, artwork)


def card_png(
    design: CardDesign,
    brand: Brand,
    face: Mapping[str, str],
    *,
    sides: Sequence[Side] | None = None,
    language: str | None = None,
    dpi: int = 300,
    shows_zones: bool = False,
) -> bytes:
    """A card as it lies on a table, its sides below each other, as PNG.

    With zones, it shows the safe area and where nothing can be printed.

    :raises WrongCall: the brand lacks what the design names
    :raises PrintError: a text, picture or code cannot be printed
    """
    shown = list(sides or design.sides)
    pages = rendered(card_pdf(design, brand, face, shown, language=language), dpi)
    cards = [page.convert("RGB") for page in pages]
    if shows_zones:
        for side, card in zip(shown, cards, strict=True):
            _draw_zones(card, design, side, dpi)
    target = io.BytesIO()
    _on_a_table(cards, dpi).save(target, "PNG", compress_level=_COMPRESSION)
    return target.getvalue()


def rendered(pdf: bytes, dpi: int) -> list[Image.Image]:
    """The pages of a PDF as pictures."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.render(scale=dpi / 72).to_pil() for page in document]
    finally:
        document.close()


def _on_a_table(cards: Sequence[Image.Image], dpi: int) -> Image.Image:
    dots = dpi / MM_PER_INCH
    margin = round(_MARGIN_MM * dots)
    width = max(card.width for card in cards) + 2 * margin
    height = sum(card.height + margin for card in cards) + margin
    table = Image.new("RGB", (width, height), _BACKGROUND)
    top = margin
    for card in cards:
        mask = _rounded(card.size, CORNER_RADIUS_MM * dots)
        _shade(table, mask, (margin, top), dots)
        table.paste(card, (margin, top), mask)
        top += card.height + margin
    return table


def _rounded(size: tuple[int, int], radius: float) -> Image.Image:
    fine = Image.new("L", (size[0] * _FINER, size[1] * _FINER), 0)
    ImageDraw.Draw(fine).rounded_rectangle([0, 0, fine.width - 1, fine.height - 1], radius * _FINER, fill=255)
    return fine.reduce(_FINER)


def _shade(table: Image.Image, mask: Image.Image, corner: tuple[int, int], dots: float) -> None:
    """Darken the table below a card, as if light came from above."""
    shadow = Image.new("L", table.size, 0)
    shadow.paste(mask.point(lambda value: value // 4), (corner[0], corner[1] + round(_SHADOW_MM / 2 * dots)))
    small = shadow.resize((table.width // 8, table.height // 8)).filter(
        ImageFilter.GaussianBlur(_SHADOW_MM * dots / 8)
    )
    blurred = small.resize(table.size, Image.Resampling.BILINEAR)
    table.paste(ImageChops.subtract(table, Image.merge("RGB", [blurred] * 3)))


def _draw_zones(card: Image.Image, design: CardDesign, side: Side, dpi: int) -> None:
    dots = dpi / MM_PER_INCH
    pen = ImageDraw.Draw(card, "RGBA")
    safe = Box(0, 0, design.width_mm, design.height_mm).grown(-design.safe_mm)
    pen.rectangle(_pixels(safe, dots), outline=_SAFE_COLOR, width=max(1, round(0.2 * dots)))
    for zone in _zones(design, side):
        pen.rectangle(_pixels(zone.zone, dots), fill=(*_ZONE_COLOR, 60), outline=_ZONE_COLOR, width=2)


def _zones(design: CardDesign, side: Side) -> list[NoPrint]:
    return [zone for zone in design.no_print if zone.side in (None, side)]


def _pixels(box: Box, dots: float) -> list[float]:
    return [box.x * dots, box.y * dots, box.right * dots, box.bottom * dots]
