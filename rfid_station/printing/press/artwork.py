"""A designer's press-ready PDF as one side of a card: put where a design left an empty form for it.

The form is named `artwork-front` or `artwork-back` and framed by the card with its bleed, its origin
the lower left corner of the trimmed card. What the designer drew stays as it is: CMYK, spot colours,
overprint, transparency.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pikepdf
from pikepdf import Name

from rfid_station.errors import PrintError, WrongCall
from rfid_station.printing.design import Side
from rfid_station.printing.geometry import POINTS_PER_MM
from rfid_station.printing.press.pdf_faults import unembedded_fonts

SAME_SIZE_MM = 0.2
"""Cards are called 85.60 × 53.98 mm, 86 × 54 mm is too far off, 3.375 × 2.125 inches is not."""
MOST_BLEED_MM = 10.0
_NEGLIGIBLE_MM = 0.05

_Edges = tuple[float, ...]
"""Left, bottom, right and top, in points."""


@dataclass(frozen=True, slots=True)
class _Page:
    """A page of artwork as a form, and where on it the trimmed card and what is beyond lie."""

    file: Path
    form: pikepdf.Object
    trim: _Edges
    whole: _Edges


def place_artwork(
    pdf: bytes, artwork: Mapping[Side, Path], card_mm: tuple[float, float] | None = None
) -> bytes:
    """Put the artwork of each side in its place. The same input gives the same bytes.

    A file that is named for both sides and has two pages gives its second to the back. `card_mm` is the
    size of the trimmed card; without it, the frame of the form is taken to lie around it evenly.

    :raises WrongCall: a file is no PDF, or has no page of the size of the card
    :raises PrintError: a file has too little bleed, or something in it would be lost or replaced
    """
    with pikepdf.open(io.BytesIO(pdf)) as printed:
        forms = {side: _empty_form(printed, f"artwork-{side}") for side in artwork}
        if all(form is None for form in forms.values()):
            raise LookupError("no page of the file has a place for artwork")
        for side, file in artwork.items():
            form = forms[side]
            if form is None:
                continue
            is_second = side is Side.BACK and artwork.get(Side.FRONT) == file
            with _opened(file) as source:
                _fill(printed, form, source, file, (is_second, card_mm))
        target = io.BytesIO()
        printed.save(target, deterministic_id=True)
    return target.getvalue()


def _empty_form(pdf: pikepdf.Pdf, name: str) -> pikepdf.Object | None:
    """The form of this name; None if this side is not printed."""
    key = Name(f"/FormXob.{name}")
    for thing in pdf.objects:
        if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream) and Name.Resources in thing:
            forms = thing[Name.Resources].get(Name.XObject, pikepdf.Dictionary())
            if key in forms:
                return forms[key]
    return None


def _opened(file: Path) -> pikepdf.Pdf:
    try:
        return pikepdf.open(file)
    except pikepdf.PasswordError as error:
        raise WrongCall(f"{file} is locked with a password", hint="export it without one") from error
    except (pikepdf.PdfError, OSError) as error:
        raise WrongCall(
            f"{file} cannot be read as a PDF", hint="export it again as PDF/X-4 from the design program"
        ) from error


def _fill(
    printed: pikepdf.Pdf,
    form: pikepdf.Object,
    source: pikepdf.Pdf,
    file: Path,
    wanted: tuple[bool, tuple[float, float] | None],
) -> None:
    is_second, card_mm = wanted
    frame = _numbers(form.BBox)
    width, height = _size_of_card(frame, card_mm)
    _check_layers(source, file)
    page = _page(source, file, 1 if is_second and len(source.pages) > 1 else 0, (width, height))
    _check_bleed(page, frame, (width, height))
    right = (width - page.trim[0] - page.trim[2]) / 2
    up = (height - page.trim[1] - page.trim[3]) / 2
    form.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Artwork=printed.copy_foreign(page.form)))
    form.write(f"q 1 0 0 1 {right:.4f} {up:.4f} cm /Artwork Do Q".encode())


def _size_of_card(frame: _Edges, card_mm: tuple[float, float] | None) -> tuple[float, float]:
    """Width and height of the trimmed card in points."""
    if card_mm is None:
        return (frame[0] + frame[2], frame[1] + frame[3])
    return (card_mm[0] * POINTS_PER_MM, card_mm[1] * POINTS_PER_MM)


def _page(source: pikepdf.Pdf, file: Path, index: int, size: tuple[float, float]) -> _Page:
    """One page as a form that shows everything that the designer drew."""
    page = source.pages[index]
    _check_nothing_is_lost(page, file)
    form = source.make_indirect(page.as_form_xobject())
    # pikepdf frames the form by the TrimBox, and the bleed would be cut off.
    media = _numbers(page.mediabox)
    form.BBox = pikepdf.Array([_short(edge) for edge in media])
    matrix = _numbers(form.get(Name.Matrix, pikepdf.Array([1, 0, 0, 1, 0, 0])))
    boxes = {
        name: _moved(_numbers(page.obj[name]), matrix)
        for name in (Name.TrimBox, Name.ArtBox, Name.BleedBox)
        if name in page.obj
    }
    whole = _moved(media, matrix)
    trim = _trim([boxes.get(Name.TrimBox), boxes.get(Name.ArtBox), whole, _inner(whole, size)], size)
    if trim is None:
        raise WrongCall(
            f"{file}: the card in it is {_written(boxes.get(Name.TrimBox, whole))} mm, and the design's is"
            f" {size[0] / POINTS_PER_MM:g} × {size[1] / POINTS_PER_MM:g} mm",
            hint="export it with a TrimBox of the size of the card, bleed outside of it",
        )
    bleed = boxes.get(Name.BleedBox, trim)
    return _Page(file, form, trim, bleed if _beyond(trim, bleed) > 0 else whole)


def _trim(candidates: list[_Edges | None], size: tuple[float, float]) -> _Edges | None:
    """The first box of the size of the card; a TrimBox may be there and be that of the paper."""
    most = SAME_SIZE_MM * POINTS_PER_MM
    for box in candidates:
        if box and abs(box[2] - box[0] - size[0]) <= most and abs(box[3] - box[1] - size[1]) <= most:
            return box
    return None


def _inner(whole: _Edges, size: tuple[float, float]) -> _Edges | None:
    """A card in the middle of a page that is larger by some bleed."""
    across, up = ((whole[axis + 2] - whole[axis] - size[axis]) / 2 for axis in (0, 1))
    if not 0 <= min(across, up) <= max(across, up) <= MOST_BLEED_MM * POINTS_PER_MM:
        return None
    return (whole[0] + across, whole[1] + up, whole[2] - across, whole[3] - up)


def _check_nothing_is_lost(page: pikepdf.Page, file: Path) -> None:
    """Refuse what only shows as long as the file is a file of its own."""
    if len(page.obj.get(Name.Annots, pikepdf.Array())):
        raise PrintError(
            f"{file} has annotations or form fields, which would be lost", hint="export it flattened"
        )
    fonts = unembedded_fonts(page.obj)
    if fonts:
        raise PrintError(
            f"{file}: font {', '.join(fonts)} is not embedded, and another would be printed in its place",
            hint="export it with all fonts embedded, as PDF/X does, or with texts as outlines",
        )


def _check_layers(source: pikepdf.Pdf, file: Path) -> None:
    """Refuse layers that are switched off: away from their file, they would be printed."""
    layers = source.Root.get(Name.OCProperties)
    if layers is not None and len(layers.get(Name.D, pikepdf.Dictionary()).get(Name.OFF, pikepdf.Array())):
        raise PrintError(
            f"{file} has layers that are switched off", hint="delete them, or export it flattened"
        )


def _check_bleed(page: _Page, frame: _Edges, size: tuple[float, float]) -> None:
    needed = _beyond((0, 0, *size), frame) / POINTS_PER_MM
    there = _beyond(page.trim, page.whole) / POINTS_PER_MM
    if there < needed - _NEGLIGIBLE_MM:
        raise PrintError(
            f"{page.file} has {max(there, 0):.2f} mm of bleed, and {needed:.2f} mm are printed",
            hint="export it with more bleed, or take a sheet or a bureau that wants less",
        )


def _beyond(trim: _Edges, whole: _Edges) -> float:
    """What lies around the card, on the edge where it is least, in points."""
    return min(trim[0] - whole[0], trim[1] - whole[1], whole[2] - trim[2], whole[3] - trim[3])


def _numbers(array: pikepdf.Object) -> tuple[float, ...]:
    return tuple(float(array[index]) for index in range(len(array)))


def _moved(edges: tuple[float, ...], matrix: tuple[float, ...]) -> _Edges:
    """A box as it lies after a transformation (ISO 32000-1, 8.3.3)."""
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (edges[0], edges[2]) for y in (edges[1], edges[3])]
    across = [a * x + c * y + e for x, y in corners]
    up = [b * x + d * y + f for x, y in corners]
    return (min(across), min(up), max(across), max(up))


def _written(box: _Edges) -> str:
    return f"{(box[2] - box[0]) / POINTS_PER_MM:.2f} × {(box[3] - box[1]) / POINTS_PER_MM:.2f}"


def _short(number: float) -> Decimal:
    return Decimal(f"{number:.4f}")
